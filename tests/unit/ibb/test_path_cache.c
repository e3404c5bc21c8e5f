/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/path_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A window that has measured `rate`. */
static struct window with_rate(double rate, bool starting)
{
	struct window window;
	window_init(&window, 1 << 20);
	window.slow_start = starting;
	window.rates[3] = rate;
	window.min_rtt_us = 1000;
	window.rounds = 4;
	return window;
}

static void learn(struct path_cache *cache, const char *jid, double rate, bool starting, bool alone)
{
	struct window window = with_rate(rate, starting);
	path_cache_learn(cache, jid, &window, alone);
}

static void test_ways(void **state)
{
	(void)state;
	struct path_cache cache = {.now_ms = 5};
	assert_true(path_cache_metrics(&cache, "j").rate == 0);
	learn(&cache, "j", 0, false, true); /* it has measured nothing */
	assert_true(path_cache_metrics(&cache, "j").rate == 0);
	learn(&cache, "j", 10, false, true);
	assert_true(path_cache_metrics(&cache, "j").rate == 10);
	assert_int_equal(path_cache_metrics(&cache, "j").min_rtt_us, 1000);
	assert_true(path_cache_metrics(&cache, "k").rate == 0);
	/* The last one counts, */
	learn(&cache, "j", 8, false, true);
	assert_true(path_cache_metrics(&cache, "j").rate == 8);
	/* unless it was short, or not alone, and slower. */
	learn(&cache, "j", 7, true, true);
	learn(&cache, "j", 7, false, false);
	assert_true(path_cache_metrics(&cache, "j").rate == 8);
	learn(&cache, "j", 9, true, true);
	assert_true(path_cache_metrics(&cache, "j").rate == 9);
	learn(&cache, "j", 10, false, false);
	assert_true(path_cache_metrics(&cache, "j").rate == 10);
	/* Old measurements are dropped. */
	cache.now_ms += PATH_CACHE_MS - 1;
	assert_true(path_cache_metrics(&cache, "j").rate == 10);
	cache.now_ms++;
	assert_true(path_cache_metrics(&cache, "j").rate == 0);
	learn(&cache, "j", 1, true, false);
	assert_true(path_cache_metrics(&cache, "j").rate == 1);
	path_cache_forget(&cache, "j");
	path_cache_forget(&cache, "j");
	assert_true(path_cache_metrics(&cache, "j").rate == 0);
	path_cache_finish(&cache);
	path_cache_finish(&cache);
}

static void test_block_sizes(void **state)
{
	(void)state;
	struct path_cache cache = {0};
	assert_int_equal(path_cache_block_size(&cache, "j"), UINT32_MAX);
	path_cache_refuse(&cache, "j", 4096);
	path_cache_refuse(&cache, "k", 128);
	assert_int_equal(path_cache_block_size(&cache, "j"), 4096);
	assert_int_equal(path_cache_block_size(&cache, "k"), 128);
	assert_true(path_cache_metrics(&cache, "j").rate == 0);
	learn(&cache, "l", 1, false, true);
	assert_int_equal(path_cache_block_size(&cache, "l"), UINT32_MAX);
	path_cache_forget(&cache, "j");
	assert_int_equal(path_cache_block_size(&cache, "j"), UINT32_MAX);
	assert_int_equal(path_cache_block_size(&cache, "k"), 128);
	path_cache_finish(&cache);
}

static void test_no_more_than_some(void **state)
{
	(void)state;
	struct path_cache cache = {0};
	char jid[16];
	path_cache_refuse(&cache, "first", 1);
	path_cache_refuse(&cache, "second", 1);
	for (unsigned i = 0; i < PATH_CACHE_MAX_PEERS - 1; i++) {
		snprintf(jid, sizeof(jid), "%u", i);
		path_cache_refuse(&cache, "first", 1); /* it is used */
		path_cache_refuse(&cache, jid, i);
	}
	assert_int_equal(path_cache_block_size(&cache, "first"), 1);
	assert_int_equal(path_cache_block_size(&cache, "second"), UINT32_MAX);
	for (unsigned i = 0; i < PATH_CACHE_MAX_PEERS - 1; i++) {
		snprintf(jid, sizeof(jid), "%u", i);
		assert_int_equal(path_cache_block_size(&cache, jid), i);
	}
	path_cache_finish(&cache);
}

static void test_memory_is_short(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct path_cache cache = {0};
		failing_malloc_arm(n);
		path_cache_refuse(&cache, "j", 7);
		learn(&cache, "k", 7, false, true);
		path_cache_refuse(&cache, "j", 7);
		bool failed = failing_malloc_disarm();
		assert_true(path_cache_block_size(&cache, "j") == 7 ||
			    path_cache_block_size(&cache, "j") == UINT32_MAX);
		path_cache_finish(&cache);
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
