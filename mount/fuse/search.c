/* SPDX-License-Identifier: MIT */
#include "mount/fuse/search.h"

#include "clock.h"
#include "mount/disk/pool.h"
#include "mount/hub.h"

#include <stdlib.h>

/* How long the other thread may stand still. A search takes some ms, and seconds on a machine that
 * is busy or has many open files. */
#define STANDS_STILL_MS 1000

/* So many searches may wait for a process that stays in execve. Then it is not known at once who
 * has a file open. */
#define MOST_LEFT 4

/* How long the end waits for that thread: the kernel has ended all calls of the mount. */
#define FINISH_MS 500

enum search_state {
	SEARCH_RUNS,
	SEARCH_OVER, /* the main thread frees it */
	SEARCH_LEFT, /* the other thread does */
};

static atomic_uint left_searches; /* nobody wants their results any more */

void searcher_init(struct searcher *searcher, struct hub *hub)
{
	*searcher = (struct searcher){.hub = hub};
}

bool searcher_finish(struct searcher *searcher)
{
	if (searcher->pool && pool_drain(searcher->pool, clock_now_ms() + FINISH_MS) > 0) {
		return false;
	}
	pool_destroy(searcher->pool);
	searcher->pool = NULL;
	return true;
}

static void run(struct task *task)
{
	struct search *search = (struct search *)task;
	struct hub *hub = search->hub;
	writers_judge(search->closes, search->count, &search->looked);
	if (atomic_exchange(&search->state, SEARCH_OVER) == SEARCH_LEFT) {
		free(search);
		atomic_fetch_sub(&left_searches, 1);
	} else {
		hub_wake_main(hub);
	}
}

bool searcher_submit(struct searcher *searcher, struct search *search)
{
	if (atomic_load(&left_searches) >= MOST_LEFT) {
		return false;
	}
	if (!searcher->pool) {
		searcher->pool = pool_create();
	}
	if (!searcher->pool) {
		return false;
	}
	search->task.run = run;
	search->hub = searcher->hub;
	atomic_init(&search->state, SEARCH_RUNS);
	atomic_init(&search->looked, 0);
	searcher->looked = 0;
	searcher->search = search;
	searcher->until_ms = clock_now_ms() + STANDS_STILL_MS;
	pool_submit(searcher->pool, NULL, &search->task);
	return true;
}

static bool has_result(const struct searcher *searcher)
{
	return atomic_load(&searcher->search->state) == SEARCH_OVER;
}

int64_t searcher_deadline(const struct searcher *searcher)
{
	if (!searcher->search) {
		return INT64_MAX;
	}
	return has_result(searcher) ? 0 : searcher->until_ms;
}

bool searcher_is_over(struct searcher *searcher, int64_t now_ms)
{
	if (now_ms < searcher_deadline(searcher)) {
		return false;
	}
	unsigned looked = atomic_load(&searcher->search->looked);
	/* If this thread comes late, too, the whole process has stood still. */
	bool late = now_ms - searcher->until_ms >= STANDS_STILL_MS / 2;
	if (has_result(searcher) || (looked == searcher->looked && !late)) {
		return true;
	}
	searcher->looked = looked;
	searcher->until_ms = now_ms + STANDS_STILL_MS;
	return false;
}

struct search *searcher_take(struct searcher *searcher)
{
	struct search *search = searcher->search;
	searcher->search = NULL;
	atomic_fetch_add(&left_searches, 1);
	if (atomic_exchange(&search->state, SEARCH_LEFT) == SEARCH_RUNS) {
		return NULL;
	}
	atomic_fetch_sub(&left_searches, 1);
	return search;
}
