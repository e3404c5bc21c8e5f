/* SPDX-License-Identifier: MIT */
/*
 * pieces - which pieces of a file the receiver has already, while the sender writes it.
 *
 * The receiver has a NAME.part, and tells the digests of its pieces, a page of digests at a time.
 * Written bytes are held until they are a whole piece. Its digest is compared with that of the
 * receiver. The last piece of NAME.part may be shorter than the others.
 *
 *     written: | decided: sent, or skipped | held |
 *                                          ^ start
 *
 * The digest of all written bytes is computed as well. By that, the receiver finds out at the end
 * whether it has the whole file.
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
	bool is_flushed;    /* held bytes do not wait for more */
	bool has_skipped;   /* something */
	uint64_t first;	    /* piece that `digests` begin with */
	size_t count;	    /* of them */
	uint8_t digests[2 * PIECES_PAGE][PIECES_DIGEST];
	struct digest digest; /* of the whole, once it was asked for */
};

/* How many pieces a file of `bytes` has; the last one may be shorter. */
uint64_t pieces_count(uint64_t bytes);

/* Nothing was written yet, and no digest is known. NULL when memory is short. */
struct pieces *pieces_create(void);

/* NULL-safe. */
void pieces_destroy(struct pieces *pieces);

/* Bytes are written (copied); NULL stands for zeros. -ENOMEM: none of them was. */
int pieces_hold(struct pieces *pieces, const void *bytes, size_t length);

/* Whether a writer has to wait, as enough bytes are held. */
bool pieces_is_full(const struct pieces *pieces);

/* What is to be done with the next *length of the held bytes; PIECES_WAIT: nothing yet. */
enum pieces_verdict pieces_next(struct pieces *pieces, size_t *length);

/* Copies the oldest `length` of the held bytes, which stay. */
void pieces_copy(const struct pieces *pieces, void *bytes, size_t length);

/* The oldest `length` of the held bytes are sent, or `skipped`. */
void pieces_drop(struct pieces *pieces, size_t length, bool skipped);

/* The writer may pause: held bytes wait for digests, but not for more bytes. */
void pieces_flush(struct pieces *pieces);

/* Whether digests are wanted, from piece *first on. */
bool pieces_want_page(const struct pieces *pieces, uint64_t *first);

/* The answer to that question: the `size` of NAME.part, and `length` bytes of digests. After an
 * answer that cannot be right, everything is sent, as after pieces_give_up. */
void pieces_add_page(struct pieces *pieces, uint64_t first, int64_t size, const uint8_t *digests,
		     size_t length);

/* No more digests will come. */
void pieces_give_up(struct pieces *pieces);

/* Whether nothing was skipped, nothing will be, and no byte is held. */
bool pieces_are_needless(const struct pieces *pieces);

/* Everything is written: its digest. NULL: it could not be computed. */
const struct digest *pieces_finish(struct pieces *pieces);

#endif
