/* SPDX-License-Identifier: MIT */
/* slots: who may send how many files at once into the inbox. */
#include "mount/disk/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct slots slots;
static struct slot all[2 * SLOTS_MOST];
static unsigned used;

static int start(void **state)
{
	(void)state;
	used = 0;
	slots_init(&slots);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	slots_finish(&slots);
	return 0;
}

/* As many as the contact gets. */
static unsigned take_all(const char *contact)
{
	unsigned taken = 0;
	while (slots_take(&slots, &all[used], contact)) {
		used++;
		taken++;
	}
	return taken;
}

static void test_some_are_left_for_others(void **state)
{
	(void)state;
	assert_int_equal(take_all("a@x"), SLOTS_MOST / 2);
	assert_int_equal(take_all("b@x"), SLOTS_MOST / 4);
	assert_int_equal(take_all("a@x"), 0);
	assert_int_equal(take_all("c@x"), SLOTS_MOST / 8);
	assert_int_equal(slots_count(&slots), SLOTS_MOST / 8 * 7);
	slots_leave(&slots, &all[0]);
	slots_leave(&slots, &all[SLOTS_MOST / 2]);
	assert_int_equal(slots_count(&slots), SLOTS_MOST / 8 * 7 - 2);
	assert_int_equal(take_all("d@x"), SLOTS_MOST / 16 + 1);
}

/* Also if there are too many. */
static void test_those_of_an_earlier_process_stay(void **state)
{
	(void)state;
	for (; used < SLOTS_MOST + 1; used++) {
		slots_keep(&slots, &all[used], "a@x");
		assert_int_equal(slots_count(&slots), used + 1);
	}
	assert_int_equal(take_all("b@x"), 0);
	slots_leave(&slots, &all[0]);
	assert_int_equal(take_all("b@x"), 0);
	slots_leave(&slots, &all[1]);
	assert_int_equal(take_all("b@x"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_some_are_left_for_others, start, finish),
		cmocka_unit_test_setup_teardown(test_those_of_an_earlier_process_stay, start,
						finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
