/* SPDX-License-Identifier: MIT */
/*
 * sender - the outgoing half of a stream: bytes written, cut into blocks, until acknowledged.
 *
 *     out:  | in flight: blocks sent, unacknowledged | to be repeated | unsent |
 *                                              ^ push: up to here even a partial block leaves
 *
 * A block that has to be repeated is the same block again, with the same bytes and number: its
 * receiver may have taken it the first time.
 *
 * Units:   bytes before base64; blocks are numbered from 0, their seq is that modulo 65536.
 * Errors:  0 or -errno; on error nothing has changed.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047 section 2.2.
 */
#ifndef IBB_SENDER_H
#define IBB_SENDER_H

#include "ibb/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* seq has 16 bits, and a receiver must tell a block that is repeated from one that is early. */
#define SENDER_MAX_BLOCKS 16384

#define SENDER_RETRANSMITTED ((int64_t)-1)

/* A block that was sent. */
struct sent_block {
	uint32_t length;
	bool acknowledged;  /* out of turn: an older block is not yet */
	int64_t sent_us;    /* SENDER_RETRANSMITTED: more than once */
	uint64_t delivered; /* sender.acknowledged when it was sent */
};

/* Zeroed memory is a sender that has sent nothing. */
struct sender {
	struct queue out;
	size_t in_flight;
	size_t push; /* <= out.length */
	struct sent_block
		*blocks; /* a ring; the oldest at blocks_head; in flight, then to repeat */
	size_t blocks_capacity, blocks_head, blocks_length;
	size_t blocks_in_flight;
	uint64_t oldest; /* number of the oldest block */
	uint64_t written;
	uint64_t acknowledged; /* bytes of blocks before `first` */
};

/* NULL-safe. */
void sender_finish(struct sender *sender);

/* Copies the bytes to the end; NULL stands for zeros. -ENOMEM. */
int sender_append(struct sender *sender, const void *bytes, size_t length);

/* Lets everything written so far leave, even if the last block is not full. */
void sender_push(struct sender *sender);

/*
 * How long the block is that may be sent now; 0: none. A block is `block_size` long, or what
 * there is if nothing is in flight (Nagle's rule) or it was pushed; one that is repeated is as
 * long as it was. No more than `window` bytes are in flight, but one block always may be; nor more
 * than SENDER_MAX_BLOCKS blocks.
 */
size_t sender_next_length(const struct sender *sender, size_t block_size, size_t window);

/* Copies the next `length` bytes (see sender_next_length) out and counts them as the block *number,
 * in flight since now_us. -ENOMEM. */
int sender_send_block(struct sender *sender, size_t length, uint8_t *bytes, uint64_t *number,
		      int64_t now_us);

/* Whether block `number` was sent and is not acknowledged. */
bool sender_is_in_flight(const struct sender *sender, uint64_t number);

/* A block in flight, as it was sent; valid until the next call. With SENDER_RETRANSMITTED its
 * answer may be to the first time. */
const struct sent_block *sender_block(const struct sender *sender, uint64_t number);

/* The number of the next block to be sent. */
uint64_t sender_next_number(const struct sender *sender);

/* Block `number` was acknowledged. False if that is an answer to nothing: it is not in flight, nor
 * the first of those that are to be repeated. */
bool sender_acknowledge(struct sender *sender, uint64_t number);

/* Block `number`, in flight, and all that were sent after it are to be repeated. */
void sender_retransmit(struct sender *sender, uint64_t number);

/* Everything that is in flight is to be repeated. */
void sender_retransmit_all(struct sender *sender);

/* Copies the oldest block, in flight, out once more, and returns its length; from now on its answer
 * may be to the first time. NULL asks for the length only, and changes nothing. */
size_t sender_copy_oldest(struct sender *sender, uint8_t *bytes);

/* Whether every byte written was acknowledged. */
bool sender_is_empty(const struct sender *sender);

/* Forgets every byte that is not acknowledged: nobody wants it any more. */
void sender_discard(struct sender *sender);

#endif
