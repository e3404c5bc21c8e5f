/* SPDX-License-Identifier: MIT */
/*
 * closes - flushes, of which the last one of an open file ends its stream or offers the file.
 *
 * Whether a flush is the last one is found out for all flushes together that can be read from
 * /dev/fuse (writers.h). So a flush waits for the requests that are there already; these are few.
 * Flushes stay in order. A write may overtake a flush of another descriptor, as neither caller has
 * an answer yet. Then the flush waits for that write, too.
 *
 * Threads: the main thread, without the hub's lock.
 */
#ifndef MOUNT_FUSE_CLOSES_H
#define MOUNT_FUSE_CLOSES_H

#include <stdbool.h>

struct call;

/* Zeros: there are none. */
struct closes {
	struct call *calls; /* oldest first */
};

/* Takes a flush, whose handle, pid, table and ino are known. `killed`: a signal kills its caller.
 * An interrupt that comes meanwhile is an early signal (call.h). */
void closes_add(struct closes *closes, struct call *call, bool killed);

/* Begins all of them. To be called before the main thread waits. */
void closes_begin(struct closes *closes);

#endif
