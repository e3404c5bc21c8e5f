/* SPDX-License-Identifier: MIT */
/* writers, of processes that the test makes. */
#define _GNU_SOURCE /* O_PATH */

#include "mount/proc.h"
#include "mount/writers.h"

#include "child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/writers-XXXXXX";

static int setup(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void test_is_written(void **state)
{
	(void)state;
	static const struct {
		int flags;
		bool expected;
	} rows[] = {
		{-1, false},	{O_RDONLY, false}, {O_WRONLY, true},
		{O_RDWR, true}, {O_PATH, false},   {O_WRONLY | O_APPEND | O_CLOEXEC, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int leash;
		pid_t pid = child_start(path, rows[i].flags, &leash);
		assert_int_equal(writers_exist(path), rows[i].expected);
		assert_false(writers_exist("/tmp"));
		assert_int_equal(writers_include(pid, strrchr(path, '/') + 1), rows[i].expected);
		assert_false(writers_include(pid, "child"));
		assert_int_equal(writers_was_last(pid, strrchr(path, '/') + 1), !rows[i].expected);
		assert_int_equal(writers_was_last(getpid(), strrchr(path, '/') + 1),
				 !rows[i].expected);
		child_stop(pid, leash);
		assert_false(writers_exist(path));
	}
	assert_true(writers_include(0, "f")); /* nobody that we see */
	assert_false(writers_was_last(0, path));
	/* We ourselves do not count. */
	int fd = open(path, O_WRONLY);
	assert_false(writers_exist(path));
	close(fd);
}

/* With the reserve, /proc can be read when no descriptor is left. */
static void test_no_descriptor(void **state)
{
	(void)state;
	int leash;
	pid_t pid = child_start(path, O_WRONLY, &leash);
	struct rlimit limit, old;
	for (int reserve = 0; reserve < 2; reserve++) {
		if (reserve) {
			proc_start();
		}
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
		int next = dup(0);
		assert_true(next > 0);
		close(next);
		limit = (struct rlimit){(rlim_t)next, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(dup(0), -1);
			assert_int_equal(writers_exist(path), reserve);
			assert_int_equal(writers_include(pid, "child"), !reserve);
			assert_int_equal(writers_include(pid, strrchr(path, '/') + 1), true);
			assert_int_equal(dup(0), -1);
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	proc_stop();
	child_stop(pid, leash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_written),
		cmocka_unit_test(test_no_descriptor),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
