/* SPDX-License-Identifier: MIT */
/* verdicts: which of them are remembered. */
#include "failing_malloc.h"

#include "ibb/verdicts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void note(struct verdicts *verdicts, const char *peer, unsigned sid)
{
	char key[64];
	snprintf(key, sizeof(key), "%s\n%u", peer, sid);
	verdicts_note(verdicts, key, CONDITION_NOT_ACCEPTABLE);
}

static bool has(struct verdicts *verdicts, const char *peer, unsigned sid)
{
	char key[64];
	enum condition condition = CONDITION_NONE;
	snprintf(key, sizeof(key), "%s\n%u", peer, sid);
	bool found = verdicts_find(verdicts, key, &condition);
	assert_int_equal(condition, found ? CONDITION_NOT_ACCEPTABLE : CONDITION_NONE);
	return found;
}

static void test_latest(void **state)
{
	struct verdicts verdicts;
	enum condition condition;
	(void)state;
	verdicts_init(&verdicts, 4);
	assert_false(verdicts_find(&verdicts, "a@x/r\n1", &condition));
	verdicts_note(&verdicts, "a@x/r\n1", CONDITION_CONFLICT);
	verdicts_note(&verdicts, "a@x/r\n1", CONDITION_NONE);
	assert_true(verdicts_find(&verdicts, "a@x/r\n1", &condition));
	assert_int_equal(condition, CONDITION_NONE);
	assert_false(verdicts_find(&verdicts, "a@x/s\n1", &condition));
	verdicts_forget(&verdicts, "a@x/s\n1");
	verdicts_forget(&verdicts, "a@x/r\n1");
	assert_false(verdicts_find(&verdicts, "a@x/r\n1", &condition));
	note(&verdicts, "a@x/r", 1);
	/* the oldest goes */
	for (unsigned i = 2; i <= 5; i++) {
		note(&verdicts, "a@x/r", i);
	}
	assert_false(has(&verdicts, "a@x/r", 1));
	for (unsigned i = 2; i <= 5; i++) {
		assert_true(has(&verdicts, "a@x/r", i));
	}
	/* not if it is noted again */
	note(&verdicts, "a@x/r", 2);
	note(&verdicts, "a@x/r", 6);
	assert_true(has(&verdicts, "a@x/r", 2));
	assert_false(has(&verdicts, "a@x/r", 3));
	verdicts_finish(&verdicts);
}

/* Whatever one contact does, from however many resources, each of n has the last 1/n of its own. */
static void test_one_of_many(void **state)
{
	struct verdicts verdicts;
	char resource[32];
	(void)state;
	verdicts_init(&verdicts, 12);
	for (unsigned i = 0; i < 8; i++) {
		note(&verdicts, "a@x/r", i);
	}
	note(&verdicts, "b", 1);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(resource, sizeof(resource), "m@x/%u/", i);
		note(&verdicts, resource, i);
	}
	assert_true(has(&verdicts, "b", 1));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(has(&verdicts, "a@x/r", i), i >= 2);
	}
	assert_true(has(&verdicts, "m@x/99/", 99));
	assert_true(has(&verdicts, "m@x/95/", 95));
	assert_false(has(&verdicts, "m@x/94/", 94));
	/* nor does one that has as many */
	note(&verdicts, "m@x/", 100);
	assert_true(has(&verdicts, "a@x/r", 2));
	verdicts_finish(&verdicts);
}

static void test_no_memory(void **state)
{
	struct verdicts verdicts;
	(void)state;
	for (unsigned failure = 1; failure < 12; failure++) {
		verdicts_init(&verdicts, 2);
		note(&verdicts, "b", 1);
		failing_malloc_arm(failure);
		note(&verdicts, "a", 1);
		note(&verdicts, "a", 2);
		note(&verdicts, "a", 3);
		failing_malloc_disarm();
		assert_true(has(&verdicts, "b", 1));
		note(&verdicts, "a", 4);
		assert_true(has(&verdicts, "a", 4));
		verdicts_finish(&verdicts);
	}
}

/* Those of an earlier process, which nobody has asked for. */
static void test_unasked(void **state)
{
	struct verdicts verdicts;
	enum condition condition;
	(void)state;
	verdicts_init(&verdicts, 3);
	note(&verdicts, "a@x/r", 1);
	assert_int_equal(verdicts.unasked, 0);
	verdicts_restore(&verdicts, "a@x/r\n1", CONDITION_NOT_ACCEPTABLE);
	verdicts_restore(&verdicts, "a@x/r\n2", CONDITION_NONE);
	verdicts_restore(&verdicts, "a@x/r\n2", CONDITION_CONFLICT);
	verdicts_restore(&verdicts, "a@x/r\n3", CONDITION_NONE);
	assert_int_equal(verdicts.unasked, 3);
	for (int i = 0; i < 2; i++) {
		assert_true(verdicts_find(&verdicts, "a@x/r\n2", &condition));
		assert_int_equal(condition, CONDITION_CONFLICT);
		assert_int_equal(verdicts.unasked, 2);
	}
	note(&verdicts, "a@x/r", 3); /* it is ours now */
	assert_int_equal(verdicts.unasked, 1);
	note(&verdicts, "a@x/r", 4);
	assert_false(has(&verdicts, "a@x/r", 1));
	assert_int_equal(verdicts.unasked, 0);
	verdicts_finish(&verdicts);
}

static bool is_online(const void *context, const char *peer)
{
	return strcmp(peer, context) == 0;
}

/* None may be missed. */
static void test_reach(void **state)
{
	struct verdicts verdicts;
	(void)state;
	verdicts_init(&verdicts, 4);
	assert_true(verdicts_reach(&verdicts, is_online, "a@x/r"));
	note(&verdicts, "a@x/r", 1);
	note(&verdicts, "a@x/r", 2);
	assert_true(verdicts_reach(&verdicts, is_online, "a@x/r"));
	assert_false(verdicts_reach(&verdicts, is_online, "a@x"));
	note(&verdicts, "a@x/s", 1);
	assert_false(verdicts_reach(&verdicts, is_online, "a@x/r"));
	verdicts_finish(&verdicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latest),	  cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_reach),	  cmocka_unit_test(test_one_of_many),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
