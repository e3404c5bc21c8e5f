/* SPDX-License-Identifier: MIT */
/*
 * spool_ops - calls on a file that is spooled: like those on any file on disk, until it is closed.
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

/* The spool is in `directory`, made with the first byte. `append`: at the end, wherever that is. */
int spool_ops_write(struct hub *hub, const char *directory, struct handle *handle,
		    const void *bytes, size_t length, uint64_t offset, bool append);
int spool_ops_resize(struct hub *hub, const char *directory, struct handle *handle, uint64_t size);

/* Up to `length` bytes. */
ssize_t spool_ops_read(const struct handle *handle, void *bytes, size_t length, uint64_t offset);

/*
 * `pid` has closed a descriptor: whether another one is open, of whatever process, through which
 * more may come. A shell opens a file once for many commands, each of which closes it. Where that
 * is not certain, something will come if nothing has yet: a shell begins with two descriptors.
 */
bool spool_ops_is_still_open(struct hub *hub, const char *mountpoint, const struct handle *handle,
			     pid_t pid);

/* Offers the file, and sends it once it is accepted. The request is delivered when that is over. */
void spool_ops_offer(struct hub *hub, const char *directory, struct handle *handle,
		     struct request *request);

/* The handle goes without the hub: what is spooled is given up. */
void spool_ops_close(struct handle *handle);

/* hub_release; what is spooled and was not offered is offered now, and nobody waits for it. */
void spool_ops_release(struct hub *hub, const char *directory, struct handle *handle);

#endif
