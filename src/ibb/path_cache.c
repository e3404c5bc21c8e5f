/* SPDX-License-Identifier: MIT */
/* A table that cannot grow says so, and the entry is not in it. */
#define HASH_NONFATAL_OOM 1

#include "ibb/path_cache.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct past_peer {
	UT_hash_handle hh; /* past.peers */
	struct window_past way;
	int64_t learnt_ms;   /* when `way` was */
	uint32_t block_size; /* as in past_block_size */
	char jid[];
};

static void drop(struct past *past, struct past_peer *peer)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
	HASH_DEL(past->peers, peer);
	free(peer);
}

void past_finish(struct past *past)
{
	while (past->peers) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the head is another one then */
		drop(past, past->peers);
	}
}

static struct past_peer *find(const struct past *past, const char *jid)
{
	struct past_peer *peer;
	HASH_FIND_STR(past->peers, jid, peer);
	return peer;
}

/* The table keeps the order in which they are added. False: memory is short, and it is gone. */
static bool add(struct past *past, struct past_peer *peer)
{
	HASH_ADD_STR(past->peers, jid, peer);
	if (!peer->hh.tbl) {
		free(peer);
		return false;
	}
	return true;
}

/* It is used, so others are forgotten before it. NULL: it is not known, and memory is short. */
static struct past_peer *use(struct past *past, const char *jid)
{
	struct past_peer *peer = find(past, jid);
	if (peer) {
		HASH_DEL(past->peers, peer);
		return add(past, peer) ? peer : NULL;
	}
	if (HASH_COUNT(past->peers) >= PAST_MOST_PEERS) {
		drop(past, past->peers);
	}
	size_t size = strlen(jid) + 1;
	peer = calloc(1, sizeof(*peer) + size);
	if (!peer) {
		return NULL;
	}
	memcpy(peer->jid, jid, size);
	peer->block_size = UINT32_MAX;
	return add(past, peer) ? peer : NULL;
}

void past_forget(struct past *past, const char *jid)
{
	struct past_peer *peer = find(past, jid);
	if (peer) {
		drop(past, peer);
	}
}

/* ---- the way ---- */

static bool is_known(const struct past *past, const struct past_peer *peer)
{
	return peer->way.rate > 0 && past->now_ms - peer->learnt_ms < PAST_MS;
}

void past_learn(struct past *past, const char *jid, const struct window *window, bool alone)
{
	struct window_past way = window_known(window);
	if (way.rate <= 0) {
		return;
	}
	struct past_peer *peer = use(past, jid);
	if (!peer) {
		return;
	}
	/* One that had to share the way, or did not last, says only what is possible at least. */
	if (!is_known(past, peer) || (alone && !window->starting) || way.rate > peer->way.rate) {
		peer->way = way;
		peer->learnt_ms = past->now_ms;
	}
}

struct window_past past_way(struct past *past, const char *jid)
{
	const struct past_peer *peer = find(past, jid);
	return peer && is_known(past, peer) ? peer->way : (struct window_past){0};
}

/* ---- blocks ---- */

void past_refused(struct past *past, const char *jid, uint32_t block_size)
{
	struct past_peer *peer = use(past, jid);
	if (peer) {
		peer->block_size = block_size;
	}
}

uint32_t past_block_size(struct past *past, const char *jid)
{
	const struct past_peer *peer = find(past, jid);
	return peer ? peer->block_size : UINT32_MAX;
}
