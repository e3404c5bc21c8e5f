/* SPDX-License-Identifier: MIT */
/*
 * receiver - the incoming half of a stream: blocks in order, unread bytes, and withheld answers.
 *
 * Flow control: a block is acknowledged when the unread bytes up to its end fit in `buffer`. That
 * slows a sender with a window to the reader's pace. What it has in flight by then is kept
 * (`held`), up to another `buffer`, and at least 1 MiB. A sender that goes on breaks the stream.
 *
 * With `needs_commit`, bytes are acknowledged only after receiver_commit, when they are written. A
 * read then ends with a block, so whole blocks are written. So the peer can be told after a restart
 * which block is expected next (receiver_restore). With `needs_sync`, the last block so far is
 * acknowledged only after receiver_sync, when it is durable.
 *
 * With `syncs`, a request of the peer's that bytes become durable is answered after receiver_sync
 * (receiver_ask_sync).
 *
 * A skip (skip.h) has its place among the bytes, and its number among the blocks.
 *
 * Every request is answered exactly once (RFC 6120 section 8.2.3): whatever is still withheld when
 * the stream ends is answered by receiver_end.
 *
 * Acknowledgements are also withheld while LIMITS_UNSENT_ACKS messages or more are unsent. Then
 * effects->backlogged is set, and the owner calls receiver_release once the backlog is shorter.
 *
 * Units:   bytes before base64.
 * Errors:  a condition to answer the block with.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047 section 2.2; RFC 6120 section 8.2.3.
 */
#ifndef IBB_RECEIVER_H
#define IBB_RECEIVER_H

#include "ibb/effects.h"
#include "ibb/queue.h"
#include "ibb/skip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum held_kind {
	HELD_DATA,
	HELD_PROBE, /* whether all bytes before it are here */
	HELD_SYNC,  /* whether all bytes up to `end` are durable */
	HELD_CLOSE, /* answered at the end */
};

/* A request whose answer is withheld. */
struct held_request {
	struct held_request *prev, *next; /* receiver.held */
	enum held_kind kind;
	uint64_t end; /* receiver.received after it; of a sync, the bytes that it names */
	size_t memory;
	uint16_t seq; /* HELD_DATA */
	char id[];
};

/* Zeroed memory is a receiver that has received nothing. */
struct receiver {
	struct queue in;		/* unread */
	uint16_t seq;			/* expected next */
	uint64_t received;		/* with what was skipped */
	struct skip *skips;		/* unread, oldest first */
	uint64_t skipped, unread_skips; /* bytes of all skips, and of those */
	uint64_t blocks;		/* received; `seq` is their count, modulo 65536 */
	uint64_t blocks_read;		/* with needs_commit: whole, and skips */
	struct held_request *held;	/* oldest first */
	size_t held_memory;		/* beyond the bytes in `in` */
	bool needs_commit;
	bool has_committed; /* there was a receiver_commit */
	uint64_t committed; /* bytes; with needs_commit */
	bool needs_sync;    /* with needs_commit: the last block so far may be the last of all */
	bool syncs;	    /* with needs_commit: committed bytes become durable when asked for */
	bool has_synced;    /* there was a receiver_sync */
	uint64_t synced;    /* bytes */
	size_t held_syncs;  /* of `held` */
	bool has_ended;	    /* there was a receiver_end, with: */
	enum condition data_verdict, close_verdict;
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

/* Likewise of a skip of data->size bytes, whose acknowledgement is withheld. */
enum condition receiver_skip(struct receiver *receiver, const struct msg *skip);

/*
 * Whether the block is a duplicate, retransmitted after a connection broke. If so it is
 * acknowledged again, but not before the first one. seq is compared as in RFC 1982: a duplicate is
 * behind by less than half of all numbers.
 */
bool receiver_is_duplicate(struct receiver *receiver, const struct msg *data,
			   struct effects *effects);

/* The oldest unread byte, with what was skipped; and whether there is one, or a skip. */
uint64_t receiver_position(const struct receiver *receiver);
bool receiver_has_unread(const struct receiver *receiver);

/* If a skip is next: reads it, and receiver_position moves behind it. */
bool receiver_read_skip(struct receiver *receiver);

/*
 * Moves up to `size` of the oldest unread bytes to *bytes, the caller's, but none behind a skip.
 * With `needs_commit`, these are whole blocks, if they have answers and `size` is enough for one.
 * Returns their count; 0: there are none. -ENOMEM: no byte is lost.
 */
ssize_t receiver_read(struct receiver *receiver, size_t size, uint8_t **bytes);

/* For zeroed memory: continues an earlier receiver, with needs_commit, that had received so much.
 * Until the first receiver_commit, nothing is acknowledged but duplicates. */
void receiver_restore(struct receiver *receiver, uint64_t bytes, uint64_t blocks);

/* Every byte that was read is written. */
void receiver_commit(struct receiver *receiver);

/* Every committed byte is durable. With `needs_sync`, the answer to the last block so far waits for
 * that; those before it only for receiver_commit. */
void receiver_sync(struct receiver *receiver);

/* The peer asks that the first `end` bytes become durable. The result, now or later, says that they
 * are; without `syncs`, that they are committed, if that is needed. CONDITION_NONE, or the error
 * that was queued: BAD_REQUEST (so many have not come), INTERNAL_SERVER_ERROR (memory is short, or
 * there are very many such requests). */
enum condition receiver_ask_sync(struct receiver *receiver, const char *peer, const char *id,
				 uint64_t end, struct effects *effects);

/* Whether such a request waits for receiver_sync, and the bytes are committed. */
bool receiver_awaits_sync(const struct receiver *receiver);

/* The bytes cannot become durable: such requests are answered with that error. When memory is
 * short, or many messages are unsent, receiver_end does it. */
void receiver_refuse_syncs(struct receiver *receiver, const char *peer, enum condition verdict,
			   struct effects *effects);

/* A probe of the peer's, with that id: the result says that every byte before it is here, and
 * committed if that is needed. */
void receiver_probe(struct receiver *receiver, const char *peer, const char *id,
		    struct effects *effects);

/* The peer's <close/>, with that id, is answered by receiver_end. -ENOMEM, also after very many. */
int receiver_hold_close(struct receiver *receiver, const char *id);

/* Answers to `peer` the held requests that now fit in `buffer`, or all after receiver_end. -ENOMEM:
 * some are still withheld. */
int receiver_release(struct receiver *receiver, const char *peer, size_t buffer,
		     struct effects *effects);

/* The stream is over: the held requests will be answered with these, CONDITION_NONE being a
 * result. */
void receiver_end(struct receiver *receiver, enum condition data_verdict,
		  enum condition close_verdict);

/* Nobody can be answered any more. */
void receiver_forget_held(struct receiver *receiver);

#endif
