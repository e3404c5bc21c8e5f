/* SPDX-License-Identifier: MIT */
/* path_mtu: how long blocks may be, by what was lost. */
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
	struct path_mtu path_mtu = {0};
	assert_int_equal(path_mtu_broken(&path_mtu, 65535), 0);
	assert_int_equal(path_mtu_broken(&path_mtu, 0), 0);
	assert_int_equal(path_mtu_broken(&path_mtu, 4096), 0);
	assert_int_equal(path_mtu_broken(&path_mtu, 65535), 16383);
	assert_int_equal(path_mtu_broken(&path_mtu, 16383), 4096);
	assert_int_equal(path_mtu_broken(&path_mtu, 4096), 0);
}

static void test_what_was_carried(void **state)
{
	(void)state;
	struct path_mtu path_mtu = {0};
	assert_int_equal(path_mtu_broken(&path_mtu, 16384), 0);
	path_mtu_note(&path_mtu, 16384);
	assert_int_equal(path_mtu_broken(&path_mtu, 16384), 0);
	assert_int_equal(path_mtu_broken(&path_mtu, 16384), 0);
	/* a longer one is suspected anew */
	assert_int_equal(path_mtu_broken(&path_mtu, 30000), 0);
	path_mtu_note(&path_mtu, 4096);
	assert_int_equal(path_mtu_broken(&path_mtu, 30000), 7500);
}

static void test_domains(void **state)
{
	(void)state;
	struct path_mtu path_mtu = {0};
	char peer[32];
	assert_int_equal(path_mtu_most(&path_mtu, ""), 0);
	path_mtu_learn(&path_mtu, "a@one/x@y", 5000);
	path_mtu_learn(&path_mtu, "two", 6000);
	path_mtu_learn(&path_mtu, "", 1);
	assert_int_equal(path_mtu_most(&path_mtu, "b@one"), 5000);
	assert_int_equal(path_mtu_most(&path_mtu, "two/r"), 6000);
	assert_int_equal(path_mtu_most(&path_mtu, "on"), 0);
	assert_int_equal(path_mtu_most(&path_mtu, ""), 0);
	path_mtu_learn(&path_mtu, "c@one/y", 4096);
	assert_int_equal(path_mtu_most(&path_mtu, "b@one"), 4096);
	/* the latest */
	for (int i = 0; i < PATH_MTU_DOMAINS - 1; i++) {
		snprintf(peer, sizeof(peer), "a@d%d", i);
		path_mtu_learn(&path_mtu, peer, 7000);
	}
	assert_int_equal(path_mtu_most(&path_mtu, "b@one"), 0);
	assert_int_equal(path_mtu_most(&path_mtu, "two"), 6000);
	assert_int_equal(path_mtu_most(&path_mtu, "d14/x"), 7000);
}

/* The server may be another one by then. */
static void test_after_an_hour(void **state)
{
	(void)state;
	struct path_mtu path_mtu = {.now_ms = 5000};
	path_mtu_learn(&path_mtu, "a@one", 5000);
	path_mtu_broken(&path_mtu, 65535);
	path_mtu_broken(&path_mtu, 65535);
	path_mtu.now_ms += PATH_MTU_MS - 1;
	assert_int_equal(path_mtu_ours(&path_mtu), 16383);
	assert_int_equal(path_mtu_most(&path_mtu, "one"), 5000);
	path_mtu.now_ms++;
	assert_int_equal(path_mtu_ours(&path_mtu), 0);
	assert_int_equal(path_mtu_most(&path_mtu, "one"), 0);
	/* it is suspected still */
	assert_int_equal(path_mtu_broken(&path_mtu, 65535), 16383);
	assert_int_equal(path_mtu_ours(&path_mtu), 16383);
	/* a longer block, sent before that was learnt, says nothing new */
	assert_int_equal(path_mtu_broken(&path_mtu, 65535), 16383);
	assert_int_equal(path_mtu_broken(&path_mtu, 16383), 4096);
	assert_int_equal(path_mtu_broken(&path_mtu, 65535), 16383);
	assert_int_equal(path_mtu_ours(&path_mtu), 4096);
	path_mtu_learn(&path_mtu, "a@one", 4500);
	assert_int_equal(path_mtu_most(&path_mtu, "one"), 4500);
}

static void test_shortest(void **state)
{
	(void)state;
	assert_int_equal(path_mtu_shorter(5000), PATH_MTU_MIN);
	assert_int_equal(path_mtu_shorter(PATH_MTU_MIN), PATH_MTU_MIN);
	assert_int_equal(path_mtu_shorter(8), 8);
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
