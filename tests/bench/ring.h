/* SPDX-License-Identifier: MIT */
/*
 * ring - the blocks that the pump sends over and over: random bytes, base64, and their hash.
 *
 * Threads: immutable after ring_create().
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <stddef.h>

#define RING_BLOCKS 64
#define DIGEST_TEXT (2 * 32 + 1)

struct ring {
	size_t block_bytes;
	size_t text_length; /* of one block in base64 */
	char *text;	    /* RING_BLOCKS of them */
};

/* 1 to 65535 bytes a block. */
void ring_create(struct ring *ring, size_t block_bytes);

/* The text of block `number`. */
const char *ring_text(const struct ring *ring, size_t number);

/* SHA-256, in hex, of the first `count` blocks; and of `count` blocks of text, decoded. */
void ring_digest(const struct ring *ring, size_t count, char digest[DIGEST_TEXT]);
void text_digest(const struct ring *ring, const char *text, size_t count, char digest[DIGEST_TEXT]);

#endif
