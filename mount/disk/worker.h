/* SPDX-License-Identifier: MIT */
/*
 * worker - a thread that does all tasks together that wait for it: a batch.
 *
 * Any thread submits tasks, and never waits for them: a task waits in a queue until its turn comes.
 *
 * Errors:  0 or -errno.
 * Threads: any; worker_destroy when no other thread uses the worker any more.
 */
#ifndef MOUNT_DISK_WORKER_H
#define MOUNT_DISK_WORKER_H

#include "mount/disk/task.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

/*
 * Starts the thread, which blocks all signals. `work` gets every task that waits, oldest first, and
 * runs each exactly once. NULL when memory is short or there is no thread.
 */
struct worker *worker_create(void (*work)(struct task *tasks));

void worker_submit(struct worker *worker, struct task *task);

/* Waits until no task waits or runs. False: some still do at `until_ms` of CLOCK_MONOTONIC. */
bool worker_drain(struct worker *worker, int64_t until_ms);

/* Runs the tasks that wait, and ends the thread. NULL-safe. */
void worker_destroy(struct worker *worker);

#endif
