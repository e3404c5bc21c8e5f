/* SPDX-License-Identifier: MIT */
/*
 * receiver - the incoming half of a stream: blocks in order, unread bytes, and withheld
 * acknowledgements.
 *
 * Flow control: a block is acknowledged when the unread bytes up to its end fit in `buffer`. That
 * slows a sender with a window to the reader's pace. What it has in flight by then is kept
 * (`held`), up to another `buffer`, and at least 1 MiB. A sender that goes on breaks the stream.
 *
 * With `needs_commit`, bytes are acknowledged only after receiver_commit, when they are durable.
 *
 * Acknowledgements are also withheld while LIMITS_UNSENT_ACKS messages or more are unsent. Then
 * effects->backlogged is set, and the owner calls receiver_release once the backlog is shorter.
 *
 * Units:   bytes before base64.
 * Errors:  a condition to answer the block with.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047 section 2.2.
 */
#ifndef IBB_RECEIVER_H
#define IBB_RECEIVER_H

#include "ibb/effects.h"
#include "ibb/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block whose acknowledgement is withheld. */
struct held_block {
	struct held_block *prev, *next; /* receiver.held */
	uint64_t end;			/* receiver.received after it */
	size_t memory;
	uint16_t seq;
	char id[];
};

/* Zeroed memory is a receiver that has received nothing. */
struct receiver {
	struct queue in; /* unread */
	uint16_t seq;	 /* expected next */
	uint64_t received;
	uint64_t blocks;	 /* received */
	struct held_block *held; /* oldest first */
	size_t held_memory;	 /* beyond the bytes in `in` */
	bool needs_commit;
	uint64_t committed; /* bytes; with needs_commit */
};

/* Its memory, and its memory with one more block. */
size_t receiver_memory(const struct receiver *receiver);
size_t receiver_memory_with(const struct receiver *receiver, const struct msg *data);

/* NULL-safe. */
void receiver_finish(struct receiver *receiver);

/*
 * Appends the bytes of a block. Its acknowledgement is queued in `effects`, or withheld.
 * CONDITION_NONE, or why the stream must end, and nothing has changed: BAD_REQUEST (no canonical
 * base64, or longer than `block_size`), UNEXPECTED_REQUEST (seq), RESOURCE_CONSTRAINT (too many
 * unread bytes, or memory is short).
 */
enum condition receiver_accept(struct receiver *receiver, const struct msg *data, size_t block_size,
			       size_t buffer, struct effects *effects);

/*
 * Whether the block is a duplicate, retransmitted after a connection broke. If so it is
 * acknowledged again, unless its acknowledgement is still withheld. seq is compared as in RFC 1982:
 * a duplicate is behind by less than half of all numbers.
 */
bool receiver_is_duplicate(struct receiver *receiver, const struct msg *data,
			   struct effects *effects);

/*
 * Moves up to `size` of the oldest unread bytes to *bytes, the caller's. Returns their count; 0:
 * there are none. -ENOMEM: no byte is lost.
 */
ssize_t receiver_read(struct receiver *receiver, size_t size, uint8_t **bytes);

/* Every byte that was read is durable. */
void receiver_commit(struct receiver *receiver);

/* Acknowledges to `peer` the held blocks that now fit in `buffer`. -ENOMEM: some are still
 * withheld. */
int receiver_release(struct receiver *receiver, const char *peer, size_t buffer,
		     struct effects *effects);

#endif
