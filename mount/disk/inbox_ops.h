/* SPDX-License-Identifier: MIT */
/*
 * inbox_ops - file operations on a name in in/ that is a file of the inbox.
 *
 * Errors:  0, a count or -errno.
 * Threads: any, without the hub's lock; calls for one handle do not overlap.
 */
#ifndef MOUNT_DISK_INBOX_OPS_H
#define MOUNT_DISK_INBOX_OPS_H

#include "account/handle.h"
#include "mount/disk/inbox.h"
#include "mount/hub.h"

#include <sys/types.h>

/* Opens the file that `handle` reads, unless it is open already: then the handle keeps its file,
 * even if the name is removed. */
int inbox_ops_open(const struct inbox *inbox, struct hub *hub, struct handle *handle);

/* Reads up to `size` bytes from `offset`; through `next`, from where the last read ended. 0 at the
 * end of the bytes received so far. An incomplete file ends in its error. */
ssize_t inbox_ops_read(const struct inbox *inbox, struct hub *hub, struct handle *handle,
		       void *bytes, size_t size, off_t offset);

/* The handle is about to be released. */
void inbox_ops_close(struct hub *hub, struct handle *handle);

#endif
