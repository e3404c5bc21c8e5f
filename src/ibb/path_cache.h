/* SPDX-License-Identifier: MIT */
/*
 * path_cache - what earlier streams to a peer have measured, for the next stream to begin with.
 *
 * Path metrics are kept for ten minutes: where the RTT is long, a window needs many round trips to
 * find its size. Block sizes that the peer has refused are kept as well: each costs a round trip. A
 * peer is a full JID here. Its entry is dropped when it goes offline, or as the least recently used
 * of too many.
 *
 * Units:   as in window.h; ms of the caller's monotonic clock.
 * Errors:  none: when memory is short, nothing is kept.
 * Threads: none; the caller serialises.
 * Source:  RFC 9040 (TCP control block interdependence), section 6.
 */
#ifndef IBB_PATH_CACHE_H
#define IBB_PATH_CACHE_H

#include "ibb/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_CACHE_MAX_PEERS 64
#define PATH_CACHE_MS	     600000

struct path_cache_entry;

/* Zeroed memory is an empty cache. */
struct path_cache {
	struct path_cache_entry *peers; /* uthash, by full JID; least recently used first */
	int64_t now_ms;			/* set by the caller before the calls below */
};

void path_cache_finish(struct path_cache *cache);

/* The peer is offline. */
void path_cache_forget(struct path_cache *cache, const char *jid);

/* A stream to the peer has ended; `alone`: no other stream shared the path. */
void path_cache_learn(struct path_cache *cache, const char *jid, const struct window *window,
		      bool alone);

/* The rate is 0 if nothing is known. */
struct window_metrics path_cache_metrics(struct path_cache *cache, const char *jid);

/* The peer has refused blocks longer than `block_size`; UINT32_MAX: its refusals are forgotten. */
void path_cache_refuse(struct path_cache *cache, const char *jid, uint32_t block_size);

/* The largest block size that the peer has not refused; UINT32_MAX: it has refused none. */
uint32_t path_cache_block_size(struct path_cache *cache, const char *jid);

#endif
