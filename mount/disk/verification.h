/* SPDX-License-Identifier: MIT */
/*
 * verification - whether a file still has the bytes that its journal tells of.
 *
 * The file is read some bytes at a time: it may be long, and the daemon may be told to end
 * meanwhile.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time.
 */
#ifndef MOUNT_DISK_VERIFICATION_H
#define MOUNT_DISK_VERIFICATION_H

#include "mount/disk/journal_format.h"

#include <stdbool.h>

struct verification {
	struct journal_record wanted;
	struct checksum sum; /* of the bytes behind wanted.skipped, so far */
};

void verification_init(struct verification *verification, const struct journal_record *wanted);

/* Reads on; *ended: these are the bytes. -EIO: they are not. */
int verification_read(struct verification *verification, int fd, bool *ended);

#endif
