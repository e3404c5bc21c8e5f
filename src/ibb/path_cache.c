/* SPDX-License-Identifier: MIT */
/* A table that cannot grow leaves the entry out, and says so in its `tbl`. */
#define HASH_NONFATAL_OOM 1

#include "ibb/path_cache.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct path_cache_entry {
	UT_hash_handle hh; /* cache.peers */
	struct window_metrics metrics;
	int64_t learnt_ms;   /* when `metrics` was */
	uint32_t block_size; /* as in path_cache_block_size */
	char jid[];
};

static void drop(struct path_cache *cache, struct path_cache_entry *peer)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
	HASH_DEL(cache->peers, peer);
	free(peer);
}

void path_cache_finish(struct path_cache *cache)
{
	while (cache->peers) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the head is another one then */
		drop(cache, cache->peers);
	}
}

static struct path_cache_entry *find(const struct path_cache *cache, const char *jid)
{
	struct path_cache_entry *peer;
	HASH_FIND_STR(cache->peers, jid, peer);
	return peer;
}

/* The table keeps the order of additions. False: memory is short, and the entry is freed. */
static bool add(struct path_cache *cache, struct path_cache_entry *peer)
{
	HASH_ADD_STR(cache->peers, jid, peer);
	if (!peer->hh.tbl) {
		free(peer);
		return false;
	}
	return true;
}

/* The entry, new or old, now the most recently used. NULL: memory is short. */
static struct path_cache_entry *use(struct path_cache *cache, const char *jid)
{
	struct path_cache_entry *peer = find(cache, jid);
	if (peer) {
		HASH_DEL(cache->peers, peer);
		return add(cache, peer) ? peer : NULL;
	}
	if (HASH_COUNT(cache->peers) >= PATH_CACHE_MAX_PEERS) {
		drop(cache, cache->peers);
	}
	size_t size = strlen(jid) + 1;
	peer = calloc(1, sizeof(*peer) + size);
	if (!peer) {
		return NULL;
	}
	memcpy(peer->jid, jid, size);
	peer->block_size = UINT32_MAX;
	return add(cache, peer) ? peer : NULL;
}

void path_cache_forget(struct path_cache *cache, const char *jid)
{
	struct path_cache_entry *peer = find(cache, jid);
	if (peer) {
		drop(cache, peer);
	}
}

/* ---- the path ---- */

static bool is_known(const struct path_cache *cache, const struct path_cache_entry *peer)
{
	return peer->metrics.rate > 0 && cache->now_ms - peer->learnt_ms < PATH_CACHE_MS;
}

void path_cache_learn(struct path_cache *cache, const char *jid, const struct window *window,
		      bool alone)
{
	struct window_metrics metrics = window_learned(window);
	if (metrics.rate <= 0) {
		return;
	}
	struct path_cache_entry *peer = use(cache, jid);
	if (!peer) {
		return;
	}
	metrics.is_least = metrics.is_least || !alone;
	if (!is_known(cache, peer) || !metrics.is_least || metrics.rate > peer->metrics.rate) {
		peer->metrics = metrics;
		peer->learnt_ms = cache->now_ms;
	}
}

struct window_metrics path_cache_metrics(struct path_cache *cache, const char *jid)
{
	const struct path_cache_entry *peer = find(cache, jid);
	return peer && is_known(cache, peer) ? peer->metrics : (struct window_metrics){0};
}

/* ---- blocks ---- */

void path_cache_refuse(struct path_cache *cache, const char *jid, uint32_t block_size)
{
	struct path_cache_entry *peer = use(cache, jid);
	if (peer) {
		peer->block_size = block_size;
	}
}

uint32_t path_cache_block_size(struct path_cache *cache, const char *jid)
{
	const struct path_cache_entry *peer = find(cache, jid);
	return peer ? peer->block_size : UINT32_MAX;
}
