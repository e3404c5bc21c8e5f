/* SPDX-License-Identifier: MIT */
#include "ibb/window.h"

/* Four blocks of the default size; far away, where each round takes long, 32. */
#define FIRST_SIZE     ((size_t)16 * 1024)
#define FIRST_SIZE_FAR ((size_t)128 * 1024)

/* Blocks that it does not shrink below: enough for each of the three programs on the way to have
 * one in its hands. */
#define LEAST_BLOCKS 4

/* What is on its way beyond the shortest round trip: for half of that, and for the hiccups of
 * busy machines near by at least this. It is also what a byte of another stream has to wait, so it
 * is less if there is one. */
#define LEAST_ALLOWANCE_US	  10000
#define LEAST_SHARED_ALLOWANCE_US 3000

/* Few trips say little when each is as short as a hiccup; far away they say enough, and take
 * long. */
#define LEAST_TRIPS 16
#define FAR_US	    5000

/* While starting: by how much a round must be faster than the best before it, and how many may not
 * be. */
#define FASTER	  1.25
#define MOST_FLAT 2

void window_init(struct window *window, size_t most)
{
	*window = (struct window){
		.size = most < FIRST_SIZE ? most : FIRST_SIZE,
		.most = most,
		.starting = true,
	};
}

void window_expect(struct window *window, int64_t trip_us)
{
	if (trip_us >= FAR_US && window->starting && window->size < FIRST_SIZE_FAR) {
		window->size = window->most < FIRST_SIZE_FAR ? window->most : FIRST_SIZE_FAR;
	}
}

void window_note_full(struct window *window)
{
	window->was_full = true;
}

/* ---- a round ---- */

static void begin_round(struct window *window, uint64_t first)
{
	window->first = first;
	window->trips = 0;
	window->rate = 0;
	window->trip_us = 0;
	window->was_full = false;
}

static bool is_far(const struct window *window)
{
	return window->shortest_us >= FAR_US;
}

static bool is_round_over(const struct window *window, size_t block_size)
{
	size_t least = is_far(window) ? 1 : LEAST_TRIPS;
	/* While starting, half of them left at once when it grew, and tell enough. */
	size_t blocks = window->size / block_size / (window->starting ? 2 : 1);
	return window->trips >= (blocks > least ? blocks : least);
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

/* How long a trip may be, if the shortest is so long. */
static int64_t with_allowance(int64_t shortest_us, bool shared)
{
	int64_t allowance_us = shortest_us / 2;
	int64_t least_us = shared ? LEAST_SHARED_ALLOWANCE_US : LEAST_ALLOWANCE_US;
	return shortest_us + (allowance_us > least_us ? allowance_us : least_us);
}

static int64_t allowed_us(const struct window *window)
{
	return with_allowance(window->shortest_us, window->shared);
}

/* Whether the last round had as long trips as the first one that is known, though far less was on
 * its way: then it is not a queue, but the way that has become longer. */
static bool is_farther(const struct window *window)
{
	if (window->rounds < WINDOW_ROUNDS) {
		return false;
	}
	size_t first = window->rounds % WINDOW_ROUNDS, last = (window->rounds - 1) % WINDOW_ROUNDS;
	return window->trips_us[last] > allowed_us(window) &&
	       window->sizes[last] < window->sizes[first] / 2 &&
	       window->trips_us[last] > window->trips_us[first] / 10 * 9;
}

/* Whether the window has been as small as it can be, so that it makes no queue, and yet every trip
 * was too long for it. */
static bool is_starved(const struct window *window, size_t least)
{
	for (size_t i = 0; i < WINDOW_ROUNDS; i++) {
		if (window->sizes[i] > least || window->trips_us[i] <= allowed_us(window)) {
			return false;
		}
	}
	return window->rounds >= WINDOW_ROUNDS;
}

static size_t clamp(double size, size_t least, size_t most)
{
	size = size > (double)least ? size : (double)least;
	return size < (double)most ? (size_t)size : most;
}

static size_t grown(struct window *window, double rate, double best)
{
	if (rate >= FASTER * best) {
		window->flat = 0;
		return window->size * (is_far(window) ? 4 : 2);
	}
	window->starting = ++window->flat < MOST_FLAT;
	return window->size;
}

static void keep_round(struct window *window, double rate, int64_t trip_us)
{
	window->rates[window->rounds % WINDOW_ROUNDS] = rate;
	window->trips_us[window->rounds % WINDOW_ROUNDS] = trip_us;
	window->sizes[window->rounds % WINDOW_ROUNDS] = window->size;
	window->rounds++;
}

/* A round in which the window was full is over; returns the new size. */
static double resized(struct window *window, size_t least)
{
	double rate = window->rate / window->trips;
	double best = best_rate(window);
	size_t size = window->starting ? grown(window, rate, best) : 0;

	keep_round(window, rate, window->trip_us);
	if (is_farther(window) || is_starved(window, least)) {
		window->shortest_us = window->trip_us;
	}
	return window->starting ? (double)size : best_rate(window) * (double)allowed_us(window);
}

struct window_metrics window_learned(const struct window *window)
{
	/* What came through after a cut is what was possible then. */
	double rate = window->before_cut > 0 ? 0 : best_rate(window);
	return (struct window_metrics){.rate = rate, .shortest_us = window->shortest_us};
}

void window_restore(struct window *window, const struct window_metrics *metrics, int64_t trip_us,
		    unsigned streams)
{
	/* The way may have become shorter. */
	int64_t shortest_us = trip_us < metrics->shortest_us ? trip_us : metrics->shortest_us;
	double rate = metrics->rate / (streams > 0 ? streams : 1);
	double size = rate * (double)with_allowance(shortest_us, true);
	if (window->rounds > 0 || size <= (double)window->size) {
		return;
	}
	window->size = clamp(size, window->size, window->most);
	/* As if it had been a round: it grows if it is faster than that. */
	keep_round(window, rate, shortest_us);
}

/* With blocks of another length the way is as long, but may be faster or slower: what is known of
 * that, and of the queues that it made, is of no use any more. */
static void forget_rounds(struct window *window, const struct window_trip *trip)
{
	for (size_t i = 0; i < WINDOW_ROUNDS; i++) {
		window->rates[i] = 0;
	}
	window->rounds = 0;
	begin_round(window, trip->next);
}

/* Others have come, or gone: the queue is as it should not be any more, which says nothing of the
 * way. */
static void share(struct window *window, const struct window_trip *trip)
{
	double size = best_rate(window) * (double)with_allowance(window->shortest_us, trip->shared);
	window->shared = trip->shared;
	window->rounds = 0;
	if (!window->starting && size > 0) {
		window->size = clamp(size, LEAST_BLOCKS * trip->block_size, window->most);
	}
	begin_round(window, trip->next);
}

void window_measure(struct window *window, const struct window_trip *trip)
{
	int64_t trip_us = trip->now_us > trip->left_us ? trip->now_us - trip->left_us : 1;

	if (window->shortest_us == 0 || trip_us < window->shortest_us) {
		window->shortest_us = trip_us;
	}
	if (window->block_size != trip->block_size && window->block_size > 0) {
		forget_rounds(window, trip);
	}
	window->block_size = trip->block_size;
	if (window->shared != trip->shared) {
		share(window, trip);
	}
	if (trip->number < window->first) {
		return;
	}
	window->trips++;
	window->rate += (double)trip->delivered / (double)trip_us;
	if (window->trip_us == 0 || trip_us < window->trip_us) {
		window->trip_us = trip_us;
	}
	if (!is_round_over(window, trip->block_size)) {
		return;
	}
	size_t before = window->size;
	size_t least = LEAST_BLOCKS * trip->block_size;
	if (window->was_full) {
		window->size = clamp(resized(window, least), least, window->most);
	}
	begin_round(window, window->size != before ? trip->next : trip->number + 1);
}

void window_note_repeated(struct window *window, size_t block_size)
{
	if (window->size < window->before_cut / 2) {
		window->size += block_size;
	}
}

void window_cut(struct window *window)
{
	int64_t shortest_us = window->shortest_us;
	uint64_t first = window->first;
	size_t before_cut = window->size > window->before_cut ? window->size : window->before_cut;
	window_init(window, window->most);
	window->size = 1;
	window->shortest_us = shortest_us;
	window->first = first;
	window->before_cut = before_cut;
}
