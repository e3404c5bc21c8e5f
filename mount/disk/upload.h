/* SPDX-License-Identifier: MIT */
/*
 * upload - gives a peer that has accepted a file the bytes that were spooled for it.
 *
 * Reads from the spool outside the lock, in whichever thread the last piece was taken in.
 *
 * Threads: any.
 */
#ifndef MOUNT_DISK_UPLOAD_H
#define MOUNT_DISK_UPLOAD_H

#include "mount/disk/spool.h"
#include "mount/hub.h"

/* For the offer `number`; holds the spool for as long as it needs it. -ENOMEM. */
int upload_start(struct hub *hub, uint64_t number, struct spool *spool);

#endif
