/* SPDX-License-Identifier: MIT */
/*
 * effects - what a call into the core has produced and somebody outside must carry out.
 *
 * The core does nothing itself: it puts completed ops and stanzas to be sent here. Whoever holds
 * the lock takes the ops after the call, delivers them after unlocking, and lets the XMPP thread
 * fetch the stanzas.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_EFFECTS_H
#define IBB_EFFECTS_H

#include "ibb/msg.h"
#include "ibb/op.h"

#include <stdint.h>

struct stream;

/* Zeroed memory is empty, but for deadline_ms. */
struct effects {
	struct op *done;	 /* completed ops, oldest first */
	size_t queued;		 /* messages */
	size_t memory;		 /* that they take */
	bool backlogged;	 /* acknowledgements wait until there are fewer */
	struct msg *messages;	 /* answers and requests to be sent, oldest first */
	struct stream *sendable; /* streams that have a block to send; the next one first. The block
				 is made only when the sender asks for it (ibb_next) */
	struct stream *readable; /* streams with both parked reads and bytes (ibb_complete_reads) */
	unsigned streams;	 /* that peers know */
	int64_t deadline_ms;	 /* no stream wants a tick before this */
};

/* Queues a message made from `template` (see msg_create). -ENOMEM, and nothing is queued. */
int effects_send(struct effects *effects, const struct msg *template);

/* Queues the empty result that answers the request `id` of `peer`. -ENOMEM. */
int effects_send_result(struct effects *effects, const char *peer, const char *id);

/* Queues the error that answers the request `id` of `peer`, with the condition's own type.
 * -ENOMEM. */
int effects_send_error(struct effects *effects, const char *peer, const char *id,
		       enum condition condition);

/* As effects_send_error, with resource-constraint of type wait: the request may be repeated.
 * -ENOMEM. */
int effects_send_wait(struct effects *effects, const char *peer, const char *id);

/* Hands over the completed ops, oldest first; the caller's. */
struct op *effects_take_done(struct effects *effects);

/* Hands over the oldest message, or NULL; the caller's, freed by msg_destroy. */
struct msg *effects_take_message(struct effects *effects);

/* Destroys unsent messages. Completed ops must have been taken. */
void effects_finish(struct effects *effects);

#endif
