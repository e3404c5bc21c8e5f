/* SPDX-License-Identifier: MIT */
#include "mount/disk/relay.h"

static void take_turns(struct relay *relay)
{
	if (atomic_fetch_add(&relay->turns, 1) > 0) {
		return; /* who is in a step goes on */
	}
	bool goes_on;
	do {
		goes_on = relay->step(relay);
	} while (goes_on && atomic_fetch_sub(&relay->turns, 1) > 1);
	if (!goes_on) {
		relay->end(relay);
	}
}

static void deliver(struct request *request)
{
	take_turns((struct relay *)request);
}

void relay_start(struct relay *relay)
{
	atomic_init(&relay->turns, 0);
	take_turns(relay);
}

void relay_renew(struct relay *relay, enum op_kind kind, size_t size)
{
	op_finish(&relay->request.op);
	/* No signal is for it: tokens of calls begin at 1. */
	op_init(&relay->request.op, kind, 0, size, false);
	relay->request.deliver = deliver;
}
