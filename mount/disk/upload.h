/* SPDX-License-Identifier: MIT */
/*
 * upload - sends a spooled file, or the part that is asked for, to the peer that has accepted it.
 *
 * The digest is that of the whole file: other bytes are read for it before and after the part, some
 * in each step, without the hub's lock. The last bytes of the part are sent when the disk has taken
 * all of the file: what it has lost must not look like the file.
 *
 * Threads: any; the spool is read in its pool.
 */
#ifndef MOUNT_DISK_UPLOAD_H
#define MOUNT_DISK_UPLOAD_H

#include "mount/disk/spool.h"
#include "mount/hub.h"

/* Starts the upload of offer `number`; holds a reference to the spool. -ENOMEM. */
int upload_start(struct hub *hub, uint64_t number, struct spool *spool);

#endif
