/* SPDX-License-Identifier: MIT */
/* A table that cannot grow says so, and the entry is not in it. */
#define HASH_NONFATAL_OOM 1

#include "ibb/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static size_t usual_pool(size_t buffer)
{
	if (buffer > SIZE_MAX / LIMITS_POOL_BUFFERS) {
		return SIZE_MAX;
	}
	size_t pool = buffer * LIMITS_POOL_BUFFERS;
	return pool > LIMITS_POOL ? pool : LIMITS_POOL;
}

void limits_init(struct limits *limits, unsigned max_streams, size_t buffer, size_t pool)
{
	unsigned part = max_streams / LIMITS_PEER_PART;
	pool = pool > 0 ? pool : usual_pool(buffer);
	unsigned peer_streams = part > LIMITS_PEER_LEAST ? part : LIMITS_PEER_LEAST;
	*limits = (struct limits){
		.pool = pool,
		.share = pool / max_streams,
		.peer_streams = peer_streams,
		.opens_per_s = LIMITS_OPENS_PER_S,
		.opens_burst = peer_streams + LIMITS_OPENS_SPARE,
	};
}

/* ---- peers ---- */

static void forget(struct limits *limits, struct peer *peer)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
	HASH_DEL(limits->peers, peer);
	DL_DELETE(limits->order, peer);
	free(peer);
}

void limits_finish(struct limits *limits)
{
	while (limits->order) {
		assert(limits->order->streams == 0);
		forget(limits, limits->order);
	}
}

/* Counts what time has given it. */
static void fill(const struct limits *limits, struct peer *peer, int64_t now_ms)
{
	int64_t most = (int64_t)limits->opens_burst * 1000;
	int64_t passed_ms = now_ms - peer->filled_ms;
	peer->filled_ms = now_ms;
	if (passed_ms >= most || peer->opens + passed_ms * limits->opens_per_s >= most) {
		peer->opens = most;
	} else {
		peer->opens += passed_ms * limits->opens_per_s;
	}
}

/* Two go, at most, for one that comes: so there are never many that have nothing to remember. */
static void forget_some(struct limits *limits, int64_t now_ms)
{
	for (unsigned i = 0; i < 2 && limits->order; i++) {
		struct peer *peer = limits->order;
		fill(limits, peer, now_ms);
		if (peer->streams == 0 && peer->opens == (int64_t)limits->opens_burst * 1000) {
			forget(limits, peer);
		} else {
			DL_DELETE(limits->order, peer);
			DL_APPEND(limits->order, peer);
		}
	}
}

/* NULL when memory is short. */
static struct peer *find(struct limits *limits, const char *jid, int64_t now_ms)
{
	size_t length = strcspn(jid, "/");
	struct peer *peer;
	HASH_FIND(hh, limits->peers, jid, length, peer);
	if (peer) {
		fill(limits, peer, now_ms);
		return peer;
	}
	forget_some(limits, now_ms);
	peer = calloc(1, sizeof(*peer) + length + 1);
	if (!peer) {
		return NULL;
	}
	memcpy(peer->bare, jid, length);
	peer->opens = (int64_t)limits->opens_burst * 1000;
	peer->filled_ms = now_ms;
	HASH_ADD_KEYPTR(hh, limits->peers, peer->bare, length, peer);
	if (!peer->hh.tbl) {
		free(peer);
		return NULL;
	}
	DL_APPEND(limits->order, peer);
	return peer;
}

enum limits_answer limits_enter(struct limits *limits, const char *jid, int64_t now_ms,
				struct peer **peer)
{
	struct peer *found = find(limits, jid, now_ms);
	if (!found) {
		return LIMITS_NO_MEMORY;
	}
	if (found->opens < 1000) {
		return LIMITS_TOO_SOON;
	}
	found->opens -= 1000;
	if (found->streams >= limits->peer_streams) {
		return LIMITS_TOO_MANY;
	}
	found->streams++;
	*peer = found;
	return LIMITS_YES;
}

void limits_leave(struct peer *peer, bool good)
{
	if (peer) {
		assert(peer->streams > 0);
		peer->streams--;
		peer->opens += good ? 1000 : 0;
	}
}

/* ---- memory ---- */

static size_t beyond(size_t memory, size_t share)
{
	return memory > share ? memory - share : 0;
}

bool limits_have_room(const struct limits *limits, size_t memory, size_t share, size_t charged)
{
	size_t others = limits->used - charged;
	size_t wanted = beyond(memory, share);
	return wanted == 0 || (others <= limits->pool && wanted <= limits->pool - others);
}

void limits_charge(struct limits *limits, size_t memory, size_t share, size_t *charged)
{
	limits->used -= *charged;
	*charged = beyond(memory, share);
	limits->used += *charged;
}

bool limits_are_near(const struct limits *limits)
{
	return limits->used > limits->pool / 2;
}
