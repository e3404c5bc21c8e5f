/* SPDX-License-Identifier: MIT */
#include "mount/disk/claim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 10

/* Nothing is in the directory but what is claimed. */
static void count(void *context, struct usage *found)
{
	(void)context, (void)found;
}

static void start(struct quota *quota, struct claim *claim, uint64_t limit)
{
	quota_init(quota, (struct usage){.bytes = limit}, BLOCK, count, NULL);
	claim_init(claim, quota);
}

static void assert_usage(const struct quota *quota, uint64_t used, uint64_t awaited)
{
	assert_int_equal(quota->used.bytes, used);
	assert_int_equal(quota->awaited.bytes, awaited);
}

static void give_back(struct claim *claim)
{
	claim_begin_change(claim);
	claim_give_back(claim);
	assert_int_equal(claim->quota->changing.bytes, 0);
}

static void test_spend(void **state)
{
	struct quota quota;
	struct claim claim;
	(void)state;
	start(&quota, &claim, 100);
	assert_int_equal(claim_reserve(&claim, 101), -EDQUOT);
	assert_false(claim_would_fit(&claim, 101, (struct usage){.bytes = 100}));
	assert_int_equal(claim_reserve(&claim, 35), 0);
	assert_usage(&quota, 40, 40);
	claim_spend(&claim, 0);
	assert_usage(&quota, 40, 30);
	assert_int_equal(quota.awaited.files, 0);
	assert_false(claim_would_fit(&claim, 101, (struct usage){0}));
	assert_false(claim_would_fit(&claim, 111, (struct usage){.bytes = 19}));
	assert_true(claim_would_fit(&claim, 111, (struct usage){.bytes = 20}));
	claim_spend(&claim, 11);
	assert_usage(&quota, 40, 20);
	claim_finish(&claim);
	assert_usage(&quota, 20, 0);
	give_back(&claim);
	assert_usage(&quota, 0, 0);
	assert_int_equal(quota.used.files, 0);
	quota_finish(&quota);
}

/* A part of 40 bytes, and another file that awaits 50. */
static void start_beside_another(struct quota *quota, struct claim *claim)
{
	struct claim other;
	start(quota, claim, 0);
	claim_init(&other, quota);
	assert_int_equal(claim_reserve(&other, 50), 0);
	/* The part, when the directory was counted. */
	assert_true(quota_reserve(quota, quota_file(quota, 40)));
	quota_write(quota, quota_file(quota, 40));
	claim_adopt(claim, 40);
	assert_usage(quota, 90, 50);
}

/* A part is longer than its record, and is cut: what another file awaits stays. */
static void test_cut(void **state)
{
	struct quota quota;
	struct claim claim;
	(void)state;
	start_beside_another(&quota, &claim);
	claim_begin_change(&claim);
	claim_cut(&claim, 20);
	assert_usage(&quota, 70, 50);
	claim_begin_change(&claim);
	claim_cut(&claim, 30); /* it is no longer by that */
	assert_usage(&quota, 70, 50);
	assert_int_equal(claim_reserve(&claim, 25), 0);
	assert_usage(&quota, 80, 60);
	claim_spend(&claim, 25);
	assert_usage(&quota, 80, 50);
	give_back(&claim);
	claim_finish(&claim);
	assert_usage(&quota, 50, 50);
	quota_finish(&quota);
}

/* Bytes that are written over others spend nothing. */
static void test_spend_less(void **state)
{
	struct quota quota;
	struct claim claim;
	(void)state;
	start_beside_another(&quota, &claim);
	claim_spend(&claim, 25);
	assert_usage(&quota, 90, 50);
	claim_spend(&claim, 40);
	assert_usage(&quota, 90, 50);
	give_back(&claim);
	assert_usage(&quota, 50, 50);
	quota_finish(&quota);
}

/* While it gets another name, a count may miss what is spent, and no more. */
static void test_keep(void **state)
{
	struct quota quota;
	struct claim claim;
	(void)state;
	start(&quota, &claim, 0);
	assert_int_equal(claim_reserve(&claim, 35), 0);
	claim_spend(&claim, 11);
	claim_begin_change(&claim);
	assert_int_equal(quota.changing.files, 1);
	assert_int_equal(quota.changing.bytes, 20);
	claim_keep(&claim);
	assert_int_equal(quota.changing.files, 0);
	assert_int_equal(quota.changing.bytes, 0);
	assert_usage(&quota, 40, 20);
	claim_finish(&claim);
	assert_usage(&quota, 20, 0);
	quota_finish(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spend),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_spend_less),
		cmocka_unit_test(test_keep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
