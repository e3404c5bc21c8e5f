/* SPDX-License-Identifier: MIT */
/* interrupts, with a hub, a clock and callers of the test's own. */
#include "mount/fuse/interrupts.h"

#include "clock.h"
#include "mount/process/caller.h"
#include "mount/suspend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int64_t now_ms;
static uint64_t parked, failures, note, ended; /* tokens; 0: none */
static enum caller_fate pending;
static unsigned looks;
static int begun; /* 1: not interrupted, 2: interrupted */

int64_t clock_now_ms(void)
{
	return now_ms;
}

bool hub_is_parked(struct hub *unused, uint64_t token, uint64_t *its_note)
{
	(void)unused;
	*its_note = note;
	return token == parked;
}

void hub_interrupt(struct hub *unused, uint64_t token)
{
	(void)unused;
	ended = token;
	parked = 0;
}

enum caller_fate caller_pending(pid_t pid)
{
	assert_int_equal(pid, 7);
	looks++;
	return pending;
}

int suspend_open(const char *path)
{
	assert_string_equal(path, SUSPEND_FAILURES);
	return -1;
}

uint64_t suspend_failures(int fd)
{
	assert_int_equal(fd, -1);
	return failures;
}

static void begin(struct request *request, bool interrupted)
{
	assert_int_equal(request->op.token, 5);
	assert_int_equal(begun, 0);
	begun = interrupted ? 2 : 1;
}

static int setup(void **state)
{
	(void)state;
	now_ms = 1000;
	parked = 5;
	ended = failures = note = 0;
	pending = CALLER_STAYS;
	looks = 0;
	begun = 0;
	return 0;
}

static void test_what_ends_a_call(void **state)
{
	(void)state;
	static const struct {
		enum caller_fate at_once, later;
		uint64_t failures;
		bool ends_at_once, ends_later;
	} rows[] = {
		{CALLER_ENDS, CALLER_ENDS, 0, true, true},
		{CALLER_UNKNOWN, CALLER_UNKNOWN, 0, true, true},
		{CALLER_STAYS, CALLER_STAYS, 0, false, false},
		{CALLER_STAYS, CALLER_ENDS, 0, false, true},
		{CALLER_STAYS, CALLER_STAYS, 1, false, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interrupts interrupts;
		setup(NULL);
		interrupts_init(&interrupts, NULL);
		assert_true(interrupts_deadline(&interrupts) == INT64_MAX);
		pending = rows[i].at_once;
		interrupts_add(&interrupts, 5, 7);
		assert_int_equal(ended, rows[i].ends_at_once ? 5 : 0);
		pending = rows[i].later;
		failures = rows[i].failures;
		if (!ended) {
			assert_int_equal(interrupts_deadline(&interrupts), 1050);
			now_ms = 1049;
			interrupts_tick(&interrupts);
			assert_int_equal(ended, 0);
			assert_int_equal(looks, 1);
			now_ms = 1050;
			interrupts_tick(&interrupts);
			assert_int_equal(looks, 2);
		}
		assert_int_equal(ended, rows[i].ends_later ? 5 : 0);
		assert_int_equal(interrupts_deadline(&interrupts) == INT64_MAX, ended != 0);
		interrupts_finish(&interrupts);
	}
}

static void test_a_call_that_is_over_is_forgotten(void **state)
{
	(void)state;
	struct interrupts interrupts;
	interrupts_init(&interrupts, NULL);
	interrupts_add(&interrupts, 4, 7);
	assert_int_equal(looks, 0);
	interrupts_add(&interrupts, 5, 7);
	parked = 0;
	now_ms += 50;
	interrupts_tick(&interrupts);
	assert_int_equal(looks, 1);
	assert_int_equal(ended, 0);
	assert_true(interrupts_deadline(&interrupts) == INT64_MAX);
	interrupts_finish(&interrupts);
}

/* A check that comes late: the daemon was frozen. */
static void test_frozen(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct interrupts interrupts;
		setup(NULL);
		interrupts_init(&interrupts, NULL);
		interrupts_add(&interrupts, 5, 7);
		now_ms += late ? 20000 : 2000;
		interrupts_tick(&interrupts);
		assert_int_equal(ended, late ? 5 : 0);
		interrupts_finish(&interrupts);
	}
}

static void test_earlier_failures_do_not_count(void **state)
{
	(void)state;
	struct interrupts interrupts;
	struct request request = {.op.token = 5};
	interrupts_init(&interrupts, NULL);
	failures = 9;
	interrupts_prepare(&interrupts, &request);
	note = request.note;
	interrupts_add(&interrupts, 5, 7);
	assert_int_equal(ended, 0);
	interrupts_finish(&interrupts);
}

static void test_held(void **state)
{
	(void)state;
	struct interrupts interrupts;
	struct request request = {.op.token = 5};
	for (int variant = 0; variant < 3; variant++) {
		setup(NULL);
		parked = 0;
		interrupts_init(&interrupts, NULL);
		interrupts_hold(&interrupts, &request, begin);
		int64_t due_ms = interrupts_deadline(&interrupts);
		assert_in_range(due_ms, 1001, 1100);
		now_ms = due_ms - 1;
		interrupts_tick(&interrupts);
		assert_int_equal(begun, 0);
		if (variant == 0) {
			now_ms = due_ms;
			interrupts_tick(&interrupts);
		} else if (variant == 1) {
			interrupts_add(&interrupts, 5, 7);
		} else {
			interrupts_end_all(&interrupts);
		}
		assert_int_equal(begun, variant == 0 ? 1 : 2);
		assert_int_equal(looks, 0);
		assert_true(interrupts_deadline(&interrupts) == INT64_MAX);
		interrupts_finish(&interrupts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_ends_a_call, setup),
		cmocka_unit_test_setup(test_a_call_that_is_over_is_forgotten, setup),
		cmocka_unit_test_setup(test_frozen, setup),
		cmocka_unit_test_setup(test_earlier_failures_do_not_count, setup),
		cmocka_unit_test_setup(test_held, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
