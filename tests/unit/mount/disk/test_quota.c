/* SPDX-License-Identifier: MIT */
#include "mount/disk/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct directory {
	uint64_t bytes;
	unsigned counted;
};

static uint64_t count(void *context)
{
	struct directory *directory = context;
	directory->counted++;
	return directory->bytes;
}

/* Existing files count. */
static void test_limit(void **state)
{
	struct directory directory = {.bytes = 60};
	struct quota quota;
	(void)state;
	quota_init(&quota, 100, count, &directory);
	assert_int_equal(directory.counted, 1);
	assert_true(quota_reserve(&quota, 40));
	assert_false(quota_reserve(&quota, 1));
	assert_true(quota_reserve(&quota, 0));
}

static void test_no_limit(void **state)
{
	struct directory directory = {.bytes = 60};
	struct quota quota;
	(void)state;
	quota_init(&quota, 0, count, &directory);
	assert_true(quota_reserve(&quota, UINT64_MAX / 2));
	assert_true(quota_reserve(&quota, UINT64_MAX / 4));
}

/* Cancelled bytes and removed files give room back. */
static void test_room_again(void **state)
{
	struct directory directory = {0};
	struct quota quota;
	(void)state;
	quota_init(&quota, 100, count, &directory);
	assert_true(quota_reserve(&quota, 100));
	quota_write(&quota, 30);
	directory.bytes = 30;
	assert_false(quota_reserve(&quota, 1));
	quota_cancel(&quota, 70);
	assert_true(quota_reserve(&quota, 70));
	quota_cancel(&quota, 70);
	quota_remove(&quota, 30);
	assert_true(quota_reserve(&quota, 100));
	quota_cancel(&quota, 100);
	quota_restore(&quota, 30);
	assert_false(quota_reserve(&quota, 71));
	assert_true(quota_reserve(&quota, 70));
}

/* A file removed in the directory itself is noticed when room is needed, but not each time. */
static void test_counted_again(void **state)
{
	struct directory directory = {.bytes = 100};
	struct quota quota;
	(void)state;
	quota_init(&quota, 100, count, &directory);
	assert_false(quota_reserve(&quota, 1));
	assert_int_equal(directory.counted, 2);
	directory.bytes = 0;
	assert_false(quota_reserve(&quota, 1)); /* within a second */
	assert_int_equal(directory.counted, 2);
}

/* Reserved bytes that are not written yet count in addition to the files in the directory. */
static void test_counted_while_written(void **state)
{
	struct directory directory = {.bytes = 50};
	struct quota quota;
	(void)state;
	quota_init(&quota, 100, count, &directory);
	assert_true(quota_reserve(&quota, 40));
	directory.bytes = 10;
	assert_true(quota_reserve(&quota, 50)); /* 10 + 40 + 50 */
	assert_int_equal(directory.counted, 2);
	assert_false(quota_reserve(&quota, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_room_again),
		cmocka_unit_test(test_counted_again),
		cmocka_unit_test(test_counted_while_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
