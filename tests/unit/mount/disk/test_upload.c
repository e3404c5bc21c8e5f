/* SPDX-License-Identifier: MIT */
/* upload, with a hub that only records calls. */
#include "mount/disk/upload.h"
#include "mount/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Calls to the hub, and its actions. */
static struct {
	struct request *waiting; /* not delivered */
	bool at_once;		 /* delivers before it returns */
	unsigned fails_at;	 /* that submission; 0: none */
	int error;		 /* so */
	unsigned submitted, ended;
	int ended_with;
	uint64_t sent;
	bool right; /* so far, every byte */
} hub;

void log_error(const char *format, ...)
{
	(void)format;
}

static uint8_t pattern(uint64_t place)
{
	return (uint8_t)(place * 31 + (place >> 8) * 7);
}

static void submit(struct request *request, ssize_t result)
{
	hub.submitted++;
	request->op.result = hub.submitted == hub.fails_at ? hub.error : result;
	if (hub.at_once) {
		request->deliver(request);
	} else {
		assert_null(hub.waiting);
		hub.waiting = request;
	}
}

void hub_upload_wait(struct hub *unused, uint64_t number, struct request *request)
{
	(void)unused;
	assert_int_equal(number, 7);
	submit(request, 0);
}

void hub_upload_write(struct hub *unused, uint64_t number, struct request *request,
		      const void *bytes)
{
	(void)unused;
	assert_int_equal(number, 7);
	for (size_t i = 0; i < request->op.size; i++) {
		hub.right = hub.right && ((const uint8_t *)bytes)[i] == pattern(hub.sent + i);
	}
	hub.sent += request->op.size;
	submit(request, (ssize_t)request->op.size);
}

void hub_upload_end(struct hub *unused, uint64_t number, int error)
{
	(void)unused;
	assert_int_equal(number, 7);
	hub.ended++;
	hub.ended_with = error;
}

static struct spool *spool_of(uint64_t size)
{
	char directory[] = "/tmp/upload-XXXXXX";
	assert_non_null(mkdtemp(directory));
	struct spool *spool = spool_create(NULL, directory);
	assert_non_null(spool);
	assert_int_equal(spool_open(spool), 0);
	assert_int_equal(rmdir(directory), 0); /* there is nothing in it */
	uint8_t bytes[1000];
	for (uint64_t place = 0; place < size;) {
		size_t length = size - place < sizeof(bytes) ? size - place : sizeof(bytes);
		for (size_t i = 0; i < length; i++) {
			bytes[i] = pattern(place + i);
		}
		assert_int_equal(spool_write(spool, bytes, length, place), 0);
		place += length;
	}
	return spool;
}

/* Pumps `size` bytes. */
static void run(uint64_t size, bool at_once, unsigned fails_at, int error)
{
	memset(&hub, 0, sizeof(hub));
	hub.at_once = at_once;
	hub.fails_at = fails_at;
	hub.error = error;
	hub.right = true;
	struct spool *spool = spool_of(size);
	assert_int_equal(upload_start(NULL, 7, spool), 0);
	spool_release(spool); /* it has its own */
	while (hub.waiting) {
		struct request *request = hub.waiting;
		assert_int_equal(hub.ended, 0);
		hub.waiting = NULL;
		request->deliver(request);
	}
	assert_true(hub.right);
	assert_int_equal(hub.ended, 1);
}

static void test_all(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {0, 1, 65535, 65536, 65537, 8 * 1024 * 1024};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned at_once = 0; at_once < 2; at_once++) {
			run(sizes[i], at_once > 0, 0, 0);
			assert_int_equal(hub.ended_with, 0);
			assert_int_equal(hub.sent, sizes[i]);
		}
	}
}

/* Every failure is reported to the hub, because the close would wait for ever otherwise. */
static void test_errors(void **state)
{
	(void)state;
	for (unsigned fails_at = 1; fails_at <= 3; fails_at++) {
		for (unsigned at_once = 0; at_once < 2; at_once++) {
			run(200000, at_once > 0, fails_at, -ENOMEM);
			assert_int_equal(hub.ended_with, -ENOMEM);
			assert_int_equal(hub.submitted, fails_at);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
