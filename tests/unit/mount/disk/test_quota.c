/* SPDX-License-Identifier: MIT */
#include "mount/disk/quota.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define BLOCK 10

/* What is in the directory; and what happens while it is counted. */
struct directory {
	struct usage usage;
	unsigned counted;
	struct quota *quota;
	struct usage reserved, cancelled, removed, renamed;
	bool is_asked; /* another thread wants a count */
	bool is_full;  /* another thread wants room */
	bool has_room;
	atomic_bool is_answered;
	pthread_t asking;
};

static struct usage usage(uint64_t files, uint64_t bytes)
{
	return (struct usage){.files = files, .bytes = bytes};
}

static void *ask(void *context)
{
	struct directory *directory = context;
	quota_count(directory->quota, 1);
	return NULL;
}

static void *ask_for_room(void *context)
{
	struct directory *directory = context;
	directory->has_room = quota_reserve(directory->quota, usage(1, 10));
	directory->is_answered = true;
	return NULL;
}

/* It must not be answered. */
static void begin_ask_for_room(struct directory *directory)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	assert_int_equal(pthread_create(&directory->asking, NULL, ask_for_room, directory), 0);
	for (int i = 0; i < 50 && !directory->is_answered; i++) {
		nanosleep(&moment, NULL);
	}
	assert_false(directory->is_answered);
}

static void remove_file(struct quota *quota, struct usage usage)
{
	quota_begin_change(quota, usage);
	quota_end_change(quota, usage, usage);
}

static void count(void *context, struct usage *found)
{
	struct directory *directory = context;
	directory->counted++;
	found->files += directory->usage.files;
	found->bytes += directory->usage.bytes;
	if (directory->reserved.bytes > 0) {
		assert_true(quota_reserve(directory->quota, directory->reserved));
	}
	if (directory->cancelled.bytes > 0) {
		quota_cancel(directory->quota, directory->cancelled);
	}
	if (directory->removed.bytes > 0) {
		remove_file(directory->quota, directory->removed);
	}
	if (directory->renamed.bytes > 0) {
		quota_begin_change(directory->quota, directory->renamed);
		quota_end_change(directory->quota, directory->renamed, usage(0, 0));
	}
	if (directory->is_asked) {
		directory->is_asked = false;
		assert_int_equal(quota_begun(directory->quota), 1);
		assert_int_equal(pthread_create(&directory->asking, NULL, ask, directory), 0);
	}
	if (directory->is_full) {
		directory->is_full = false;
		begin_ask_for_room(directory);
	}
}

/* The first count, of a directory that is empty. */
static void count_nothing(void *context, struct usage *found)
{
	(void)context, (void)found;
}

static void start(struct quota *quota, struct usage limit, struct directory *directory)
{
	quota_init(quota, limit, BLOCK, count, directory);
	assert_int_equal(directory->counted, 1);
	directory->quota = quota;
}

/* Whole blocks, and one for a file without bytes. */
static void test_file(void **state)
{
	static const struct {
		uint64_t size, bytes;
	} cases[] = {{0, 10}, {1, 10}, {9, 10}, {10, 10}, {11, 20}, {1000, 1000}, {1001, 1010}};
	struct directory directory = {0};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 0), &directory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct usage file = quota_file(&quota, cases[i].size);
		assert_int_equal(file.files, 1);
		assert_int_equal(file.bytes, cases[i].bytes);
	}
	quota_finish(&quota);
}

/* Existing files count. */
static void test_limits(void **state)
{
	struct directory directory = {.usage = {6, 60}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 100), &directory);
	assert_true(quota_reserve(&quota, usage(1000, 40)));
	assert_false(quota_reserve(&quota, usage(0, 1)));
	assert_true(quota_reserve(&quota, usage(0, 0)));
	quota_finish(&quota);

	directory = (struct directory){.usage = {6, 60}};
	start(&quota, usage(10, 0), &directory);
	assert_true(quota_reserve(&quota, usage(4, UINT64_MAX / 4)));
	assert_false(quota_reserve(&quota, usage(1, 0)));
	assert_true(quota_reserve(&quota, usage(0, UINT64_MAX / 4))); /* a file goes on */
	quota_finish(&quota);

	directory = (struct directory){.usage = {6, 60}};
	start(&quota, usage(10, 100), &directory);
	assert_false(quota_reserve(&quota, usage(1, 41)));
	assert_false(quota_reserve(&quota, usage(5, 10)));
	assert_true(quota_reserve(&quota, usage(4, 40)));
	quota_finish(&quota);
}

static void test_no_limit(void **state)
{
	struct directory directory = {.usage = {6, 60}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 0), &directory);
	assert_true(quota_reserve(&quota, usage(1, UINT64_MAX / 2)));
	assert_true(quota_reserve(&quota, usage(1, UINT64_MAX / 4)));
	assert_int_equal(directory.counted, 1);
	quota_finish(&quota);
}

/* More than the limit may be there: what others have put there. */
static void test_beyond_the_limit(void **state)
{
	struct directory directory = {.usage = {11, 110}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	assert_false(quota_reserve(&quota, usage(1, 10)));
	remove_file(&quota, usage(1, 10));
	assert_false(quota_reserve(&quota, usage(1, 10)));
	remove_file(&quota, usage(1, 10));
	assert_true(quota_reserve(&quota, usage(1, 10)));
	assert_false(quota_reserve(&quota, usage(1, 10)));
	remove_file(&quota, usage(100, 1000)); /* it cannot be less than nothing */
	assert_true(quota_reserve(&quota, usage(10, 100)));
	assert_false(quota_reserve(&quota, usage(1, 10)));
	quota_finish(&quota);
}

/* What is cancelled and removed gives room back. */
static void test_room_again(void **state)
{
	struct directory directory = {0};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	assert_true(quota_reserve(&quota, usage(10, 100)));
	quota_write(&quota, usage(3, 30));
	directory.usage = usage(3, 30);
	assert_false(quota_reserve(&quota, usage(1, 1)));
	quota_cancel(&quota, usage(7, 70));
	assert_true(quota_reserve(&quota, usage(7, 70)));
	quota_cancel(&quota, usage(7, 70));
	remove_file(&quota, usage(3, 30));
	assert_true(quota_reserve(&quota, usage(10, 100)));
	quota_cancel(&quota, usage(10, 100));
	assert_true(quota_reserve(&quota, usage(3, 30)));
	quota_write(&quota, usage(3, 30));
	assert_false(quota_reserve(&quota, usage(1, 71)));
	assert_false(quota_reserve(&quota, usage(8, 10)));
	assert_true(quota_reserve(&quota, usage(7, 70)));
	quota_finish(&quota);
}

/* A file removed in the directory itself is noticed when room is needed, but not each time. */
static void test_counted_again(void **state)
{
	struct directory directory = {.usage = {1, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	assert_int_equal(quota_counts(&quota), 0);
	assert_false(quota_reserve(&quota, usage(1, 1)));
	assert_int_equal(directory.counted, 2);
	assert_int_equal(quota_counts(&quota), 1);
	directory.usage = usage(0, 0);
	assert_false(quota_reserve(&quota, usage(1, 1))); /* within a second */
	assert_int_equal(directory.counted, 2);
	quota_finish(&quota);
}

/* The number of files that come changes nothing. */
static void test_not_counted_while_there_is_room(void **state)
{
	struct directory directory = {0};
	struct quota quota;
	(void)state;
	start(&quota, usage(1000, 10000), &directory);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(quota_reserve(&quota, usage(1, 10)));
		quota_write(&quota, usage(1, 10));
	}
	assert_int_equal(directory.counted, 1);
	directory.usage = usage(1000, 10000);
	assert_false(quota_reserve(&quota, usage(1, 10)));
	assert_int_equal(directory.counted, 2);
	quota_finish(&quota);
}

/* Reserved bytes that are not written yet count in addition to the files in the directory. */
static void test_counted_while_written(void **state)
{
	struct directory directory = {.usage = {5, 50}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 100), &directory);
	assert_true(quota_reserve(&quota, usage(1, 40)));
	directory.usage = usage(1, 10);
	assert_true(quota_reserve(&quota, usage(1, 50))); /* 10 + 40 + 50 */
	assert_int_equal(directory.counted, 2);
	assert_false(quota_reserve(&quota, usage(0, 1)));
	quota_finish(&quota);
}

/* So does what other threads reserve while it is counted; what they cancel does not. */
static void test_changed_while_counted(void **state)
{
	struct directory directory = {.usage = {5, 50}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 100), &directory);
	assert_true(quota_reserve(&quota, usage(1, 40)));
	directory.usage = usage(1, 10);
	directory.reserved = usage(1, 7);
	directory.cancelled = usage(0, 30);
	assert_true(quota_reserve(&quota, usage(1, 73))); /* 10 + 40 + 7 - 30 + 73 */
	assert_false(quota_reserve(&quota, usage(0, 1)));
	quota_finish(&quota);
}

/* A file that is removed meanwhile may have been counted, or not. */
static void test_removed_while_counted(void **state)
{
	struct directory directory = {.usage = {10, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 100), &directory);
	directory.removed = usage(1, 20);
	assert_false(quota_reserve(&quota, usage(1, 21))); /* counted: 100 - 20 */
	assert_int_equal(directory.counted, 2);
	assert_true(quota_reserve(&quota, usage(1, 20)));
	quota_finish(&quota);

	directory = (struct directory){.usage = {10, 100}};
	start(&quota, usage(0, 100), &directory);
	directory.usage = usage(8, 80);
	directory.removed = usage(1, 20);
	assert_false(quota_reserve(&quota, usage(1, 21))); /* not counted: 80 */
	assert_int_equal(directory.counted, 2);
	assert_true(quota_reserve(&quota, usage(1, 20)));
	quota_finish(&quota);
}

/* The count may have missed a file that gets another name meanwhile. */
static void test_renamed_while_counted(void **state)
{
	struct directory directory = {.usage = {10, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	directory.usage = usage(8, 70); /* without it */
	directory.renamed = usage(2, 30);
	assert_false(quota_reserve(&quota, usage(0, 1)));
	assert_false(quota_reserve(&quota, usage(1, 0)));
	assert_int_equal(directory.counted, 2);
	quota_finish(&quota);
}

/* Or found it under both names: there is no less room by that. */
static void test_renamed_and_counted_twice(void **state)
{
	struct directory directory = {.usage = {8, 80}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	directory.usage = usage(9, 90);
	directory.renamed = usage(1, 10);
	assert_false(quota_reserve(&quota, usage(3, 0)));
	assert_int_equal(directory.counted, 2);
	assert_true(quota_reserve(&quota, usage(2, 20)));
	quota_finish(&quota);
}

/* Room that was made by hand is found although files get their names all the time. */
static void test_room_while_renamed(void **state)
{
	struct directory directory = {.usage = {10, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	directory.usage = usage(5, 50);
	directory.renamed = usage(1, 10);
	assert_true(quota_reserve(&quota, usage(4, 40)));
	assert_int_equal(directory.counted, 2);
	assert_false(quota_reserve(&quota, usage(1, 10)));
	quota_finish(&quota);
}

/* The change may have begun before the count, and end after it. */
static void test_changing_while_counted(void **state)
{
	struct directory directory = {.usage = {10, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 100), &directory);
	quota_begin_change(&quota, usage(1, 20));
	directory.usage = usage(9, 80);
	assert_false(quota_reserve(&quota, usage(1, 1)));
	assert_int_equal(directory.counted, 2);
	quota_end_change(&quota, usage(1, 20), usage(1, 20));
	assert_false(quota_reserve(&quota, usage(1, 21)));
	assert_true(quota_reserve(&quota, usage(1, 20)));
	quota_finish(&quota);
}

/* Whenever the last count was. */
static void test_counted_now(void **state)
{
	struct directory directory = {.usage = {1, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	unsigned begun = quota_begun(&quota);
	assert_false(quota_reserve(&quota, usage(1, 1)));
	quota_count(&quota, begun); /* that one will do */
	assert_int_equal(directory.counted, 2);
	directory.usage = usage(1, 50);
	quota_count(&quota, quota_begun(&quota));
	assert_int_equal(directory.counted, 3);
	assert_true(quota_reserve(&quota, usage(1, 50)));
	quota_finish(&quota);
}

/* Files change all the time: what is found so is better than nothing. */
static void test_counted_now_while_renamed(void **state)
{
	struct directory directory = {.usage = {10, 100}};
	struct quota quota;
	(void)state;
	start(&quota, usage(10, 100), &directory);
	assert_false(quota_reserve(&quota, usage(1, 1)));
	directory.usage = usage(5, 50);
	directory.renamed = usage(1, 10);
	quota_count(&quota, quota_begun(&quota));
	assert_int_equal(directory.counted, 5);
	assert_true(quota_reserve(&quota, usage(4, 40)));
	quota_finish(&quota);
}

/* A count that has begun before is no answer, and is waited for. */
static void test_counted_by_another_thread(void **state)
{
	struct directory directory = {.usage = {1, 100}, .is_asked = true};
	struct quota quota;
	(void)state;
	quota_init(&quota, usage(10, 100), BLOCK, count_nothing, NULL);
	quota.count = count;
	quota.context = &directory;
	directory.quota = &quota;
	assert_true(quota_reserve(&quota, usage(1, 60)));
	assert_false(quota_reserve(&quota, usage(1, 50)));
	assert_int_equal(pthread_join(directory.asking, NULL), 0);
	assert_int_equal(directory.counted, 2);
	quota_finish(&quota);
}

/* It may find room, so nobody is refused before its end. */
static void test_room_is_found_by_another_thread(void **state)
{
	struct directory directory = {.is_full = true};
	struct quota quota;
	(void)state;
	quota_init(&quota, usage(10, 100), BLOCK, count_nothing, NULL);
	quota.count = count;
	quota.context = &directory;
	directory.quota = &quota;
	assert_true(quota_reserve(&quota, usage(1, 100)));
	quota_write(&quota, usage(1, 100));
	assert_true(quota_reserve(&quota, usage(1, 10)));
	assert_int_equal(pthread_join(directory.asking, NULL), 0);
	assert_true(directory.has_room);
	assert_int_equal(directory.counted, 1);
	quota_finish(&quota);
}

static void test_tell_once(void **state)
{
	struct directory directory = {0};
	struct quota quota;
	(void)state;
	start(&quota, usage(0, 10), &directory);
	assert_false(quota_reserve(&quota, usage(1, 11)));
	assert_true(quota_tell(&quota));
	assert_false(quota_reserve(&quota, usage(1, 11)));
	assert_false(quota_tell(&quota));
	assert_true(quota_reserve(&quota, usage(1, 10)));
	assert_false(quota_reserve(&quota, usage(1, 10)));
	assert_true(quota_tell(&quota));
	quota_finish(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_beyond_the_limit),
		cmocka_unit_test(test_room_again),
		cmocka_unit_test(test_counted_again),
		cmocka_unit_test(test_not_counted_while_there_is_room),
		cmocka_unit_test(test_counted_while_written),
		cmocka_unit_test(test_changed_while_counted),
		cmocka_unit_test(test_removed_while_counted),
		cmocka_unit_test(test_renamed_while_counted),
		cmocka_unit_test(test_renamed_and_counted_twice),
		cmocka_unit_test(test_room_while_renamed),
		cmocka_unit_test(test_changing_while_counted),
		cmocka_unit_test(test_counted_now),
		cmocka_unit_test(test_counted_now_while_renamed),
		cmocka_unit_test(test_counted_by_another_thread),
		cmocka_unit_test(test_room_is_found_by_another_thread),
		cmocka_unit_test(test_tell_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
