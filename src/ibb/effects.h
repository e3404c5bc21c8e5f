/* SPDX-License-Identifier: MIT */
/*
 * effects - what a call into the core has produced, for its caller to carry out.
 *
 * The core does no I/O. It puts completed ops and messages to be sent here. Whoever holds the lock
 * takes the ops after the call and delivers them after unlocking; the XMPP thread fetches the
 * messages.
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
	struct op *done;      /* completed ops, oldest first */
	size_t queued;	      /* of messages */
	size_t memory;	      /* of messages */
	bool backlogged;      /* acknowledgements are withheld until there are fewer */
	bool answers_due;     /* ibb_next answers a <close/>, although there may be no message */
	struct msg *messages; /* answers and requests to be sent, oldest first */
	struct stream
		*sendable; /* streams with a block to send, round robin; ibb_next makes the block */
	struct stream
		*readable;   /* streams with parked reads and unread bytes (ibb_complete_reads) */
	int64_t deadline_ms; /* the earliest of all streams */
};

/* Queues a message made from `template` (see msg_create). -ENOMEM, and nothing is queued. */
int effects_send(struct effects *effects, const struct msg *template);

/* Queues the empty result that answers the request `id` of `peer`. -ENOMEM. */
int effects_send_result(struct effects *effects, const char *peer, const char *id);

/* Likewise for MSG_RESUME: block `seq` is expected next. -ENOMEM. */
int effects_send_resumed(struct effects *effects, const char *peer, const char *id, uint16_t seq);

/* Queues the error that answers the request `id` of `peer`, with the condition's own type.
 * -ENOMEM. */
int effects_send_error(struct effects *effects, const char *peer, const char *id,
		       enum condition condition);

/* As effects_send_error, with resource-constraint of type wait: the peer may retry. -ENOMEM. */
int effects_send_wait(struct effects *effects, const char *peer, const char *id);

/* Hands over the completed ops, oldest first; the caller's. */
struct op *effects_take_done(struct effects *effects);

/* Hands over the oldest message, or NULL; the caller's, freed by msg_destroy. */
struct msg *effects_take_message(struct effects *effects);

/* Destroys unsent messages. Completed ops must have been taken. */
void effects_finish(struct effects *effects);

#endif
