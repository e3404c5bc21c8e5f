/* SPDX-License-Identifier: MIT */
/*
 * transfer - one between a file on disk and a stream: a request that is submitted again for each
 * piece.
 *
 * Delivery may come from inside the submission, or at any time from another thread. Steps of a
 * transfer never overlap, and none is made from inside another one, or a fast peer would have them
 * recurse as deep as its file is long:
 *
 *     thread A                          thread B
 *     step: submits                     (the peer answers)
 *        delivered here: noted          delivered here: noted, A is in a step
 *     the step has ended: next step     returns
 *
 * Threads: any; a transfer is one at a time.
 */
#ifndef MOUNT_DISK_TRANSFER_H
#define MOUNT_DISK_TRANSFER_H

#include "mount/hub.h"

#include <stdatomic.h>

struct transfer {
	struct request request; /* first */
	atomic_uint turns; /* deliveries that no step has followed yet, and the step there is */
	/*
	 * What is to be done after a delivery: request.op.result says what came of the last
	 * submission. True: the request was submitted again. False: this was the last step, and
	 * `end` is called, which frees the transfer.
	 */
	bool (*step)(struct transfer *transfer);
	void (*end)(struct transfer *transfer);
};

/* Makes the first step, from outside of any; the transfer may be gone afterwards. */
void transfer_start(struct transfer *transfer);

/* Readies the request for another submission. */
void transfer_renew(struct transfer *transfer, enum op_kind kind, size_t size);

#endif
