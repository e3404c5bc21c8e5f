/* SPDX-License-Identifier: MIT */
/*
 * scan - reads the bytes that a file has already, from its first byte on, some at a time: a part
 * may be long, and the daemon may be told to end meanwhile.
 *
 * Units:   bytes.
 * Errors:  0 or -errno; -ENODATA: the file has fewer bytes.
 * Threads: any; reads the disk.
 */
#ifndef MOUNT_DISK_SCAN_H
#define MOUNT_DISK_SCAN_H

#include "ibb/hash.h"

#include <stddef.h>
#include <stdint.h>

/* Gives `take` the bytes of file `fd` from *at to `end`, but no more than `most`, and moves *at
 * behind them. Ends with an error of `take`. */
int scan(int fd, uint64_t *at, uint64_t end, uint64_t most,
	 int (*take)(void *context, const uint8_t *bytes, size_t length), void *context);

/* Likewise, to `hash`. */
int scan_hash(int fd, uint64_t *at, uint64_t end, uint64_t most, struct hash *hash);

#endif
