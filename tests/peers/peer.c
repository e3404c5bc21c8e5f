/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct peer_library *library;

static enum {
	WAITS,
	ACCEPTS,
	REFUSES
} policy = WAITS;
static char folder[4096];  /* where accepted files go */
static char offered[1024]; /* the name of the offer that waits for a decision; empty: none */

static char input[8192];
static size_t input_length;

struct peer_arguments peer_start(int argc, char **argv, const struct peer_library *of)
{
	if (argc != 6) {
		peer_die("usage: %s HOST PORT CAFILE JID PASSWORD", argv[0]);
	}
	library = of;
	return (struct peer_arguments){.host = argv[1],
				       .port = atoi(argv[2]),
				       .cafile = argv[3],
				       .jid = argv[4],
				       .password = argv[5]};
}

static void decide(void)
{
	if (!*offered || policy == WAITS) {
		return;
	}
	char path[sizeof(folder) + sizeof(offered) + 1];
	snprintf(path, sizeof(path), "%s/%s", folder, offered);
	*offered = '\0';
	if (policy == ACCEPTS) {
		library->accept(path);
	} else {
		library->refuse();
	}
}

void peer_offered(const char *jid, long long size, const char *name)
{
	peer_tell("offer %s %lld %s", jid, size, name);
	const char *slash = strrchr(name, '/');
	snprintf(offered, sizeof(offered), "%s", slash ? slash + 1 : name);
	decide();
}

static void obey(char *line)
{
	char *rest = strchr(line, ' ');
	if (rest) {
		*rest++ = '\0';
	} else {
		rest = line + strlen(line);
	}
	if (strcmp(line, "send") == 0) {
		char *path = strchr(rest, ' ');
		if (!path) {
			peer_die("send: JID PATH");
		}
		*path++ = '\0';
		library->send(rest, path);
	} else if (strcmp(line, "accept") == 0) {
		snprintf(folder, sizeof(folder), "%s", rest);
		policy = ACCEPTS;
		decide();
	} else if (strcmp(line, "refuse") == 0) {
		policy = REFUSES;
		decide();
	} else if (strcmp(line, "cancel") == 0) {
		library->cancel();
	} else {
		peer_die("no such command: %s", line);
	}
}

bool peer_read(void)
{
	ssize_t count = read(STDIN_FILENO, input + input_length, sizeof(input) - 1 - input_length);
	if (count <= 0) {
		return false;
	}
	input_length += (size_t)count;
	input[input_length] = '\0';
	char *line = input;
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		obey(line);
	}
	input_length = strlen(line);
	memmove(input, line, input_length);
	return true;
}

void peer_tell(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

void peer_die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("peer: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_Exit(1); /* not exit(): handlers that libraries have registered need their loop */
}
