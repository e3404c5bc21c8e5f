/* SPDX-License-Identifier: MIT */
/* Files that are offered by stream initiation, in both directions, through the account. */
#include "offer/transfer.h"

#include "account/attribute.h"
#include "account/name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct stat attributes_of(const struct scene *scene, const char *path)
{
	struct stat attributes;
	const struct node *node = scene_find(scene, path);
	assert_non_null(node);
	node_attributes(node, &attributes);
	return attributes;
}

/* An offer of hers is in in/. */
static void offer(struct scene *scene, const char *id, const char *name, int64_t size)
{
	struct metadata metadata = scene_file(name, size);
	scene_peer_offers(scene, PHONE, id, &metadata);
	scene_is_quiet(scene);
}

/* The stream that was accepted is opened, for blocks of any size. */
static void peer_opens(struct scene *scene, const char *id, uint32_t block_size)
{
	scene_peer_begins(scene, PHONE, id, block_size);
	scene_sent(scene, MSG_RESULT, PHONE);
}

/* Opens `path`, and the peer the stream `id`. */
static struct handle *accepted(struct scene *scene, const char *path, const char *id,
			       uint32_t block_size)
{
	struct call *open = scene_open(scene, path, O_RDONLY);
	assert_waits(open);
	const struct msg *msg = scene_sent(scene, MSG_RESULT, PHONE);
	assert_non_null(msg->metadata);
	assert_true(msg->metadata->has_ibb);
	scene_is_quiet(scene);
	peer_opens(scene, id, block_size);
	assert_result(open, 0);
	return call_handle(open);
}

/* The phone offers f as s1, with the MD5 of that text. */
static struct handle *accept_with_md5(struct scene *scene, int64_t size, const char *of,
				      uint32_t block_size)
{
	struct metadata metadata = scene_file("f", size);
	metadata.file.digest = transfer_digest(HASH_MD5, of);
	scene_peer_offers(scene, PHONE, "s1", &metadata);
	return accepted(scene, "a@x/in/f", "s1", block_size);
}

static void offer_usual(struct scene *scene)
{
	offer(scene, "s1", "f", 12);
}

static void sees_accept(struct scene *scene)
{
	scene_sent(scene, MSG_RESULT, PHONE);
}

static const struct transfer_format format = {
	.feature = FEATURE_SI,
	.sid = "s1",
	.offer = offer_usual,
	.sees_accept = sees_accept,
};

/* ---- they offer ---- */

/* Who writes to a file that is offered sends bytes that its sender need not take: they do not count
 * as delivered when the file is complete. */
static void test_written_back(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer_usual(&scene);
	struct call *open = scene_open(&scene, "a@x/in/f", O_RDWR);
	sees_accept(&scene);
	peer_opens(&scene, "s1", 4096);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	assert_result(scene_write(&scene, handle, "thanks", 0), 6);
	scene_sent(&scene, MSG_DATA, PHONE);
	struct call *flush = scene_flush(&scene, handle);
	assert_waits(flush);
	struct call *read = scene_read(&scene, handle, 100);
	transfer_block(&scene, "s1", 0, TEXT);
	assert_text(read, TEXT);
	assert_result(flush, -ECONNRESET);
	assert_result(scene_flush(&scene, handle), -ECONNRESET);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_incoming(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	struct call *line = scene_read(&scene, incoming, 100);
	struct metadata metadata = scene_file("photo.jpg", 12);
	metadata.file.date = 1000000000;
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	const struct msg *msg;
	scene_is_quiet(&scene); /* its answer is the user's */
	assert_text(line, "a@x/in/photo.jpg\n");
	struct stat attributes = attributes_of(&scene, "a@x/in/photo.jpg");
	assert_int_equal(attributes.st_size, 12);
	assert_int_equal(attributes.st_mtim.tv_sec, 1000000000);
	assert_state(&scene, "a@x/in/photo.jpg", "offered");
	assert_string_equal(scene_attribute(&scene, "a@x/in/photo.jpg", "format"), "si");
	assert_string_equal(scene_attribute(&scene, "a@x/in/photo.jpg", "peer"), PHONE);

	struct call *open = scene_open(&scene, "a@x/in/photo.jpg", O_RDONLY);
	msg = scene_sent(&scene, MSG_RESULT, PHONE);
	assert_string_equal(msg->id, "r1");
	assert_non_null(msg->metadata);
	assert_true(msg->metadata->has_ibb);
	assert_int_equal(msg->metadata->file.offset, 0);
	assert_waits(open);
	peer_opens(&scene, "s1", 4096);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	assert_state(&scene, "a@x/in/photo.jpg", "open");

	struct call *read = scene_read(&scene, handle, 100);
	transfer_block(&scene, "s1", 0, "Hello, wor");
	assert_text(read, "Hello, wor");
	read = scene_read(&scene, handle, 100);
	assert_waits(read);
	transfer_block(&scene, "s1", 1, "ld");
	assert_text(read, "ld");

	/* The file ends without <close/>. */
	assert_result(scene_read(&scene, handle, 100), 0);
	assert_state(&scene, "a@x/in/photo.jpg", "finished");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_int_equal(attributes_of(&scene, "a@x/in/photo.jpg").st_size, 12);
	assert_state(&scene, "a@x/in/photo.jpg", "finished");
	assert_string_equal(scene_attribute(&scene, "a@x/in/photo.jpg", "format"), "si");
	scene_peer_closes(&scene, PHONE, "s1", false); /* a <close/> is answered */
	scene_sent(&scene, MSG_RESULT, PHONE);
	scene_peer_closes(&scene, PHONE, "s1", false); /* also a late one */
	scene_sent(&scene, MSG_RESULT, PHONE);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/in/photo.jpg");
	assert_null(scene.account.offers.all);
	scene_finish(&scene);
}

/* A late reader gets the whole file; its sender need not wait. */
static void test_incoming_before_it_is_read(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "s1", "f", 12);
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 4);
	transfer_block(&scene, "s1", 0, "Hell");
	transfer_block(&scene, "s1", 1, "o, w");
	assert_text(scene_read(&scene, handle, 2), "He");
	transfer_block(&scene, "s1", 2, "orld");
	scene_goes(&scene, PHONE);
	assert_text(scene_read(&scene, handle, 100), "llo, world");
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_finish(&scene);
}

/* More than the buffer: the rest is acknowledged as it is read, or when the file is complete. */
static void test_incoming_longer_than_the_buffer(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "s1", "f", 48);
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
	unsigned acknowledged = 0;
	for (unsigned seq = 0; seq < 5; seq++) {
		scene_peer_sends(&scene, PHONE, "s1", seq, "01234567");
		acknowledged += scene_next(&scene) != NULL;
	}
	assert_int_equal(acknowledged, SCENE_BUFFER / 8);
	scene_peer_sends(&scene, PHONE, "s1", 5, "01234567");
	scene_sent(&scene, MSG_RESULT, PHONE);
	scene_sent(&scene, MSG_RESULT, PHONE);
	scene_is_quiet(&scene);
	assert_text(scene_read(&scene, handle, 100),
		    "012345670123456701234567012345670123456701234567");
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_finish(&scene);
}

static void test_incoming_closed(void **state)
{
	(void)state;
	static const struct {
		int64_t size;
		const char *text; /* or none */
		ssize_t end;
		const char *state;
	} rows[] = {
		{12, "Hello", -ECONNRESET, "broken"}, /* fewer bytes */
		{12, NULL, -ECONNRESET, "broken"},
		{METADATA_NO_SIZE, "Hello", 0, "finished"}, /* as QXmpp offers an empty file */
		{METADATA_NO_SIZE, NULL, 0, "finished"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		offer(&scene, "s1", "f", rows[i].size);
		struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
		struct call *end = NULL;
		if (rows[i].text) {
			transfer_block(&scene, "s1", 0, rows[i].text);
			assert_text(scene_read(&scene, handle, 9), "Hello");
		}
		end = scene_read(&scene, handle, 9);
		assert_waits(end);
		scene_peer_closes(&scene, PHONE, "s1", false);
		scene_sent(&scene, MSG_RESULT, PHONE);
		scene_is_quiet(&scene);
		assert_result(end, rows[i].end);
		assert_result(scene_read(&scene, handle, 9), rows[i].end);
		assert_state(&scene, "a@x/in/f", rows[i].state);
		scene_release(&scene, handle);
		assert_state(&scene, "a@x/in/f", rows[i].state);
		scene_finish(&scene);
	}
}

/* An empty file is complete as soon as its stream is open. */
static void test_incoming_empty(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = accept_with_md5(&scene, 0, "", 8);
	assert_result(scene_read(&scene, handle, 9), 0);
	assert_state(&scene, "a@x/in/f", "finished");
	scene_finish(&scene);
}

static void test_incoming_md5(void **state)
{
	(void)state;
	static const struct {
		const char *of;
		ssize_t end;
		bool closes; /* the peer, while bytes are missing */
	} rows[] = {
		{TEXT, 0, false},
		{"Hello, World", -EBADMSG, false},
		{TEXT, -ECONNRESET, true},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = accept_with_md5(&scene, 12, rows[i].of, 65535);
		transfer_block(&scene, "s1", 0, "Hello");
		if (rows[i].closes) {
			scene_peer_closes(&scene, PHONE, "s1", false);
			scene_sent(&scene, MSG_RESULT, PHONE);
			assert_text(scene_read(&scene, handle, 100), "Hello");
		} else {
			transfer_block(&scene, "s1", 1, ", world");
			assert_text(scene_read(&scene, handle, 100), TEXT);
		}
		scene_is_quiet(&scene);
		/* Never a clean end. */
		assert_result(scene_read(&scene, handle, 100), rows[i].end);
		assert_result(scene_read(&scene, handle, 100), rows[i].end);
		assert_state(&scene, "a@x/in/f", rows[i].end ? "broken" : "finished");
		scene_finish(&scene);
	}
}

/* Its sender may have asked for nothing else. */
static void test_incoming_closed_after_it_has_failed(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	accept_with_md5(&scene, 12, "Hello, World", 65535);
	transfer_block(&scene, "s1", 0, TEXT);
	scene_peer_closes(&scene, PHONE, "s1", false);
	scene_refused(&scene, PHONE, CONDITION_CONFLICT, DETAIL_NONE);
	scene_finish(&scene);
}

static void test_incoming_too_much(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "s1", "f", 6);
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
	transfer_block(&scene, "s1", 0, "Hello");
	scene_peer_sends(&scene, PHONE, "s1", 1, "..");
	scene_refused(&scene, PHONE, CONDITION_BAD_REQUEST, DETAIL_NONE);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	assert_text(scene_read(&scene, handle, 100), "Hello");
	assert_result(scene_read(&scene, handle, 100), -EPROTO);
	assert_state(&scene, "a@x/in/f", "broken");
	scene_finish(&scene);
}

static void test_incoming_is_declined(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "s1", "f", 6);
	assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
	assert_no(&scene, "a@x/in/f");
	const struct msg *msg = scene_sent(&scene, MSG_ERROR, PHONE);
	assert_string_equal(msg->id, "r1");
	assert_int_equal(msg->condition, CONDITION_FORBIDDEN);
	assert_int_equal(msg->error_type, ERROR_TYPE_CANCEL);
	scene_is_quiet(&scene);
	assert_null(scene.account.offers.all);

	/* The id may be used again. */
	offer(&scene, "s1", "f", 6);
	assert_exists(&scene, "a@x/in/f");

	/* Removed while it is read. */
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
	struct call *read = scene_read(&scene, handle, 9);
	assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
	assert_result(read, -ECONNRESET);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_release(&scene, handle);
	assert_null(scene.account.offers.all);

	/* The same while its open waits. */
	offer(&scene, "s2", "g", 6);
	struct call *open = scene_open(&scene, "a@x/in/g", O_RDONLY);
	scene_sent(&scene, MSG_RESULT, PHONE);
	assert_int_equal(scene_unlink(&scene, "a@x/in/g"), 0);
	assert_result(open, -ECONNRESET);
	scene_settle(&scene);
	assert_null(scene.account.offers.all);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_incoming_by_next(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *read = scene_read(&scene, next, 100);
	assert_waits(read);
	struct metadata metadata = scene_file("f", 12);
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	assert_true(scene_sent(&scene, MSG_RESULT, PHONE)->metadata->has_ibb);
	assert_waits(read);
	peer_opens(&scene, "s1", 8);
	transfer_block(&scene, "s1", 0, "Hello, w");
	assert_text(read, "Hello, w");
	transfer_block(&scene, "s1", 1, "orld");
	assert_text(scene_read(&scene, next, 100), "orld");
	assert_result(scene_read(&scene, next, 100), 0);
	scene_release(&scene, next);
	scene_is_quiet(&scene);

	/* An offer from before, which is never opened. */
	offer(&scene, "s2", "g", 12);
	next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	read = scene_read(&scene, next, 100);
	assert_true(scene_sent(&scene, MSG_RESULT, PHONE)->metadata->has_ibb);
	scene_wait(&scene, SCENE_TIMEOUT - 1);
	assert_waits(read);
	scene_wait(&scene, 1);
	assert_result(read, -ETIMEDOUT);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static short poll_now(struct scene *scene, struct handle *handle)
{
	return poll_start(&scene->account, handle, NULL);
}

static void test_incoming_without_waiting(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	assert_int_equal(poll_now(&scene, next), 0);
	offer(&scene, "s1", "f", 5);
	assert_int_equal(poll_now(&scene, next), POLLIN); /* or no client would accept it */
	assert_result(scene_poll(&scene, next, 100), -EAGAIN);
	scene_sent(&scene, MSG_RESULT, PHONE);
	assert_int_equal(poll_now(&scene, next), 0);
	peer_opens(&scene, "s1", 8);
	assert_result(scene_poll(&scene, next, 100), -EAGAIN);
	assert_int_equal(poll_now(&scene, next), 0);
	transfer_block(&scene, "s1", 0, "Hello");
	assert_int_equal(poll_now(&scene, next), POLLIN);
	assert_text(scene_poll(&scene, next, 100), "Hello");
	assert_int_equal(poll_now(&scene, next), POLLIN | POLLHUP);
	assert_result(scene_poll(&scene, next, 100), 0);

	/* By its name: the open accepts, and does not wait. */
	offer(&scene, "s2", "g", 5);
	struct call *open = scene_open(&scene, "a@x/in/g", O_RDONLY | O_NONBLOCK);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	scene_sent(&scene, MSG_RESULT, PHONE);
	assert_int_equal(poll_now(&scene, handle), 0);
	assert_result(scene_poll(&scene, handle, 100), -EAGAIN);
	peer_opens(&scene, "s2", 8);
	assert_int_equal(poll_now(&scene, handle), 0);
	struct call *poll = &scene.calls[scene.calls_length++];
	op_init(&poll->op, OP_POLL, 0, 0, false);
	poll->op.events = POLLIN;
	assert_int_equal(poll_start(&scene.account, handle, &poll->op), 0);
	transfer_block(&scene, "s2", 0, "Hello");
	assert_result(poll, 0);
	assert_text(scene_poll(&scene, handle, 100), "Hello");
	assert_result(scene_poll(&scene, handle, 100), 0);
	scene_finish(&scene);
}

/* `file`, or a test of a shell: the open has accepted, and the file is still unopened. */
static void test_incoming_opened_twice(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "s1", "f", 5);
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
	assert_result(scene_open(&scene, "a@x/in/f", O_RDONLY), -EBUSY);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	transfer_block(&scene, "s1", 0, "He");
	struct call *open = scene_open(&scene, "a@x/in/f", O_RDONLY);
	assert_result(open, 0);
	handle = call_handle(open);
	transfer_block(&scene, "s1", 1, "llo");
	assert_text(scene_read(&scene, handle, 100), "Hello");
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_release(&scene, handle);

	/* The open is interrupted while it waits. */
	offer(&scene, "s2", "g", 5);
	open = scene_open(&scene, "a@x/in/g", O_RDONLY);
	scene_sent(&scene, MSG_RESULT, PHONE);
	scene_interrupt(&scene, open);
	assert_result(open, -EINTR);
	assert_exists(&scene, "a@x/in/g");
	peer_opens(&scene, "s2", 8);
	transfer_block(&scene, "s2", 0, "Hello");
	open = scene_open(&scene, "a@x/in/g", O_RDONLY);
	assert_result(open, 0);
	assert_text(scene_read(&scene, call_handle(open), 100), "Hello");
	assert_result(scene_read(&scene, call_handle(open), 100), 0);

	/* Left in the middle. */
	offer(&scene, "s3", "h", 9);
	handle = accepted(&scene, "a@x/in/h", "s3", 8);
	transfer_block(&scene, "s3", 0, "Hello");
	assert_text(scene_read(&scene, handle, 2), "He");
	scene_release(&scene, handle);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_is_quiet(&scene);
	assert_state(&scene, "a@x/in/h", "broken");
	assert_result(scene_open(&scene, "a@x/in/h", O_RDONLY), -ENODATA);
	scene_finish(&scene);
}

static void test_incoming_that_cannot_be(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct metadata metadata = scene_file("f", 5);
	metadata.has_ibb = false;
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	scene_refused(&scene, PHONE, CONDITION_BAD_REQUEST, DETAIL_NO_VALID_STREAMS);
	assert_no(&scene, "a@x/in/f");

	/* An id names one offer of a peer at a time. */
	offer(&scene, "s1", "f", 5);
	metadata = scene_file("g", 5);
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	scene_refused(&scene, PHONE, CONDITION_CONFLICT, DETAIL_NONE);
	assert_no(&scene, "a@x/in/g");
	struct handle *handle = accepted(&scene, "a@x/in/f", "s1", 8);
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	scene_refused(&scene, PHONE, CONDITION_CONFLICT, DETAIL_NONE);
	transfer_block(&scene, "s1", 0, "Hello");
	assert_text(scene_read(&scene, handle, 100), "Hello");
	scene_peer_offers(&scene, "a@x/laptop", "s1", &metadata);
	scene_is_quiet(&scene);
	assert_exists(&scene, "a@x/in/g");

	/* A stream of hers has that sid. */
	scene_peer_opens(&scene, PHONE, "s2", "raw");
	scene_sent(&scene, MSG_RESULT, PHONE);
	offer(&scene, "s2", "h", 5);
	assert_result(scene_open(&scene, "a@x/in/h", O_RDONLY), -EPROTO);
	scene_is_quiet(&scene);
	assert_exists(&scene, "a@x/in/h");

	/* Nobody who may not. */
	scene_peer_offers(&scene, "stranger@x/r", "s1", &metadata);
	scene_refused(&scene, "stranger@x/r", CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	scene_play(&scene);
	scene_peer_offers(&scene, PHONE, "s9", &metadata);
	scene_refused(&scene, PHONE, CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	scene_finish(&scene);
}

static void test_incoming_flood(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	char id[16];
	for (unsigned i = 0; i < SCENE_STREAMS; i++) {
		snprintf(id, sizeof(id), "s%u", i);
		offer(&scene, id, "f", 5);
	}
	struct metadata metadata = scene_file("f", 5);
	scene_peer_offers(&scene, PHONE, "more", &metadata);
	scene_refused(&scene, PHONE, CONDITION_NOT_ACCEPTABLE, DETAIL_NONE);
	assert_int_equal(scene_unlink(&scene, "a@x/in/f (2)"), 0);
	scene_refused(&scene, PHONE, CONDITION_FORBIDDEN, DETAIL_NONE);
	offer(&scene, "more", "f", 5);
	assert_exists(&scene, "a@x/in/f (2)");
	assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
	scene_refused(&scene, PHONE, CONDITION_FORBIDDEN, DETAIL_NONE);

	/* In too short a time. */
	unsigned waits = 0, i;
	for (i = 0; i < LIMITS_PEER_MIN + LIMITS_OPENS_BURST + 10; i++) {
		snprintf(id, sizeof(id), "t%u", i);
		scene_peer_offers(&scene, PHONE, id, &metadata);
		const struct msg *msg = scene_next(&scene);
		waits += msg && msg->kind == MSG_ERROR && msg->error_type == ERROR_TYPE_WAIT;
	}
	assert_true(waits > 0);
	scene_finish(&scene);
}

/* Names of one directory entry, whatever the peer sends; sizes and dates in range. */
static void test_incoming_hostile(void **state)
{
	(void)state;
	char longest[4000];
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const struct {
		const char *name;
		int64_t size, date;
	} rows[] = {
		{"../../etc/passwd", 1, 0},	{"..", INT64_MAX, INT64_MAX},
		{".", 0, INT64_MIN + 1},	{"next", INT64_MAX, 253402300800},
		{"a/b\n\x01", 1, -62135596801}, {"", 1, METADATA_NO_DATE},
		{NULL, 1, METADATA_NO_DATE},	{longest, 1, METADATA_NO_DATE},
	};
	struct scene scene;
	transfer_start(&scene, &format);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct metadata metadata = scene_file(rows[i].name, rows[i].size);
		char id[16];
		metadata.file.date = rows[i].date;
		snprintf(id, sizeof(id), "s%zu", i);
		scene_peer_offers(&scene, PHONE, id, &metadata);
		scene_is_quiet(&scene);
	}
	size_t found = 0;
	const struct node *node = scene_find(&scene, "a@x/in")->children;
	for (; node; node = node->next) {
		if (node->kind != NODE_ARRIVED) {
			continue;
		}
		struct stat attributes;
		assert_int_equal(name_check(node->name), 0);
		assert_null(strchr(node->name, '/'));
		assert_string_not_equal(node->name, "..");
		assert_string_not_equal(node->name, ".");
		assert_true(strlen(node->name) <= NAME_MAX_BYTES);
		node_attributes(node, &attributes);
		assert_true(attributes.st_size == (off_t)rows[found].size);
		assert_true(attributes.st_blocks >= 0);
		found++;
	}
	assert_int_equal(found, COUNT(rows));
	struct handle *status = scene_opened(&scene, "status", O_RDONLY);
	assert_true(scene_read(&scene, status, 4000)->op.result > 0);

	/* The largest size takes no more memory than the bytes that arrive. */
	assert_exists(&scene, "a@x/in/s5");
	scene_unlink(&scene, "a@x/in/s5");
	scene_play(&scene);
	offer(&scene, "large", "large", INT64_MAX);
	struct handle *handle = accepted(&scene, "a@x/in/large", "large", 65535);
	transfer_block(&scene, "large", 0, "Hello");
	assert_text(scene_read(&scene, handle, 100), "Hello");
	scene_peer_closes(&scene, PHONE, "large", false);
	assert_result(scene_read(&scene, handle, 100), -ECONNRESET);
	scene_finish(&scene);
}

static void test_incoming_breaks(void **state)
{
	(void)state;
	static const ssize_t results[BREAKS][STAGES] = {
		[PEER_GONE] = {0, -EHOSTDOWN, -ECONNRESET, -ECONNRESET, 4},
		[DISCONNECTED] = {0, -ENETDOWN, -ECONNRESET, -ECONNRESET, 4},
		[SILENT] = {0, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT, 4},
		[STOPPED] = {0, -ECONNRESET, -ECONNRESET, -ECONNRESET, 4},
		[ABANDONED] = {0, -ENETDOWN, -ECONNRESET, -ECONNRESET, 4},
	};
	for (size_t i = 0; i < (size_t)BREAKS * STAGES; i++) {
		enum transfer_break how = i / STAGES;
		enum transfer_stage stage = i % STAGES;
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_receive(&scene, &format, stage, &call);
		transfer_break(&scene, how);
		if (call) {
			assert_result(call, results[how][stage]);
		}
		if (how == SILENT && stage == OFFERED) {
			assert_exists(&scene, "a@x/in/f"); /* for as long as the peer waits */
		} else if (stage == OFFERED && how < STOPPED) {
			assert_no(&scene, "a@x/in/f");
		}
		if (stage == WHOLE && how < ABANDONED) {
			assert_result(scene_read(&scene, handle, 100), 0);
		}
		if ((how == STOPPED || how == PEER_GONE) && stage == OFFERED) {
			scene_refused(&scene, PHONE, CONDITION_FORBIDDEN, DETAIL_NONE);
		}
		if (how == STOPPED) {
			assert_true(shutdown_is_complete(&scene.account) || handle ||
				    scene.account.ibb.effects.messages);
		}
		scene_finish(&scene);
	}
}

/* The sender answers pings, and sends nothing else. */
static void test_incoming_pings(void **state)
{
	(void)state;
	struct scene scene;
	struct call *read;
	transfer_start(&scene, &format);
	transfer_receive(&scene, &format, HALF, &read);
	for (unsigned i = 0; i < 5; i++) {
		scene_wait(&scene, SCENE_TIMEOUT);
		scene_sent(&scene, MSG_INFO, PHONE);
		scene_result(&scene);
		assert_waits(read);
	}
	transfer_block(&scene, "s1", 1, "orld");
	assert_text(read, "orld");
	scene_finish(&scene);
}

/* ---- we offer ---- */

static void test_outgoing(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f.txt");
	struct digest md5 = transfer_digest(HASH_MD5, TEXT);
	struct call *close = scene_offer(&scene, handle, TEXT, 12, &md5);
	const struct msg *msg = scene_sent(&scene, MSG_SI, PHONE);
	assert_string_equal(msg->sid, "sid1");
	assert_string_equal(msg->metadata->file.name, "f.txt");
	assert_int_equal(msg->metadata->file.size, 12);
	assert_true(msg->metadata->file.date != METADATA_NO_DATE);
	assert_true(digest_equals(&msg->metadata->file.digest, &md5));
	assert_true(msg->metadata->has_ibb);
	scene_is_quiet(&scene);
	assert_waits(close);
	assert_state(&scene, "a@x/f.txt", "offered");
	assert_string_equal(scene_attribute(&scene, "a@x/f.txt", "format"), "si");
	assert_string_equal(scene_attribute(&scene, "a@x/f.txt", "peer"), PHONE);
	assert_int_equal(attributes_of(&scene, "a@x/f.txt").st_size, 12);

	scene_wait(&scene, SCENE_ANSWER_TIMEOUT - 1); /* she thinks about it */
	scene_accept(&scene);
	msg = scene_sent(&scene, MSG_OPEN, PHONE);
	assert_string_equal(msg->sid, "sid1");
	assert_int_equal(msg->block_size, SCENE_BLOCK);
	assert_null(msg->name);
	assert_state(&scene, "a@x/f.txt", "opening");
	scene_result(&scene);
	assert_state(&scene, "a@x/f.txt", "closing"); /* all bytes are in flight */
	msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 8);
	assert_memory_equal(msg->data, "Hello, w", 8);
	scene_result(&scene);
	msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 4);
	assert_waits(close);
	scene_is_quiet(&scene);
	scene_result(&scene);
	assert_result(close, 0); /* no more stanzas; some never answer <close/> */
	scene_sent(&scene, MSG_CLOSE, PHONE);
	assert_state(&scene, "a@x/f.txt", "unconfirmed");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_state(&scene, "a@x/f.txt", "unconfirmed");
	assert_int_equal(attributes_of(&scene, "a@x/f.txt").st_size, 12);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/f.txt");
	assert_null(scene.account.offers.all);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* An empty file without a digest. */
static void test_outgoing_empty(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, "", 0, NULL);
	const struct msg *msg = scene_sent(&scene, MSG_SI, PHONE);
	assert_int_equal(msg->metadata->file.size, 0);
	assert_int_equal(msg->metadata->file.digest.algorithm, HASH_NONE);
	scene_accept(&scene);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_result(&scene);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	assert_result(close, 0);
	scene_finish(&scene);
}

static void test_outgoing_is_refused(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		ssize_t result;
	} rows[] = {
		{CONDITION_FORBIDDEN, -ECONNREFUSED},
		{CONDITION_NOT_ACCEPTABLE, -ECONNREFUSED},
		{CONDITION_NONE, -ECONNREFUSED},
		{CONDITION_BAD_REQUEST, -EPROTONOSUPPORT}, /* no-valid-streams, bad-profile */
		{CONDITION_SERVICE_UNAVAILABLE, -EPROTONOSUPPORT},
		{CONDITION_FEATURE_NOT_IMPLEMENTED, -EPROTONOSUPPORT},
		{CONDITION_ITEM_NOT_FOUND, -EPROTONOSUPPORT},
		{CONDITION_RECIPIENT_UNAVAILABLE, -EHOSTDOWN},
		{CONDITION_REMOTE_SERVER_NOT_FOUND, -EHOSTUNREACH},
		{CONDITION_CONFLICT, -ECONNREFUSED},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		scene_error(&scene, rows[i].condition);
		assert_result(close, rows[i].result);
		assert_state(&scene, "a@x/f", "broken");
		scene_is_quiet(&scene);
		/* A second close has the same result. */
		assert_result(scene_offer(&scene, handle, TEXT, 12, NULL), rows[i].result);
		assert_true(spool_file_resize(handle, 13) < 0);
		scene_release(&scene, handle);
		assert_null(scene.account.offers.all);
		assert_state(&scene, "a@x/f", "broken");
		scene_finish(&scene);
	}
}

/* Invalid answers. */
static void test_outgoing_bad_answers(void **state)
{
	(void)state;
	struct metadata range = scene_file(NULL, METADATA_NO_SIZE), other = range;
	range.file.has_range = true;
	range.file.offset = 12; /* there is nothing */
	other.has_ibb = false;
	const struct {
		const struct metadata *metadata;
	} rows[] = {{NULL}, {&other}, {&range}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		const struct msg *msg = scene_sent(&scene, MSG_SI, PHONE);
		struct msg answer = {.kind = MSG_RESULT,
				     .peer = "a@x/laptop",
				     .id = msg->id,
				     .metadata = rows[i].metadata};
		scene_receive(&scene, &answer); /* of somebody else */
		assert_waits(close);
		answer.peer = PHONE;
		scene_receive(&scene, &answer);
		assert_result(close, -EPROTO);
		scene_is_quiet(&scene);
		scene_accept(&scene); /* a second answer */
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

static void test_outgoing_stream_is_refused(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_accept(&scene);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_error(&scene, CONDITION_NOT_ACCEPTABLE);
	assert_result(close, -ECONNREFUSED);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* She does not want the rest. */
static void test_outgoing_peer_closes(void **state)
{
	(void)state;
	for (unsigned acknowledged = 0; acknowledged < 3; acknowledged++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, "Hello, world, hello", 19, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		scene_accept(&scene);
		scene_sent(&scene, MSG_OPEN, PHONE);
		scene_result(&scene);
		for (unsigned i = 0; i < acknowledged; i++) {
			scene_sent(&scene, MSG_DATA, PHONE);
			scene_result(&scene);
		}
		scene_peer_closes(&scene, PHONE, "sid1", false);
		assert_result(close, -ECANCELED);
		scene_sent(&scene, MSG_RESULT, PHONE);
		scene_is_quiet(&scene);
		scene_release(&scene, handle);
		assert_state(&scene, "a@x/f", "broken");
		scene_finish(&scene);
	}
}

/* If she has every byte, she may close. */
static void test_outgoing_peer_closes_at_the_end(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_accept(&scene);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_result(&scene);
	scene_sent(&scene, MSG_DATA, PHONE);
	scene_result(&scene);
	const struct msg *msg = scene_sent(&scene, MSG_DATA, PHONE);
	/* Both at once: our <close/> is not sent. */
	dispatch_receive(&scene.account,
			 &(struct msg){.kind = MSG_RESULT, .peer = PHONE, .id = msg->id},
			 scene.now_ms * 1000);
	scene_peer_closes(&scene, PHONE, "sid1", false);
	assert_result(close, 0);
	scene_finish(&scene);
}

/* Everything is acknowledged, or was sent in messages: but the file is on no disk yet. */
static void test_outgoing_to_an_ibbfs(void **state)
{
	(void)state;
	enum end {
		RESULT,
		ERROR,
		CLOSES, /* it has failed there */
		IS_SILENT,
		GOES,
	};
	static const struct {
		enum end end;
		enum condition condition;
		ssize_t result;
	} rows[] = {
		{RESULT, CONDITION_NONE, 0},
		{ERROR, CONDITION_RESOURCE_CONSTRAINT, -ENOSPC},
		{ERROR, CONDITION_NOT_ACCEPTABLE, -ECONNRESET},
		{ERROR, CONDITION_ITEM_NOT_FOUND, -ECONNRESET},
		{CLOSES, CONDITION_NONE, -ECONNRESET},
		{IS_SILENT, CONDITION_NONE, -ETIMEDOUT},
		{GOES, CONDITION_NONE, -ECONNRESET},
	};
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct scene scene;
		bool empty = i % 2 > 0;
		transfer_start(&scene, &format);
		scene.features |= FEATURE_IBBFS;
		attribute_set(scene_find(&scene, "a@x"), "user.ibb.format", "si", 2);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, empty ? 0 : 8, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		scene_accept(&scene);
		assert_null(scene_sent(&scene, MSG_OPEN, PHONE)->name);
		scene_result(&scene);
		if (!empty) {
			scene_sent(&scene, MSG_DATA, PHONE);
			scene_result(&scene);
		}
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, PHONE)->size, empty ? 0 : 8);
		assert_waits(close);
		switch (rows[i / 2].end) {
		case RESULT:
			scene_result(&scene);
			break;
		case ERROR:
			scene_error(&scene, rows[i / 2].condition);
			break;
		case CLOSES:
			scene_peer_closes(&scene, PHONE, "sid1", false);
			break;
		case IS_SILENT:
			scene_wait(&scene, OFFER_CONFIRM_MS);
			break;
		case GOES:
			scene_goes(&scene, PHONE);
			break;
		}
		assert_result(close, rows[i / 2].result);
		scene_finish(&scene);
	}
}

static void test_outgoing_timeout(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_wait(&scene, SCENE_ANSWER_TIMEOUT - 1);
	assert_waits(close);
	scene_wait(&scene, 1);
	assert_result(close, -ETIMEDOUT);
	scene_release(&scene, handle);
	assert_state(&scene, "a@x/f", "broken");

	/* She accepts later: the stream that she expects never comes. */
	scene_accept(&scene);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_is_quiet(&scene);
	assert_null(scene.account.offers.all);

	/* Or never. */
	handle = transfer_spool(&scene, "a@x/g");
	scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_wait(&scene, SCENE_ANSWER_TIMEOUT);
	scene_release(&scene, handle);
	assert_non_null(scene.account.offers.all);
	scene_wait(&scene, SCENE_ANSWER_TIMEOUT);
	assert_null(scene.account.offers.all);
	scene_accept(&scene);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_outgoing_is_interrupted(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_interrupt(&scene, close);
	assert_result(close, -EINTR);
	scene_is_quiet(&scene); /* SI has no message for it */
	assert_state(&scene, "a@x/f", "broken");
	assert_result(scene_offer(&scene, handle, TEXT, 12, NULL), -ECANCELED);
	scene_accept(&scene); /* late */
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_release(&scene, handle);
	assert_null(scene.account.offers.all);

	/* While bytes leave. */
	handle = transfer_spool(&scene, "a@x/g");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_accept(&scene);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_result(&scene);
	scene_sent(&scene, MSG_DATA, PHONE);
	scene_interrupt(&scene, close);
	assert_result(close, -EINTR);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_is_quiet(&scene);
	scene_release(&scene, handle);
	assert_null(scene.account.offers.all);

	/* One of two parked calls: the other one still waits. */
	handle = transfer_spool(&scene, "a@x/h");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	struct call *second = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_interrupt(&scene, close);
	scene_play(&scene);
	assert_result(close, -EINTR);
	assert_result(second, 0);
	scene_finish(&scene);
}

/* rm before and after she has accepted. */
static void test_outgoing_is_removed(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 4; steps++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		if (steps >= 1) {
			scene_accept(&scene);
			scene_sent(&scene, MSG_OPEN, PHONE);
		}
		if (steps >= 2) {
			scene_result(&scene);
		}
		if (steps >= 3) {
			scene_sent(&scene, MSG_DATA, PHONE);
			scene_result(&scene);
		}
		assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
		assert_result(close, -ECONNRESET);
		if (steps == 0) {
			scene_accept(&scene);
			scene_sent(&scene, MSG_OPEN, PHONE);
		}
		scene_sent(&scene, MSG_CLOSE, PHONE);
		scene_release(&scene, handle);
		assert_null(scene.account.offers.all);
		scene_finish(&scene);
	}
}

static void test_outgoing_breaks(void **state)
{
	(void)state;
	static const enum transfer_break breaks[] = {PEER_GONE, DISCONNECTED, STOPPED, ABANDONED};
	static const ssize_t results[][4] = {
		{-EHOSTDOWN, -EHOSTDOWN, -ECONNRESET, 0},
		{-ENETDOWN, -ENETDOWN, -ECONNRESET, 0},
		{-ECONNRESET, 0, 0, 0},
		{-ENETDOWN, -ENETDOWN, -ECONNRESET, 0},
	};
	for (size_t i = 0; i < COUNT(results) * 4; i++) {
		size_t steps = i % 4;
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		if (steps >= 1) {
			scene_accept(&scene);
			scene_sent(&scene, MSG_OPEN, PHONE);
		}
		if (steps >= 2) {
			scene_result(&scene);
			scene_sent(&scene, MSG_DATA, PHONE);
		}
		if (steps >= 3) {
			scene_result(&scene);
			scene_sent(&scene, MSG_DATA, PHONE);
			scene_result(&scene);
		}
		transfer_break(&scene, breaks[i / 4]);
		if (breaks[i / 4] == STOPPED) {
			if (steps == 1 || steps == 2) {
				scene_result(&scene); /* it goes on */
			}
			scene_play(&scene);
		}
		assert_result(close, results[i / 4][steps]);
		if (i / 4 < 3) {
			scene_release(&scene, handle);
			scene_play(&scene);
			assert_true(shutdown_is_complete(&scene.account));
		}
		scene_finish(&scene);
	}
}

static void test_outgoing_to_nobody(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	scene_goes(&scene, PHONE);
	assert_result(scene_offer(&scene, handle, TEXT, 12, NULL), -EHOSTDOWN);
	scene_is_quiet(&scene);
	/* She is back before the second descriptor is closed. */
	scene_comes(&scene, PHONE, 0);
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_play(&scene);
	assert_result(close, 0);
	assert_int_equal(scene.delivered, 12);
	scene_release(&scene, handle);

	handle = transfer_spool(&scene, "a@x/g");
	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	assert_result(scene_offer(&scene, handle, TEXT, 12, NULL), -ENETDOWN);
	scene_finish(&scene);
}

/* Both directions at once, with one peer. */
static void test_several(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handles[3];
	struct call *closes[3];
	static const char *const paths[] = {"a@x/f", "a@x/g", "a@x/h"};
	struct metadata metadata = scene_file("i", 5);
	scene_peer_offers(&scene, PHONE, "s1", &metadata);
	for (size_t i = 0; i < 3; i++) {
		handles[i] = transfer_spool(&scene, paths[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		closes[i] = scene_offer(&scene, handles[i], TEXT, 12, NULL);
	}
	scene_sent(&scene, MSG_SI, PHONE);
	scene_accept(&scene);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_error(&scene, CONDITION_FORBIDDEN);
	assert_result(closes[1], -ECONNREFUSED);
	struct handle *reader = NULL;
	struct call *open = scene_open(&scene, "a@x/in/i", O_RDONLY);
	scene_play(&scene);
	assert_result(closes[0], 0);
	assert_result(closes[2], 0);
	assert_int_equal(scene.delivered, 24);
	peer_opens(&scene, "s1", 8);
	assert_result(open, 0);
	reader = call_handle(open);
	transfer_block(&scene, "s1", 0, "Hello");
	assert_text(scene_read(&scene, reader, 9), "Hello");
	for (size_t i = 0; i < 3; i++) {
		scene_release(&scene, handles[i]);
	}
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_back),
		cmocka_unit_test(test_incoming),
		cmocka_unit_test(test_incoming_before_it_is_read),
		cmocka_unit_test(test_incoming_longer_than_the_buffer),
		cmocka_unit_test(test_incoming_closed),
		cmocka_unit_test(test_incoming_empty),
		cmocka_unit_test(test_incoming_md5),
		cmocka_unit_test(test_incoming_closed_after_it_has_failed),
		cmocka_unit_test(test_incoming_too_much),
		cmocka_unit_test(test_incoming_is_declined),
		cmocka_unit_test(test_incoming_by_next),
		cmocka_unit_test(test_incoming_without_waiting),
		cmocka_unit_test(test_incoming_opened_twice),
		cmocka_unit_test(test_incoming_that_cannot_be),
		cmocka_unit_test(test_incoming_flood),
		cmocka_unit_test(test_incoming_hostile),
		cmocka_unit_test(test_incoming_breaks),
		cmocka_unit_test(test_incoming_pings),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_outgoing_empty),
		cmocka_unit_test(test_outgoing_is_refused),
		cmocka_unit_test(test_outgoing_bad_answers),
		cmocka_unit_test(test_outgoing_stream_is_refused),
		cmocka_unit_test(test_outgoing_peer_closes),
		cmocka_unit_test(test_outgoing_peer_closes_at_the_end),
		cmocka_unit_test(test_outgoing_to_an_ibbfs),
		cmocka_unit_test(test_outgoing_timeout),
		cmocka_unit_test(test_outgoing_is_interrupted),
		cmocka_unit_test(test_outgoing_is_removed),
		cmocka_unit_test(test_outgoing_breaks),
		cmocka_unit_test(test_outgoing_to_nobody),
		cmocka_unit_test(test_several),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
