/* SPDX-License-Identifier: MIT */
/*
 * upload - sends a spooled file to the peer that has accepted it.
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
