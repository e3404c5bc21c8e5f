/* SPDX-License-Identifier: MIT */
#include "ibb/window.h"

/* The initial window is the bandwidth-delay product of a modest rate: three round trips of slow
 * start then reach 160 MB/s at any distance. It is at least four blocks of the default size. It has
 * a bound, as a server may carry much less, and has to queue the rest. */
#define INITIAL_RATE	 2.5 /* bytes per microsecond */
#define INITIAL_SIZE	 ((size_t)16 * 1024)
#define MAX_INITIAL_SIZE ((size_t)512 * 1024)

/* The smallest window, in blocks: each of the three programs on the path can have one in hand. */
#define MIN_BLOCKS 4

/* The allowance is half of the minimum RTT, and at least this: for scheduling delays of busy
 * machines, and as a server that finds more stanzas at once needs less time for each (an ejabberd
 * near by carries a tenth more with 30 ms than with 10). A byte of a light stream (sharing.h) would
 * have to wait as long, so it is less if there is one. */
#define MIN_ALLOWANCE_US       30000
#define MIN_LIGHT_ALLOWANCE_US 2500

/* A stream's share of the queue is at most so many times what the allowance would make of it: its
 * bottleneck may be another one than that of the others. */
#define MOST_SHARE 4

/* The queue makes room for streams that begin, once in this time. */
#define MIN_DRAIN_INTERVAL_US 1000000

/* A round has at least so many samples, unless the RTT is long: then one sample says enough. */
#define MIN_SAMPLES 16
#define LONG_RTT_US 5000

/* In slow start each acknowledged byte makes room for so many more: the window is doubled in a
 * round, or quadrupled where the RTT is long. */
#define GROWTH		1
#define GROWTH_LONG_RTT 3

/* Slow start ends after so many rounds in which the window has not grown by this factor. */
#define LEAST_GROWTH	1.25
#define MAX_FLAT_ROUNDS 2

void window_init(struct window *window, size_t max)
{
	*window = (struct window){
		.size = max < INITIAL_SIZE ? max : INITIAL_SIZE,
		.max = max,
		.slow_start = true,
	};
}

static size_t clamp(double size, size_t least, size_t max)
{
	size = size > (double)least ? size : (double)least;
	return size < (double)max ? (size_t)size : max;
}

void window_set_initial_rtt(struct window *window, int64_t rtt_us, unsigned streams)
{
	double size = INITIAL_RATE * (double)rtt_us / (streams > 0 ? streams : 1);
	if (window->slow_start && size > (double)window->size) {
		size_t max = window->max < MAX_INITIAL_SIZE ? window->max : MAX_INITIAL_SIZE;
		window->size = clamp(size, 0, max);
	}
}

void window_note_limited(struct window *window)
{
	window->round.limited = true;
}

/* ---- the current round ---- */

static void begin_round(struct window *window, uint64_t first_block)
{
	window->round = (struct window_round){
		.first_block = first_block,
		.first_size = window->size,
	};
}

static bool has_long_rtt(const struct window *window)
{
	return window->min_rtt_us >= LONG_RTT_US;
}

static bool is_round_over(const struct window *window, size_t block_size)
{
	size_t least = has_long_rtt(window) ? 1 : MIN_SAMPLES;
	size_t blocks = window->round.first_size / block_size;
	return window->round.samples >= (blocks > least ? blocks : least);
}

/* ---- the last rounds ---- */

static double best_rate(const struct window *window)
{
	double best = 0;
	for (size_t i = 0; i < WINDOW_ROUNDS; i++) {
		best = window->rates[i] > best ? window->rates[i] : best;
	}
	return best;
}

static int64_t allowance_us(int64_t min_rtt_us, bool light)
{
	int64_t least_us = light ? MIN_LIGHT_ALLOWANCE_US : MIN_ALLOWANCE_US;
	return min_rtt_us / 2 > least_us ? min_rtt_us / 2 : least_us;
}

static int64_t add_allowance(int64_t min_rtt_us, bool light)
{
	return min_rtt_us + allowance_us(min_rtt_us, light);
}

/* More than what the queue makes of it. The queue of several streams has now more, now less than
 * the sum of their shares. */
static int64_t long_rtt_us(const struct window *window, const struct sharing *sharing)
{
	int64_t allowance = allowance_us(window->min_rtt_us, window->has_light);
	return window->min_rtt_us + (sharing->streams > 1 ? 2 : 1) * allowance;
}

/* Whether the last round had as long an RTT as the oldest one, with far fewer bytes in flight: then
 * the cause is not a queue, but a longer path. */
static bool is_path_longer(const struct window *window, const struct sharing *sharing)
{
	if (window->rounds < WINDOW_ROUNDS) {
		return false;
	}
	size_t first = window->rounds % WINDOW_ROUNDS, last = (window->rounds - 1) % WINDOW_ROUNDS;
	return window->rtts_us[last] > long_rtt_us(window, sharing) &&
	       window->sizes[last] < window->sizes[first] / 2 &&
	       window->rtts_us[last] > window->rtts_us[first] / 10 * 9;
}

/* Whether the window was at its minimum in all rounds, so that it built no queue, and the RTT was
 * above the target all the same. */
static bool is_starved(const struct window *window, const struct sharing *sharing, size_t least)
{
	for (size_t i = 0; i < WINDOW_ROUNDS; i++) {
		if (window->sizes[i] > least ||
		    window->rtts_us[i] <= long_rtt_us(window, sharing)) {
			return false;
		}
	}
	return window->rounds >= WINDOW_ROUNDS;
}

/* ---- the queue ---- */

/* How long the queue may delay a byte. */
static int64_t queue_us(const struct window *window, const struct sharing *sharing)
{
	int64_t min_rtt_us = window->min_rtt_us;
	if (sharing->streams > 1 && sharing->min_rtt_us > 0 && sharing->min_rtt_us < min_rtt_us) {
		min_rtt_us = sharing->min_rtt_us;
	}
	return allowance_us(min_rtt_us, window->has_light);
}

/* The bytes that this stream may have in the queue. */
static double queue_share(const struct window *window, const struct sharing *sharing)
{
	double alone =
		best_rate(window) * (double)allowance_us(window->min_rtt_us, window->has_light);
	if (sharing->streams <= 1) {
		return alone;
	}
	double share = sharing->mean_rate * (double)queue_us(window, sharing);
	return share < MOST_SHARE * alone ? share : MOST_SHARE * alone;
}

/* ---- slow start ---- */

/* The window grows while there is no queue, or one that has half of the length that it may have:
 * what is in flight already will make it longer. */
static void grow(struct window *window, const struct window_sample *sample, int64_t rtt_us)
{
	if (window->round.limited &&
	    rtt_us <= window->min_rtt_us + queue_us(window, sample->sharing) / 2) {
		size_t growth = has_long_rtt(window) ? GROWTH_LONG_RTT : GROWTH;
		window->size = clamp((double)window->size + (double)(growth * sample->bytes), 0,
				     window->max);
	}
}

static void check_growth(struct window *window)
{
	double least = LEAST_GROWTH * (double)window->round.first_size;
	window->flat_rounds = (double)window->size < least ? window->flat_rounds + 1 : 0;
	window->slow_start = window->flat_rounds < MAX_FLAT_ROUNDS;
}

/* ---- the end of a round ---- */

static void record_round(struct window *window, double rate, int64_t rtt_us)
{
	window->rates[window->rounds % WINDOW_ROUNDS] = rate;
	window->rtts_us[window->rounds % WINDOW_ROUNDS] = rtt_us;
	window->sizes[window->rounds % WINDOW_ROUNDS] = window->size;
	window->rounds++;
}

/* A window-limited round is over. */
static void end_round(struct window *window, const struct window_sample *sample)
{
	size_t least = MIN_BLOCKS * sample->block_size;
	double rate = window->round.rate_sum / window->round.samples;
	record_round(window, rate, window->round.min_rtt_us);
	if (is_path_longer(window, sample->sharing) || is_starved(window, sample->sharing, least)) {
		window->min_rtt_us = window->round.min_rtt_us;
	}
	sharing_note(sample->sharing, &window->member, rate, window->min_rtt_us, sample->now_us);
	if (window->slow_start) {
		check_growth(window);
	}
	if (!window->slow_start) {
		double size = best_rate(window) * (double)window->min_rtt_us +
			      queue_share(window, sample->sharing);
		window->size = clamp(size, least, window->max);
	}
}

struct window_metrics window_learned(const struct window *window)
{
	/* After a reduction the rate says nothing of the path. */
	double rate = window->unreduced_size > 0 ? 0 : best_rate(window);
	return (struct window_metrics){
		.rate = rate,
		.min_rtt_us = window->min_rtt_us,
		.is_least = window->slow_start,
	};
}

void window_restore(struct window *window, const struct window_metrics *metrics, int64_t rtt_us,
		    unsigned streams)
{
	/* The path may have become shorter. */
	int64_t min_rtt_us = rtt_us < metrics->min_rtt_us ? rtt_us : metrics->min_rtt_us;
	double rate = metrics->rate / (streams > 0 ? streams : 1);
	double size = rate * (double)add_allowance(min_rtt_us, true);
	if (window->rounds > 0 || size <= (double)window->size) {
		return;
	}
	window->size = clamp(size, window->size, window->max);
	window->slow_start = metrics->is_least;
	record_round(window, rate, min_rtt_us);
}

/* The block size has changed: the minimum RTT stays, but rates and queues may differ. */
static void forget_rounds(struct window *window, const struct window_sample *sample)
{
	for (size_t i = 0; i < WINDOW_ROUNDS; i++) {
		window->rates[i] = 0;
	}
	window->rounds = 0;
	begin_round(window, sample->next);
}

/* Whether the queue has to make room for a stream that has begun. With small files one begins after
 * the other. */
static bool must_drain(struct window *window, const struct window_sample *sample)
{
	if (window->begun == sample->sharing->begun ||
	    sample->now_us - window->drained_us < MIN_DRAIN_INTERVAL_US) {
		return false;
	}
	window->begun = sample->sharing->begun;
	window->drained_us = sample->now_us;
	return sample->sharing->streams > 1;
}

/* Sets the size after a change of the sharing: the queue is longer or shorter from now on, which
 * says nothing of the path. */
static void set_queue(struct window *window, const struct window_sample *sample, double queue)
{
	double rate = best_rate(window);
	window->rounds = 0;
	if (!window->slow_start && rate > 0) {
		window->size = clamp(rate * (double)window->min_rtt_us + queue,
				     MIN_BLOCKS * sample->block_size, window->max);
	}
	begin_round(window, sample->next);
}

static void follow_sharing(struct window *window, const struct window_sample *sample)
{
	bool had_light = window->has_light;
	window->has_light = sharing_has_light(sample->sharing);
	if (must_drain(window, sample) || (window->has_light && !had_light)) {
		/* A stream that begins must not take our queue for a part of its RTT. */
		set_queue(window, sample, best_rate(window) * MIN_LIGHT_ALLOWANCE_US);
	} else if (window->has_light != had_light) {
		set_queue(window, sample, queue_share(window, sample->sharing));
	}
}

void window_measure(struct window *window, const struct window_sample *sample)
{
	int64_t rtt_us = sample->now_us > sample->sent_us ? sample->now_us - sample->sent_us : 1;

	if (window->min_rtt_us == 0 || rtt_us < window->min_rtt_us) {
		window->min_rtt_us = rtt_us;
	}
	if (window->block_size != sample->block_size && window->block_size > 0) {
		forget_rounds(window, sample);
	}
	window->block_size = sample->block_size;
	follow_sharing(window, sample);
	if (window->slow_start) {
		grow(window, sample, rtt_us);
	}
	if (sample->number < window->round.first_block) {
		return;
	}
	window->round.samples++;
	window->round.rate_sum += (double)sample->delivered / (double)rtt_us;
	if (window->round.min_rtt_us == 0 || rtt_us < window->round.min_rtt_us) {
		window->round.min_rtt_us = rtt_us;
	}
	if (!is_round_over(window, sample->block_size)) {
		return;
	}
	size_t before = window->size;
	if (window->round.limited) {
		end_round(window, sample);
	}
	begin_round(window, window->size != before ? sample->next : sample->number + 1);
}

void window_note_retransmitted(struct window *window, size_t block_size)
{
	if (window->size < window->unreduced_size / 2) {
		window->size += block_size;
	}
}

void window_reduce(struct window *window)
{
	int64_t min_rtt_us = window->min_rtt_us;
	uint64_t first = window->round.first_block;
	size_t unreduced_size =
		window->size > window->unreduced_size ? window->size : window->unreduced_size;
	struct sharing_member member = window->member;
	window_init(window, window->max);
	window->size = 1;
	window->min_rtt_us = min_rtt_us;
	window->round.first_block = first;
	window->unreduced_size = unreduced_size;
	window->member = member;
}
