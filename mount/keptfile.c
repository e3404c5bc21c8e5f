/* SPDX-License-Identifier: MIT */
#include "mount/keptfile.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* The descriptor, or -errno. */
static int descriptor(const struct inbox *inbox, struct hub *hub, struct handle *handle)
{
	char path[PATH_MAX];
	int fd;
	int length = hub_kept(hub, handle, path, sizeof(path), &fd);
	if (fd >= 0) {
		return fd;
	}
	if (length < 0) {
		return length;
	}
	fd = inbox_open(inbox, path);
	if (fd >= 0) {
		hub_set_kept(hub, handle, fd);
	}
	return fd;
}

int keptfile_open(const struct inbox *inbox, struct hub *hub, struct handle *handle)
{
	int fd = descriptor(inbox, hub, handle);
	return fd < 0 ? fd : 0;
}

ssize_t keptfile_read(const struct inbox *inbox, struct hub *hub, struct handle *handle,
		      void *bytes, size_t size, off_t offset)
{
	int fd = descriptor(inbox, hub, handle);
	if (fd < 0) {
		return fd;
	}
	ssize_t length = handle->node->kind == NODE_NEXT ? read(fd, bytes, size)
							 : pread(fd, bytes, size, offset);
	if (length != 0) {
		return length < 0 ? -errno : length;
	}
	char path[PATH_MAX];
	int state = hub_kept(hub, handle, path, sizeof(path), &fd);
	return state < 0 ? state : 0;
}

void keptfile_close(struct hub *hub, struct handle *handle)
{
	char path[PATH_MAX];
	int fd;
	hub_kept(hub, handle, path, sizeof(path), &fd);
	if (fd >= 0) {
		hub_set_kept(hub, handle, -1);
		close(fd);
	}
}
