/* SPDX-License-Identifier: MIT */
#include "ibb/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BLOCK 4096
#define MAX   ((size_t)64 * 1024 * 1024)
#define MOST  (MAX / BLOCK) /* blocks in flight */

/* A path: `service_us` for each block at its bottleneck, `delay_us` for the rest of it. */
struct path {
	struct window window;
	struct sharing sharing;
	int64_t service_us, delay_us;
	int64_t now_us;
	int64_t sent_us[MOST];	  /* of the blocks in flight, by number */
	uint64_t delivered[MOST]; /* when they were sent */
	uint64_t sent, acknowledged;
	int64_t free_us; /* when the bottleneck is free again */
	int64_t max_rtt_us;
};

static void send_blocks(struct path *path)
{
	while (path->sent == path->acknowledged ||
	       (path->sent - path->acknowledged + 1) * BLOCK <= path->window.size) {
		path->sent_us[path->sent % MOST] = path->now_us;
		path->delivered[path->sent % MOST] = path->acknowledged;
		path->sent++;
	}
	window_note_limited(&path->window);
}

static void acknowledge_oldest(struct path *path)
{
	int64_t sent_us = path->sent_us[path->acknowledged % MOST];
	int64_t begin_us = sent_us + path->delay_us;
	path->free_us = (begin_us > path->free_us ? begin_us : path->free_us) + path->service_us;
	path->now_us = path->free_us > path->now_us ? path->free_us : path->now_us;
	int64_t rtt_us = path->now_us - sent_us;
	path->max_rtt_us = rtt_us > path->max_rtt_us ? rtt_us : path->max_rtt_us;
	struct window_sample sample = {
		.number = path->acknowledged,
		.next = path->sent,
		.sent_us = sent_us,
		.now_us = path->now_us,
		.bytes = BLOCK,
		.delivered = (path->acknowledged + 1 - path->delivered[path->acknowledged % MOST]) *
			     BLOCK,
		.block_size = BLOCK,
		.sharing = &path->sharing,
	};
	window_measure(&path->window, &sample);
	path->acknowledged++;
}

static void run(struct path *path, unsigned blocks)
{
	path->max_rtt_us = 0;
	for (unsigned i = 0; i < blocks; i++) {
		send_blocks(path);
		acknowledge_oldest(path);
	}
}

static struct path start(size_t most, int64_t service_us, int64_t delay_us)
{
	struct path path = {.service_us = service_us, .delay_us = delay_us};
	window_init(&path.window, most);
	return path;
}

static void test_small_at_the_start(void **state)
{
	(void)state;
	struct path path = start(MAX, 100, 0);
	assert_int_equal(path.window.size, 4 * BLOCK);
	window_set_initial_rtt(&path.window, 1000, 1);
	assert_int_equal(path.window.size, 4 * BLOCK);
	window_set_initial_rtt(&path.window, 40000, 10);
	assert_int_equal(path.window.size, 4 * BLOCK);
	window_set_initial_rtt(&path.window, 40000, 1);
	assert_int_equal(path.window.size, 100000);
	window_set_initial_rtt(&path.window, 10000000, 1);
	assert_int_equal(path.window.size, 128 * BLOCK);
	path = start(1000, 100, 0);
	window_set_initial_rtt(&path.window, 40000, 1);
	assert_int_equal(path.window.size, 1000);
}

/* At any RTT, the path is busy and the queue is short. */
static void test_finds_its_size(void **state)
{
	static const struct {
		int64_t service_us, delay_us, max_rtt_us;
		bool shared;
	} rows[] = {
		/* service, delay, longest RTT */
		{100, 100, 4500, true}, /* a server near by */
		{100, 100, 31500, false},
		{400, 300, 5000, true}, /* a slow one: four blocks are the least */
		{400, 300, 32000, false},
		{100, 40000, 70000, true}, /* 40 ms */
		{100, 40000, 70000, false},
		{200, 200000, 350000, true}, /* 200 ms */
		{200, 200000, 350000, false},
		{5000, 20000, 45000, true},
		{5000, 20000, 60000, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path path = start(MAX, rows[i].service_us, rows[i].delay_us);
		path.sharing.streams = rows[i].shared ? 2 : 1;
		run(&path, 30000);
		int64_t before_us = path.now_us;
		run(&path, 5000);
		double busy =
			5000.0 * (double)rows[i].service_us / (double)(path.now_us - before_us);
		if (busy < 0.97 || path.max_rtt_us > rows[i].max_rtt_us) {
			fail_msg("row %zu: busy %.2f, longest %jd, size %zu", i, busy,
				 (intmax_t)path.max_rtt_us, path.window.size);
		}
	}
}

/* Cross traffic begins and ends. */
static void test_makes_room(void **state)
{
	(void)state;
	struct path path = start(MAX, 100, 300);
	run(&path, 30000);
	size_t alone = path.window.size;
	assert_true(alone >= 90 * BLOCK);
	path.sharing.streams = 2;
	run(&path, 1);
	assert_true(path.window.size < alone / 2);
	run(&path, 1000);
	assert_true(path.window.size < alone / 2);
	run(&path, 1000);
	assert_true(path.max_rtt_us <= 4500);
	path.sharing.streams = 1;
	run(&path, 1000);
	assert_true(path.window.size > alone / 10 * 9);
}

/* At any distance the path is full in the fourth round trip, and its queue stays short. */
static void test_grows_fast(void **state)
{
	static const struct {
		int64_t rtt_us, max_rtt_us;
	} rows[] = {{10000, 101000}, {40000, 122000}, {200000, 600000}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path path = start(MAX, 40, rows[i].rtt_us); /* 100 MB/s */
		window_set_initial_rtt(&path.window, rows[i].rtt_us, 1);
		while (path.window.size / BLOCK < (size_t)rows[i].rtt_us / 40) {
			run(&path, 1);
		}
		if (path.now_us > 35 * rows[i].rtt_us / 10) {
			fail_msg("row %zu: full after %jd", i, (intmax_t)path.now_us);
		}
		run(&path, 30000);
		if (path.max_rtt_us > rows[i].max_rtt_us) {
			fail_msg("row %zu: longest RTT %jd", i, (intmax_t)path.max_rtt_us);
		}
	}
}

/* A server that limits the rate has to queue what it gets: the window does not grow. */
static void test_does_not_grow_into_a_queue(void **state)
{
	(void)state;
	struct path path = start(MAX, 400000, 200000); /* 10 kB/s */
	window_set_initial_rtt(&path.window, 200000, 1);
	size_t first = path.window.size;
	for (int i = 0; i < 1000; i++) {
		run(&path, 1);
		assert_true(path.window.size <= first + 4 * BLOCK);
	}
	assert_true(path.window.size <= 8 * BLOCK);
}

/* The next stream begins with the window of an earlier one, and still measures. */
static void test_recalls(void **state)
{
	(void)state;
	struct path first = start(MAX, 200, 200000);
	first.sharing.streams = 2;
	assert_true(window_learned(&first.window).rate == 0);
	run(&first, 40000);
	struct window_metrics metrics = window_learned(&first.window);
	static const struct {
		int64_t service_us, delay_us;
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
		struct path path = start(MAX, rows[i].service_us, rows[i].delay_us);
		path.sharing.streams = 2;
		window_set_initial_rtt(&path.window, rows[i].delay_us, 1);
		size_t before = path.window.size;
		window_restore(&path.window, &metrics, rows[i].delay_us, rows[i].streams);
		assert_true(path.window.size >= before);
		assert_true(path.window.size >= first.window.size / 100 * rows[i].least);
		assert_true(path.window.size == before ||
			    path.window.size <= first.window.size / 100 * rows[i].most);
		run(&path, 40000);
		int64_t before_us = path.now_us;
		run(&path, 5000);
		double busy =
			5000.0 * (double)rows[i].service_us / (double)(path.now_us - before_us);
		int64_t max_rtt_us = rows[i].delay_us * 2 + 6000;
		if (busy < 0.9 || path.max_rtt_us > max_rtt_us) {
			fail_msg("row %zu: busy %.2f, longest %jd", i, busy,
				 (intmax_t)path.max_rtt_us);
		}
	}
}

/* A stream that has begun recalls nothing, and a reduced window is not recalled. */
static void test_nothing_to_recall(void **state)
{
	(void)state;
	struct path path = start(MAX, 100, 20000);
	run(&path, 20000);
	struct window_metrics metrics = window_learned(&path.window);
	size_t size = path.window.size;
	metrics.rate *= 10;
	window_restore(&path.window, &metrics, 20000, 1);
	assert_int_equal(path.window.size, size);
	window_reduce(&path.window);
	run(&path, 1000);
	assert_true(window_learned(&path.window).rate == 0);
	struct path other = start(MAX, 100, 20000);
	window_restore(&other.window, &(struct window_metrics){0}, 20000, 1);
	assert_int_equal(other.window.size, 4 * BLOCK);
}

static void test_no_more_than_it_may(void **state)
{
	(void)state;
	struct path path = start(65536, 10, 200000);
	run(&path, 5000);
	assert_int_equal(path.window.size, 65536);
}

/* An application-limited window does not grow. */
static void test_not_full(void **state)
{
	struct window window;
	struct sharing sharing = {0};
	(void)state;
	window_init(&window, MAX);
	size_t size = window.size;
	for (uint64_t number = 0; number < 1000; number++) {
		int64_t sent_us = (int64_t)number * 1000;
		struct window_sample sample = {number, number + 1, sent_us, sent_us + 300,
					       BLOCK,  BLOCK,	   BLOCK,   &sharing};
		window_measure(&window, &sample);
	}
	assert_int_equal(window.size, size);
}

/* The path becomes slower, and fast again. */
static void test_follows(void **state)
{
	(void)state;
	struct path path = start(MAX, 50, 20000);
	run(&path, 20000);
	size_t fast = path.window.size;
	path.service_us = 1000;
	run(&path, 20000);
	size_t slow = path.window.size;
	assert_true(slow < fast / 8);
	path.service_us = 50;
	run(&path, 60000);
	assert_true(path.window.size > fast / 2);
}

static void test_cut(void **state)
{
	(void)state;
	struct path path = start(MAX, 50, 20000);
	run(&path, 20000);
	window_reduce(&path.window);
	assert_true(path.window.size <= BLOCK);
	/* a retransmitted block only shows that the path works */
	for (int i = 0; i < 10; i++) {
		window_note_retransmitted(&path.window, BLOCK);
	}
	assert_int_equal(path.window.size / BLOCK, 10);
	run(&path, 20000);
	assert_true(path.window.size > 50 * BLOCK);
}

/* A clock that stands still, or an answer before its block, causes no division by zero. */
static void test_no_time_at_all(void **state)
{
	struct window window;
	struct sharing sharing = {0};
	(void)state;
	window_init(&window, MAX);
	for (uint64_t number = 0; number < 1000; number++) {
		window_note_limited(&window);
		struct window_sample sample = {number, number + 4, 10,	  number % 2 ? 10 : 5,
					       BLOCK,  BLOCK,	   BLOCK, &sharing};
		window_measure(&window, &sample);
		assert_true(window.size >= BLOCK && window.size <= MAX);
	}
}

/* A single short RTT is no estimate of the path, even if it leaves only the smallest window. */
static void test_an_rtt_that_was_too_short(void **state)
{
	(void)state;
	struct path path = start(MAX, 100, 300);
	run(&path, 20);
	path.delay_us = 30000;
	run(&path, 20000);
	int64_t before_us = path.now_us;
	run(&path, 5000);
	assert_true(5000.0 * 100 / (double)(path.now_us - before_us) > 0.9);
}

/* The minimum RTT is not the minimum any more. */
static void test_a_longer_way(void **state)
{
	(void)state;
	struct path path = start(MAX, 100, 20000);
	run(&path, 20000);
	path.delay_us = 100000;
	run(&path, 20000);
	int64_t before_us = path.now_us;
	run(&path, 5000);
	assert_true(5000.0 * 100 / (double)(path.now_us - before_us) > 0.95);
	assert_true(path.max_rtt_us < 170000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_at_the_start),
		cmocka_unit_test(test_finds_its_size),
		cmocka_unit_test(test_makes_room),
		cmocka_unit_test(test_grows_fast),
		cmocka_unit_test(test_does_not_grow_into_a_queue),
		cmocka_unit_test(test_recalls),
		cmocka_unit_test(test_nothing_to_recall),
		cmocka_unit_test(test_no_more_than_it_may),
		cmocka_unit_test(test_not_full),
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_an_rtt_that_was_too_short),
		cmocka_unit_test(test_a_longer_way),
		cmocka_unit_test(test_no_time_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
