/* SPDX-License-Identifier: MIT */
/*
 * download - receives streams and offers into files of the inbox.
 *
 * A file is written as NAME.part. It gets its name when it is complete and its digest, if one is
 * known, is right. The name never replaces an existing file. An incomplete file stays NAME.part.
 *
 * The hub is told of the end, and the peer with it, when the file and its name are durable.
 *
 *     inbox's pool       create NAME.part; write each piece            tell the hub
 *     inbox's syncer                                  sync, rename, sync
 *
 * Threads: each download is a transfer, in the inbox's pool.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_DOWNLOAD_H
#define MOUNT_DISK_DOWNLOAD_H

#include "mount/disk/inbox.h"
#include "mount/hub.h"

/* Tells the hub of the files that are in the inbox; from now on all arrivals go into it. Before
 * client_start. */
void download_attach(struct inbox *inbox, struct hub *hub);

#endif
