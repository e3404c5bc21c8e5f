/* SPDX-License-Identifier: MIT */
#include "mount/disk/inbox_ops.h"

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

/* How often, and at which interval, an open retries while a file gets its final name. */
#define TRIES	      10
#define BETWEEN_TRIES ((struct timespec){.tv_nsec = 1000000})

/* The descriptor, or -errno; -EAGAIN: there is no file yet. */
static int descriptor(const struct inbox *inbox, struct hub *hub, struct handle *handle)
{
	char path[PATH_MAX];
	int fd = -ENOENT;
	for (unsigned i = 0; fd == -ENOENT && i < TRIES; i++) {
		if (i > 0) {
			nanosleep(&BETWEEN_TRIES, NULL);
		}
		int length = hub_inbox_path(hub, handle, path, sizeof(path), &fd);
		if (fd >= 0 || length < 0) {
			return fd >= 0 ? fd : length;
		}
		/* The file has its new name on disk a moment before the hub knows it. */
		fd = inbox_open(inbox, path);
	}
	if (fd < 0) {
		return fd;
	}
	int current = hub_set_inbox_fd(hub, handle, fd);
	if (current != fd) {
		close(fd);
	}
	return current;
}

int inbox_ops_open(const struct inbox *inbox, struct hub *hub, struct handle *handle)
{
	int fd = descriptor(inbox, hub, handle);
	return fd < 0 && fd != -EAGAIN ? fd : 0;
}

ssize_t inbox_ops_read(const struct inbox *inbox, struct hub *hub, struct handle *handle,
		       void *bytes, size_t size, off_t offset)
{
	int fd = descriptor(inbox, hub, handle);
	if (fd < 0) {
		return fd == -EAGAIN ? 0 : fd; /* so far */
	}
	ssize_t length = handle->node->kind == NODE_NEXT ? read(fd, bytes, size)
							 : pread(fd, bytes, size, offset);
	if (length != 0) {
		return length < 0 ? -errno : length;
	}
	char path[PATH_MAX];
	int state = hub_inbox_path(hub, handle, path, sizeof(path), &fd);
	return state < 0 ? state : 0;
}

void inbox_ops_close(struct hub *hub, struct handle *handle)
{
	char path[PATH_MAX];
	int fd;
	hub_inbox_path(hub, handle, path, sizeof(path), &fd);
	if (fd >= 0) {
		hub_set_inbox_fd(hub, handle, -1);
		close(fd);
	}
}
