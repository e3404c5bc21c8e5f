/* SPDX-License-Identifier: MIT */
/*
 * relay - a request that submits itself again whenever it was delivered.
 *
 * Delivery may come from inside the submission, or at any time from another thread. Steps of a
 * relay never overlap, and none is made from inside another one, or a fast peer would have them
 * recurse as deep as its file is long:
 *
 *     thread A                          thread B
 *     step: submits                     (the peer answers)
 *        delivered here: noted          delivered here: noted, A is in a step
 *     the step has ended: next step     returns
 *
 * Threads: any; a relay is one at a time.
 */
#ifndef MOUNT_DISK_RELAY_H
#define MOUNT_DISK_RELAY_H

#include "mount/hub.h"

#include <stdatomic.h>

struct relay {
	struct request request; /* first */
	atomic_uint turns; /* deliveries that no step has followed yet, and the step there is */
	/*
	 * What is to be done after a delivery: request.op.result says what came of the last
	 * submission. True: the request was submitted again. False: this was the last step, and
	 * `end` is called, which frees the relay.
	 */
	bool (*step)(struct relay *relay);
	void (*end)(struct relay *relay);
};

/* Makes the first step, from outside of any; the relay may be gone afterwards. */
void relay_start(struct relay *relay);

/* Readies the request for another submission. */
void relay_renew(struct relay *relay, enum op_kind kind, size_t size);

#endif
