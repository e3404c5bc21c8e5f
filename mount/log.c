/* SPDX-License-Identifier: MIT */
#include "mount/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* Below PIPE_BUF, so that a line is written to a pipe whole. A longer one ends in "...". */
#define LOG_LINE_BYTES 2048

static const char prefix[] = "ibbfs: ";

static struct {
	bool debug;	       /* immutable once threads run */
	atomic_bool to_syslog; /* from when the mount is ready */
} log_state;

void log_start(bool debug)
{
	log_state.debug = debug;
}

void log_to_syslog(void)
{
	openlog("ibbfs", LOG_PID, LOG_DAEMON);
	log_state.to_syslog = true;
}

/* C0, DEL, and C1 in UTF-8: terminals obey them, and the text may come from a peer. */
static void replace_controls(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			p[0] = '?';
			p[1] = '?';
		}
	}
}

/* Ends the cut text of `size` bytes in "...", not inside a character. */
static void mark_cut(char *text, size_t size)
{
	size_t end = size - sizeof("...");

	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) {
		end--;
	}
	memcpy(text + end, "...", sizeof("..."));
}

__attribute__((format(printf, 2, 0))) static void log_line(int priority, const char *format,
							   va_list arguments)
{
	int saved_errno = errno;
	char line[LOG_LINE_BYTES];
	char *text = line + sizeof(prefix) - 1;
	size_t room = sizeof(line) - (sizeof(prefix) - 1) - 1; /* the newline's byte */

	memcpy(line, prefix, sizeof(prefix));
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the caller's va_start is not seen */
	int length = vsnprintf(text, room, format, arguments);
	if (length < 0) {
		text[0] = '\0'; /* a broken format; the line still says that something happened */
	} else if ((size_t)length >= room) {
		mark_cut(text, room);
	}
	replace_controls(text);
	if (log_state.to_syslog) {
		syslog(priority, "%s", text);
	} else {
		size_t bytes = strlen(line);

		line[bytes++] = '\n';
		if (write(STDERR_FILENO, line, bytes) < 0) {
			/* There is no other place to report it. */
		}
	}
	errno = saved_errno;
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_ERR, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_WARNING, format, arguments);
	va_end(arguments);
}

void log_debug(const char *format, ...)
{
	if (!log_state.debug) {
		return;
	}
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_DEBUG, format, arguments);
	va_end(arguments);
}
