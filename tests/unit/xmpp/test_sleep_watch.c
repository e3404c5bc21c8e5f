/* SPDX-License-Identifier: MIT */
/* sleep_watch: what is a sleep. The machine does not sleep for it. */
#include "xmpp/sleep_watch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_note(void **state)
{
	struct sleep_watch watch = {.fd = -1, .slept_ms = 7000};

	(void)state;
	assert_false(sleep_watch_note(&watch, 7000));
	/* The two clocks are not read at the same time. */
	assert_false(sleep_watch_note(&watch, 7004));
	assert_false(sleep_watch_note(&watch, 6998));
	assert_true(sleep_watch_note(&watch, 600000));
	assert_false(sleep_watch_note(&watch, 600000));
	assert_true(sleep_watch_note(&watch, 601000));
}

static void test_awake(void **state)
{
	struct sleep_watch watch;

	(void)state;
	sleep_watch_init(&watch);
	assert_true(watch.fd >= 0);
	struct pollfd fd = {.fd = watch.fd, .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_false(sleep_watch_take(&watch));
	assert_int_equal(poll(&fd, 1, 0), 0);
	sleep_watch_finish(&watch);
	sleep_watch_finish(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_awake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
