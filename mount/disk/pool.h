/* SPDX-License-Identifier: MIT */
/*
 * pool - a few threads for the calls of one disk, which may take as long as they like.
 *
 * Any thread submits tasks, and never waits for them: a task waits in a queue until its turn comes.
 * It ends with a call of the hub, or with the delivery of a request. A disk that hangs holds up the
 * threads of its pool, and no others.
 *
 * Tasks of one lane, which are the calls on one file, run one at a time, in the order of their
 * submission. Tasks without a lane, and of different lanes, run in any order.
 *
 * A thread is started when it is needed. One is enough for a disk that is fast.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Threads: any; pool_destroy when no other thread uses the pool any more.
 */
#ifndef MOUNT_DISK_POOL_H
#define MOUNT_DISK_POOL_H

#include "mount/disk/task.h"

#include <stdint.h>

struct pool;

/* Starts the first thread; each blocks all signals. NULL when memory is short or there is no
 * thread. */
struct pool *pool_create(void);

/* NULL when memory is short. */
struct lane *lane_create(struct pool *pool);

/* No task may be submitted to the lane any more; tasks that were submitted before still run.
 * NULL-safe. */
void lane_destroy(struct pool *pool, struct lane *lane);

/* `lane`: or NULL. */
void pool_submit(struct pool *pool, struct lane *lane, struct task *task);

/* Waits until no task waits or runs. Returns how many still do at `until_ms`. */
unsigned pool_drain(struct pool *pool, int64_t until_ms);

/* Runs the tasks that wait, and ends the threads. NULL-safe. */
void pool_destroy(struct pool *pool);

#endif
