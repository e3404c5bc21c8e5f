/* SPDX-License-Identifier: MIT */
/* spool_ops, with a hub that only records calls. */
#include "account/file.h"
#include "mount/disk/spool.h"
#include "mount/disk/spool_ops.h"
#include "mount/log.h"
#include "mount/writers.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/spool_ops-XXXXXX";

/* Calls to the hub, and its answers. */
static struct {
	int resize_error;
	uint64_t size; /* hub_resize_spooled */
	bool is_left;
	unsigned offers, leaves, releases, ends;
	uint64_t offered; /* bytes */
	bool with_md5;
	char bytes[64]; /* sent */
	size_t sent;
	const char *path; /* of the file, below the root */
	char asked[PATH_MAX];
	bool written, may_write;
} hub;

int hub_resize_spooled(struct hub *unused, struct handle *handle, uint64_t size)
{
	(void)unused, (void)handle;
	hub.size = hub.resize_error ? hub.size : size;
	return hub.resize_error;
}

bool hub_is_unoffered(struct hub *unused, struct handle *handle)
{
	(void)unused, (void)handle;
	return hub.is_left;
}

void hub_release(struct hub *unused, struct handle *handle)
{
	(void)unused, (void)handle;
	hub.releases++;
}

uint64_t hub_offer(struct hub *unused, struct handle *handle, struct request *request,
		   uint64_t size, const struct digest *md5)
{
	(void)unused, (void)handle;
	hub.offered = size;
	hub.with_md5 = md5 != NULL;
	request->op.result = 0;
	request->deliver(request);
	return ++hub.offers > 1 ? 0 : 7;
}

uint64_t hub_offer_unattended(struct hub *unused, struct handle *handle, uint64_t size,
			      const struct digest *md5)
{
	(void)unused, (void)handle, (void)md5;
	hub.offered = size;
	hub.leaves++;
	return 7;
}

void hub_upload_wait(struct hub *unused, uint64_t number, struct request *request)
{
	(void)unused;
	assert_int_equal(number, 7);
	request->op.result = 0;
	request->deliver(request);
}

void hub_upload_write(struct hub *unused, uint64_t number, struct request *request,
		      const void *bytes)
{
	(void)unused, (void)number;
	assert_true(hub.sent + request->op.size <= sizeof(hub.bytes));
	memcpy(hub.bytes + hub.sent, bytes, request->op.size);
	hub.sent += request->op.size;
	request->op.result = (ssize_t)request->op.size;
	request->deliver(request);
}

void hub_upload_end(struct hub *unused, uint64_t number, int error)
{
	(void)unused, (void)number;
	assert_int_equal(error, 0);
	hub.ends++;
}

int hub_path(struct hub *unused, const struct handle *handle, char *path, size_t size)
{
	(void)unused, (void)handle;
	return hub.path ? snprintf(path, size, "%s", hub.path) : -1;
}

bool writers_exist(const char *path)
{
	snprintf(hub.asked, sizeof(hub.asked), "%s", path);
	return hub.written;
}

bool writers_include(pid_t pid, const char *name)
{
	assert_int_equal(pid, 42);
	assert_string_equal(name, "f");
	return hub.may_write;
}

void log_error(const char *format, ...)
{
	(void)format;
}

/* A close. */
struct closing {
	struct request request; /* first */
	unsigned delivered;
};

static void deliver(struct request *request)
{
	((struct closing *)request)->delivered++;
}

static ssize_t offer(struct handle *handle)
{
	struct closing closing = {.request.deliver = deliver};
	op_init(&closing.request.op, OP_FLUSH, 1, 0, false);
	spool_ops_offer(NULL, directory, handle, &closing.request);
	assert_int_equal(closing.delivered, 1);
	return closing.request.op.result;
}

static int write_text(struct handle *handle, const char *text, uint64_t offset, bool append)
{
	return spool_ops_write(NULL, directory, handle, text, strlen(text), offset, append);
}

static void assert_read(const struct handle *handle, const char *expected)
{
	char bytes[64];
	assert_int_equal(spool_ops_read(handle, bytes, sizeof(bytes), 0), strlen(expected));
	assert_memory_equal(bytes, expected, strlen(expected));
}

static int setup(void **state)
{
	(void)state;
	memset(&hub, 0, sizeof(hub));
	return 0;
}

static void test_write_and_offer(void **state)
{
	(void)state;
	struct handle handle = {0};
	char byte;
	assert_int_equal(spool_ops_read(&handle, &byte, 1, 0), 0);
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	assert_int_equal(hub.size, 5);
	assert_int_equal(write_text(&handle, ", world", 0, true), 0);
	assert_int_equal(hub.size, 12);
	assert_read(&handle, "Hello, world");
	assert_int_equal(offer(&handle), 0);
	assert_int_equal(hub.offered, 12);
	assert_true(hub.with_md5);
	assert_int_equal(hub.sent, 12);
	assert_memory_equal(hub.bytes, "Hello, world", 12);
	assert_int_equal(hub.ends, 1);

	/* Each of several processes closes the file. */
	assert_int_equal(offer(&handle), 0);
	assert_int_equal(hub.ends, 1);
	spool_ops_release(NULL, directory, &handle);
	assert_int_equal(hub.releases, 1);
}

static void test_resize(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(spool_ops_resize(NULL, directory, &handle, 7), 0);
	assert_int_equal(hub.size, 7);
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	assert_int_equal(hub.size, 7);
	assert_int_equal(spool_ops_resize(NULL, directory, &handle, 5), 0);
	assert_read(&handle, "Hello");
	assert_int_equal(spool_ops_resize(NULL, directory, &handle, 5), 0);
	assert_int_equal(offer(&handle), 0);
	assert_false(hub.with_md5);
	spool_ops_release(NULL, directory, &handle);
}

/* Nothing was written. */
static void test_empty(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(offer(&handle), 0);
	assert_int_equal(hub.offered, 0);
	assert_int_equal(hub.ends, 1);
	spool_ops_release(NULL, directory, &handle);
}

static void test_leave(void **state)
{
	(void)state;
	struct handle handle = {0};
	hub.is_left = true;
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	spool_ops_release(NULL, directory, &handle);
	assert_int_equal(hub.releases, 0);
	assert_int_equal(hub.leaves, 1);
	assert_int_equal(hub.offered, 5);
	assert_int_equal(hub.sent, 5);
}

/* When it is too late, the spool is unchanged. */
static void test_too_late(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	hub.resize_error = -ECONNRESET;
	assert_int_equal(write_text(&handle, "J", 0, false), -ECONNRESET);
	assert_int_equal(spool_ops_resize(NULL, directory, &handle, 1), -ECONNRESET);
	assert_read(&handle, "Hello");
	spool_ops_release(NULL, directory, &handle);
}

static void test_no_directory(void **state)
{
	(void)state;
	struct handle handle = {0};
	const char *path = "/dev/null/spool";
	assert_int_equal(spool_ops_write(NULL, path, &handle, "H", 1, 0, false), -ENOTDIR);
	assert_int_equal(spool_ops_resize(NULL, path, &handle, 1), -ENOTDIR);
	struct closing closing = {.request.deliver = deliver};
	spool_ops_offer(NULL, path, &handle, &closing.request);
	assert_int_equal(closing.delivered, 1);
	assert_int_equal(closing.request.op.result, -ENOTDIR);
	hub.is_left = true;
	spool_ops_release(NULL, path, &handle);
	assert_int_equal(hub.offers + hub.leaves, 0);
	assert_int_equal(hub.releases, 1);
}

/* Writes `handle` beyond the longest file that the process may write, as on a full disk. */
static void fill(struct handle *handle)
{
	struct rlimit before, limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = before;
	limit.rlim_cur = 8;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int error = write_text(handle, ", world", 5, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(error, -EFBIG);
}

/* Half a file is not offered: cp closes a file that it could not write. */
static void test_full(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	fill(&handle);
	assert_int_equal(hub.size, 5);
	assert_int_equal(offer(&handle), -EFBIG);
	hub.is_left = true;
	spool_ops_release(NULL, directory, &handle);
	assert_int_equal(hub.offers + hub.leaves, 0);
	assert_int_equal(hub.releases, 1);

	/* This holds whatever the writer does then. */
	handle = (struct handle){0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	fill(&handle);
	assert_int_equal(write_text(&handle, ", world", 5, false), 0);
	assert_int_equal(offer(&handle), -EFBIG);
	spool_ops_release(NULL, directory, &handle);
}

static void test_goes_on(void **state)
{
	(void)state;
	static char longest[PATH_MAX];
	struct handle handle = {0};
	hub.path = "a@x/f";
	hub.written = true;
	assert_true(spool_ops_is_still_open(NULL, "/mnt", &handle, 42));
	assert_string_equal(hub.asked, "/mnt/a@x/f");
	hub.written = false;
	assert_false(spool_ops_is_still_open(NULL, "/mnt", &handle, 42));
	hub.may_write = true;
	assert_true(spool_ops_is_still_open(NULL, "/mnt", &handle, 42));
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	assert_false(spool_ops_is_still_open(NULL, "/mnt", &handle, 42));
	hub.path = NULL; /* removed */
	assert_false(spool_ops_is_still_open(NULL, "/mnt", &handle, 42));
	hub.path = "f";
	memset(longest, '/', sizeof(longest) - 1);
	assert_false(spool_ops_is_still_open(NULL, longest, &handle, 42));
	spool_ops_release(NULL, directory, &handle);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_write_and_offer, setup),
		cmocka_unit_test_setup(test_resize, setup),
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_too_late, setup),
		cmocka_unit_test_setup(test_no_directory, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_goes_on, setup),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
