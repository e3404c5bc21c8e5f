/* SPDX-License-Identifier: MIT */
/* part_file and beginning: NAME.part of an earlier stream. */
#define _GNU_SOURCE /* syscall */

#include "mount/disk/beginning.h"
#include "mount/disk/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* The next locks that fail, as when another process was faster. */
static unsigned taken;

int flock(int fd, int operation)
{
	if (taken > 0) {
		taken--;
		errno = EWOULDBLOCK;
		return -1;
	}
	return (int)syscall(SYS_flock, fd, operation);
}

/* The last descriptor whose pages were dropped. */
static int dropped = -1;

int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
	if (offset == 0 && length == 0 && advice == POSIX_FADV_DONTNEED) {
		dropped = fd;
	}
	return 0;
}

static char directory[] = "/tmp/part-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") || rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void begin(struct part_file *file)
{
	part_file_init(file, "f");
	file->directory = open(".", O_RDONLY | O_DIRECTORY);
	assert_true(file->directory >= 0);
}

/* What part_file_reopen says of "f". */
static int64_t reopen(void)
{
	struct part_file file;
	begin(&file);
	int64_t size = part_file_reopen(&file, "f");
	assert_int_equal(file.fd >= 0, size >= 0);
	part_file_finish(&file);
	return size;
}

/* The page cache may have bytes that the disk has refused. */
static void test_reopen_reads_the_disk(void **state)
{
	struct part_file file;
	(void)state;
	write_file("f.part", "12345");
	begin(&file);
	dropped = -1;
	assert_int_equal(part_file_reopen(&file, "f"), 5);
	assert_int_equal(dropped, file.fd);
	part_file_finish(&file);
	assert_int_equal(unlink("f.part"), 0);
}

static void test_reopen(void **state)
{
	(void)state;
	assert_int_equal(reopen(), -ENOENT);
	write_file("f.part", "Hello");
	assert_int_equal(reopen(), 5);
	assert_int_equal(reopen(), 5);
	write_file("f", "");
	assert_int_equal(reopen(), -ENOENT); /* it would get another name */
	unlink("f");
	assert_int_equal(link("f.part", "g"), 0);
	assert_int_equal(reopen(), -ENOENT); /* somebody else's, too */
	unlink("g");
	rename("f.part", "g");
	assert_int_equal(symlink("g", "f.part"), 0);
	assert_int_equal(reopen(), -ELOOP);
	unlink("f.part");
	mkdir("f.part", 0700);
	assert_int_equal(reopen(), -EISDIR);
	rmdir("f.part");
	assert_int_equal(mkfifo("f.part", 0600), 0);
	assert_int_equal(reopen(), -ENOENT);
	unlink("f.part");
	unlink("g");
}

/* From its creation until it has its name, a file has one writer. */
static void test_one_writer(void **state)
{
	(void)state;
	struct part_file file, other;
	begin(&file);
	assert_int_equal(part_file_create(&file, "f"), 0);
	assert_int_equal(reopen(), -EWOULDBLOCK);
	part_file_finish(&file);
	assert_int_equal(reopen(), 0);
	begin(&file);
	assert_int_equal(part_file_reopen(&file, "f"), 0);
	assert_int_equal(reopen(), -EWOULDBLOCK);
	assert_int_equal(part_file_close(&file), 0);
	assert_int_equal(reopen(), -EWOULDBLOCK);
	/* Another one that has opened the file before it has its name. */
	begin(&other);
	assert_int_equal(part_file_rename(&file), 0);
	assert_int_equal(reopen(), -ENOENT);
	assert_int_equal(part_file_unname(&file), 0);
	part_file_finish(&file);
	assert_int_equal(part_file_reopen(&other, "f"), 0);
	part_file_finish(&other);
	unlink("f.part");
}

/* What is left to another stream can be taken back while nobody has it, or had it. */
static void test_unlock(void **state)
{
	(void)state;
	struct part_file file, other;
	begin(&file);
	assert_int_equal(part_file_create(&file, "f"), 0);
	assert_int_equal(part_file_close(&file), 0);
	part_file_unlock(&file);
	begin(&other);
	assert_int_equal(part_file_reopen(&other, "f"), 0);
	assert_false(part_file_relock(&file));
	part_file_finish(&other);
	assert_true(part_file_relock(&file));
	assert_int_equal(reopen(), -EWOULDBLOCK);
	/* it has got its name meanwhile, and a third stream has begun */
	part_file_unlock(&file);
	rename("f.part", "g");
	write_file("f.part", "Hello");
	assert_false(part_file_relock(&file));
	part_file_finish(&file);
	unlink("f.part");
	unlink("g");
}

/* Somebody removes the file that is being received, or puts another one in its place. */
static void test_size(void **state)
{
	(void)state;
	struct part_file file;
	begin(&file);
	assert_int_equal(part_file_create(&file, "f"), 0);
	assert_int_equal(part_file_size(&file), 0);
	assert_int_equal(write(file.fd, "Hello", 5), 5);
	assert_int_equal(link("f.part", "g"), 0);
	assert_int_equal(part_file_close(&file), 0);
	assert_int_equal(part_file_size(&file), 5);
	assert_int_equal(truncate("f.part", 3), 0);
	assert_int_equal(part_file_size(&file), 3);
	assert_int_equal(unlink("f.part"), 0);
	assert_int_equal(part_file_size(&file), -ENOENT);
	write_file("f.part", "Hello");
	assert_int_equal(part_file_size(&file), -ENOENT);
	assert_int_equal(unlink("f.part"), 0);
	assert_int_equal(symlink("g", "f.part"), 0);
	assert_int_equal(part_file_size(&file), -ENOENT);
	part_file_finish(&file);
	unlink("f.part");
	unlink("g");
}

/* By the name of the part: while no stream writes it. */
static void test_lock(void **state)
{
	(void)state;
	struct part_file partial, other;
	struct stat status;
	begin(&partial);
	begin(&other);
	assert_int_equal(part_file_lock(&other, "f.part"), -ENOENT);
	assert_int_equal(part_file_stat(&other, &status), -EBADF);
	assert_int_equal(part_file_create(&partial, "f"), 0);
	assert_int_equal(part_file_lock(&other, "f.part"), -EWOULDBLOCK);
	assert_int_equal(ftruncate(partial.fd, 7), 0);
	assert_int_equal(part_file_close(&partial), 0);
	assert_int_equal(part_file_stat(&partial, &status), 0);
	assert_int_equal(status.st_size, 7);
	part_file_finish(&partial);
	assert_int_equal(part_file_lock(&other, "f.part"), 0);
	part_file_finish(&other);
	unlink("f.part");
}

/* Another process has reopened the new file before it was locked. */
static void test_create_taken(void **state)
{
	(void)state;
	struct part_file file;
	begin(&file);
	taken = 1;
	assert_int_equal(part_file_create(&file, "f"), 0);
	assert_string_equal(file.name, "f (2)");
	assert_int_equal(reopen(), 0);
	assert_int_equal(write(file.fd, "x", 1), 1);
	part_file_finish(&file);
	unlink("f.part");
	assert_int_equal(unlink("f (2).part"), 0);
}

/* The digest of what is there, for a file of `announced` bytes; *size: that is asked for from. */
static bool digest(uint64_t announced, struct digest *digest, uint64_t *size)
{
	struct beginning beginning = {.algorithm = HASH_SHA_256};
	struct part_file file;
	uint64_t on_disk;
	bool ended = false;
	begin(&file);
	bool is_there = beginning_open(&beginning, &file, "f", announced, &on_disk);
	assert_int_equal(is_there, file.fd >= 0);
	while (is_there && !ended) {
		assert_int_equal(beginning_read(&beginning, &file, &ended), 0);
	}
	if (is_there) {
		*size = beginning.size;
		struct hash *hash = beginning_take(&beginning);
		assert_int_equal(hash_finish(hash, digest), 0);
		hash_destroy(hash);
	}
	beginning_finish(&beginning);
	part_file_finish(&file);
	return is_there;
}

static void test_beginning(void **state)
{
	(void)state;
	struct digest found, expected;
	uint64_t size;
	const size_t length = (size_t)3 * 1024 * 1024 + 5;
	char *text = malloc(length + 1);
	assert_non_null(text);
	for (size_t i = 0; i < length; i++) {
		text[i] = (char)('a' + i % 23);
	}
	text[length] = '\0';
	assert_false(digest(10, &found, &size));
	write_file("f.part", "");
	assert_false(digest(10, &found, &size));
	write_file("f.part", text);
	assert_false(digest(length - 1, &found, &size)); /* it is of another file */
	assert_false(digest(0, &found, &size));
	for (size_t more = 0; more < 2; more++) {
		assert_true(digest(length + more, &found, &size));
		assert_int_equal(size, length + more - 1); /* a byte is to come */
		struct hash *hash = hash_create(HASH_SHA_256);
		assert_int_equal(hash_update(hash, text, (size_t)size), 0);
		assert_int_equal(hash_finish(hash, &expected), 0);
		hash_destroy(hash);
		assert_true(digest_equals(&found, &expected));
	}
	write_file("f.part", "x");
	assert_false(digest(1, &found, &size)); /* that is all of it: nothing is there of it */
	free(text);
	unlink("f.part");
}

/* Somebody cuts it while it is read. */
static void test_beginning_that_shrinks(void **state)
{
	(void)state;
	struct beginning beginning = {.algorithm = HASH_SHA_256};
	struct part_file file;
	uint64_t size;
	bool ended = true;
	write_file("f.part", "Hello");
	begin(&file);
	assert_true(beginning_open(&beginning, &file, "f", 10, &size));
	assert_int_equal(size, 5);
	assert_int_equal(truncate("f.part", 4), 0);
	assert_int_equal(beginning_read(&beginning, &file, &ended), -EBADMSG);
	assert_false(ended);
	beginning_finish(&beginning);
	part_file_finish(&file);
	unlink("f.part");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reopen_reads_the_disk),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_one_writer),
		cmocka_unit_test(test_unlock),
		cmocka_unit_test(test_create_taken),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_beginning),
		cmocka_unit_test(test_beginning_that_shrinks),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
