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
#include <sys/socket.h>
#include <sys/stat.h>
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

static bool was_last(pid_t pid, pid_t opener, uint64_t moment)
{
	struct writers_open opened = {.pid = opener, .moment = moment};
	return writers_was_last(pid, strrchr(path, '/') + 1, &opened);
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
		assert_int_equal(was_last(pid, pid, 0), !rows[i].expected);
		assert_int_equal(was_last(getpid(), getpid(), 0), !rows[i].expected);
		child_stop(pid, leash);
		assert_false(writers_exist(path));
	}
	assert_true(writers_include(0, "f")); /* nobody that we see */
	assert_false(was_last(0, 0, 0));
	/* We ourselves do not count. */
	int fd = open(path, O_WRONLY);
	assert_false(writers_exist(path));
	close(fd);
}

/* The same just after an open by `opener`. If very many processes have been started meanwhile, all
 * are searched: then it is asked again. */
static bool is_last(pid_t pid, pid_t opener)
{
	bool last = false;
	for (int i = 0; i < 100 && !last; i++) {
		last = was_last(pid, opener, writers_look());
	}
	return last;
}

/* A descriptor is inherited, or it passes through a socket. */
static void test_was_last(void **state)
{
	(void)state;
	int leashes[2];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t pid = child_start("", -1, &leashes[1]);
	/* It was started before the open, so it cannot have inherited the descriptor. */
	assert_true(is_last(pid, pid));
	assert_false(is_last(pid, older));
	assert_false(is_last(older, pid));
	/* What an opener that has ended left to others cannot be known. */
	assert_false(is_last(pid, 0));
	assert_false(was_last(pid, pid, 0));
	child_stop(older, leashes[0]);
	assert_true(is_last(pid, 0));

	uint64_t moment = writers_look();
	pid_t heir = child_start(path, O_WRONLY, &leashes[0]);
	assert_false(was_last(pid, pid, moment));
	assert_false(was_last(heir, pid, moment));
	child_stop(heir, leashes[0]);
	assert_true(was_last(pid, pid, moment));
	child_stop(pid, leashes[1]);
}

static void test_socket(void **state)
{
	(void)state;
	int leashes[3];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t plain = child_start("", -1, &leashes[1]);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	pid_t sharing = child_start("", -1, &leashes[2]);
	close(fd);
	assert_false(is_last(sharing, sharing));
	assert_false(is_last(plain, sharing));
	assert_true(is_last(plain, plain));
	/* It may have passed the descriptor on; that is remembered. */
	struct writers_open opened = {.pid = plain, .moment = writers_look()};
	assert_false(writers_was_last(sharing, strrchr(path, '/') + 1, &opened));
	assert_false(writers_was_last(plain, strrchr(path, '/') + 1, &opened));
	child_stop(sharing, leashes[2]);
	child_stop(plain, leashes[1]);
	child_stop(older, leashes[0]);
}

/* A file of the same name, in another directory. */
static void test_other_file(void **state)
{
	(void)state;
	char directory[] = "/tmp/writers-XXXXXX", other[64];
	const char *name = strrchr(path, '/') + 1;
	struct stat status;
	int leash;
	assert_int_equal(stat(path, &status), 0);
	assert_non_null(mkdtemp(directory));
	snprintf(other, sizeof(other), "%s/%s", directory, name);
	int fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	pid_t pid = child_start(other, O_WRONLY, &leash);
	struct writers_open opened = {.pid = pid};
	assert_false(writers_was_last(pid, name, &opened));
	opened.ino = status.st_ino;
	assert_true(writers_was_last(pid, name, &opened));
	child_stop(pid, leash);
	pid = child_start(path, O_WRONLY, &leash);
	opened.pid = pid;
	assert_false(writers_was_last(pid, name, &opened));
	child_stop(pid, leash);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* With the reserve, /proc can be read when no descriptor is left. */
static void test_no_descriptor(void **state)
{
	(void)state;
	int leash;
	pid_t pid = child_start(path, O_WRONLY, &leash);
	for (int reserve = 0; reserve < 2; reserve++) {
		if (reserve) {
			proc_start();
		}
		struct rlimit old = child_take_descriptors();
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
		cmocka_unit_test(test_is_written),    cmocka_unit_test(test_was_last),
		cmocka_unit_test(test_socket),	      cmocka_unit_test(test_other_file),
		cmocka_unit_test(test_no_descriptor),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
