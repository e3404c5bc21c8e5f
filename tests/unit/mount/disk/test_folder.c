/* SPDX-License-Identifier: MIT */
/* folder: who makes the name of a new directory durable. fsync is the test's own. */
#include "mount/disk/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	char path[32];
	int fd;
	struct quota quota;
	struct directories directories;
	unsigned synced;       /* how often */
	bool fails, meanwhile; /* the next sync; another thread needs the directory during it */
} top;

static int make(const char *path)
{
	char made[100];
	int fd = folder_make(top.fd, path, &top.directories, &top.quota, made, sizeof(made));
	if (fd < 0) {
		return fd;
	}
	close(fd);
	return 0;
}

int fsync(int fd)
{
	bool fails = top.fails, meanwhile = top.meanwhile;
	(void)fd;
	top.fails = top.meanwhile = false;
	top.synced++;
	if (meanwhile) {
		assert_int_equal(make("a"), 0);
	}
	errno = EIO;
	return fails ? -1 : 0;
}

static void count(void *context, struct usage *found)
{
	(void)context, (void)found;
}

static int start(void **state)
{
	(void)state;
	memset(&top, 0, sizeof(top));
	strcpy(top.path, "/tmp/folder-XXXXXX");
	assert_non_null(mkdtemp(top.path));
	top.fd = open(top.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(top.fd >= 0);
	directories_init(&top.directories);
	quota_init(&top.quota, (struct usage){0}, 4096, count, NULL);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	unlinkat(top.fd, "a", AT_REMOVEDIR);
	close(top.fd);
	quota_finish(&top.quota);
	directories_finish(&top.directories);
	assert_int_equal(rmdir(top.path), 0);
	return 0;
}

static void test_synced_once(void **state)
{
	(void)state;
	assert_int_equal(make("a"), 0);
	assert_int_equal(make("a"), 0);
	assert_int_equal(top.synced, 1);
}

/* The other file must not be acknowledged before the directory is durable. */
static void test_found_before_it_is_synced(void **state)
{
	(void)state;
	top.meanwhile = true;
	assert_int_equal(make("a"), 0);
	assert_true(top.synced > 1);
	unsigned synced = top.synced;
	assert_int_equal(make("a"), 0);
	assert_int_equal(top.synced, synced);
}

/* Another process has made it, and was killed before it had synced the name. */
static void test_of_an_earlier_process(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(top.fd, "a", 0700), 0);
	assert_int_equal(make("a"), 0);
	assert_int_equal(top.synced, 1);
	assert_int_equal(make("a"), 0);
	assert_int_equal(top.synced, 1);
}

/* Nothing is made in it. */
static void test_found(void **state)
{
	(void)state;
	assert_int_equal(folder_sync(top.fd, "a", &top.directories), -ENOENT);
	assert_int_equal(mkdirat(top.fd, "a", 0700), 0);
	assert_int_equal(folder_sync(top.fd, "a", &top.directories), 0);
	assert_int_equal(top.synced, 1);
	assert_int_equal(folder_sync(top.fd, "a", &top.directories), 0);
	assert_int_equal(top.synced, 1);
}

/* A later sync would not tell about the names that this one has lost. */
static void test_failure(void **state)
{
	(void)state;
	top.fails = true;
	assert_int_equal(make("a"), -EIO);
	assert_int_equal(faccessat(top.fd, "a", F_OK, 0), -1);
	assert_int_equal(make("a"), -EIO);
	assert_int_equal(top.synced, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_synced_once, start, finish),
		cmocka_unit_test_setup_teardown(test_found_before_it_is_synced, start, finish),
		cmocka_unit_test_setup_teardown(test_of_an_earlier_process, start, finish),
		cmocka_unit_test_setup_teardown(test_found, start, finish),
		cmocka_unit_test_setup_teardown(test_failure, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
