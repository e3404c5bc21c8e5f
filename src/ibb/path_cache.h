/* SPDX-License-Identifier: MIT */
/*
 * past - what earlier streams to a peer have found out, for the next one to begin with.
 *
 * Of the way: far away a stream needs many round trips to find out how much of it may be on its
 * way; that is known for ten minutes. And which block sizes the peer has refused: each costs a
 * round trip, too. A peer is a full JID here; when it goes, all of it is forgotten. So is what was
 * used longest ago, once there are too many.
 *
 * Units:   as in window.h; ms of the caller's monotonic clock.
 * Errors:  none: short of memory, nothing is kept.
 * Threads: none; the caller serialises.
 * Source:  RFC 9040 (TCP control block interdependence), in the sense of its section 6.
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

/* Zeroed memory knows nobody. */
struct path_cache {
	struct path_cache_entry *peers; /* uthash, by full JID; used longest ago first */
	int64_t now_ms;			/* the caller sets it before the calls that follow */
};

void path_cache_finish(struct path_cache *cache);

/* That one has gone. */
void path_cache_forget(struct path_cache *cache, const char *jid);

/* A stream to it has ended, `alone`: others did not share the way. */
void path_cache_learn(struct path_cache *cache, const char *jid, const struct window *window,
		      bool alone);

/* What is known of the way to it; its rate is 0 if nothing is. */
struct window_metrics path_cache_metrics(struct path_cache *cache, const char *jid);

/* It has refused blocks that are longer than `block_size`; UINT32_MAX: forget what it has. */
void path_cache_refuse(struct path_cache *cache, const char *jid, uint32_t block_size);

/* The longest that it has not refused; UINT32_MAX: it has refused none. */
uint32_t path_cache_block_size(struct path_cache *cache, const char *jid);

#endif
