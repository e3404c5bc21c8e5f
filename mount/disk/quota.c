/* SPDX-License-Identifier: MIT */
#include "mount/disk/quota.h"

#include "clock.h"

/* Peers must not be able to cause much counting. A count begins at most once a second, and counting
 * takes at most a twentieth of the time; but once a minute is always allowed. */
#define COUNT_AGAIN_MS 1000
#define COUNT_LATER_MS 60000
#define COUNT_PART     20

/* How often a count during which files changed is repeated at once. */
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

static void lower(struct usage *usage, struct usage other)
{
	usage->files = other.files < usage->files ? other.files : usage->files;
	usage->bytes = other.bytes < usage->bytes ? other.bytes : usage->bytes;
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

/* Whether a file may have changed while it was counted. */
static bool has_changed(const struct quota *quota)
{
	return quota->missed.files > 0 || quota->missed.bytes > 0;
}

/* Counts without the mutex; no other thread may be counting. A file that another thread writes
 * meanwhile may be counted twice, but is never missed: the sum has what was reserved before the
 * count and what was reserved since.
 *
 * A file that changes meanwhile may be found or not: readdir returns its old name, its new name,
 * both or none, and a name that has gone cannot be looked at any more. It is added once more, and
 * so the sum is an upper bound. `used` is another one: it is too high only by files that were
 * removed by hand. So the lower one of the two is right. */
static void count_locked(struct quota *quota)
{
	int64_t begun_ms = clock_now_ms();
	struct usage used = quota->used, found = quota->awaited;
	quota->missed = quota->changing;
	quota->is_counting = true;
	pthread_mutex_unlock(&quota->mutex);
	quota->count(quota->context, &found);
	pthread_mutex_lock(&quota->mutex);
	quota->is_counting = false;
	pthread_cond_broadcast(&quota->counted);
	quota->counts++;
	add(&found, quota->missed);
	add(&found, quota->used);
	subtract(&found, used);
	if (has_changed(quota)) {
		lower(&quota->used, found);
	} else {
		quota->used = found;
		quota->exact = quota->counts;
	}
	quota->count_from_ms = clock_now_ms() + pause_ms(clock_now_ms() - begun_ms);
}

unsigned quota_begun(struct quota *quota)
{
	pthread_mutex_lock(&quota->mutex);
	unsigned begun = quota->counts + quota->is_counting;
	pthread_mutex_unlock(&quota->mutex);
	return begun;
}

/* Waits for the end of another thread's count. */
static void await_count_locked(struct quota *quota)
{
	unsigned counts = quota->counts;
	while (quota->counts == counts) {
		pthread_cond_wait(&quota->counted, &quota->mutex);
	}
}

/* There may be more room than is known: another thread's count will say so, or a new one, but not
 * at all times. */
static void count_again_locked(struct quota *quota)
{
	if (quota->is_counting) {
		await_count_locked(quota);
	} else if (clock_now_ms() >= quota->count_from_ms) {
		count_locked(quota);
	}
}

/* The numbers may wrap. The first try may be a count that had begun already; a later one is not. */
void quota_count(struct quota *quota, unsigned begun)
{
	pthread_mutex_lock(&quota->mutex);
	for (unsigned i = 0; i < COUNT_TRIES && (int)(quota->exact - begun) <= 0; i++) {
		if (quota->is_counting) {
			await_count_locked(quota);
		} else {
			count_locked(quota);
		}
	}
	pthread_mutex_unlock(&quota->mutex);
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
	if (!fits(quota, quota->used, usage)) {
		count_again_locked(quota);
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

/*
 * A count overlaps a change if the change begins before the count ends, and ends after the count
 * has begun:
 *
 *     thread that counts               thread that renames
 *                                      quota_begin_change
 *     begins: `missed` has it
 *     readdir: "f.part"
 *                                      rename f.part -> f
 *     "f.part" is not there
 *                                      quota_end_change
 *     ends: `missed` has it still
 */
void quota_begin_change(struct quota *quota, struct usage usage)
{
	pthread_mutex_lock(&quota->mutex);
	add(&quota->changing, usage);
	add(&quota->missed, usage);
	pthread_mutex_unlock(&quota->mutex);
}

void quota_end_change(struct quota *quota, struct usage usage, struct usage gone)
{
	pthread_mutex_lock(&quota->mutex);
	subtract(&quota->changing, usage);
	subtract(&quota->used, gone);
	pthread_mutex_unlock(&quota->mutex);
}
