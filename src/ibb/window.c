/* SPDX-License-Identifier: MIT */
#include "ibb/window.h"

/* Four blocks of the default size. */
#define FIRST_SIZE ((size_t)16 * 1024)

/* Blocks that it does not shrink below: enough for each of the three programs on the way to have
 * one in its hands. */
#define LEAST_BLOCKS 4

/* How much longer than the shortest a round trip may be: a quarter, and for the jitter of busy
 * machines near by at least this. It is what a byte of another stream may have to wait. */
#define LEAST_ALLOWANCE_US 1500

/* Few trips say little when each is as short as a hiccup of the machine; far away they say enough,
 * and take long. */
#define LEAST_TRIPS 16
#define FAR_US	    5000

void window_init(struct window *window, size_t most)
{
	*window = (struct window){
		.size = most < FIRST_SIZE ? most : FIRST_SIZE,
		.most = most,
		.starting = true,
	};
}

void window_note_full(struct window *window)
{
	window->was_full = true;
}

static bool is_far(const struct window *window)
{
	return window->shortest_us >= FAR_US;
}

static void begin_round(struct window *window, uint64_t first)
{
	window->first = first;
	window->trips = 0;
	window->frequency = 0;
	window->was_full = false;
}

static bool is_round_over(const struct window *window, size_t block_size)
{
	size_t least = is_far(window) ? 1 : LEAST_TRIPS;
	size_t blocks = window->size / block_size;
	return window->trips >= (blocks > least ? blocks : least);
}

static size_t resized(struct window *window, double trip_us)
{
	double shortest_us = (double)window->shortest_us;
	double allowance_us = shortest_us / 4;
	if (allowance_us < LEAST_ALLOWANCE_US) {
		allowance_us = LEAST_ALLOWANCE_US;
	}
	double wanted = (double)window->size * (shortest_us + allowance_us) / trip_us;

	if (trip_us > shortest_us + allowance_us) {
		window->starting = false;
		return (size_t)wanted;
	}
	if (!window->was_full) {
		return window->size;
	}
	if (window->starting) {
		bool queued = trip_us > shortest_us + allowance_us / 2;
		return window->size * (is_far(window) && !queued ? 4 : 2);
	}
	/* Half of the way: the round trip will be longer. */
	return (window->size + (size_t)wanted) / 2;
}

static size_t clamp(size_t size, size_t least, size_t most)
{
	size = size > least ? size : least;
	return size < most ? size : most;
}

void window_measure(struct window *window, uint64_t number, uint64_t next, int64_t sent_us,
		    int64_t now_us, size_t block_size)
{
	int64_t trip_us = now_us > sent_us ? now_us - sent_us : 1;

	if (window->shortest_us == 0 || trip_us < window->shortest_us) {
		window->shortest_us = trip_us;
	}
	if (number < window->first) {
		return;
	}
	window->trips++;
	window->frequency += 1.0 / (double)trip_us;
	if (!is_round_over(window, block_size)) {
		return;
	}
	size_t size = resized(window, window->trips / window->frequency);
	size = clamp(size, LEAST_BLOCKS * block_size, window->most);
	size = clamp(size, window->size / 2, window->size * 4);
	bool changed = size != window->size;
	window->size = size;
	begin_round(window, changed ? next : number + 1);
}

void window_cut(struct window *window)
{
	window->size = 1;
	window->starting = true;
	begin_round(window, window->first);
}
