/* SPDX-License-Identifier: MIT */
/*
 * spool_ops - file operations on a spooled file: as on any file on disk, until it is closed.
 *
 * Each call parks its request, which is delivered when the disk has answered, or a signal has ended
 * the wait. After a signal the call has no effect, even if the disk is at work.
 *
 *     main thread    park the request; submit a job            deliver EINTR (a signal)
 *     spool's pool                       write ... (hangs)                    cut it off
 *
 * Units:   bytes.
 * Errors:  of a request: its op.result.
 * Threads: the main thread, without the hub's lock.
 * Source:  DESIGN section 3.
 */
#ifndef MOUNT_DISK_SPOOL_OPS_H
#define MOUNT_DISK_SPOOL_OPS_H

#include "mount/disk/pool.h"
#include "mount/hub.h"

#include <stdbool.h>

/* Where spools are; immutable. */
struct spool_place {
	struct pool *pool; /* its threads */
	const char *directory;
};

/* Writes op.size bytes, which are op.data. `append`: at the end. */
void spool_ops_write(struct hub *hub, const struct spool_place *place, struct handle *handle,
		     struct request *request, uint64_t offset, bool append);
void spool_ops_resize(struct hub *hub, const struct spool_place *place, struct handle *handle,
		      struct request *request, uint64_t size);

/* Up to op.size bytes. */
void spool_ops_read(struct hub *hub, const struct spool_place *place, struct handle *handle,
		    struct request *request, uint64_t offset);

/* Offers the file, and uploads it once the peer has accepted. The request is delivered when the
 * upload ends. */
void spool_ops_offer(struct hub *hub, const struct spool_place *place, struct handle *handle,
		     struct request *request);

/* Drops the spool of a handle that the hub has released. */
void spool_ops_close(struct handle *handle);

/* As hub_release; a spooled file that was not offered is offered now, and no call waits for the
 * result. */
void spool_ops_release(struct hub *hub, const struct spool_place *place, struct handle *handle);

#endif
