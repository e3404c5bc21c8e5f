/* SPDX-License-Identifier: MIT */
/*
 * pieces - which pieces of a file that is being written its receiver has already.
 *
 * The receiver tells digests of the pieces of its NAME.part, a page of them at a time. What is
 * written is held until there is a whole piece, which is compared. The last piece of NAME.part may
 * be shorter than the others.
 *
 *     written: | decided: sent, or skipped | held |
 *                                          ^ start
 *
 * The digest of all that is written is computed as well. It says at the end whether the receiver
 * has the whole file.
 *
 * Units:   bytes; pieces are counted from 0.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises.
 * Source:  docs/wire.md.
 */
#ifndef IBB_PIECES_H
#define IBB_PIECES_H

#include "ibb/hash.h"
#include "ibb/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECES_LENGTH ((size_t)1024 * 1024)
#define PIECES_PAGE   ((size_t)64) /* most digests in a page */
#define PIECES_DIGEST ((size_t)32) /* bytes of SHA-256 */

enum pieces_verdict {
	PIECES_WAIT, /* for more bytes, or a page */
	PIECES_SEND,
	PIECES_SKIP,
};

struct pieces {
	struct queue held;
	uint64_t start;	    /* of the held bytes, in the file */
	size_t hashed;	    /* of the held bytes, by `piece` */
	struct hash *piece; /* NULL: nothing is hashed */
	struct hash *whole; /* NULL: it has failed */
	bool is_known;	    /* a page has come, with: */
	uint64_t size;	    /* of NAME.part */
	bool given_up;	    /* everything is sent from now on */
	bool is_flushed;    /* what is held is not to wait for more bytes */
	bool has_skipped;   /* something */
	uint64_t first;	    /* piece that `digests` begin with */
	size_t count;	    /* of them */
	uint8_t digests[2 * PIECES_PAGE][PIECES_DIGEST];
	struct digest digest; /* of the whole, once it was asked for */
};

/* How many pieces `bytes` are; the last one may be shorter. */
uint64_t pieces_count(uint64_t bytes);

/* Nothing is written, and nothing known. NULL when memory is short. */
struct pieces *pieces_create(void);

/* NULL-safe. */
void pieces_destroy(struct pieces *pieces);

/* Bytes are written (copied); NULL stands for zeros. -ENOMEM: none is. */
int pieces_hold(struct pieces *pieces, const void *bytes, size_t length);

/* Whether so much is held that a writer has to wait. */
bool pieces_is_full(const struct pieces *pieces);

/* What is to be done with the next *length of the held bytes; PIECES_WAIT: nothing yet. */
enum pieces_verdict pieces_next(struct pieces *pieces, size_t *length);

/* Copies the oldest `length` of the held bytes, which stay. */
void pieces_copy(const struct pieces *pieces, void *bytes, size_t length);

/* The oldest `length` of the held bytes are sent, or `skipped`. */
void pieces_drop(struct pieces *pieces, size_t length, bool skipped);

/* No more bytes may come for long: what is held is decided on as soon as its piece is known. */
void pieces_flush(struct pieces *pieces);

/* Whether digests are wanted, from piece *first on. */
bool pieces_want_page(const struct pieces *pieces, uint64_t *first);

/* The answer to that: NAME.part has `size` bytes, and `length` bytes of digests. An answer that
 * cannot be right is as pieces_give_up. */
void pieces_add_page(struct pieces *pieces, uint64_t first, int64_t size, const uint8_t *digests,
		     size_t length);

/* No more digests will come. */
void pieces_give_up(struct pieces *pieces);

/* Whether nothing will be skipped, nothing was, and nothing is held. */
bool pieces_are_needless(const struct pieces *pieces);

/* The digest of everything written: there is no more. NULL: it could not be computed. */
const struct digest *pieces_finish(struct pieces *pieces);

#endif
