/* SPDX-License-Identifier: MIT */
/* coalescing: that a busy stream is read in large pieces, and that a peer with a small window is
 * not held up. The clock, the server and the peer are the test's. */
#include "xmpp/coalescing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MOST_SENT 4096

/* A peer that sends `blocks` blocks, of which `window` are unanswered at most, and a server that
 * carries one of them every `interval_us`. An answer is with the peer after `answer_us`. */
struct world {
	size_t block, blocks, window;
	int64_t interval_us, answer_us;
	int64_t pause_us; /* of the server, after each 50 blocks */

	int64_t now_us, free_us; /* free: when the server has carried all that was sent */
	size_t sent, read;
	int64_t arrives_us[MOST_SENT]; /* of the block `sent` modulo MOST_SENT */
	size_t wakes;
};

static void send_block(struct world *world, int64_t now_us)
{
	if (world->sent < world->blocks) {
		if (world->free_us < now_us) {
			world->free_us = now_us;
		}
		world->free_us += world->interval_us;
		world->free_us += world->sent % 50 == 49 ? world->pause_us : 0;
		world->arrives_us[world->sent++ % MOST_SENT] = world->free_us;
	}
}

/* When `bytes` have come; -1: the peer waits for an answer first. */
static int64_t comes_us(const struct world *world, size_t bytes)
{
	size_t last = world->read + (bytes + world->block - 1) / world->block;
	return last <= world->sent ? world->arrives_us[(last - 1) % MOST_SENT] : -1;
}

/* Reads and answers what has come. Returns the bytes. */
static size_t read_blocks(struct world *world)
{
	size_t bytes = 0;
	world->wakes++;
	world->now_us += 10;
	while (world->read < world->sent &&
	       world->arrives_us[world->read % MOST_SENT] <= world->now_us) {
		world->read++;
		bytes += world->block;
	}
	for (size_t i = 0; i < bytes / world->block; i++) {
		send_block(world, world->now_us + world->answer_us);
	}
	return bytes;
}

static void wait_and_read(struct world *world, struct coalescing *coalescing)
{
	size_t low_water = coalescing_low_water(coalescing);
	int64_t began_us = world->now_us;
	int64_t ready_us = comes_us(world, low_water);
	bool is_late = low_water > 1 && (ready_us < 0 || ready_us > began_us + COALESCING_US);
	assert_true(is_late || ready_us >= 0);
	int64_t until_us = is_late ? began_us + COALESCING_US : ready_us;
	if (world->now_us < until_us) {
		world->now_us = until_us;
	}
	int64_t waited_us = world->now_us - began_us;
	size_t bytes = read_blocks(world);
	if (is_late && bytes < low_water) {
		coalescing_late(coalescing, bytes);
	} else {
		coalescing_read(coalescing, bytes, waited_us);
	}
}

/* Returns the time that it took. `coalesces`: else each block is read as it comes. */
static int64_t run(struct world *world, bool coalesces)
{
	struct coalescing coalescing;
	coalescing_begin(&coalescing);
	for (size_t i = 0; i < world->window; i++) {
		send_block(world, 0);
	}
	while (world->read < world->blocks) {
		wait_and_read(world, &coalescing);
		if (!coalesces) {
			coalescing_begin(&coalescing);
		}
	}
	return world->now_us;
}

static const struct world worlds[] = {
	/* stop and wait, near and far */
	{.block = 22000, .window = 1, .interval_us = 200, .answer_us = 100},
	{.block = 22000, .window = 1, .interval_us = 200, .answer_us = 20000},
	/* a small window */
	{.block = 22000, .window = 2, .interval_us = 200, .answer_us = 100},
	{.block = 22000, .window = 4, .interval_us = 200, .answer_us = 100},
	{.block = 22000, .window = 16, .interval_us = 200, .answer_us = 100},
	{.block = 22000, .window = 16, .interval_us = 200, .answer_us = 20000},
	{.block = 6000, .window = 2, .interval_us = 100, .answer_us = 100},
	/* a large one, and a server that pauses */
	{.block = 22000, .window = 64, .interval_us = 200, .answer_us = 20000},
	{.block = 22000, .window = 200, .interval_us = 200, .answer_us = 100},
	{.block = 22000, .window = 200, .interval_us = 200, .answer_us = 100, .pause_us = 9000},
	{.block = 6000, .window = 200, .interval_us = 100, .answer_us = 20000},
	/* answers, which come from a server that carries blocks the other way */
	{.block = 110, .window = 1, .interval_us = 200, .answer_us = 100},
	{.block = 110, .window = 200, .interval_us = 200, .answer_us = 100},
	/* a slow server */
	{.block = 22000, .window = 16, .interval_us = 5000, .answer_us = 100},
};

static void test_nobody_is_held_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		struct world without = worlds[i], with = worlds[i];
		without.blocks = with.blocks = 20000;
		int64_t least_us = run(&without, false);
		int64_t took_us = run(&with, true);
		if (took_us > least_us + least_us / 10) {
			fail_msg("world %zu: %lld us, not %lld", i, (long long)took_us,
				 (long long)least_us);
		}
	}
}

static void test_a_busy_stream_is_read_in_large_pieces(void **state)
{
	(void)state;
	static const struct {
		struct world world;
		size_t blocks_a_wake;
	} busy[] = {
		{{.block = 22000, .window = 200, .interval_us = 200, .answer_us = 100}, 5},
		{{.block = 6000, .window = 200, .interval_us = 100, .answer_us = 100}, 10},
		{{.block = 110, .window = 200, .interval_us = 50, .answer_us = 100}, 10},
		/* pauses are no reason to stop */
		{{.block = 22000,
		  .window = 200,
		  .interval_us = 200,
		  .answer_us = 100,
		  .pause_us = 9000},
		 4},
	};
	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
		struct world world = busy[i].world;
		world.blocks = 20000;
		run(&world, true);
		if (world.wakes * busy[i].blocks_a_wake > world.blocks) {
			fail_msg("%zu: %zu wakes", i, world.wakes);
		}
	}
}

/* Reads single blocks without a pause until there is something to wait for. */
static void make_busy(struct coalescing *coalescing)
{
	coalescing_begin(coalescing);
	for (int i = 0; i < 100 && coalescing_low_water(coalescing) == 1; i++) {
		coalescing_read(coalescing, 22000, 100);
	}
	assert_true(coalescing_low_water(coalescing) > 1);
}

static void test_nothing_is_waited_for_after_another_stanza(void **state)
{
	struct coalescing coalescing;
	(void)state;
	make_busy(&coalescing);
	coalescing_interrupt(&coalescing);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(coalescing_low_water(&coalescing), 1);
		coalescing_read(&coalescing, 22000, 100);
	}
}

static void test_the_first_bytes_after_a_pause_are_read_at_once(void **state)
{
	struct coalescing coalescing;
	(void)state;
	make_busy(&coalescing);
	size_t low_water = coalescing_low_water(&coalescing);
	coalescing_late(&coalescing, 0);
	assert_int_equal(coalescing_low_water(&coalescing), 1);
	coalescing_read(&coalescing, 22000, 1000000);
	assert_int_equal(coalescing_low_water(&coalescing), low_water);
}

static void test_a_slow_stream_is_read_as_it_comes(void **state)
{
	struct coalescing coalescing;
	(void)state;
	coalescing_begin(&coalescing);
	for (int i = 0; i < 1000; i++) {
		coalescing_read(&coalescing, 22000, 1500);
		assert_int_equal(coalescing_low_water(&coalescing), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_held_up),
		cmocka_unit_test(test_a_busy_stream_is_read_in_large_pieces),
		cmocka_unit_test(test_nothing_is_waited_for_after_another_stanza),
		cmocka_unit_test(test_the_first_bytes_after_a_pause_are_read_at_once),
		cmocka_unit_test(test_a_slow_stream_is_read_as_it_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
