/* SPDX-License-Identifier: MIT */
#include "mount/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_BYTES 512

static char last_status[STATUS_BYTES];

/* The manager's socket, "@" before an abstract name; NULL: there is none. */
static const char *socket_path(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	return path && (*path == '/' || *path == '@') ? path : NULL;
}

bool notify_is_enabled(void)
{
	return socket_path() != NULL;
}

static void send_text(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = socket_path();
	size_t length = path ? strlen(path) : 0;
	if (length == 0 || length >= sizeof(address.sun_path)) {
		return;
	}
	memcpy(address.sun_path, path, length);
	if (*path == '@') {
		address.sun_path[0] = '\0'; /* an abstract name */
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return;
	}
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0) {
		/* The manager is gone, or does not read. */
	}
	close(fd);
}

void notify_ready(const char *status)
{
	char text[STATUS_BYTES + 64];
	snprintf(last_status, sizeof(last_status), "%s", status);
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld\nSTATUS=%s", (long)getpid(),
		 last_status);
	send_text(text);
}

void notify_stopping(void)
{
	send_text("STOPPING=1");
}

bool notify_status(const char *status)
{
	char text[STATUS_BYTES + 16];
	if (strncmp(status, last_status, sizeof(last_status) - 1) == 0) {
		return false;
	}
	snprintf(last_status, sizeof(last_status), "%s", status);
	snprintf(text, sizeof(text), "STATUS=%s", last_status);
	send_text(text);
	return true;
}

void notify_reloaded(int64_t now_us)
{
	char text[64];
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_us);
	send_text(text);
	send_text("READY=1");
}
