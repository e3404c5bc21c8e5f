/* SPDX-License-Identifier: MIT */
/*
 * spool_ops - file operations on a spooled file: as on any file on disk, until it is closed.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: the main thread, without the hub's lock.
 * Source:  DESIGN section 3.
 */
#ifndef MOUNT_DISK_SPOOL_OPS_H
#define MOUNT_DISK_SPOOL_OPS_H

#include "mount/hub.h"

#include <stdbool.h>
#include <sys/types.h>

/* The spool is made in `directory` with the first byte. `append`: at the end. */
int spool_ops_write(struct hub *hub, const char *directory, struct handle *handle,
		    const void *bytes, size_t length, uint64_t offset, bool append);
int spool_ops_resize(struct hub *hub, const char *directory, struct handle *handle, uint64_t size);

/* Up to `length` bytes. */
ssize_t spool_ops_read(const struct handle *handle, void *bytes, size_t length, uint64_t offset);

/* `pid` has closed a descriptor: whether any process can still write through one. A shell opens a
 * file once for many commands, each of which closes it. If /proc does not show it, more is expected
 * while nothing was written: a shell begins with two descriptors. */
bool spool_ops_is_still_open(struct hub *hub, const char *mountpoint, const struct handle *handle,
			     pid_t pid);

/* Offers the file, and uploads it once the peer has accepted. The request is delivered when the
 * upload ends. */
void spool_ops_offer(struct hub *hub, const char *directory, struct handle *handle,
		     struct request *request);

/* Drops the spool of a handle that the hub has released. */
void spool_ops_close(struct handle *handle);

/* As hub_release; a spooled file that was not offered is offered now, and no call waits for the
 * result. */
void spool_ops_release(struct hub *hub, const char *directory, struct handle *handle);

#endif
