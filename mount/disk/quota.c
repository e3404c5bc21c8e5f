/* SPDX-License-Identifier: MIT */
#include "mount/disk/quota.h"

#include "clock.h"

/* Peers must not be able to cause much counting. A count begins at most once a second, and counting
 * takes at most a twentieth of the time; but once a minute is always allowed. */
#define COUNT_AGAIN_MS 1000
#define COUNT_LATER_MS 60000
#define COUNT_PART     20

/* How often a count that is void is repeated at once. */
#define COUNT_TRIES 3

/* ---- amounts ---- */

static void add(struct usage *usage, struct usage more)
{
	usage->files += more.files;
	usage->bytes += more.bytes;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Not below 0: files that others have put there may be removed, too. */
static void subtract(struct usage *usage, struct usage part)
{
	usage->files = less(usage->files, part.files);
	usage->bytes = less(usage->bytes, part.bytes);
}

static bool is_within(uint64_t used, uint64_t more, uint64_t limit)
{
	/* A claim that needs nothing more is always granted. */
	return limit == 0 || more == 0 || (used <= limit && more <= limit - used);
}

static bool fits(const struct quota *quota, struct usage used, struct usage more)
{
	return is_within(used.files, more.files, quota->limit.files) &&
	       is_within(used.bytes, more.bytes, quota->limit.bytes);
}

struct usage quota_file(const struct quota *quota, uint64_t size)
{
	uint64_t blocks = size / quota->block + (size % quota->block > 0);
	return (struct usage){.files = 1, .bytes = (blocks > 0 ? blocks : 1) * quota->block};
}

/* ---- counting ---- */

void quota_init(struct quota *quota, struct usage limit, uint64_t block,
		void (*count)(void *context, struct usage *found), void *context)
{
	*quota = (struct quota){
		.limit = limit,
		.block = block,
		.count = count,
		.context = context,
	};
	pthread_mutex_init(&quota->mutex, NULL);
	pthread_cond_init(&quota->counted, NULL);
	count(context, &quota->used);
}

void quota_finish(struct quota *quota)
{
	pthread_cond_destroy(&quota->counted);
	pthread_mutex_destroy(&quota->mutex);
}

/* The time until the next count, if the last one took `took_ms`. */
static int64_t pause_ms(int64_t took_ms)
{
	int64_t pause = took_ms * COUNT_PART;
	pause = pause > COUNT_AGAIN_MS ? pause : COUNT_AGAIN_MS;
	return pause < COUNT_LATER_MS ? pause : COUNT_LATER_MS;
}

/* Counts without the mutex; no other thread may be counting. A file that another thread writes
 * meanwhile may be counted twice, but is never missed: the sum has what was reserved before the
 * count and what was reserved since. If a file was removed meanwhile, the count may or may not have
 * found it, and is void. */
static void count_locked(struct quota *quota)
{
	int64_t begun_ms = clock_now_ms();
	unsigned removals = quota->removals;
	struct usage used = quota->used, found = quota->awaited;
	quota->is_counting = true;
	pthread_mutex_unlock(&quota->mutex);
	quota->count(quota->context, &found);
	pthread_mutex_lock(&quota->mutex);
	quota->is_counting = false;
	pthread_cond_broadcast(&quota->counted);
	quota->counts++;
	if (quota->removals == removals) {
		add(&found, quota->used);
		subtract(&found, used);
		quota->used = found;
		quota->known = quota->counts;
	}
	quota->count_from_ms = clock_now_ms() + pause_ms(clock_now_ms() - begun_ms);
}

static bool may_count(const struct quota *quota)
{
	return !quota->is_counting && clock_now_ms() >= quota->count_from_ms;
}

unsigned quota_begun(struct quota *quota)
{
	pthread_mutex_lock(&quota->mutex);
	unsigned begun = quota->counts + quota->is_counting;
	pthread_mutex_unlock(&quota->mutex);
	return begun;
}

/* The numbers may wrap. */
static bool is_known(const struct quota *quota, unsigned begun)
{
	return (int)(quota->known - begun) > 0;
}

bool quota_count(struct quota *quota, unsigned begun)
{
	pthread_mutex_lock(&quota->mutex);
	for (unsigned i = 0; i < COUNT_TRIES && !is_known(quota, begun); i++) {
		if (quota->is_counting) {
			pthread_cond_wait(&quota->counted, &quota->mutex);
		} else {
			count_locked(quota);
		}
	}
	bool known = is_known(quota, begun);
	pthread_mutex_unlock(&quota->mutex);
	return known;
}

unsigned quota_counts(struct quota *quota)
{
	pthread_mutex_lock(&quota->mutex);
	unsigned counts = quota->counts;
	pthread_mutex_unlock(&quota->mutex);
	return counts;
}

/* ---- what comes and goes ---- */

bool quota_reserve(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	if (!fits(quota, quota->used, usage) && may_count(quota)) {
		count_locked(quota);
	}
	bool has_room = fits(quota, quota->used, usage);
	if (has_room) {
		add(&quota->used, usage);
		add(&quota->awaited, usage);
		quota->is_told = false;
	}
	pthread_mutex_unlock(&quota->mutex);
	return has_room;
}

bool quota_would_fit(struct quota *quota, struct usage usage, struct usage less)
{
	pthread_mutex_lock(&quota->mutex);
	struct usage used = quota->used;
	subtract(&used, less);
	bool fit = fits(quota, used, usage);
	pthread_mutex_unlock(&quota->mutex);
	return fit;
}

bool quota_tell(struct quota *quota)
{
	pthread_mutex_lock(&quota->mutex);
	bool first = !quota->is_told;
	quota->is_told = true;
	pthread_mutex_unlock(&quota->mutex);
	return first;
}

void quota_write(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	subtract(&quota->awaited, usage);
	pthread_mutex_unlock(&quota->mutex);
}

void quota_cancel(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	subtract(&quota->used, usage);
	subtract(&quota->awaited, usage);
	pthread_mutex_unlock(&quota->mutex);
}

void quota_remove(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	subtract(&quota->used, usage);
	quota->removals++;
	pthread_mutex_unlock(&quota->mutex);
}

void quota_add(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	add(&quota->used, usage);
	pthread_mutex_unlock(&quota->mutex);
}
