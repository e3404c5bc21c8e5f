/* SPDX-License-Identifier: MIT */
#include "ibb/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BLOCK 4096
#define MOST  ((size_t)8 * 1024 * 1024)

/* A way: `service_us` for each block at its narrowest point, `distance_us` for the rest of it. */
struct way {
	struct window window;
	int64_t service_us, distance_us;
	bool shared;
	int64_t now_us;
	int64_t sent_us[4096];	  /* of the blocks on the way, by number */
	uint64_t delivered[4096]; /* when they left */
	uint64_t sent, back;
	int64_t free_us; /* when the narrowest point is free again */
	int64_t longest_us;
};

static void leave(struct way *way)
{
	while (way->sent == way->back || (way->sent - way->back + 1) * BLOCK <= way->window.size) {
		way->sent_us[way->sent % 4096] = way->now_us;
		way->delivered[way->sent % 4096] = way->back;
		way->sent++;
	}
	window_note_full(&way->window);
}

/* The oldest block comes back. */
static void come_back(struct way *way)
{
	int64_t sent_us = way->sent_us[way->back % 4096];
	int64_t begin_us = sent_us + way->distance_us;
	way->free_us = (begin_us > way->free_us ? begin_us : way->free_us) + way->service_us;
	way->now_us = way->free_us > way->now_us ? way->free_us : way->now_us;
	int64_t trip_us = way->now_us - sent_us;
	way->longest_us = trip_us > way->longest_us ? trip_us : way->longest_us;
	struct window_trip trip = {
		.number = way->back,
		.next = way->sent,
		.left_us = sent_us,
		.now_us = way->now_us,
		.delivered = (way->back + 1 - way->delivered[way->back % 4096]) * BLOCK,
		.block_size = BLOCK,
		.shared = way->shared,
	};
	window_measure(&way->window, &trip);
	way->back++;
}

static void run(struct way *way, unsigned blocks)
{
	way->longest_us = 0;
	for (unsigned i = 0; i < blocks; i++) {
		leave(way);
		come_back(way);
	}
}

static struct way start(size_t most, int64_t service_us, int64_t distance_us)
{
	struct way way = {.service_us = service_us, .distance_us = distance_us};
	window_init(&way.window, most);
	return way;
}

static void test_small_at_the_start(void **state)
{
	(void)state;
	struct way way = start(MOST, 100, 0);
	assert_int_equal(way.window.size, 4 * BLOCK);
	window_expect(&way.window, 4999);
	assert_int_equal(way.window.size, 4 * BLOCK);
	window_expect(&way.window, 5000);
	assert_int_equal(way.window.size, 32 * BLOCK);
	way = start(1000, 100, 0);
	assert_int_equal(way.window.size, 1000);
}

/* Whatever the distance, the way is busy, and the queue is short. */
static void test_finds_its_size(void **state)
{
	static const struct {
		int64_t service_us, distance_us, longest_us;
		bool shared;
	} rows[] = {
		/* service, distance, longest round trip */
		{100, 100, 4500, true}, /* a server near by */
		{100, 100, 11500, false},
		{400, 300, 5000, true}, /* a slow one: four blocks are the least */
		{400, 300, 12000, false},
		{100, 40000, 70000, true}, /* 40 ms */
		{100, 40000, 70000, false},
		{200, 200000, 350000, true}, /* 200 ms */
		{200, 200000, 350000, false},
		{5000, 20000, 45000, true},
		{5000, 20000, 45000, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct way way = start(MOST, rows[i].service_us, rows[i].distance_us);
		way.shared = rows[i].shared;
		run(&way, 30000);
		int64_t before_us = way.now_us;
		run(&way, 5000);
		double busy =
			5000.0 * (double)rows[i].service_us / (double)(way.now_us - before_us);
		if (busy < 0.97 || way.longest_us > rows[i].longest_us) {
			fail_msg("row %zu: busy %.2f, longest %jd, size %zu", i, busy,
				 (intmax_t)way.longest_us, way.window.size);
		}
	}
}

/* Somebody else comes, and goes. */
static void test_makes_room(void **state)
{
	(void)state;
	struct way way = start(MOST, 100, 300);
	run(&way, 30000);
	size_t alone = way.window.size;
	assert_true(alone >= 90 * BLOCK);
	way.shared = true;
	run(&way, 1);
	assert_true(way.window.size < alone / 2);
	run(&way, 1000);
	assert_true(way.window.size < alone / 2);
	run(&way, 1000);
	assert_true(way.longest_us <= 4500);
	way.shared = false;
	run(&way, 1000);
	assert_true(way.window.size > alone / 10 * 9);
}

/* 4 MiB on a way of 200 ms, after at most 5 round trips. */
static void test_grows_fast_far_away(void **state)
{
	(void)state;
	struct way way = start(MOST, 20, 200000);
	window_expect(&way.window, 200000);
	while (way.window.size < MOST / 2) {
		run(&way, 1);
	}
	assert_true(way.now_us < 5 * 200000);
}

/* The next stream begins where an earlier one has come to, and has still its eyes open. */
static void test_recalls(void **state)
{
	(void)state;
	struct way first = start(MOST, 200, 200000);
	first.shared = true;
	assert_true(window_learned(&first.window).rate == 0);
	run(&first, 40000);
	struct window_metrics metrics = window_learned(&first.window);
	static const struct {
		int64_t service_us, distance_us;
		unsigned streams;
		size_t least, most; /* of the window at once, in parts of the first's */
	} rows[] = {
		{200, 200000, 1, 95, 105}, {200, 200000, 10, 9, 11},
		{200, 200000, 1000, 0, 9}, /* no less than without */
		{200, 1000, 1, 0, 3},	   /* near by now */
		{200, 300000, 1, 95, 105}, /* farther */
		{800, 200000, 1, 95, 105}, /* slower */
		{150, 200000, 1, 95, 105}, /* faster */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct way way = start(MOST, rows[i].service_us, rows[i].distance_us);
		way.shared = true;
		window_expect(&way.window, rows[i].distance_us);
		size_t before = way.window.size;
		window_restore(&way.window, &metrics, rows[i].distance_us, rows[i].streams);
		assert_true(way.window.size >= before);
		assert_true(way.window.size >= first.window.size / 100 * rows[i].least);
		assert_true(way.window.size == before ||
			    way.window.size <= first.window.size / 100 * rows[i].most);
		run(&way, 40000);
		int64_t before_us = way.now_us;
		run(&way, 5000);
		double busy =
			5000.0 * (double)rows[i].service_us / (double)(way.now_us - before_us);
		int64_t longest_us = rows[i].distance_us * 2 + 6000;
		if (busy < 0.9 || way.longest_us > longest_us) {
			fail_msg("row %zu: busy %.2f, longest %jd", i, busy,
				 (intmax_t)way.longest_us);
		}
	}
}

/* Nothing is recalled by one that has begun, nor of one that was cut. */
static void test_nothing_to_recall(void **state)
{
	(void)state;
	struct way way = start(MOST, 100, 20000);
	run(&way, 20000);
	struct window_metrics metrics = window_learned(&way.window);
	size_t size = way.window.size;
	metrics.rate *= 10;
	window_restore(&way.window, &metrics, 20000, 1);
	assert_int_equal(way.window.size, size);
	window_cut(&way.window);
	run(&way, 1000);
	assert_true(window_learned(&way.window).rate == 0);
	struct way other = start(MOST, 100, 20000);
	window_restore(&other.window, &(struct window_metrics){0}, 20000, 1);
	assert_int_equal(other.window.size, 4 * BLOCK);
}

static void test_no_more_than_it_may(void **state)
{
	(void)state;
	struct way way = start(65536, 10, 200000);
	run(&way, 5000);
	assert_int_equal(way.window.size, 65536);
}

/* A writer that does not fill it gives no reason to grow. */
static void test_not_full(void **state)
{
	struct window window;
	(void)state;
	window_init(&window, MOST);
	size_t size = window.size;
	for (uint64_t number = 0; number < 1000; number++) {
		int64_t left_us = (int64_t)number * 1000;
		struct window_trip trip = {number, number + 1, left_us, left_us + 300,
					   BLOCK,  BLOCK,      false};
		window_measure(&window, &trip);
	}
	assert_int_equal(window.size, size);
}

/* The way gets slower, and fast again. */
static void test_follows(void **state)
{
	(void)state;
	struct way way = start(MOST, 50, 20000);
	run(&way, 20000);
	size_t fast = way.window.size;
	way.service_us = 1000;
	run(&way, 20000);
	size_t slow = way.window.size;
	assert_true(slow < fast / 8);
	way.service_us = 50;
	run(&way, 60000);
	assert_true(way.window.size > fast / 2);
}

static void test_cut(void **state)
{
	(void)state;
	struct way way = start(MOST, 50, 20000);
	run(&way, 20000);
	window_cut(&way.window);
	assert_true(way.window.size <= BLOCK);
	/* what is sent again tells nothing but that it comes through */
	for (int i = 0; i < 10; i++) {
		window_note_repeated(&way.window, BLOCK);
	}
	assert_int_equal(way.window.size / BLOCK, 10);
	run(&way, 20000);
	assert_true(way.window.size > 50 * BLOCK);
}

/* A clock that stands still, or a block that came before it left, divides by nothing. */
static void test_no_time_at_all(void **state)
{
	struct window window;
	(void)state;
	window_init(&window, MOST);
	for (uint64_t number = 0; number < 1000; number++) {
		window_note_full(&window);
		struct window_trip trip = {number, number + 4, 10,   number % 2 ? 10 : 5,
					   BLOCK,  BLOCK,      false};
		window_measure(&window, &trip);
		assert_true(window.size >= BLOCK && window.size <= MOST);
	}
}

/* A single short trip is not what the way is like, even if it leaves only the smallest window. */
static void test_a_trip_that_was_too_short(void **state)
{
	(void)state;
	struct way way = start(MOST, 100, 300);
	run(&way, 20);
	way.distance_us = 30000;
	run(&way, 20000);
	int64_t before_us = way.now_us;
	run(&way, 5000);
	assert_true(5000.0 * 100 / (double)(way.now_us - before_us) > 0.9);
}

/* What was the shortest round trip is none any more. */
static void test_a_longer_way(void **state)
{
	(void)state;
	struct way way = start(MOST, 100, 20000);
	run(&way, 20000);
	way.distance_us = 100000;
	run(&way, 20000);
	int64_t before_us = way.now_us;
	run(&way, 5000);
	assert_true(5000.0 * 100 / (double)(way.now_us - before_us) > 0.95);
	assert_true(way.longest_us < 170000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_at_the_start),
		cmocka_unit_test(test_finds_its_size),
		cmocka_unit_test(test_makes_room),
		cmocka_unit_test(test_grows_fast_far_away),
		cmocka_unit_test(test_recalls),
		cmocka_unit_test(test_nothing_to_recall),
		cmocka_unit_test(test_no_more_than_it_may),
		cmocka_unit_test(test_not_full),
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_a_trip_that_was_too_short),
		cmocka_unit_test(test_a_longer_way),
		cmocka_unit_test(test_no_time_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
