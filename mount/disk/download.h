/* SPDX-License-Identifier: MIT */
/*
 * download - receives streams and offers into files of the inbox.
 *
 * A file is written as NAME.part. It gets its name when it is complete and its digest, if one is
 * known, is right. The name never replaces an existing file. An incomplete file stays NAME.part;
 * one whose digest is wrong is removed. The rest of an offered file is written to its NAME.part.
 *
 * The hub is told of the end, and the peer with it, when the file and its name are durable.
 *
 *     inbox's pool       create NAME.part; write each piece            tell the hub
 *     inbox's syncer                                  sync, rename, sync
 *
 * A stream that can be resumed has a journal: it goes on in the next process, after what has come
 * was compared with the journal (journal.h).
 *
 * Threads: each download is a transfer, in the inbox's pool.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_DOWNLOAD_H
#define MOUNT_DISK_DOWNLOAD_H

#include "mount/disk/inbox.h"
#include "mount/hub.h"

/* From now on all arrivals go into the inbox. Before client_start. */
void download_attach(struct inbox *inbox, struct hub *hub);

/* Goes on with a stream of an earlier process, whose journal is the download's then. Likewise.
 * 0 or -errno: -ENOENT (the file has gone, or has its name), or hub_resume_inbox_file's. */
int download_resume(struct inbox *inbox, struct hub *hub, struct journal_found *found);

#endif
