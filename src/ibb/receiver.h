/* SPDX-License-Identifier: MIT */
/*
 * receiver - the incoming half of a stream: blocks in order, bytes until they are read, and the
 * acknowledgements that wait while the reader is behind.
 *
 * A block is acknowledged when the unread bytes up to its end fit in `buffer`. A sender that
 * waits for acknowledgements is so slowed to the reader's pace; what it had in flight is kept
 * (`held`), up to as much again and at least 1 MiB. One that sends more breaks the stream.
 *
 * Where what is read still has to be brought to safety (`confirms`), nothing is acknowledged before
 * receiver_commit.
 *
 * An acknowledgement also waits while LIMITS_UNSENT_ACKS messages or more are not sent yet; then
 * effects->backlogged is set, and the owner calls receiver_release when that is over.
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

/* A block whose acknowledgement waits. */
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
	uint64_t committed; /* bytes; while it confirms */
};

/* What it takes in memory, and what it would with one more block. */
size_t receiver_memory(const struct receiver *receiver);
size_t receiver_memory_with(const struct receiver *receiver, const struct msg *data);

/* NULL-safe. */
void receiver_finish(struct receiver *receiver);

/*
 * A block: takes its bytes, and acknowledges it in `effects` at once or holds that back.
 * CONDITION_NONE, or why the stream must end, and nothing has changed: BAD_REQUEST (no canonical
 * base64, longer than `block_size`), UNEXPECTED_REQUEST (seq), RESOURCE_CONSTRAINT (more than that
 * waits, or memory is short).
 */
enum condition receiver_accept(struct receiver *receiver, const struct msg *data, size_t block_size,
			       size_t buffer, struct effects *effects);

/*
 * Whether the block was taken before, as one that is repeated after a connection broke may have
 * been; if so it is acknowledged again, or its acknowledgement waits as before. seq is compared as
 * in RFC 1982: what is less than half of all numbers behind has been.
 */
bool receiver_is_duplicate(struct receiver *receiver, const struct msg *data,
			   struct effects *effects);

/*
 * Copies up to `size` of the oldest unread bytes to *bytes, the caller's; returns their count, 0
 * if there are none. -ENOMEM, and no byte is lost.
 */
ssize_t receiver_read(struct receiver *receiver, size_t size, uint8_t **bytes);

/* Everything that was read is safe. */
void receiver_commit(struct receiver *receiver);

/* Acknowledges to `peer` the held blocks that now fit in `buffer`. -ENOMEM: some still wait. */
int receiver_release(struct receiver *receiver, const char *peer, size_t buffer,
		     struct effects *effects);

#endif
