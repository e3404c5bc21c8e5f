/* SPDX-License-Identifier: MIT */
#include "ibb/block_size.h"

#include "ibb/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MOST   ((size_t)8 * 1024 * 1024)
#define BLOCKS 4096 /* on the way, at most */
#define SECOND ((int64_t)1000 * 1000)

struct way;

/* Microseconds that the server works for a block. */
typedef double (*service)(struct way *way, size_t length);

struct block {
	size_t length;
	int64_t sent_us;
	uint64_t delivered;
};

/* A writer that always has more, a window, and a way as in test_window.c. */
struct way {
	struct window window;
	struct block_size size;
	service service_us;
	int64_t distance_us, now_us;
	double free_us;
	struct block blocks[BLOCKS];
	uint64_t sent, back, delivered, on_way;
	size_t agreed;
	bool full;

	unsigned changes; /* of what is used */
	uint64_t by_length[3];
	uint32_t random;
	double mood; /* of a machine on which others work */
	int64_t mood_us;
};

static double random_double(struct way *way)
{
	way->random = way->random * 1664525 + 1013904223;
	return (double)(way->random >> 8) / (1 << 24);
}

static size_t next_length(const struct way *way)
{
	size_t length = block_size_current(&way->size);
	return length < way->agreed ? length : way->agreed;
}

static void leave(struct way *way)
{
	size_t length = next_length(way);
	while (way->on_way == 0 ||
	       (way->on_way + length <= way->window.size && way->sent - way->back < BLOCKS)) {
		way->blocks[way->sent++ % BLOCKS] =
			(struct block){length, way->now_us, way->delivered};
		way->on_way += length;
	}
	window_note_full(&way->window);
}

static void come_back(struct way *way)
{
	struct block *block = &way->blocks[way->back % BLOCKS];
	double begin_us = (double)(block->sent_us + way->distance_us);
	begin_us = begin_us > way->free_us ? begin_us : way->free_us;
	way->free_us = begin_us + way->service_us(way, block->length);
	way->now_us = (int64_t)way->free_us;
	way->delivered += block->length;
	way->on_way -= block->length;
	struct window_trip trip = {
		.number = way->back++,
		.next = way->sent,
		.left_us = block->sent_us,
		.now_us = way->now_us,
		.delivered = way->delivered - block->delivered,
		.block_size = next_length(way),
	};
	window_measure(&way->window, &trip);
	unsigned used = way->size.current;
	struct block_size_sample sample = {
		.sent_us = block->sent_us,
		.now_us = way->now_us,
		.bytes = block->length,
		.window_limited = way->full && !way->window.starting,
	};
	block_size_measure(&way->size, &sample);
	way->changes += way->size.current != used;
	way->by_length[block->length > 16384 ? 2 : block->length > 4096] += block->length;
}

static void run(struct way *way, int64_t time_us)
{
	int64_t end_us = way->now_us + time_us;
	while (way->now_us < end_us) {
		leave(way);
		come_back(way);
	}
}

static struct way start(service service_us, int64_t distance_us)
{
	struct way way = {
		.service_us = service_us,
		.distance_us = distance_us,
		.agreed = 65535,
		.full = true,
		.random = 1,
		.mood = 1,
	};
	window_init(&way.window, MOST);
	return way;
}

/* ---- servers ---- */

/* Works for each stanza, and a little for each byte. */
static double per_stanza(struct way *way, size_t length)
{
	(void)way;
	return 140 + (double)length * 0.009;
}

/* Works for each stanza, but not so much that one comparison of rates would tell. */
static double little_per_stanza(struct way *way, size_t length)
{
	(void)way;
	return 40 + (double)length * 0.02;
}

/* Takes twice as long for each byte once a stanza is longer than what it reads at once. */
static double per_read(struct way *way, size_t length)
{
	(void)way;
	return (double)length / (length > 6000 ? 2.8 : 6.5);
}

/* The same for every byte. */
static double per_byte(struct way *way, size_t length)
{
	(void)way;
	return (double)length * 0.1;
}

/* Others get in the way, for some time, and for each block. */
static double with_noise(struct way *way, double service_us)
{
	if (way->now_us >= way->mood_us) {
		way->mood = 0.7 + 0.6 * random_double(way);
		way->mood_us = way->now_us + 20000 + (int64_t)(200000 * random_double(way));
	}
	return service_us * way->mood * (0.5 + random_double(way));
}

static double noisy_per_stanza(struct way *way, size_t length)
{
	return with_noise(way, per_stanza(way, length));
}

static double noisy_per_read(struct way *way, size_t length)
{
	return with_noise(way, per_read(way, length));
}

static double noisy_per_byte(struct way *way, size_t length)
{
	return with_noise(way, per_byte(way, length));
}

/* ---- tests ---- */

static const int64_t distances_us[] = {100, 40000, 100000, 200000};

#define DISTANCES (sizeof(distances_us) / sizeof(distances_us[0]))

static void test_starts_with_the_shortest(void **state)
{
	(void)state;
	struct block_size size = {0};
	assert_int_equal(block_size_current(&size), BLOCK_SIZE_MIN);
	/* A writer that is slower than the way tells nothing. */
	for (int64_t now_us = 0; now_us < 60 * SECOND; now_us += 1000) {
		struct block_size_sample trip = {now_us - 300, now_us, 4096, false};
		block_size_measure(&size, &trip);
		assert_int_equal(block_size_current(&size), BLOCK_SIZE_MIN);
	}
}

static void test_a_server_that_works_per_stanza(void **state)
{
	(void)state;
	for (size_t i = 0; distances_us[i] < 200000; i++) { /* there the window is the limit */
		struct way way = start(per_stanza, distances_us[i]);
		/* near by at once, far away after some rounds for each measurement */
		run(&way, SECOND + 60 * distances_us[i]);
		if (way.size.current != 2) {
			fail_msg("row %zu: %u", i, way.size.current);
		}
		run(&way, 300 * SECOND);
		assert_int_equal(way.changes, 2);
	}
}

/* It stays with the shortest, and what it costs to try is little. */
static void test_a_server_that_gets_slower(void **state)
{
	(void)state;
	for (size_t i = 0; i < DISTANCES; i++) {
		struct way way = start(per_read, distances_us[i]);
		run(&way, 10 * SECOND);
		size_t window = way.window.size;
		run(&way, 290 * SECOND);
		assert_int_equal(way.changes, 0);
		/* nor has it made the window take the queue of long blocks for a longer way */
		assert_true(way.window.size <= window * 2);
		double rate = (double)way.delivered / (double)way.now_us;
		if (rate < 6.5 * 0.96) {
			fail_msg("row %zu: %.2f", i, rate);
		}
	}
}

/* Where length does not matter, blocks stay short. */
static void test_a_server_that_works_per_byte(void **state)
{
	(void)state;
	struct way way = start(per_byte, 100);
	run(&way, 300 * SECOND);
	assert_int_equal(way.size.current, 0);
	assert_int_equal(way.changes, 0);
}

/* Nearly always what is best, nearly never another. */
static void test_noise(void **state)
{
	static const struct {
		service service_us;
		unsigned best, most_changes;
	} rows[] = {
		{noisy_per_stanza, 2, 12},
		{noisy_per_read, 0, 0},
		/* nothing is better: any will do */
		{noisy_per_byte, 3, 30},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t seed = 1; seed <= 5; seed++) {
			struct way way = start(rows[i].service_us, 100);
			way.random = seed;
			run(&way, 1200 * SECOND);
			double share = rows[i].best < 3 ? (double)way.by_length[rows[i].best] /
								  (double)way.delivered
							: 1;
			if (way.changes > rows[i].most_changes || share < 0.9) {
				fail_msg("row %zu: %u changes, share %.2f", i, way.changes, share);
			}
		}
	}
}

/* The server is another one now, or others use it too. */
static void test_goes_back(void **state)
{
	(void)state;
	struct way way = start(per_stanza, 100);
	run(&way, 200 * SECOND);
	assert_int_equal(way.size.current, 2);
	way.service_us = per_read;
	run(&way, 200 * SECOND);
	assert_int_equal(way.size.current, 0);
	way.service_us = per_stanza;
	run(&way, 200 * SECOND);
	assert_int_equal(way.size.current, 2);
}

/* Nothing longer than agreed is sent, so that trying it shows nothing. */
static void test_less_was_agreed(void **state)
{
	(void)state;
	struct way way = start(per_stanza, 100);
	way.agreed = 8192;
	run(&way, 300 * SECOND);
	assert_int_equal(next_length(&way), 8192);
	assert_int_equal(way.changes, 1);
}

/* In the midst of a comparison the writer pauses, or blocks are lost: back to what is used. */
static void test_disturbed(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		struct way way = start(per_stanza, 100);
		while (block_size_current(&way.size) == BLOCK_SIZE_MIN) {
			run(&way, 1);
		}
		assert_int_equal(way.size.current, 0);
		if (how == 0) {
			block_size_discard(&way.size);
		} else {
			struct block_size_sample late = {way.now_us, way.now_us + SECOND, 16384,
							 true};
			block_size_measure(&way.size, &late);
		}
		assert_int_equal(block_size_current(&way.size), BLOCK_SIZE_MIN);
		run(&way, 2 * SECOND);
		assert_int_equal(way.size.current, 2);
	}
}

/* A writer that has nothing more: the comparison ends without a result. */
static void test_the_writer_gets_slow(void **state)
{
	(void)state;
	struct way way = start(per_stanza, 100);
	while (block_size_current(&way.size) == BLOCK_SIZE_MIN) {
		run(&way, 1);
	}
	way.full = false;
	run(&way, SECOND);
	assert_int_equal(block_size_current(&way.size), BLOCK_SIZE_MIN);
	assert_false(way.size.comparing);
}

/* A file is over before a comparison is: the next one goes on with that, unless it comes late. */
static void test_short_files(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct way way = start(little_per_stanza, 100);
		while (way.size.pairs == 0) {
			run(&way, 1);
		}
		while (way.on_way > 0) {
			come_back(&way);
		}
		way.now_us += late ? 20 * SECOND : 2 * SECOND;
		window_init(&way.window, MOST);
		run(&way, 5000);
		assert_int_equal(block_size_current(&way.size), BLOCK_SIZE_MIN);
		while (!way.size.comparing) {
			run(&way, 1);
		}
		assert_int_equal(way.size.pairs, late ? 0 : 1);
		run(&way, SECOND);
		assert_int_equal(way.size.current, 1);
	}
}

/* A clock that stands still, or goes back, divides by nothing. */
static void test_no_time_at_all(void **state)
{
	(void)state;
	struct block_size size = {0};
	for (int i = 0; i < 100000; i++) {
		struct block_size_sample trip = {10, i % 2 ? 10 : 5, 4096, true};
		block_size_measure(&size, &trip);
	}
	assert_int_equal(size.current, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_with_the_shortest),
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
