/* SPDX-License-Identifier: MIT */
/*
 * sender - the outgoing half of a stream: written bytes, cut into blocks, until acknowledged.
 *
 *     out:  | in flight: sent, unacknowledged | to be retransmitted | unsent |
 *                                                       ^ push: up to here a partial block is sent
 *
 * A skip stands for bytes that the receiver has already. It has a number, as a block has, and no
 * bytes. A block ends where a skip begins.
 *
 * A retransmission is the same block, with the same bytes and number, as the receiver may have
 * accepted the first transmission. Blocks are cut anew only if the receiver says that it has not.
 *
 * Units:   bytes before base64; blocks are numbered from 0; seq is the number modulo 65536.
 * Errors:  0 or -errno; on error nothing has changed.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047 section 2.2.
 */
#ifndef IBB_SENDER_H
#define IBB_SENDER_H

#include "ibb/queue.h"
#include "ibb/skip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* seq has 16 bits, and a receiver must tell a duplicate from a block that is early. */
#define SENDER_MAX_BLOCKS 16384

#define SENDER_RETRANSMITTED ((int64_t)-1)

/* Of sender_next_length: the next is a skip. */
#define SENDER_SKIP SIZE_MAX

/* A block that was sent, or a skip. */
struct sent_block {
	uint32_t length;    /* 0: a skip */
	uint64_t skipped;   /* by a skip */
	unsigned epoch;	    /* sender.epoch when it was cut */
	bool acknowledged;  /* before an older block */
	bool asked;	    /* sender_note_question */
	int64_t sent_us;    /* or SENDER_RETRANSMITTED */
	uint64_t delivered; /* sender_delivered when it was sent */
};

/* Zeroed memory is a sender that has sent nothing. */
struct sender {
	struct queue out;
	size_t in_flight;
	size_t push; /* <= out.length */
	struct sent_block
		*blocks; /* a ring from blocks_head: in flight, then to be retransmitted */
	size_t blocks_capacity, blocks_head, blocks_length;
	size_t blocks_in_flight;
	uint64_t oldest;    /* number of the oldest block */
	uint64_t cut_end;   /* blocks before it were cut, those after the ring's to other lengths */
	unsigned epoch;	    /* counted by the owner; how often blocks were retransmitted: tells old
			       answers from new ones */
	struct skip *skips; /* not acknowledged, oldest first */
	struct skip *unsent; /* the first of them that is not in the ring; or NULL */
	uint64_t written;    /* with what was skipped: */
	uint64_t skipped;
	uint64_t acknowledged; /* bytes of the blocks before `oldest`, with what was skipped: */
	uint64_t acknowledged_skips;
	size_t carried; /* the longest block that has arrived */
};

/* NULL-safe. */
void sender_finish(struct sender *sender);

/* Appends a copy of the bytes; NULL stands for zeros. -ENOMEM. */
int sender_append(struct sender *sender, const void *bytes, size_t length);

/* The receiver has the next `length` bytes (not 0). Skips that follow each other become one, until
 * they are sent. -ENOMEM. */
int sender_skip(struct sender *sender, uint64_t length);

/* Sends everything written so far, even if the last block is not full. */
void sender_push(struct sender *sender);

/* Bytes that were sent and acknowledged. */
uint64_t sender_delivered(const struct sender *sender);

/*
 * The length of the block that may be sent now; 0: none. A block is `block_size` long. It is
 * shorter if no more bytes are there and nothing is in flight (Nagle's algorithm), or they were
 * pushed, or a skip follows. A retransmission has its first length. At most `window` bytes and
 * SENDER_MAX_BLOCKS blocks are in flight, but one block always may be. SENDER_SKIP: see below.
 */
size_t sender_next_length(const struct sender *sender, size_t block_size, size_t window);

/* Copies the next `length` bytes (see sender_next_length) to `bytes`. They are the block *number,
 * in flight since now_us. -ENOMEM. */
int sender_send_block(struct sender *sender, size_t length, uint8_t *bytes, uint64_t *number,
		      int64_t now_us);

/* The next is a skip, of *length bytes. As above. */
int sender_send_skip(struct sender *sender, uint64_t *length, uint64_t *number, int64_t now_us);

bool sender_is_in_flight(const struct sender *sender, uint64_t number);

/* A block in flight; valid until the next call. With SENDER_RETRANSMITTED its answer may be to an
 * earlier transmission. */
const struct sent_block *sender_block(const struct sender *sender, uint64_t number);

uint64_t sender_next_number(const struct sender *sender);

/* Block `number` was acknowledged. False: it is neither in flight nor the oldest that is to be
 * retransmitted. */
bool sender_acknowledge(struct sender *sender, uint64_t number);

/* So were all blocks before `end`, in flight or to be retransmitted. */
void sender_acknowledge_before(struct sender *sender, uint64_t end);

/* A question to the receiver follows block `number`, if that is in flight. */
void sender_note_question(struct sender *sender, uint64_t number);

/* The question behind block `number`, in flight, was answered: this block is acknowledged, and so
 * are those before it, up to the last one with a question of its own. */
void sender_acknowledge_asked(struct sender *sender, uint64_t number);

/* Block `number`, in flight, and all later ones are to be retransmitted. */
void sender_retransmit(struct sender *sender, uint64_t number);

void sender_retransmit_all(struct sender *sender);

/*
 * The receiver expects block `number` next. Of the blocks from there on, which are to be
 * retransmitted, the first that is longer than `block_size`, and all later ones, are cut anew. No
 * effect if `number` is neither in the ring nor the next after it.
 */
void sender_cut_anew(struct sender *sender, uint64_t number, size_t block_size);

/* Whether an answer, to a transmission in `epoch`, is to a block that was cut anew since then. */
bool sender_was_cut_anew(const struct sender *sender, uint64_t number, unsigned epoch);

/* Nothing was acknowledged: every byte is unsent again, and blocks are numbered from 0. */
void sender_restart(struct sender *sender);

/* The receiver says that it has the blocks before `number`; they still wait to be acknowledged. */
void sender_note_received(struct sender *sender, uint64_t number);

/* The length of the longest block in flight; 0: there is none. */
size_t sender_longest(const struct sender *sender);

/* Copies the oldest block, which is in flight, and returns its length (of a skip, 0); it counts as
 * retransmitted. NULL: returns the length, and changes nothing. */
size_t sender_copy_oldest(struct sender *sender, uint8_t *bytes);

/* Whether every byte is acknowledged. */
bool sender_is_empty(const struct sender *sender);

/* Drops every byte that is not acknowledged. */
void sender_discard(struct sender *sender);

#endif
