/* SPDX-License-Identifier: MIT */
/* A table that cannot grow leaves the entry out, and says so in its `tbl`. */
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
	unsigned peer_streams = part > LIMITS_PEER_MIN ? part : LIMITS_PEER_MIN;
	*limits = (struct limits){
		.pool = pool,
		.share = pool / max_streams,
		.peer_streams = peer_streams,
		.opens_per_s = LIMITS_OPENS_PER_S,
		.opens_burst = peer_streams + LIMITS_OPENS_BURST,
	};
}

/* ---- quotas ---- */

static void drop(struct limits *limits, struct peer_quota *quota)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
	HASH_DEL(limits->quotas, quota);
	DL_DELETE(limits->lru, quota);
	free(quota);
}

void limits_finish(struct limits *limits)
{
	while (limits->lru) {
		assert(limits->lru->streams == 0);
		drop(limits, limits->lru);
	}
}

/* Adds the tokens of the time since the last call. */
static void refill(const struct limits *limits, struct peer_quota *quota, int64_t now_ms)
{
	int64_t most = (int64_t)limits->opens_burst * 1000;
	int64_t passed_ms = now_ms - quota->refilled_ms;
	quota->refilled_ms = now_ms;
	if (passed_ms >= most || quota->tokens + passed_ms * limits->opens_per_s >= most) {
		quota->tokens = most;
	} else {
		quota->tokens += passed_ms * limits->opens_per_s;
	}
}

/* Frees up to two idle quotas for each new one, so that there are never many. */
static void expire_some(struct limits *limits, int64_t now_ms)
{
	for (unsigned i = 0; i < 2 && limits->lru; i++) {
		struct peer_quota *quota = limits->lru;
		refill(limits, quota, now_ms);
		if (quota->streams == 0 && quota->tokens == (int64_t)limits->opens_burst * 1000) {
			drop(limits, quota);
		} else {
			DL_DELETE(limits->lru, quota);
			DL_APPEND(limits->lru, quota);
		}
	}
}

/* NULL when memory is short. */
static struct peer_quota *find(struct limits *limits, const char *jid, int64_t now_ms)
{
	size_t length = strcspn(jid, "/");
	struct peer_quota *quota;
	HASH_FIND(hh, limits->quotas, jid, length, quota);
	if (quota) {
		refill(limits, quota, now_ms);
		return quota;
	}
	expire_some(limits, now_ms);
	quota = calloc(1, sizeof(*quota) + length + 1);
	if (!quota) {
		return NULL;
	}
	memcpy(quota->bare, jid, length);
	quota->tokens = (int64_t)limits->opens_burst * 1000;
	quota->refilled_ms = now_ms;
	HASH_ADD_KEYPTR(hh, limits->quotas, quota->bare, length, quota);
	if (!quota->hh.tbl) {
		free(quota);
		return NULL;
	}
	DL_APPEND(limits->lru, quota);
	return quota;
}

enum limits_answer limits_admit(struct limits *limits, const char *jid, int64_t now_ms,
				struct peer_quota **quota)
{
	struct peer_quota *found = find(limits, jid, now_ms);
	if (!found) {
		return LIMITS_NO_MEMORY;
	}
	if (found->tokens < 1000) {
		return LIMITS_TOO_SOON;
	}
	found->tokens -= 1000;
	if (found->streams >= limits->peer_streams) {
		return LIMITS_TOO_MANY;
	}
	found->streams++;
	*quota = found;
	return LIMITS_ADMITTED;
}

void limits_release(struct peer_quota *quota, bool refund)
{
	if (quota) {
		assert(quota->streams > 0);
		quota->streams--;
		quota->tokens += refund ? 1000 : 0;
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

bool limits_under_pressure(const struct limits *limits)
{
	return limits->used > limits->pool / 2;
}
