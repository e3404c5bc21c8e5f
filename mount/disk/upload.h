/* SPDX-License-Identifier: MIT */
/*
 * upload - sends a spooled file to the peer that has accepted it.
 *
 * It reads from the spool outside the lock, in the thread that delivered the previous piece.
 *
 * Threads: any.
 */
#ifndef MOUNT_DISK_UPLOAD_H
#define MOUNT_DISK_UPLOAD_H

#include "mount/disk/spool.h"
#include "mount/hub.h"

/* Starts the upload of offer `number`; holds a reference to the spool. -ENOMEM. */
int upload_start(struct hub *hub, uint64_t number, struct spool *spool);

#endif
