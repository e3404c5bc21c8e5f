/* SPDX-License-Identifier: MIT */
#include "ibb/pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are taken from the queue at once. */
#define STEP ((size_t)16 * 1024)

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

uint64_t pieces_count(uint64_t bytes)
{
	return bytes / PIECES_LENGTH + (bytes % PIECES_LENGTH > 0);
}

struct pieces *pieces_create(void)
{
	struct pieces *pieces = calloc(1, sizeof(*pieces));
	if (!pieces) {
		return NULL;
	}
	pieces->whole = hash_create(HASH_SHA_256);
	if (!pieces->whole) {
		free(pieces);
		return NULL;
	}
	return pieces;
}

static void forget_piece(struct pieces *pieces)
{
	hash_destroy(pieces->piece);
	pieces->piece = NULL;
	pieces->hashed = 0;
}

void pieces_destroy(struct pieces *pieces)
{
	if (pieces) {
		queue_finish(&pieces->held);
		forget_piece(pieces);
		hash_destroy(pieces->whole);
		free(pieces);
	}
}

/* ---- what is written ---- */

static int hold_zeros(struct pieces *pieces, size_t length)
{
	static const uint8_t zeros[STEP];
	for (size_t done = 0, part; done < length; done += part) {
		part = smaller(length - done, sizeof(zeros));
		int error = queue_append(&pieces->held, zeros, part);
		if (error) {
			queue_drop_end(&pieces->held, done);
			return error;
		}
	}
	for (size_t done = 0, part; pieces->whole && done < length; done += part) {
		part = smaller(length - done, sizeof(zeros));
		hash_update(pieces->whole, zeros, part);
	}
	return 0;
}

int pieces_hold(struct pieces *pieces, const void *bytes, size_t length)
{
	if (!bytes) {
		return hold_zeros(pieces, length);
	}
	int error = queue_append(&pieces->held, bytes, length);
	if (!error && pieces->whole) {
		hash_update(pieces->whole, bytes, length); /* an error is that of hash_finish */
	}
	return error;
}

bool pieces_is_full(const struct pieces *pieces)
{
	return pieces->held.length >= PIECES_LENGTH;
}

void pieces_copy(const struct pieces *pieces, void *bytes, size_t length)
{
	queue_copy(&pieces->held, 0, bytes, length);
}

void pieces_drop(struct pieces *pieces, size_t length, bool skipped)
{
	queue_drop(&pieces->held, length);
	pieces->start += length;
	pieces->has_skipped = pieces->has_skipped || skipped;
	forget_piece(pieces);
}

void pieces_flush(struct pieces *pieces)
{
	pieces->is_flushed = pieces->held.length > 0;
}

/* ---- decisions ---- */

/* Hashes the held bytes up to `length`. */
static void hash_up_to(struct pieces *pieces, size_t length)
{
	uint8_t bytes[STEP];
	if (!pieces->piece && pieces->hashed == 0) {
		pieces->piece = hash_create(HASH_SHA_256);
	}
	while (pieces->piece && pieces->hashed < length) {
		size_t part = smaller(length - pieces->hashed, sizeof(bytes));
		queue_copy(&pieces->held, pieces->hashed, bytes, part);
		hash_update(pieces->piece, bytes, part);
		pieces->hashed += part;
	}
}

/* Whether the hashed piece has the digest of the receiver's piece with that index. False if the
 * digest could not be computed. */
static bool matches(struct pieces *pieces, uint64_t index)
{
	struct digest digest;
	return pieces->piece && hash_finish(pieces->piece, &digest) == 0 &&
	       memcmp(digest.bytes, pieces->digests[index - pieces->first], PIECES_DIGEST) == 0;
}

/* Whether no held byte can be skipped, whatever its place in a piece. */
static bool is_beyond(const struct pieces *pieces)
{
	return pieces->given_up || (pieces->is_known && pieces->start >= pieces->size);
}

enum pieces_verdict pieces_next(struct pieces *pieces, size_t *length)
{
	uint64_t index = pieces->start / PIECES_LENGTH;
	size_t within = (size_t)(pieces->start % PIECES_LENGTH);
	*length = pieces->held.length;
	if (*length == 0) {
		pieces->is_flushed = false;
		return PIECES_WAIT;
	}
	if (is_beyond(pieces)) {
		return PIECES_SEND;
	}
	if (within > 0) {
		/* The beginning of the piece was sent. */
		*length = smaller(PIECES_LENGTH - within, *length);
		return PIECES_SEND;
	}
	if (index < pieces->first || index - pieces->first >= pieces->count) {
		return PIECES_WAIT;
	}
	size_t whole = smaller(pieces->size - pieces->start, PIECES_LENGTH);
	hash_up_to(pieces, smaller(whole, *length));
	if (*length < whole) {
		return pieces->is_flushed ? PIECES_SEND : PIECES_WAIT;
	}
	*length = whole;
	return matches(pieces, index) ? PIECES_SKIP : PIECES_SEND;
}

/* ---- pages ---- */

/* The next piece that is not decided yet, and of which no byte was sent. */
static uint64_t next_piece(const struct pieces *pieces)
{
	return pieces_count(pieces->start);
}

bool pieces_want_page(const struct pieces *pieces, uint64_t *first)
{
	uint64_t next = next_piece(pieces), end = pieces->first + pieces->count;
	*first = next > end ? next : end;
	if (pieces->given_up || end > next + PIECES_PAGE / 2) {
		return false;
	}
	return !pieces->is_known || *first < pieces_count(pieces->size);
}

/* Whether an answer can be right. */
static bool is_plausible(const struct pieces *pieces, uint64_t first, int64_t size, size_t length)
{
	if (size < 0 || length % PIECES_DIGEST != 0 || length > PIECES_PAGE * PIECES_DIGEST ||
	    (pieces->is_known && (uint64_t)size != pieces->size)) {
		return false;
	}
	uint64_t total = pieces_count((uint64_t)size);
	size_t count = length / PIECES_DIGEST;
	return first < total ? count > 0 && count <= total - first : count == 0;
}

/* Forgets the digests of pieces that are decided. */
static void forget_old(struct pieces *pieces)
{
	uint64_t next = next_piece(pieces);
	uint64_t old = next > pieces->first ? next - pieces->first : 0;
	size_t count = smaller(old, pieces->count);
	pieces->count -= count;
	memmove(pieces->digests[0], pieces->digests[count], pieces->count * PIECES_DIGEST);
	pieces->first += count;
}

void pieces_add_page(struct pieces *pieces, uint64_t first, int64_t size, const uint8_t *digests,
		     size_t length)
{
	size_t count = length / PIECES_DIGEST;
	if (!is_plausible(pieces, first, size, length)) {
		pieces_give_up(pieces);
		return;
	}
	pieces->is_known = true;
	pieces->size = (uint64_t)size;
	forget_old(pieces);
	if (first != pieces->first + pieces->count || pieces->count + count > 2 * PIECES_PAGE) {
		pieces->first = first;
		pieces->count = 0;
	}
	if (count > 0) {
		memcpy(pieces->digests[pieces->count], digests, length);
	}
	pieces->count += count;
}

void pieces_give_up(struct pieces *pieces)
{
	pieces->given_up = true;
}

/* ---- the end ---- */

bool pieces_are_needless(const struct pieces *pieces)
{
	return !pieces->has_skipped && pieces->held.length == 0 && is_beyond(pieces);
}

const struct digest *pieces_finish(struct pieces *pieces)
{
	if (pieces->whole) {
		if (hash_finish(pieces->whole, &pieces->digest)) {
			pieces->digest.length = 0;
		}
		hash_destroy(pieces->whole);
		pieces->whole = NULL;
	}
	return pieces->digest.length > 0 ? &pieces->digest : NULL;
}
