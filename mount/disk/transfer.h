/* SPDX-License-Identifier: MIT */
/*
 * transfer - moves a file between disk and stream: a request that is submitted again for each
 * piece. Its steps are tasks of the disk's pool.
 *
 * A request may be delivered while it is submitted, or at any time by another thread. Steps of a
 * transfer never overlap, and no step is made from inside another one: with a fast peer they would
 * recurse as deep as the file is long.
 *
 *     thread A                          thread B
 *     step: submits                     (the peer answers)
 *        delivered here: noted          delivered here: noted, A is in a step
 *     the step has ended: next step     returns
 *
 * Threads: the pool's; without a pool, the thread that delivers. One step at a time.
 */
#ifndef MOUNT_DISK_TRANSFER_H
#define MOUNT_DISK_TRANSFER_H

#include "mount/disk/pool.h"
#include "mount/hub.h"

#include <stdatomic.h>

struct transfer {
	struct request request; /* first */
	struct task task;
	struct pool *pool; /* in which the steps are made; NULL: where it is delivered */
	atomic_uint turns; /* deliveries without their step yet, and the running step */
	/*
	 * Called after each delivery: request.op.result is that of the last submission. True: the
	 * request was submitted again. False: this was the last step, and `end` is called, which
	 * frees the transfer.
	 */
	bool (*step)(struct transfer *transfer);
	void (*end)(struct transfer *transfer);
};

/* Makes the first step, or submits it. The transfer may be freed when this returns. */
void transfer_start(struct transfer *transfer);

/* Prepares the request for the next submission. */
void transfer_renew(struct transfer *transfer, enum op_kind kind, size_t size);

/* In a step: the next one follows at once, after the other calls that wait for the disk. Its result
 * is 0. */
void transfer_again(struct transfer *transfer);

#endif
