/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/path_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A window that has found out that `rate` is possible. */
static struct window with_rate(double rate, bool starting)
{
	struct window window;
	window_init(&window, 1 << 20);
	window.starting = starting;
	window.rates[3] = rate;
	window.shortest_us = 1000;
	window.rounds = 4;
	return window;
}

static void learn(struct past *past, const char *jid, double rate, bool starting, bool alone)
{
	struct window window = with_rate(rate, starting);
	past_learn(past, jid, &window, alone);
}

static void test_ways(void **state)
{
	(void)state;
	struct past past = {.now_ms = 5};
	assert_true(past_way(&past, "j").rate == 0);
	learn(&past, "j", 0, false, true); /* it has found out nothing */
	assert_true(past_way(&past, "j").rate == 0);
	learn(&past, "j", 10, false, true);
	assert_true(past_way(&past, "j").rate == 10);
	assert_int_equal(past_way(&past, "j").shortest_us, 1000);
	assert_true(past_way(&past, "k").rate == 0);
	/* The last one counts, */
	learn(&past, "j", 8, false, true);
	assert_true(past_way(&past, "j").rate == 8);
	/* unless it was short, or not alone, and slower. */
	learn(&past, "j", 7, true, true);
	learn(&past, "j", 7, false, false);
	assert_true(past_way(&past, "j").rate == 8);
	learn(&past, "j", 9, true, true);
	assert_true(past_way(&past, "j").rate == 9);
	learn(&past, "j", 10, false, false);
	assert_true(past_way(&past, "j").rate == 10);
	/* What is too old is not known. */
	past.now_ms += PAST_MS - 1;
	assert_true(past_way(&past, "j").rate == 10);
	past.now_ms++;
	assert_true(past_way(&past, "j").rate == 0);
	learn(&past, "j", 1, true, false);
	assert_true(past_way(&past, "j").rate == 1);
	past_forget(&past, "j");
	past_forget(&past, "j");
	assert_true(past_way(&past, "j").rate == 0);
	past_finish(&past);
	past_finish(&past);
}

static void test_block_sizes(void **state)
{
	(void)state;
	struct past past = {0};
	assert_int_equal(past_block_size(&past, "j"), UINT32_MAX);
	past_refused(&past, "j", 4096);
	past_refused(&past, "k", 128);
	assert_int_equal(past_block_size(&past, "j"), 4096);
	assert_int_equal(past_block_size(&past, "k"), 128);
	assert_true(past_way(&past, "j").rate == 0);
	learn(&past, "l", 1, false, true);
	assert_int_equal(past_block_size(&past, "l"), UINT32_MAX);
	past_forget(&past, "j");
	assert_int_equal(past_block_size(&past, "j"), UINT32_MAX);
	assert_int_equal(past_block_size(&past, "k"), 128);
	past_finish(&past);
}

static void test_no_more_than_some(void **state)
{
	(void)state;
	struct past past = {0};
	char jid[16];
	past_refused(&past, "first", 1);
	past_refused(&past, "second", 1);
	for (unsigned i = 0; i < PAST_MOST_PEERS - 1; i++) {
		snprintf(jid, sizeof(jid), "%u", i);
		past_refused(&past, "first", 1); /* it is used */
		past_refused(&past, jid, i);
	}
	assert_int_equal(past_block_size(&past, "first"), 1);
	assert_int_equal(past_block_size(&past, "second"), UINT32_MAX);
	for (unsigned i = 0; i < PAST_MOST_PEERS - 1; i++) {
		snprintf(jid, sizeof(jid), "%u", i);
		assert_int_equal(past_block_size(&past, jid), i);
	}
	past_finish(&past);
}

static void test_memory_is_short(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct past past = {0};
		failing_malloc_arm(n);
		past_refused(&past, "j", 7);
		learn(&past, "k", 7, false, true);
		past_refused(&past, "j", 7);
		bool failed = failing_malloc_disarm();
		assert_true(past_block_size(&past, "j") == 7 ||
			    past_block_size(&past, "j") == UINT32_MAX);
		past_finish(&past);
		if (!failed) {
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_no_more_than_some),
		cmocka_unit_test(test_memory_is_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
