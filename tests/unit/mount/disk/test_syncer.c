/* SPDX-License-Identifier: MIT */
/* syncer: what is synced before a file has its name, what after it, and what fails with it. The
 * system calls are the test's own. */
#define _GNU_SOURCE /* sync_file_range */

#include "mount/disk/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* In ms; the longest that a time_t of 32 bits holds. */
#define FOREVER ((int64_t)INT32_MAX * 1000)

/* Of the descriptors in these tests, those from 100 on are directories: 100 and 101 are the same.
 */
#define FIRST_DIRECTORY 100

static char calls[8192];
static int fails;	/* the descriptor whose sync fails */
static time_t modified; /* when the directories were */

static struct directories directories;

static void note(const char *call, int fd)
{
	size_t length = strlen(calls);
	snprintf(calls + length, sizeof(calls) - length, "%s %d; ", call, fd);
}

int sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
	(void)offset, (void)length, (void)flags;
	note("start", fd);
	return 0;
}

static int sync_of(const char *call, int fd)
{
	note(call, fd);
	errno = EIO;
	return fd == fails ? -1 : 0;
}

int fdatasync(int fd)
{
	return sync_of("data", fd);
}

int fsync(int fd)
{
	return sync_of("entries", fd);
}

int fstat(int fd, struct stat *status)
{
	*status = (struct stat){
		.st_ino = fd == FIRST_DIRECTORY + 1 ? FIRST_DIRECTORY : (ino_t)fd,
		.st_mtim.tv_sec = modified,
	};
	return 0;
}

/* Nothing is known of directories. */
static int forget(void **state)
{
	(void)state;
	directories_finish(&directories);
	directories_init(&directories);
	return 0;
}

static int give_name(struct sync *sync)
{
	note("name", sync->fd);
	return 0;
}

static int refuse_name(struct sync *sync)
{
	note("name", sync->fd);
	return -EROFS;
}

static void finish(struct sync *sync)
{
	note(sync->result ? "failed" : "done", sync->fd);
}

static void sync_one(struct sync *sync)
{
	struct worker *syncer = syncer_create();
	assert_non_null(syncer);
	calls[0] = '\0';
	syncer_submit(syncer, sync);
	assert_true(worker_drain(syncer, FOREVER));
	worker_destroy(syncer);
}

static struct sync file(int fd, int directory, int above)
{
	return (struct sync){
		.directories = &directories,
		.fd = fd,
		.directory = directory,
		.above = above,
		.name = give_name,
		.done = finish,
	};
}

static void test_order(void **state)
{
	struct sync one = file(1, 100, 105);
	(void)state;
	fails = -1;
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; entries 105; name 1; entries 100; done 1; ");
	one = file(1, 100, -1);
	one.name = NULL;
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; entries 100; done 1; ");
}

static void test_failures(void **state)
{
	struct sync one = file(1, 100, -1);
	(void)state;
	fails = 1; /* it gets no name */
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; failed 1; ");
	assert_int_equal(one.result, -EIO);
	assert_true(one.lost);
	fails = 100;
	one.lost = false;
	sync_one(&one);
	assert_false(one.lost); /* its bytes are durable */
	assert_string_equal(calls, "start 1; data 1; name 1; entries 100; failed 1; ");
	forget(state);
	fails = -1;
	one.name = refuse_name;
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; name 1; failed 1; ");
	assert_int_equal(one.result, -EROFS);
}

/* Its next sync may succeed, and would not tell about the names that are lost. */
static void test_a_directory_that_has_failed(void **state)
{
	struct sync one = file(1, 100, 105);
	(void)state;
	fails = 105;
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; entries 105; failed 1; ");
	fails = -1;
	sync_one(&one);
	assert_string_equal(calls, "start 1; data 1; failed 1; ");
	assert_int_equal(one.result, -EIO);
	one = file(2, 105, -1);
	sync_one(&one);
	assert_string_equal(calls, "start 2; data 2; name 2; failed 2; ");
	one = file(3, 100, -1); /* others are as before */
	sync_one(&one);
	assert_string_equal(calls, "start 3; data 3; name 3; entries 100; done 3; ");
	directories_fail(&directories, -EROFS);
	sync_one(&one);
	assert_string_equal(calls, "start 3; data 3; name 3; failed 3; ");
	assert_int_equal(one.result, -EROFS);
}

/* Those that work are forgotten when there are too many, and those that have failed are not. */
static void test_many_directories(void **state)
{
	(void)state;
	fails = 100;
	assert_int_equal(directories_sync(&directories, 100), -EIO);
	fails = -1;
	for (int fd = 1000; fd < 1000 + 2 * DIRECTORIES_KNOWN; fd++) {
		assert_false(directories_are_as_synced(&directories, fd));
		assert_int_equal(directories_sync(&directories, fd), 0);
		assert_true(directories_are_as_synced(&directories, fd));
	}
	assert_false(directories_are_as_synced(&directories, 1000));
	assert_int_equal(directories_sync(&directories, 100), -EIO);
	for (int fd = 2000; fd < 2000 + DIRECTORIES_KNOWN; fd++) {
		fails = fd;
		assert_int_equal(directories_sync(&directories, fd), -EIO);
	}
	assert_int_equal(directories_sync(&directories, 1000), -EIO);
}

/* What others make in a directory shows in its time. */
static void test_names_of_others(void **state)
{
	(void)state;
	fails = -1;
	assert_false(directories_are_as_synced(&directories, 100));
	assert_int_equal(directories_sync(&directories, 100), 0);
	assert_true(directories_are_as_synced(&directories, 100));
	modified++;
	assert_false(directories_are_as_synced(&directories, 100));
	assert_int_equal(directories_sync(&directories, 100), 0);
	assert_true(directories_are_as_synced(&directories, 100));
}

static void finish_directory(void *context, int result)
{
	note(result ? "failed" : "done", *(const int *)context);
}

static void test_directory(void **state)
{
	static int number = 7;
	struct worker *syncer = syncer_create();
	(void)state;
	assert_non_null(syncer);
	calls[0] = '\0';
	fails = -1;
	syncer_submit_directory(syncer, &directories, 200, finish_directory, &number);
	assert_true(worker_drain(syncer, FOREVER));
	assert_string_equal(calls, "entries 200; done 7; ");
	calls[0] = '\0';
	fails = 200;
	syncer_submit_directory(syncer, &directories, 200, finish_directory, &number);
	assert_true(worker_drain(syncer, FOREVER));
	assert_string_equal(calls, "entries 200; failed 7; ");
	worker_destroy(syncer);
}

/* A file that holds the syncer up until all files of the batch wait. */
static int wait_for[2], waits[2];

static int name_slowly(struct sync *sync)
{
	char byte;
	(void)sync;
	return write(waits[1], "", 1) == 1 && read(wait_for[0], &byte, 1) == 1 ? 0 : -EIO;
}

static void test_batch(void **state)
{
	static const struct {
		int fails;
		const char *calls;
	} rows[] = {
		{-1, "start 1; start 2; start 3; data 1; data 2; data 3; entries 105; name 1; "
		     "name 2; name 3; entries 100; entries 102; done 1; done 2; done 3; "},
		/* A directory that fails once is not asked again. */
		{100, "start 1; start 2; start 3; data 1; data 2; data 3; entries 105; name 1; "
		      "name 2; name 3; entries 100; entries 102; failed 1; failed 2; done 3; "},
		/* A file that fails takes no other with it. */
		{1, "start 1; start 2; start 3; data 1; data 2; data 3; entries 105; name 2; "
		    "name 3; entries 101; entries 102; failed 1; done 2; done 3; "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sync first = file(9, 109, -1);
		struct sync files[] = {file(1, 100, 105), file(2, 101, 105), file(3, 102, 105)};
		struct worker *syncer = syncer_create();
		forget(state);
		assert_non_null(syncer);
		char byte;
		assert_int_equal(pipe(wait_for), 0);
		assert_int_equal(pipe(waits), 0);
		calls[0] = '\0';
		fails = rows[i].fails;
		first.name = name_slowly;
		syncer_submit(syncer, &first);
		assert_int_equal(read(waits[0], &byte, 1), 1);
		for (size_t n = 0; n < 3; n++) {
			syncer_submit(syncer, &files[n]);
		}
		assert_int_equal(write(wait_for[1], "", 1), 1);
		assert_true(worker_drain(syncer, FOREVER));
		const char *rest = strstr(calls, "done 9; ");
		assert_non_null(rest);
		assert_string_equal(rest + strlen("done 9; "), rows[i].calls);
		worker_destroy(syncer);
		close(wait_for[0]);
		close(wait_for[1]);
		close(waits[0]);
		close(waits[1]);
	}
}

int main(void)
{
	directories_init(&directories);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, forget),
		cmocka_unit_test_setup(test_failures, forget),
		cmocka_unit_test_setup(test_a_directory_that_has_failed, forget),
		cmocka_unit_test_setup(test_many_directories, forget),
		cmocka_unit_test_setup(test_names_of_others, forget),
		cmocka_unit_test_setup(test_directory, forget),
		cmocka_unit_test_setup(test_batch, forget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
