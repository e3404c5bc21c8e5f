/* SPDX-License-Identifier: MIT */
/*
 * room - for the files that are received: parts of files that broke off make room, the oldest
 * first.
 *
 * A part is removed only if all parts together would make enough room. Files may have been removed
 * by hand, so the inbox is counted again before.
 *
 * Units:   bytes of the file.
 * Errors:  0 or -errno.
 * Threads: the inbox's pool.
 */
#ifndef MOUNT_DISK_ROOM_H
#define MOUNT_DISK_ROOM_H

#include "mount/disk/claim.h"
#include "mount/disk/inbox.h"
#include "mount/hub.h"

#include <stdint.h>

/* As claim_reserve. */
int room_reserve(struct inbox *inbox, struct hub *hub, struct claim *claim, uint64_t size);

#endif
