/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "mount/disk/spool.h"
#include "mount/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/spool-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[sizeof(top) + 64];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

void log_error(const char *format, ...)
{
	(void)format;
}

static int make_top(void **state)
{
	(void)state;
	strcpy(top + sizeof(top) - 7, "XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	(void)state;
	return rmdir(top);
}

static struct spool *create(void)
{
	struct spool *spool = spool_create(NULL, top);
	assert_non_null(spool);
	assert_int_equal(spool_size(spool), 0);
	return spool;
}

static void write_text(struct spool *spool, const char *text, uint64_t offset)
{
	assert_int_equal(spool_write(spool, text, strlen(text), offset), 0);
}

static void assert_content(const struct spool *spool, const char *expected, size_t length)
{
	char bytes[256] = "";
	assert_int_equal(spool_size(spool), length);
	assert_int_equal(spool_read(spool, bytes, sizeof(bytes), 0), length);
	assert_memory_equal(bytes, expected, length);
	assert_int_equal(spool_read(spool, bytes, sizeof(bytes), length), 0);
}

static void assert_md5(struct spool *spool, const char *expected)
{
	char text[2 * HASH_MAX_BYTES + 1] = "";
	const struct digest *md5 = spool_md5(spool);
	if (!expected) {
		assert_null(md5);
		return;
	}
	assert_non_null(md5);
	assert_int_equal(md5->algorithm, HASH_MD5);
	for (size_t i = 0; i < md5->length; i++) {
		snprintf(text + 2 * i, 3, "%02x", md5->bytes[i]);
	}
	assert_string_equal(text, expected);
}

static void test_default_directory(void **state)
{
	(void)state;
	static const struct {
		const char *caches, *expected;
	} rows[] = {
		{NULL, "/home/me/.cache/ibbfs"},
		{"", "/home/me/.cache/ibbfs"},
		{"relative", "/home/me/.cache/ibbfs"},
		{"/caches", "/caches/ibbfs"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *directory = spool_default_directory(rows[i].caches, "/home/me");
		assert_string_equal(directory, rows[i].expected);
		free(directory);
	}
}

/* The directory has mode 0700, and is empty. */
static void test_directory(void **state)
{
	(void)state;
	char deep[PATH_MAX];
	snprintf(deep, sizeof(deep), "%s", path_of("a/b/c"));
	struct spool *spool = spool_create(NULL, deep);
	assert_non_null(spool);
	struct stat status;
	assert_int_equal(stat(deep, &status), -1); /* nothing is asked of the disk yet */
	assert_int_equal(spool_open(spool), 0);
	assert_int_equal(stat(deep, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	DIR *directory = opendir(deep);
	unsigned entries = 0;
	while (readdir(directory)) {
		entries++;
	}
	closedir(directory);
	assert_int_equal(entries, 2);
	write_text(spool, "x", 0);
	spool_release(spool);
	rmdir(deep);
	rmdir(path_of("a/b"));
	rmdir(path_of("a"));

	FILE *file = fopen(path_of("file"), "w");
	fclose(file);
	static const char *const names[] = {"file", "file/in"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		spool = spool_create(NULL, path_of(names[i]));
		assert_int_equal(spool_open(spool), -ENOTDIR);
		assert_int_equal(spool_write(spool, "x", 1, 0), -ENOTDIR);
		assert_int_equal(spool_resize(spool, 1), -ENOTDIR);
		spool_release(spool);
	}
	unlink(path_of("file"));
	spool_release(NULL);
}

static void test_content(void **state)
{
	(void)state;
	struct spool *spool = create();
	assert_content(spool, "", 0);
	write_text(spool, "Hello", 0);
	write_text(spool, ", world", 5);
	assert_content(spool, "Hello, world", 12);
	write_text(spool, "J", 0);
	write_text(spool, "!", 14);
	assert_content(spool, "Jello, world\0\0!", 15);
	assert_int_equal(spool_resize(spool, 5), 0);
	assert_content(spool, "Jello", 5);
	assert_int_equal(spool_resize(spool, 7), 0);
	assert_content(spool, "Jello\0\0", 7);
	char byte;
	assert_int_equal(spool_read(spool, &byte, 1, 4), 1);
	assert_int_equal(byte, 'o');

	struct spool *same = spool_hold(spool);
	assert_ptr_equal(same, spool);
	spool_release(spool);
	assert_content(same, "Jello\0\0", 7);
	spool_release(same);
}

/* A write of no bytes changes nothing at any offset. */
static void test_empty_write(void **state)
{
	(void)state;
	struct spool *spool = create();
	write_text(spool, "Hello", 0);
	write_text(spool, "", 100);
	write_text(spool, "", 2);
	assert_content(spool, "Hello", 5);
	assert_md5(spool, "8b1a9953c4611296a827abf8c47804d7");
	spool_release(spool);
}

static void test_md5(void **state)
{
	(void)state;
	struct spool *spool = create();
	assert_md5(spool, "d41d8cd98f00b204e9800998ecf8427e");
	spool_release(spool);

	spool = create();
	write_text(spool, "Hello", 0);
	write_text(spool, ", world", 5);
	assert_md5(spool, "bc6e6f16b8a077ef5fbc8d59d0b931b9");
	assert_md5(spool, "bc6e6f16b8a077ef5fbc8d59d0b931b9");
	spool_release(spool);

	/* Out of order: there is no digest, as the file is not read again for it. */
	spool = create();
	write_text(spool, "Hello", 0);
	write_text(spool, "J", 0);
	assert_md5(spool, NULL);
	spool_release(spool);
	spool = create();
	write_text(spool, "Hello", 1);
	assert_md5(spool, NULL);
	spool_release(spool);
	spool = create();
	write_text(spool, "Hello", 0);
	assert_int_equal(spool_resize(spool, 5), 0);
	assert_int_equal(spool_resize(spool, 4), 0);
	assert_md5(spool, NULL);
	spool_release(spool);
}

/* The offer failed, and more was written. */
static void test_md5_of_more(void **state)
{
	(void)state;
	struct spool *spool = create();
	write_text(spool, "Hello", 0);
	assert_md5(spool, "8b1a9953c4611296a827abf8c47804d7");
	write_text(spool, ", world", 5);
	assert_md5(spool, NULL);
	spool_release(spool);
	spool = create();
	write_text(spool, "Hello", 0);
	assert_md5(spool, "8b1a9953c4611296a827abf8c47804d7");
	assert_int_equal(spool_resize(spool, 4), 0);
	assert_md5(spool, NULL);
	spool_release(spool);
}

/* The longest file that the process may write stands for a full disk. */
static void test_full(void **state)
{
	(void)state;
	struct rlimit before, limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	struct spool *spool = create();
	write_text(spool, "Hello", 0);
	limit = before;
	limit.rlim_cur = 8;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int error = spool_write(spool, ", world", 7, 5);
	int resized = spool_resize(spool, 9);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(error, -EFBIG);
	assert_int_equal(resized, -EFBIG);

	/* The part that could be written is cut off. */
	assert_content(spool, "Hello", 5);
	assert_int_equal(spool_resize(spool, 8), 0);
	assert_content(spool, "Hello\0\0\0", 8);
	assert_true(spool_write(spool, "x", 1, UINT64_MAX - 5) < 0);
	assert_true(spool_resize(spool, UINT64_MAX) < 0);
	assert_content(spool, "Hello\0\0\0", 8);
	spool_release(spool);
}

static void test_memory(void **state)
{
	(void)state;
	size_t n = 0;
	do {
		failing_malloc_arm(++n);
		struct spool *spool = spool_create(NULL, top);
		if (spool) {
			write_text(spool, "Hello", 0);
			assert_content(spool, "Hello", 5);
			/* Without memory for it there is no digest, and never a wrong one. */
			const struct digest *md5 = spool_md5(spool);
			assert_true(!md5 || md5->bytes[0] == 0x8b);
		}
		spool_release(spool);
	} while (failing_malloc_disarm());
}

struct writer {
	struct task task; /* first */
	struct spool *spool;
	uint64_t offset;
	atomic_bool *wrong;
};

static void run_writer(struct task *task)
{
	const struct writer *writer = (struct writer *)task;
	if (spool_size(writer->spool) != writer->offset ||
	    spool_write(writer->spool, "x", 1, writer->offset)) {
		atomic_store(writer->wrong, true);
	}
}

/* Its tasks run one at a time, in order, in the pool, which also closes it. */
static void test_pool(void **state)
{
	static struct writer writers[500];
	atomic_bool wrong = false;
	struct pool *pool = pool_create();
	(void)state;
	struct spool *spool = spool_create(pool, top);
	assert_ptr_equal(spool_pool(spool), pool);
	for (unsigned i = 0; i < 500; i++) {
		writers[i] = (struct writer){
			.task.run = run_writer, .spool = spool, .offset = i, .wrong = &wrong};
		spool_submit(spool, &writers[i].task);
	}
	spool_release(spool_hold(spool));
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_int_equal(pool_drain(pool, ((int64_t)now.tv_sec + 60) * 1000), 0);
	assert_false(atomic_load(&wrong));
	assert_int_equal(spool_size(spool), 500);
	spool_release(spool);
	pool_destroy(pool);
}

static void test_fail(void **state)
{
	(void)state;
	struct spool *spool = create();
	assert_int_equal(spool_error(spool), 0);
	spool_fail(spool, -EIO);
	assert_int_equal(spool_error(spool), -EIO);
	spool_release(spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_directory),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_empty_write),
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_md5_of_more),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_fail),
	};
	return cmocka_run_group_tests(tests, make_top, remove_top);
}
