/* SPDX-License-Identifier: MIT */
/* spool_ops, with a hub that only records calls. */
#define _GNU_SOURCE /* syscall */

#include "account/file.h"
#include "mount/disk/spool.h"
#include "mount/disk/spool_ops.h"
#include "mount/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* Nothing can be cut off any more. */
static bool truncate_fails;

int ftruncate(int fd, off_t size)
{
	if (truncate_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, (long)size);
}

static char directory[] = "/tmp/spool_ops-XXXXXX";

/* Is held while the disk hangs. */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

/* Calls to the hub, and its answers. */
static struct {
	struct request *waiting; /* hub_disk_wait */
	bool is_interrupted;	 /* as soon as it is at work */
	int resize_error;
	uint64_t size; /* as the hub knows it */
	bool is_left;
	unsigned offers, leaves, left_releases, releases, ends;
	uint64_t offered; /* bytes */
	bool with_md5;
	char bytes[64]; /* sent */
	size_t sent;
} hub;

static void interrupt(void)
{
	struct request *request = hub.waiting;
	hub.waiting = NULL;
	request->op.result = -EINTR;
	request->deliver(request);
}

static bool end(ssize_t result)
{
	struct request *request = hub.waiting;
	if (hub.is_interrupted) {
		interrupt();
		return false;
	}
	assert_non_null(request);
	hub.waiting = NULL;
	request->op.result = result;
	request->deliver(request);
	return true;
}

void hub_disk_wait(struct hub *unused, struct handle *handle, struct request *request)
{
	(void)unused, (void)handle;
	assert_null(hub.waiting);
	hub.waiting = request;
}

bool hub_disk_take(struct hub *unused, uint64_t token, uint8_t **bytes)
{
	(void)unused, (void)bytes;
	assert_int_equal(token, 1);
	return hub.waiting != NULL;
}

bool hub_disk_end(struct hub *unused, uint64_t token, ssize_t result, uint8_t *bytes)
{
	(void)unused;
	assert_int_equal(token, 1);
	hub.waiting->op.data = bytes;
	return end(result);
}

int hub_spool_begin(struct hub *unused, uint64_t token, uint64_t size, uint64_t offset,
		    uint8_t **bytes)
{
	(void)unused, (void)offset;
	assert_int_equal(token, 1);
	if (!hub.waiting || hub.resize_error) {
		return hub.waiting ? hub.resize_error : -ECANCELED;
	}
	hub.size = size;
	*bytes = hub.waiting->op.data;
	hub.waiting->op.data = NULL;
	return 0;
}

bool hub_spool_end(struct hub *unused, uint64_t token, ssize_t result, uint64_t size)
{
	(void)unused;
	assert_int_equal(token, 1);
	hub.size = result < 0 || hub.is_interrupted ? hub.size : size;
	return end(result);
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

uint64_t hub_offer(struct hub *unused, uint64_t token, uint64_t size, const struct digest *md5)
{
	(void)unused;
	assert_int_equal(token, 1);
	hub.offered = size;
	hub.with_md5 = md5 != NULL;
	end(0);
	return ++hub.offers > 1 ? 0 : 7;
}

uint64_t hub_offer_left(struct hub *unused, const char *sid, uint64_t size,
			const struct digest *md5)
{
	(void)unused, (void)md5;
	assert_string_equal(sid, "its sid");
	hub.offered = size;
	hub.leaves++;
	return 7;
}

void hub_release_left(struct hub *unused, const char *sid)
{
	(void)unused;
	assert_string_equal(sid, "its sid");
	hub.left_releases++;
}

void hub_upload_wait(struct hub *unused, uint64_t number, struct request *request)
{
	(void)unused;
	assert_int_equal(number, 7);
	request->op.result = 0;
	request->deliver(request);
}

int hub_upload_part(struct hub *unused, uint64_t number, struct offer_part *part)
{
	(void)unused, (void)number;
	*part = (struct offer_part){.end = hub.offered, .size = hub.offered};
	return 0;
}

void hub_upload_set_digest(struct hub *unused, uint64_t number, const struct digest *digest)
{
	(void)unused, (void)number, (void)digest;
	fail_msg("no digest was asked for");
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

void log_error(const char *format, ...)
{
	(void)format;
}

static const struct spool_place place = {.directory = directory};

/* A call. */
struct call {
	struct request request; /* first */
	unsigned delivered;
};

static void deliver(struct request *request)
{
	((struct call *)request)->delivered++;
}

static struct call call_of(enum op_kind kind, size_t size)
{
	struct call call = {.request.deliver = deliver};
	op_init(&call.request.op, kind, 1, size, false);
	return call;
}

static ssize_t result_of(struct call *call)
{
	assert_int_equal(call->delivered, 1);
	op_finish(&call->request.op);
	return call->request.op.result;
}

static ssize_t offer_at(const struct spool_place *where, struct handle *handle)
{
	struct call call = call_of(OP_FLUSH, 0);
	spool_ops_offer(NULL, where, handle, &call.request);
	return result_of(&call);
}

static ssize_t offer(struct handle *handle)
{
	return offer_at(&place, handle);
}

/* 0 or an error. */
static int write_at(const struct spool_place *where, struct handle *handle, const char *text,
		    uint64_t offset, bool append)
{
	struct call call = call_of(OP_WRITE, strlen(text));
	call.request.op.data = (uint8_t *)strdup(text);
	spool_ops_write(NULL, where, handle, &call.request, offset, append);
	ssize_t result = result_of(&call);
	assert_true(result < 0 || result == (ssize_t)strlen(text));
	return result < 0 ? (int)result : 0;
}

static int write_text(struct handle *handle, const char *text, uint64_t offset, bool append)
{
	return write_at(&place, handle, text, offset, append);
}

static int resize_at(const struct spool_place *where, struct handle *handle, uint64_t size)
{
	struct call call = call_of(OP_WRITE, 0);
	spool_ops_resize(NULL, where, handle, &call.request, size);
	return (int)result_of(&call);
}

static int resize(struct handle *handle, uint64_t size)
{
	return resize_at(&place, handle, size);
}

static void assert_read(struct handle *handle, const char *expected)
{
	struct call call = call_of(OP_READ, 64);
	spool_ops_read(NULL, &place, handle, &call.request, 0);
	assert_int_equal(call.request.op.result, strlen(expected));
	assert_memory_equal(call.request.op.data, expected, strlen(expected));
	result_of(&call);
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
	assert_read(&handle, "");
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
	spool_ops_release(NULL, &place, &handle);
	assert_int_equal(hub.releases, 1);
}

static void test_resize(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(resize(&handle, 7), 0);
	assert_int_equal(hub.size, 7);
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	assert_int_equal(hub.size, 7);
	assert_int_equal(resize(&handle, 5), 0);
	assert_read(&handle, "Hello");
	assert_int_equal(resize(&handle, 5), 0);
	assert_int_equal(offer(&handle), 0);
	assert_false(hub.with_md5);
	spool_ops_release(NULL, &place, &handle);
}

/* Nothing was written. */
static void test_empty(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(offer(&handle), 0);
	assert_int_equal(hub.offered, 0);
	assert_int_equal(hub.ends, 1);
	spool_ops_release(NULL, &place, &handle);
}

static void test_leave(void **state)
{
	(void)state;
	struct handle handle = {.sid = "its sid"};
	hub.is_left = true;
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	spool_ops_release(NULL, &place, &handle);
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
	assert_int_equal(resize(&handle, 1), -ECONNRESET);
	assert_read(&handle, "Hello");
	spool_ops_release(NULL, &place, &handle);
}

static void test_no_directory(void **state)
{
	(void)state;
	struct handle handle = {.sid = "its sid"};
	const struct spool_place nowhere = {.directory = "/dev/null/spool"};
	assert_int_equal(write_at(&nowhere, &handle, "H", 0, false), -ENOTDIR);
	assert_int_equal(resize_at(&nowhere, &handle, 1), -ENOTDIR);
	assert_int_equal(offer_at(&nowhere, &handle), -ENOTDIR);
	hub.is_left = true;
	spool_ops_release(NULL, &nowhere, &handle);
	assert_int_equal(hub.offers + hub.leaves, 0);
	assert_int_equal(hub.left_releases, 1);
}

/* A call that a signal has ended had no effect: it may be repeated. */
static void test_interrupted(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	hub.is_interrupted = true;
	assert_int_equal(write_text(&handle, ", world", 0, true), -EINTR);
	assert_int_equal(resize(&handle, 100), -EINTR);
	assert_int_equal(hub.size, 5);
	hub.is_interrupted = false;
	assert_read(&handle, "Hello");
	assert_int_equal(write_text(&handle, ", world", 0, true), 0);
	assert_read(&handle, "Hello, world");
	assert_int_equal(hub.size, 12);
	spool_ops_release(NULL, &place, &handle);
}

/* Or its bytes would be there twice: the file is no good. */
static void test_interrupted_for_good(void **state)
{
	(void)state;
	struct handle handle = {0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	hub.is_interrupted = truncate_fails = true;
	assert_int_equal(write_text(&handle, ", world", 0, true), -EINTR);
	hub.is_interrupted = truncate_fails = false;
	assert_int_equal(offer(&handle), -EIO);
	assert_int_equal(hub.offers, 0);
	spool_ops_release(NULL, &place, &handle);
}

static void hold_disk(struct task *task)
{
	(void)task;
	pthread_mutex_lock(&disk);
	pthread_mutex_unlock(&disk);
}

/* One that a signal has ended before its turn came is not made at all. */
static void test_interrupted_before(void **state)
{
	(void)state;
	struct handle handle = {0};
	struct spool_place slow = {.pool = pool_create(), .directory = directory};
	struct task holds = {.run = hold_disk};
	struct call call = call_of(OP_WRITE, 5);
	call.request.op.data = (uint8_t *)strdup("Hello");
	handle.spool = spool_create(slow.pool, directory);
	pthread_mutex_lock(&disk);
	spool_submit(handle.spool, &holds);
	spool_ops_write(NULL, &slow, &handle, &call.request, 0, false);
	assert_int_equal(call.delivered, 0);
	interrupt();
	assert_int_equal(result_of(&call), -EINTR);
	pthread_mutex_unlock(&disk);
	assert_int_equal(pool_drain(slow.pool, INT32_MAX), 0);
	assert_int_equal(spool_size(handle.spool), 0);
	spool_ops_close(&handle);
	pool_destroy(slow.pool);
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
	struct handle handle = {.sid = "its sid"};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	fill(&handle);
	assert_int_equal(hub.size, 5);
	assert_int_equal(offer(&handle), -EFBIG);
	hub.is_left = true;
	spool_ops_release(NULL, &place, &handle);
	assert_int_equal(hub.offers + hub.leaves, 0);
	assert_int_equal(hub.left_releases, 1);
	hub.is_left = false;

	/* This holds whatever the writer does then. */
	handle = (struct handle){0};
	assert_int_equal(write_text(&handle, "Hello", 0, false), 0);
	fill(&handle);
	assert_int_equal(write_text(&handle, ", world", 5, false), 0);
	assert_int_equal(offer(&handle), -EFBIG);
	spool_ops_release(NULL, &place, &handle);
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
		cmocka_unit_test_setup(test_interrupted, setup),
		cmocka_unit_test_setup(test_interrupted_for_good, setup),
		cmocka_unit_test_setup(test_interrupted_before, setup),
		cmocka_unit_test_setup(test_full, setup),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
