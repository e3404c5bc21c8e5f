/* SPDX-License-Identifier: MIT */
/*
 * closes - flushes, of which the last one of an open file ends its stream or offers the file.
 *
 * Whether a flush is the last one is found out for all flushes together that can be read from
 * /dev/fuse (writers.h). So a flush waits for the requests that are there already; these are few.
 * Flushes of a file stay in order. A write may overtake a flush of another descriptor, as neither
 * caller has an answer yet. Then the flush waits for that write, too.
 *
 * If other processes have to be looked at, another thread does so (search.h), and requests are
 * served meanwhile. A signal ends the wait as that of any close (interrupts.h).
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Threads: the main thread, without the hub's lock.
 */
#ifndef MOUNT_FUSE_CLOSES_H
#define MOUNT_FUSE_CLOSES_H

#include "mount/fuse/search.h"

#include <stdbool.h>
#include <stdint.h>

struct call;
struct hub;

struct closes {
	struct call *calls;	  /* oldest first */
	struct call *judged;	  /* likewise, those whose other writers are searched */
	struct searcher searcher; /* for these */
	int64_t look_ms;	  /* when signals of callers are looked at; INT64_MAX: not */
};

void closes_init(struct closes *closes, struct hub *hub);

/* After closes_end, when the mount is gone. False: the thread waits for other processes, and the
 * hub must stay. */
bool closes_finish(struct closes *closes);

/* Takes a flush, whose handle, pid, fate, table and ino are known. An interrupt that comes
 * meanwhile is an early signal (call.h). If the fate is CALLER_UNKNOWN, the flush is held until
 * closes_let, and those of the same file that come later wait for it. */
void closes_add(struct closes *closes, struct call *call);

/* `killed`: a signal kills the caller of a flush that is held. */
void closes_let(struct call *call, bool killed);

/* Begins those that can. To be called before the main thread waits, and at closes_deadline. */
void closes_begin(struct closes *closes);

/* INT64_MAX: never. */
int64_t closes_deadline(const struct closes *closes);

/* The mount ends: begins all of them, whoever else has the files open. */
void closes_end(struct closes *closes);

#endif
