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
	struct offer_part part;
	unsigned gone_at; /* there is no offer any more, at that question for the part; 0: none */
	unsigned submitted, asked, told, ended;
	int ended_with;
	uint64_t sent, sent_before_digest;
	struct digest digest;
	bool right; /* so far, every byte */
} hub;

void log_error(const char *format, ...)
{
	(void)format;
}

static int sync_error; /* of the next fdatasync */

int fdatasync(int fd)
{
	(void)fd;
	errno = sync_error;
	return sync_error ? -1 : 0;
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

int hub_upload_part(struct hub *unused, uint64_t number, struct offer_part *part)
{
	(void)unused;
	assert_int_equal(number, 7);
	*part = hub.part;
	return ++hub.asked == hub.gone_at ? -ECONNRESET : 0;
}

void hub_upload_set_digest(struct hub *unused, uint64_t number, const struct digest *digest)
{
	(void)unused;
	assert_int_equal(number, 7);
	hub.told++;
	hub.digest = *digest;
	hub.sent_before_digest = hub.sent;
}

void hub_upload_write(struct hub *unused, uint64_t number, struct request *request,
		      const void *bytes)
{
	(void)unused;
	assert_int_equal(number, 7);
	for (size_t i = 0; i < request->op.size; i++) {
		hub.right = hub.right &&
			    ((const uint8_t *)bytes)[i] == pattern(hub.part.begin + hub.sent + i);
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

static struct digest digest_of(uint64_t size)
{
	struct digest digest;
	struct hash *hash = hash_create(HASH_SHA_256);
	assert_non_null(hash);
	for (uint64_t place = 0; place < size; place++) {
		uint8_t byte = pattern(place);
		assert_int_equal(hash_update(hash, &byte, 1), 0);
	}
	assert_int_equal(hash_finish(hash, &digest), 0);
	hash_destroy(hash);
	return digest;
}

/* A hub that asks for the bytes from `begin` to `end` of a file of `size` bytes. */
static void ask(uint64_t begin, uint64_t end, uint64_t size, enum hash_algorithm digest)
{
	memset(&hub, 0, sizeof(hub));
	hub.part = (struct offer_part){begin, end, size, digest};
	hub.right = true;
}

/* Uploads a file of `size` bytes. */
static void upload(uint64_t size)
{
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

static void run(uint64_t size, bool at_once, unsigned fails_at, int error)
{
	ask(0, size, size, HASH_NONE);
	hub.at_once = at_once;
	hub.fails_at = fails_at;
	hub.error = error;
	upload(size);
	assert_int_equal(hub.told, 0);
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

#define SIZE ((uint64_t)3 * 1024 * 1024 + 5)

/* The hub is given the bytes of the part, and no others. The digest is that of the whole file. It
 * comes before the last byte of the file. */
static void test_parts(void **state)
{
	(void)state;
	static const struct {
		uint64_t begin, end, size;
	} rows[] = {
		{0, 0, 0},
		{0, 1, 1},
		{0, SIZE, SIZE},
		{0, 1, SIZE},
		{0, 65536, SIZE},
		{5, 65541, SIZE},
		{SIZE - 1, SIZE, SIZE},
		{1, SIZE, SIZE},
		{SIZE / 2, SIZE / 2 + 100, SIZE},
		{SIZE - 2, SIZE - 1, SIZE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t length = rows[i].end - rows[i].begin;
		struct digest whole = digest_of(rows[i].size);
		for (unsigned at_once = 0; at_once < 2; at_once++) {
			ask(rows[i].begin, rows[i].end, rows[i].size, HASH_SHA_256);
			hub.at_once = at_once > 0;
			upload(rows[i].size);
			assert_int_equal(hub.ended_with, 0);
			assert_int_equal(hub.sent, length);
			assert_int_equal(hub.told, 1);
			assert_true(digest_equals(&hub.digest, &whole));
			assert_true(hub.sent_before_digest < length || length == 0 ||
				    rows[i].end < rows[i].size);
		}
		ask(rows[i].begin, rows[i].end, rows[i].size, HASH_NONE);
		upload(rows[i].size);
		assert_int_equal(hub.ended_with, 0);
		assert_int_equal(hub.sent, length);
		assert_int_equal(hub.told, 0);
	}
}

/* The offer ends while bytes are read for the digest only: no more of them are. */
static void test_offer_is_over(void **state)
{
	(void)state;
	for (unsigned gone_at = 1; gone_at <= 3; gone_at++) {
		ask(SIZE - 1, SIZE, SIZE, HASH_SHA_256);
		hub.gone_at = gone_at;
		upload(SIZE);
		assert_int_equal(hub.asked, gone_at);
		assert_int_equal(hub.ended_with, -ECONNRESET);
		assert_int_equal(hub.sent, 0);
		assert_int_equal(hub.told, 0);
	}
}

/* The disk has fewer bytes than the file: before, in, and after the part. */
static void test_too_short(void **state)
{
	(void)state;
	static const uint64_t parts[][2] = {{SIZE, SIZE + 1}, {0, SIZE + 1}, {0, 1}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ask(parts[i][0], parts[i][1], SIZE + 1, HASH_SHA_256);
		upload(SIZE);
		assert_int_equal(hub.ended_with, -EIO);
		assert_int_equal(hub.told, 0);
	}
}

/* The disk has lost some of what was written: the peer does not get all of its part, nor a digest
 * of bytes that may be others. */
static void test_lost_on_disk(void **state)
{
	(void)state;
	static const uint64_t parts[][2] = {{0, SIZE}, {0, 1}, {5, 65541}, {SIZE - 1, SIZE}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ask(parts[i][0], parts[i][1], SIZE, i % 2 == 0 ? HASH_SHA_256 : HASH_NONE);
		sync_error = EDQUOT;
		upload(SIZE);
		sync_error = 0;
		assert_int_equal(hub.ended_with, -EDQUOT);
		assert_true(hub.sent < parts[i][1] - parts[i][0]);
		assert_int_equal(hub.told, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),	  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_parts),	  cmocka_unit_test(test_offer_is_over),
		cmocka_unit_test(test_too_short), cmocka_unit_test(test_lost_on_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
