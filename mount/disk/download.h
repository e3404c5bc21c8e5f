/* SPDX-License-Identifier: MIT */
/*
 * download - receives what arrives into files of the inbox.
 *
 * A file is written as NAME.part, and gets its name when it is complete and what is known of its
 * digest is right; never that of a file that is there. What broke off stays as NAME.part.
 *
 * Threads: each download is a transfer: any, without the hub's lock.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_DOWNLOAD_H
#define MOUNT_DISK_DOWNLOAD_H

#include "mount/disk/inbox.h"
#include "mount/hub.h"

/* Tells the hub of the files that are in the inbox; from now on what arrives goes into it. Before
 * client_start. */
void download_attach(struct inbox *inbox, struct hub *hub);

#endif
