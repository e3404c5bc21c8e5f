/* SPDX-License-Identifier: MIT */
/* caller, of processes that the test makes. */
#define _GNU_SOURCE /* O_PATH */

#include "mount/caller.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/caller-XXXXXX";

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

/* A process that has the file open with `flags` (-1: not at all), until it is told to go. */
static pid_t start(int flags, int *leash)
{
	int ready[2], hold[2];
	char byte = 0;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		/* A name that looks like the fields after it. */
		prctl(PR_SET_NAME, ") R 1 2 3 4 5 6");
		if (flags >= 0 && open(path, flags) < 0) {
			_exit(1);
		}
		if (write(ready[1], &byte, 1) != 1 || read(hold[0], &byte, 1) < 0) {
			_exit(1);
		}
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*leash = hold[1];
	return pid;
}

static void stop(pid_t pid, int leash)
{
	int status;
	close(leash);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
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
		pid_t pid = start(rows[i].flags, &leash);
		assert_int_equal(caller_is_written(path), rows[i].expected);
		assert_false(caller_is_written("/tmp"));
		assert_int_equal(caller_may_write(pid, strrchr(path, '/') + 1), rows[i].expected);
		assert_false(caller_may_write(pid, "caller"));
		assert_false(caller_is_killed(pid));
		stop(pid, leash);
		assert_false(caller_is_written(path));
	}
	assert_true(caller_may_write(0, "f")); /* nobody that we see */
	/* We ourselves do not count. */
	int fd = open(path, O_WRONLY);
	assert_false(caller_is_written(path));
	close(fd);
}

static void test_is_killed(void **state)
{
	(void)state;
	int leash;
	siginfo_t info;
	pid_t pid = start(-1, &leash);
	assert_false(caller_is_killed(pid));
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(caller_is_killed(pid));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(leash);
	assert_false(caller_is_killed(pid)); /* there is none */
	assert_false(caller_is_killed(getpid()));

	/* One that ends by itself. */
	pid = start(-1, &leash);
	close(leash);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(caller_is_killed(pid));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_written),
		cmocka_unit_test(test_is_killed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
