/* SPDX-License-Identifier: MIT */
/* descriptors, of processes that the test makes. */
#define _GNU_SOURCE /* O_PATH */

#include "mount/process/descriptors.h"
#include "mount/process/proc.h"

#include "child.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/descriptors-XXXXXX";
static char path[64];
static uint64_t ino;

static int setup(void **state)
{
	(void)state;
	struct stat status;
	if (!mkdtemp(directory)) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/m", directory);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || fstat(fd, &status)) {
		return -1;
	}
	ino = status.st_ino;
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path) || rmdir(directory) ? -1 : 0;
}

static void test_files(void **state)
{
	(void)state;
	struct wanted wanted = {0};
	descriptors_want(&wanted, "z", 0, 1);
	descriptors_want(&wanted, "m", 0, 2);
	descriptors_want(&wanted, "m", ino + 1, 4); /* in another directory */
	descriptors_want(&wanted, "a", 0, 8);
	descriptors_want(&wanted, "m", ino, 16);
	descriptors_want(&wanted, "l", ino, 32);
	assert_int_equal(wanted.all, 63);
	int leash;
	pid_t pid = child_start(path, O_WRONLY, &leash);
	struct sight sight = descriptors_look(pid, &wanted);
	assert_true(sight.visible);
	assert_int_equal(sight.writes, 2 | 16);
	/* What the test itself has open is none of them. */
	sight = descriptors_look(getpid(), &wanted);
	assert_true(sight.visible);
	assert_int_equal(sight.writes, 0);
	child_stop(pid, leash);
	assert_false(descriptors_look(pid, &wanted).visible);
	assert_false(descriptors_look(0, &wanted).visible);
}

static void test_flags(void **state)
{
	(void)state;
	static const struct {
		int flags;
		bool writes;
	} rows[] = {
		{-1, false},	{O_RDONLY, false}, {O_WRONLY, true},
		{O_RDWR, true}, {O_PATH, false},   {O_WRONLY | O_APPEND | O_CLOEXEC, true},
	};
	struct wanted wanted = {0};
	descriptors_want(&wanted, "m", 0, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int leash;
		pid_t pid = child_start(path, rows[i].flags, &leash);
		assert_int_equal(descriptors_look(pid, &wanted).writes, rows[i].writes);
		child_stop(pid, leash);
	}
}

/* Waits until the main thread has ended, then tells so, and goes on until the leash is let go. */
struct worker {
	int ready, hold;
};

static void *work(void *context)
{
	const struct worker *worker = context;
	char text[1024], byte = 0;
	do {
		proc_read("/proc/self/status", text, sizeof(text));
	} while (!strstr(text, "\nState:\tZ"));
	_exit(write(worker->ready, &byte, 1) == 1 && read(worker->hold, &byte, 1) == 1 ? 0 : 1);
}

/* The main thread of a process may end before the others. */
static void test_no_main_thread(void **state)
{
	(void)state;
	static struct worker worker;
	int ready[2], hold[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t thread;
		close(hold[1]);
		worker = (struct worker){ready[1], hold[0]};
		if (open(path, O_WRONLY) < 0 || pthread_create(&thread, NULL, work, &worker)) {
			_exit(1);
		}
		syscall(SYS_exit, 0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	struct wanted wanted = {0};
	descriptors_want(&wanted, "m", 0, 1);
	struct sight sight = descriptors_look(pid, &wanted);
	assert_true(sight.visible);
	assert_int_equal(sight.writes, 1);
	close(ready[0]);
	child_stop(pid, hold[1]);
}

static void test_many_files(void **state)
{
	(void)state;
	static char names[DESCRIPTORS_MOST][8];
	struct wanted wanted = {0};
	for (size_t i = 0; i < DESCRIPTORS_MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "%zu", (i * 37) % DESCRIPTORS_MOST);
		descriptors_want(&wanted, i == 50 ? "m" : names[i], 0, UINT64_C(1) << i);
	}
	assert_int_equal(wanted.all, UINT64_MAX);
	int leash;
	pid_t pid = child_start(path, O_RDWR, &leash);
	assert_int_equal(descriptors_look(pid, &wanted).writes, UINT64_C(1) << 50);
	child_stop(pid, leash);
}

static void test_sockets(void **state)
{
	(void)state;
	struct wanted wanted = {0};
	descriptors_want(&wanted, "a", 0, 1);
	assert_false(descriptors_look(getpid(), &wanted).shares);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_true(descriptors_look(getpid(), &wanted).shares);
	close(fd);
}

/* What is no file has a name without a slash, and may wait when it is asked for more. */
static void test_no_file(void **state)
{
	(void)state;
	struct wanted wanted = {0};
	descriptors_want(&wanted, "anon_inode:[eventfd]", 0, 1);
	int fd = eventfd(0, EFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(descriptors_look(getpid(), &wanted).writes, 0);
	close(fd);
}

static void test_shared(void **state)
{
	(void)state;
	int leash;
	pid_t pid = child_start("", -1, &leash);
	assert_true(descriptors_are_shared(pid, pid));
	assert_false(descriptors_are_shared(pid, getpid()));
	child_stop(pid, leash);
	assert_false(descriptors_are_shared(pid, getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),	       cmocka_unit_test(test_flags),
		cmocka_unit_test(test_many_files),     cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_no_file),	       cmocka_unit_test(test_shared),
		cmocka_unit_test(test_no_main_thread),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
