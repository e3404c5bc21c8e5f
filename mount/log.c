/* SPDX-License-Identifier: MIT */
#include "mount/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Below PIPE_BUF, so that a line is written to a pipe whole. A longer one ends in "...". */
#define LOG_LINE_BYTES 2048

static const char prefix[] = "ibbfs: ";

/* Of sd-daemon(3): the journal reads the priority from the start of a line. */
#define JOURNAL_PREFIX_BYTES (sizeof("<3>") - 1)

static struct {
	bool to_journal;       /* immutable once threads run */
	bool debug;	       /* immutable once threads run */
	const char *place;     /* NULL then */
	atomic_bool to_syslog; /* from when the mount is ready */
} log_state;

/* Whether standard error is a stream of the journal's: JOURNAL_STREAM is its device and inode. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_start(bool debug)
{
	log_state.to_journal = is_journal();
	log_state.debug = debug;
}

void log_set_place(const char *place)
{
	log_state.place = place;
}

bool log_has_place(void)
{
	return log_state.place != NULL;
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

/* Writes `line`, of LOG_LINE_BYTES with room for JOURNAL_PREFIX_BYTES before it. */
static void write_line(int priority, char *line)
{
	size_t bytes = strlen(line);

	line[bytes++] = '\n';
	if (log_state.to_journal) {
		line -= JOURNAL_PREFIX_BYTES;
		bytes += JOURNAL_PREFIX_BYTES;
		line[0] = '<';
		line[1] = (char)('0' + priority);
		line[2] = '>';
	}
	if (write(STDERR_FILENO, line, bytes) < 0) {
		/* There is no other place to report it. */
	}
}

__attribute__((format(printf, 2, 0))) static void log_line(int priority, const char *format,
							   va_list arguments)
{
	int saved_errno = errno;
	char buffer[JOURNAL_PREFIX_BYTES + LOG_LINE_BYTES];
	char *line = buffer + JOURNAL_PREFIX_BYTES;
	char *text = line + sizeof(prefix) - 1;
	size_t room = LOG_LINE_BYTES - (sizeof(prefix) - 1) - 1; /* the newline's byte */

	memcpy(line, prefix, sizeof(prefix));
	if (log_state.place) {
		int place = snprintf(text, room, "%s: ", log_state.place);
		size_t taken = place > 0 && (size_t)place < room / 2 ? (size_t)place : 0;
		text += taken;
		room -= taken;
	}
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
		write_line(priority, line);
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
