/* SPDX-License-Identifier: MIT */
#include "mount/disk/quota.h"

#include <time.h>

/* Counting takes time, so peers must not be able to cause it often. */
#define COUNT_AGAIN_MS 1000

void quota_init(struct quota *quota, uint64_t limit, uint64_t (*count)(void *context),
		void *context)
{
	quota->limit = limit;
	quota->count = count;
	quota->context = context;
	atomic_init(&quota->used, count(context));
	atomic_init(&quota->awaited, 0);
	atomic_init(&quota->counted_ms, 0);
}

static bool fits(const struct quota *quota, uint64_t used, uint64_t bytes)
{
	return quota->limit == 0 || (used <= quota->limit && bytes <= quota->limit - used);
}

/* Counts the bytes in use: files may have been removed in the directory itself. */
static void count_again(struct quota *quota)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	int64_t now_ms = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
	int64_t counted_ms = atomic_load(&quota->counted_ms);
	if ((counted_ms > 0 && now_ms - counted_ms < COUNT_AGAIN_MS) ||
	    !atomic_compare_exchange_strong(&quota->counted_ms, &counted_ms, now_ms)) {
		return;
	}
	/* In this order, bytes of another thread may count twice, but are never missed. That thread
	 * changes `awaited` before it reserves, and after it has written or cancelled. A
	 * reservation or a cancellation makes the exchange fail. */
	uint64_t used = atomic_load(&quota->used);
	uint64_t found = atomic_load(&quota->awaited);
	found += quota->count(quota->context);
	atomic_compare_exchange_strong(&quota->used, &used, found);
}

bool quota_reserve(struct quota *quota, uint64_t bytes)
{
	if (!fits(quota, atomic_load(&quota->used), bytes)) {
		count_again(quota);
	}
	atomic_fetch_add(&quota->awaited, bytes);
	uint64_t used = atomic_load(&quota->used);
	do {
		if (!fits(quota, used, bytes)) {
			atomic_fetch_sub(&quota->awaited, bytes);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&quota->used, &used, used + bytes));
	return true;
}

void quota_write(struct quota *quota, uint64_t bytes)
{
	atomic_fetch_sub(&quota->awaited, bytes);
}

void quota_remove(struct quota *quota, uint64_t bytes)
{
	uint64_t used = atomic_load(&quota->used);
	while (!atomic_compare_exchange_weak(&quota->used, &used,
					     used > bytes ? used - bytes : 0)) {
	}
}

void quota_restore(struct quota *quota, uint64_t bytes)
{
	atomic_fetch_add(&quota->used, bytes);
}

void quota_cancel(struct quota *quota, uint64_t bytes)
{
	quota_remove(quota, bytes);
	atomic_fetch_sub(&quota->awaited, bytes);
}
