/* SPDX-License-Identifier: MIT */
/* carriage: how long blocks may be, by what was lost. */
#include "ibb/path_mtu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_two_breaks(void **state)
{
	(void)state;
	struct carriage carriage = {0};
	assert_int_equal(carriage_broken(&carriage, 65535), 0);
	assert_int_equal(carriage_broken(&carriage, 0), 0);
	assert_int_equal(carriage_broken(&carriage, 4096), 0);
	assert_int_equal(carriage_broken(&carriage, 65535), 16383);
	assert_int_equal(carriage_broken(&carriage, 16383), 4096);
	assert_int_equal(carriage_broken(&carriage, 4096), 0);
}

static void test_what_was_carried(void **state)
{
	(void)state;
	struct carriage carriage = {0};
	assert_int_equal(carriage_broken(&carriage, 16384), 0);
	carriage_note(&carriage, 16384);
	assert_int_equal(carriage_broken(&carriage, 16384), 0);
	assert_int_equal(carriage_broken(&carriage, 16384), 0);
	/* a longer one is suspected anew */
	assert_int_equal(carriage_broken(&carriage, 30000), 0);
	carriage_note(&carriage, 4096);
	assert_int_equal(carriage_broken(&carriage, 30000), 7500);
}

static void test_domains(void **state)
{
	(void)state;
	struct carriage carriage = {0};
	char peer[32];
	assert_int_equal(carriage_most(&carriage, ""), 0);
	carriage_learn(&carriage, "a@one/x@y", 5000);
	carriage_learn(&carriage, "two", 6000);
	carriage_learn(&carriage, "", 1);
	assert_int_equal(carriage_most(&carriage, "b@one"), 5000);
	assert_int_equal(carriage_most(&carriage, "two/r"), 6000);
	assert_int_equal(carriage_most(&carriage, "on"), 0);
	assert_int_equal(carriage_most(&carriage, ""), 0);
	carriage_learn(&carriage, "c@one/y", 4096);
	assert_int_equal(carriage_most(&carriage, "b@one"), 4096);
	/* the latest */
	for (int i = 0; i < CARRIAGE_DOMAINS - 1; i++) {
		snprintf(peer, sizeof(peer), "a@d%d", i);
		carriage_learn(&carriage, peer, 7000);
	}
	assert_int_equal(carriage_most(&carriage, "b@one"), 0);
	assert_int_equal(carriage_most(&carriage, "two"), 6000);
	assert_int_equal(carriage_most(&carriage, "d14/x"), 7000);
}

/* The server may be another one by then. */
static void test_after_an_hour(void **state)
{
	(void)state;
	struct carriage carriage = {.now_ms = 5000};
	carriage_learn(&carriage, "a@one", 5000);
	carriage_broken(&carriage, 65535);
	carriage_broken(&carriage, 65535);
	carriage.now_ms += CARRIAGE_MS - 1;
	assert_int_equal(carriage_ours(&carriage), 16383);
	assert_int_equal(carriage_most(&carriage, "one"), 5000);
	carriage.now_ms++;
	assert_int_equal(carriage_ours(&carriage), 0);
	assert_int_equal(carriage_most(&carriage, "one"), 0);
	/* it is suspected still */
	assert_int_equal(carriage_broken(&carriage, 65535), 16383);
	assert_int_equal(carriage_ours(&carriage), 16383);
	/* a longer block, sent before that was learnt, says nothing new */
	assert_int_equal(carriage_broken(&carriage, 65535), 16383);
	assert_int_equal(carriage_broken(&carriage, 16383), 4096);
	assert_int_equal(carriage_broken(&carriage, 65535), 16383);
	assert_int_equal(carriage_ours(&carriage), 4096);
	carriage_learn(&carriage, "a@one", 4500);
	assert_int_equal(carriage_most(&carriage, "one"), 4500);
}

static void test_shortest(void **state)
{
	(void)state;
	assert_int_equal(carriage_shorter(5000), CARRIAGE_MIN);
	assert_int_equal(carriage_shorter(CARRIAGE_MIN), CARRIAGE_MIN);
	assert_int_equal(carriage_shorter(8), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_breaks), cmocka_unit_test(test_what_was_carried),
		cmocka_unit_test(test_domains),	   cmocka_unit_test(test_after_an_hour),
		cmocka_unit_test(test_shortest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
