/* SPDX-License-Identifier: MIT */
/* keepalive: when pings are due, and when the server is lost. The clock is the test's. */
#include "xmpp/keepalive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct keepalive keepalive;

static int set_up(void **state)
{
	(void)state;
	keepalive_begin(&keepalive, 100);
	return 0;
}

/* The next ping is due at `due_ms`, not before. */
static void expect_ping(int64_t due_ms)
{
	assert_int_equal(keepalive_next_ms(&keepalive), due_ms);
	assert_false(keepalive_take_ping(&keepalive, due_ms - 1));
	assert_true(keepalive_take_ping(&keepalive, due_ms));
	assert_false(keepalive_take_ping(&keepalive, due_ms));
}

static void test_intervals_double(void **state)
{
	static const int64_t intervals_ms[] = {1000,  2000,  4000,  8000, 16000,
					       32000, 60000, 60000, 60000};
	int64_t now_ms = 100;

	(void)state;
	for (size_t i = 0; i < sizeof(intervals_ms) / sizeof(intervals_ms[0]); i++) {
		now_ms += intervals_ms[i];
		expect_ping(now_ms);
		keepalive_input(&keepalive);
	}
}

static void test_traffic_begins_anew(void **state)
{
	(void)state;
	expect_ping(1100);
	keepalive_input(&keepalive);
	expect_ping(3100);
	keepalive_input(&keepalive);
	keepalive_traffic(&keepalive, 5000);
	expect_ping(6000);
	keepalive_input(&keepalive);
	expect_ping(8000);
}

static void test_silence(void **state)
{
	(void)state;
	assert_false(keepalive_is_lost(&keepalive, 1000000));
	expect_ping(1100);
	expect_ping(3100);
	expect_ping(7100);
	expect_ping(15100);
	/* Since the first ping, not the last; and before the next. */
	assert_int_equal(keepalive_next_ms(&keepalive), 21100);
	assert_false(keepalive_is_lost(&keepalive, 21099));
	assert_true(keepalive_is_lost(&keepalive, 21100));
	/* Sending is no sign of life of the server. */
	keepalive_traffic(&keepalive, 21000);
	assert_true(keepalive_is_lost(&keepalive, 21100));
	keepalive_input(&keepalive);
	assert_false(keepalive_is_lost(&keepalive, 21100));
	assert_int_equal(keepalive_next_ms(&keepalive), 22000);
}

static void test_doubt(void **state)
{
	(void)state;
	keepalive_doubt(&keepalive, 500);
	expect_ping(500);
	expect_ping(2500);
	assert_int_equal(keepalive_next_ms(&keepalive), 5500);
	assert_false(keepalive_is_lost(&keepalive, 5499));
	assert_true(keepalive_is_lost(&keepalive, 5500));
	/* The server has answered: it is trusted as before. */
	keepalive_input(&keepalive);
	assert_false(keepalive_is_lost(&keepalive, 5500));
	expect_ping(6500);
	assert_false(keepalive_is_lost(&keepalive, 26499));
	assert_true(keepalive_is_lost(&keepalive, 26500));

	/* A ping was unanswered before the sleep, which says nothing. */
	keepalive_doubt(&keepalive, 30000);
	assert_false(keepalive_is_lost(&keepalive, 34999));
	expect_ping(30000);
	assert_true(keepalive_is_lost(&keepalive, 35000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_intervals_double, set_up),
		cmocka_unit_test_setup(test_traffic_begins_anew, set_up),
		cmocka_unit_test_setup(test_silence, set_up),
		cmocka_unit_test_setup(test_doubt, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
