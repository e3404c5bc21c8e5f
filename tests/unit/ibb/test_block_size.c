/* SPDX-License-Identifier: MIT */
#include "ibb/block_size.h"

#include "ibb/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX    ((size_t)8 * 1024 * 1024)
#define BLOCKS 4096 /* on the path, at most */
#define SECOND ((int64_t)1000 * 1000)

#define FIRST_SIZE 16384

struct path;

/* Time that the server needs for a block, in µs. */
typedef double (*service)(struct path *path, size_t length);

struct block {
	size_t length;
	int64_t sent_us;
	uint64_t delivered;
};

/* A writer that always has more, a window, and a path as in test_window.c. */
struct path {
	struct window window;
	struct sharing sharing;
	struct block_size size;
	service service_us;
	int64_t delay_us, now_us;
	double free_us;
	struct block blocks[BLOCKS];
	uint64_t sent, acknowledged, delivered, in_flight;
	size_t agreed;
	bool full;

	unsigned changes; /* of what is used */
	uint64_t by_length[3];
	uint32_t random;
	double mood; /* noise of a shared machine */
	int64_t mood_us;
};

static double random_double(struct path *path)
{
	path->random = path->random * 1664525 + 1013904223;
	return (double)(path->random >> 8) / (1 << 24);
}

static size_t next_length(const struct path *path)
{
	size_t length = block_size_current(&path->size);
	return length < path->agreed ? length : path->agreed;
}

static void send_blocks(struct path *path)
{
	size_t length = next_length(path);
	while (path->in_flight == 0 || (path->in_flight + length <= path->window.size &&
					path->sent - path->acknowledged < BLOCKS)) {
		path->blocks[path->sent++ % BLOCKS] =
			(struct block){length, path->now_us, path->delivered};
		path->in_flight += length;
	}
	window_note_limited(&path->window);
}

static void acknowledge_oldest(struct path *path)
{
	struct block *block = &path->blocks[path->acknowledged % BLOCKS];
	double begin_us = (double)(block->sent_us + path->delay_us);
	begin_us = begin_us > path->free_us ? begin_us : path->free_us;
	path->free_us = begin_us + path->service_us(path, block->length);
	path->now_us = (int64_t)path->free_us;
	path->delivered += block->length;
	path->in_flight -= block->length;
	struct window_sample sample = {
		.number = path->acknowledged++,
		.next = path->sent,
		.sent_us = block->sent_us,
		.now_us = path->now_us,
		.bytes = block->length,
		.delivered = path->delivered - block->delivered,
		.block_size = next_length(path),
		.sharing = &path->sharing,
	};
	window_measure(&path->window, &sample);
	int used = path->size.current;
	struct block_size_sample size_sample = {
		.sent_us = block->sent_us,
		.now_us = path->now_us,
		.bytes = block->length,
		.window_limited = path->full && !path->window.slow_start,
	};
	block_size_measure(&path->size, &size_sample);
	path->changes += path->size.current != used;
	path->by_length[block->length > 16384 ? 2 : block->length > 4096] += block->length;
}

static void run(struct path *path, int64_t time_us)
{
	int64_t end_us = path->now_us + time_us;
	while (path->now_us < end_us) {
		send_blocks(path);
		acknowledge_oldest(path);
	}
}

static struct path start(service service_us, int64_t delay_us)
{
	struct path path = {
		.service_us = service_us,
		.delay_us = delay_us,
		.agreed = 65535,
		.full = true,
		.random = 1,
		.mood = 1,
	};
	window_init(&path.window, MAX);
	return path;
}

/* ---- servers ---- */

/* A cost for each stanza, and a small one for each byte. */
static double per_stanza(struct path *path, size_t length)
{
	(void)path;
	return 140 + (double)length * 0.009;
}

/* A cost for each stanza, too small for one comparison of rates. */
static double little_per_stanza(struct path *path, size_t length)
{
	(void)path;
	return 160 + (double)length * 0.02;
}

/* The cost of a byte doubles once a stanza is longer than one read of the server. */
static double per_read(struct path *path, size_t length)
{
	(void)path;
	return (double)length / (length > 6000 ? 2.8 : 6.5);
}

/* A cost for each byte alone. */
static double per_byte(struct path *path, size_t length)
{
	(void)path;
	return (double)length * 0.1;
}

/* Cross traffic on the path, for some time, and for each block. */
static double with_noise(struct path *path, double service_us)
{
	if (path->now_us >= path->mood_us) {
		path->mood = 0.7 + 0.6 * random_double(path);
		path->mood_us = path->now_us + 20000 + (int64_t)(200000 * random_double(path));
	}
	return service_us * path->mood * (0.5 + random_double(path));
}

static double noisy_per_stanza(struct path *path, size_t length)
{
	return with_noise(path, per_stanza(path, length));
}

static double noisy_per_read(struct path *path, size_t length)
{
	return with_noise(path, per_read(path, length));
}

static double noisy_per_byte(struct path *path, size_t length)
{
	return with_noise(path, per_byte(path, length));
}

/* ---- tests ---- */

static const int64_t distances_us[] = {100, 40000, 100000, 200000};

#define DISTANCES (sizeof(distances_us) / sizeof(distances_us[0]))

static void test_starts_in_the_middle(void **state)
{
	(void)state;
	struct block_size size = {0};
	assert_int_equal(block_size_current(&size), FIRST_SIZE);
	/* An application-limited writer gives no samples. */
	for (int64_t now_us = 0; now_us < 60 * SECOND; now_us += 1000) {
		struct block_size_sample sample = {now_us - 300, now_us, 4096, false};
		block_size_measure(&size, &sample);
		assert_int_equal(block_size_current(&size), FIRST_SIZE);
	}
}

static void test_a_server_that_works_per_stanza(void **state)
{
	(void)state;
	for (size_t i = 0; distances_us[i] < 200000; i++) { /* there the window is the limit */
		struct path path = start(per_stanza, distances_us[i]);
		/* at once with a short RTT; with a long one, each measurement takes some rounds */
		run(&path, SECOND + 60 * distances_us[i]);
		if (path.size.current != 1) {
			fail_msg("row %zu: %d", i, path.size.current);
		}
		run(&path, 300 * SECOND);
		assert_int_equal(path.changes, 1);
	}
}

/* It finds the shortest at once, and the probes cost little. */
static void test_a_server_that_gets_slower(void **state)
{
	(void)state;
	for (size_t i = 0; i < DISTANCES; i++) {
		struct path path = start(per_read, distances_us[i]);
		run(&path, 10 * SECOND);
		size_t window = path.window.size;
		assert_int_equal(path.size.current, -1);
		run(&path, 290 * SECOND);
		assert_int_equal(path.changes, 1);
		/* nor did the window take the queue of large blocks for a larger RTT */
		assert_true(path.window.size <= window * 2);
		double rate = (double)path.delivered / (double)path.now_us;
		if (rate < 6.5 * 0.96) {
			fail_msg("row %zu: %.2f", i, rate);
		}
	}
}

/* If length does not matter, blocks get short. */
static void test_a_server_that_works_per_byte(void **state)
{
	(void)state;
	struct path path = start(per_byte, 100);
	run(&path, 300 * SECOND);
	assert_int_equal(path.size.current, -1);
	assert_int_equal(path.changes, 1);
}

/* The best size in nearly all runs. */
static void test_noise(void **state)
{
	static const struct {
		service service_us;
		unsigned best, most_changes;
	} rows[] = {
		{noisy_per_stanza, 2, 12},
		/* by the largest, as the two above the best are equal */
		{noisy_per_read, 0, 3},
		/* all are equal: any will do */
		{noisy_per_byte, 3, 30},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t seed = 1; seed <= 5; seed++) {
			struct path path = start(rows[i].service_us, 100);
			path.random = seed;
			run(&path, 1200 * SECOND);
			double share = rows[i].best < 3 ? (double)path.by_length[rows[i].best] /
								  (double)path.delivered
							: 1;
			if (path.changes > rows[i].most_changes || share < 0.9) {
				fail_msg("row %zu: %u changes, share %.2f", i, path.changes, share);
			}
		}
	}
}

/* The server has changed, or has other load. */
static void test_goes_back(void **state)
{
	(void)state;
	struct path path = start(per_stanza, 100);
	run(&path, 200 * SECOND);
	assert_int_equal(path.size.current, 1);
	path.service_us = per_read;
	run(&path, 200 * SECOND);
	assert_int_equal(path.size.current, -1);
	path.service_us = per_stanza;
	run(&path, 200 * SECOND);
	assert_int_equal(path.size.current, 1);
}

/* No block is longer than negotiated, so a longer probe would measure nothing. */
static void test_less_was_agreed(void **state)
{
	(void)state;
	struct path path = start(per_stanza, 100);
	path.agreed = 8192;
	run(&path, 300 * SECOND);
	assert_int_equal(next_length(&path), 8192);
	assert_int_equal(path.changes, 0);
}

/* The writer pauses or blocks are lost in the middle of a comparison: the size in use stays. */
static void test_disturbed(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		struct path path = start(per_stanza, 100);
		while (block_size_current(&path.size) == FIRST_SIZE) {
			run(&path, 1);
		}
		assert_int_equal(path.size.current, 0);
		if (how == 0) {
			block_size_discard(&path.size);
		} else {
			struct block_size_sample late = {path.now_us, path.now_us + SECOND, 16384,
							 true};
			block_size_measure(&path.size, &late);
		}
		assert_int_equal(block_size_current(&path.size), FIRST_SIZE);
		run(&path, 2 * SECOND);
		assert_int_equal(path.size.current, 1);
	}
}

/* The writer ends: the comparison ends without a result. */
static void test_the_writer_gets_slow(void **state)
{
	(void)state;
	struct path path = start(per_stanza, 100);
	while (block_size_current(&path.size) == FIRST_SIZE) {
		run(&path, 1);
	}
	path.full = false;
	run(&path, SECOND);
	assert_int_equal(block_size_current(&path.size), FIRST_SIZE);
	assert_false(path.size.comparing);
}

/* A file ends before a comparison: the next file continues it, unless it comes late. */
static void test_short_files(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct path path = start(little_per_stanza, 100);
		while (path.size.pairs == 0) {
			run(&path, 1);
		}
		while (path.in_flight > 0) {
			acknowledge_oldest(&path);
		}
		path.now_us += late ? 20 * SECOND : 2 * SECOND;
		sharing_leave(&path.sharing, &path.window.member);
		window_init(&path.window, MAX);
		run(&path, 5000);
		assert_int_equal(block_size_current(&path.size), FIRST_SIZE);
		while (!path.size.comparing) {
			run(&path, 1);
		}
		assert_int_equal(path.size.pairs, late ? 0 : 1);
		run(&path, SECOND);
		assert_int_equal(path.size.current, 1);
	}
}

/* A clock that stands still, or goes backwards, causes no division by zero. */
static void test_no_time_at_all(void **state)
{
	(void)state;
	struct block_size size = {0};
	for (int i = 0; i < 100000; i++) {
		struct block_size_sample sample = {10, i % 2 ? 10 : 5, 4096, true};
		block_size_measure(&size, &sample);
	}
	assert_int_equal(size.current, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_in_the_middle),
		cmocka_unit_test(test_a_server_that_works_per_stanza),
		cmocka_unit_test(test_a_server_that_gets_slower),
		cmocka_unit_test(test_a_server_that_works_per_byte),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_goes_back),
		cmocka_unit_test(test_less_was_agreed),
		cmocka_unit_test(test_disturbed),
		cmocka_unit_test(test_the_writer_gets_slow),
		cmocka_unit_test(test_short_files),
		cmocka_unit_test(test_no_time_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
