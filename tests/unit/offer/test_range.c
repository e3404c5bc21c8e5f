/* SPDX-License-Identifier: MIT */
/* Offered files of which a part is transferred: of ours, in both formats; and of a peer's. */
#include "account/inbox_file.h"
#include "account/spool_file.h"
#include "offer/transfer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- ours ---- */

static const struct transfer_format si = {.feature = FEATURE_SI};
static const struct transfer_format jingle = {.feature = FEATURE_JINGLE};

static const struct transfer_format *const formats[] = {&si, &jingle};

/* The file is offered; *id: of the request by stream initiation. */
static struct call *offer(struct scene *scene, const struct transfer_format *format,
			  struct handle **handle, char id[32])
{
	transfer_start(scene, format);
	*handle = transfer_spool(scene, "a@x/f");
	struct call *close = scene_offer(scene, *handle, TEXT, 12, NULL);
	const struct msg *msg = format == &si ? scene_sent(scene, MSG_SI, PHONE)
					      : scene_jingle(scene, JINGLE_SESSION_INITIATE, PHONE);
	assert_true(msg->metadata->file.has_range); /* a part may be asked for */
	assert_int_equal(msg->metadata->file.offset, 0);
	assert_int_equal(msg->metadata->file.length, 0);
	snprintf(id, 32, "%s", msg->id);
	if (format == &jingle) {
		scene_result(scene);
	}
	return close;
}

/* She accepts it, and asks for a part. */
static void accept(struct scene *scene, const struct transfer_format *format, const char *id,
		   uint64_t offset, uint64_t length)
{
	struct metadata metadata =
		format == &si ? scene_file(NULL, METADATA_NO_SIZE) : scene_session("f", 12, "sid1");
	metadata.action = JINGLE_SESSION_ACCEPT;
	metadata.file.has_range = true;
	metadata.file.offset = offset;
	metadata.file.length = length;
	if (format == &si) {
		scene_receive(scene, &(struct msg){.kind = MSG_RESULT,
						   .peer = PHONE,
						   .id = id,
						   .metadata = &metadata});
	} else {
		scene_peer_says(scene, PHONE, "sid1", &metadata);
		scene_sent(scene, MSG_RESULT, PHONE);
	}
}

/* She answers all that we send, up to <close/>, and writes the bytes of all blocks to `bytes`. What
 * we say of the digest is that of the whole file. */
static void take(struct scene *scene, char bytes[32])
{
	struct digest whole = transfer_digest(HASH_SHA_256, TEXT);
	const struct msg *msg;
	size_t length = 0;
	while ((msg = scene_next(scene))) {
		if (msg->kind == MSG_DATA) {
			memcpy(bytes + length, msg->data, msg->data_length);
			length += msg->data_length;
		} else if (msg->kind == MSG_JINGLE) {
			assert_int_equal(msg->metadata->action, JINGLE_CHECKSUM);
			assert_true(digest_equals(&msg->metadata->file.digest, &whole));
		}
		scene_result(scene);
	}
	bytes[length] = '\0';
}

static const struct {
	uint64_t offset, length;
	const char *bytes;
} parts[] = {
	{0, 0, TEXT},	 {0, 12, TEXT},	 {7, 0, "world"}, {7, 5, "world"},
	{0, 5, "Hello"}, {4, 4, "o, w"}, {3, 1, "l"},	  {11, 0, "d"},
	{11, 1, "d"},	 {0, 1, "H"},	 {5, 5, ", wor"}, {1, 11, &TEXT[1]},
};

static void test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(parts) * COUNT(formats); i++) {
		const struct transfer_format *format = formats[i % COUNT(formats)];
		size_t part = i / COUNT(formats);
		struct scene scene;
		struct handle *handle;
		char id[32], bytes[32];
		struct call *close = offer(&scene, format, &handle, id);
		accept(&scene, format, id, parts[part].offset, parts[part].length);
		take(&scene, bytes);
		assert_string_equal(bytes, parts[part].bytes);
		if (format == &jingle) {
			struct metadata received = {.action = JINGLE_RECEIVED};
			assert_waits(close);
			scene_peer_says(&scene, PHONE, "sid1", &received);
			scene_sent(&scene, MSG_RESULT, PHONE);
		}
		assert_result(close, 0);
		assert_int_equal(scene_size(&scene, "a@x/f"), 12);
		scene_finish(&scene);
	}
}

/* She has her part before we have read the file to its end, and says so. */
static void test_ends_early(void **state)
{
	(void)state;
	struct scene scene;
	struct handle *handle;
	char id[32];
	struct call *close = offer(&scene, &jingle, &handle, id);
	accept(&scene, &jingle, id, 2, 3);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_result(&scene);
	struct metadata end = {.action = JINGLE_SESSION_TERMINATE, .reason = JINGLE_SUCCESS};
	while (scene_next(&scene) && scene.sent->kind != MSG_DATA) {
		scene_result(&scene);
	}
	assert_int_equal(scene.sent->data_length, 3);
	assert_memory_equal(scene.sent->data, "llo", 3);
	scene_result(&scene);
	scene_peer_says(&scene, PHONE, "sid1", &end);
	assert_result(close, 0);
	scene_finish(&scene);
}

/* Jingle: she asks for three bytes, has them, and closes the bytestream, while the rest of the file
 * is still read for its digest. The upload is the test's. */
static uint64_t closes_early(struct scene *scene, struct call **close)
{
	struct handle *handle;
	struct call call = {0};
	char id[32];
	*close = offer(scene, &jingle, &handle, id);
	uint64_t number = handle->node->file.offer->number;
	scene->uploads[0].over = true;
	accept(scene, &jingle, id, 2, 3);
	scene_sent(scene, MSG_OPEN, PHONE);
	scene_result(scene);
	op_init(&call.op, OP_WRITE, 0, 3, false);
	spool_file_send(&scene->account, number, &call.op, "llo", scene->now_ms);
	scene_settle(scene);
	assert_result(&call, 3);
	op_finish(&call.op);
	scene_sent(scene, MSG_DATA, PHONE);
	scene_result(scene);
	scene_peer_closes(scene, PHONE, "sid1", false);
	scene_sent(scene, MSG_RESULT, PHONE);
	assert_waits(*close);
	return number;
}

/* She has her time to confirm the file from the digest on. */
static void test_long_digest(void **state)
{
	(void)state;
	struct digest digest = transfer_digest(HASH_SHA_256, TEXT);
	for (int confirms = 0; confirms < 2; confirms++) {
		struct scene scene;
		struct call *close;
		uint64_t number = closes_early(&scene, &close);
		scene_wait(&scene, 10 * (int64_t)OFFER_CONFIRM_MS);
		assert_waits(close);
		spool_file_set_digest(&scene.account, number, &digest);
		spool_file_end(&scene.account, number, 0, scene.now_ms);
		scene_settle(&scene);
		const struct msg *msg = scene_jingle(&scene, JINGLE_CHECKSUM, PHONE);
		assert_true(digest_equals(&msg->metadata->file.digest, &digest));
		scene_result(&scene);
		scene_wait(&scene, OFFER_CONFIRM_MS - 1);
		assert_waits(close);
		if (confirms) {
			struct metadata received = {.action = JINGLE_RECEIVED};
			scene_peer_says(&scene, PHONE, "sid1", &received);
			scene_sent(&scene, MSG_RESULT, PHONE);
			assert_result(close, 0);
		} else {
			scene_wait(&scene, 1);
			assert_result(close, -ETIMEDOUT);
		}
		scene_finish(&scene);
	}
}

/* The bytes after the part cannot be read. */
static void test_no_digest(void **state)
{
	(void)state;
	struct scene scene;
	struct call *close;
	uint64_t number = closes_early(&scene, &close);
	spool_file_end(&scene.account, number, -EIO, scene.now_ms);
	scene_settle(&scene);
	scene_jingle(&scene, JINGLE_SESSION_TERMINATE, PHONE);
	scene_result(&scene);
	assert_result(close, -EIO);
	scene_finish(&scene);
}

static void test_no_such_part(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, length;
	} rows[] = {
		{12, 0},	{13, 0},	 {INT64_MAX, 0},  {0, 13},
		{5, 8},		{12, 1},	 {11, 2},	  {INT64_MAX, INT64_MAX},
		{1, INT64_MAX}, {UINT64_MAX, 2}, {2, UINT64_MAX},
	};
	for (size_t i = 0; i < COUNT(rows) * COUNT(formats); i++) {
		const struct transfer_format *format = formats[i % COUNT(formats)];
		size_t row = i / COUNT(formats);
		struct scene scene;
		struct handle *handle;
		char id[32];
		struct call *close = offer(&scene, format, &handle, id);
		accept(&scene, format, id, rows[row].offset, rows[row].length);
		assert_result(close, -EPROTO);
		if (format == &jingle) {
			const struct msg *msg =
				scene_jingle(&scene, JINGLE_SESSION_TERMINATE, PHONE);
			assert_int_equal(msg->metadata->reason, JINGLE_FAILED_APPLICATION);
			scene_result(&scene);
		}
		scene_is_quiet(&scene);
		assert_state(&scene, "a@x/f", "broken");
		scene_release(&scene, handle);
		scene_finish(&scene);
	}
}

/* An empty file has no part but itself. */
static void test_empty(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, length;
		ssize_t result;
	} rows[] = {{0, 0, 0}, {1, 0, -EPROTO}, {0, 1, -EPROTO}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		char id[32];
		transfer_start(&scene, &si);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, "", 0, NULL);
		snprintf(id, sizeof(id), "%s", scene_sent(&scene, MSG_SI, PHONE)->id);
		accept(&scene, &si, id, rows[i].offset, rows[i].length);
		while (scene_next(&scene)) {
			assert_int_not_equal(scene.sent->kind, MSG_DATA);
			scene_result(&scene);
		}
		assert_result(close, rows[i].result);
		scene_finish(&scene);
	}
}

/* ---- theirs ---- */

#define PATH "a@x/f.part"

/* The first seven bytes of the file are in the inbox. */
static struct hash *hash_of_beginning(void)
{
	struct hash *hash = hash_create(HASH_SHA_256);
	assert_non_null(hash);
	assert_int_equal(hash_update(hash, TEXT, 7), 0);
	return hash;
}

/* She offers the file, with `digest`, to the inbox; returns its number. */
static uint64_t arrives(struct scene *scene, bool has_range, const struct digest *digest,
			enum hash_algorithm expected)
{
	struct metadata metadata = scene_session("f", 12, "t");
	transfer_start(scene, &jingle);
	scene->account.has_inbox = true;
	metadata.file.has_range = has_range;
	metadata.file.digest = *digest;
	scene_peer_says(scene, PHONE, "j1", &metadata);
	scene_sent(scene, MSG_RESULT, PHONE);
	struct inbox_arrival *arrival = inbox_file_take_arrivals(&scene->account);
	assert_non_null(arrival);
	uint64_t ino = arrival->ino;
	assert_int_equal(arrival->digest, expected);
	assert_int_equal(arrival->size, 12);
	free(arrival);
	assert_true(inbox_file_is_offered(&scene->account, ino));
	return ino;
}

static void begin(struct scene *scene, uint64_t ino, struct call *call)
{
	*call = (struct call){0};
	op_init(&call->op, OP_FLUSH, 0, 0, false);
	inbox_file_begin(&scene->account, ino, PATH, 0, &call->op, scene->now_ms);
	scene_settle(scene);
}

static void read_on(struct scene *scene, uint64_t ino, struct call *call)
{
	op_finish(&call->op);
	*call = (struct call){0};
	op_init(&call->op, OP_READ, 0, 100, false);
	inbox_file_read(&scene->account, ino, false, &call->op);
	scene_settle(scene);
}

/* Whether what is there must not be continued: -EBADMSG. */
static int end(struct scene *scene, uint64_t ino, int error)
{
	return inbox_file_end(&scene->account, ino, "", error, scene->now_ms);
}

static void test_rest(void **state)
{
	(void)state;
	const struct digest promise = {.algorithm = HASH_SHA_256};
	const struct digest right = transfer_digest(HASH_SHA_256, TEXT);
	const struct digest wrong = transfer_digest(HASH_SHA_256, "world");
	const struct {
		const struct digest *offered, *sent;
		ssize_t result;
	} rows[] = {
		{&right, NULL, 0},	    {&wrong, NULL, -EBADMSG},
		{&promise, &right, 0},	    {&promise, &wrong, -EBADMSG},
		{&promise, NULL, -EBADMSG}, /* nothing shows that it is right */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		struct call call;
		uint64_t ino = arrives(&scene, true, rows[i].offered, HASH_SHA_256);
		assert_int_equal(inbox_file_continue(&scene.account, ino, 7, hash_of_beginning()),
				 0);
		begin(&scene, ino, &call);
		const struct msg *msg = scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
		assert_true(msg->metadata->file.has_range);
		assert_int_equal(msg->metadata->file.offset, 7);
		assert_int_equal(msg->metadata->file.length, 0);
		scene_result(&scene);
		assert_int_equal(scene_size(&scene, "a@x/in/f"), 7);
		scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
		scene_sent(&scene, MSG_RESULT, PHONE);
		assert_result(&call, 0);
		if (rows[i].sent) {
			struct metadata checksum = {.action = JINGLE_CHECKSUM,
						    .file.digest = *rows[i].sent};
			scene_peer_says(&scene, PHONE, "j1", &checksum);
			scene_sent(&scene, MSG_RESULT, PHONE);
		}
		scene_peer_sends(&scene, PHONE, "t", 0, "world");
		read_on(&scene, ino, &call);
		assert_text(&call, "world");
		read_on(&scene, ino, &call);
		assert_int_equal(scene_size(&scene, "a@x/in/f"), 12);
		scene_wait(&scene, OFFER_CHECKSUM_MS);
		assert_result(&call, rows[i].result);
		if (rows[i].result) {
			assert_int_equal(end(&scene, ino, -EBADMSG), -EBADMSG);
		}
		scene_finish(&scene);
	}
}

/* She sends the rest of a file of which we have seven bytes: `call` waits for it. */
static uint64_t goes_on(struct scene *scene, struct call *call)
{
	const struct digest digest = transfer_digest(HASH_SHA_256, TEXT);
	uint64_t ino = arrives(scene, true, &digest, HASH_SHA_256);
	assert_int_equal(inbox_file_continue(&scene->account, ino, 7, hash_of_beginning()), 0);
	begin(scene, ino, call);
	scene_jingle(scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_result(scene);
	scene_peer_begins(scene, PHONE, "t", SCENE_BLOCK);
	scene_sent(scene, MSG_RESULT, PHONE);
	assert_result(call, 0);
	read_on(scene, ino, call);
	return ino;
}

/* What is more than the rest is no block of it. */
static void test_more_than_the_rest(void **state)
{
	(void)state;
	struct scene scene;
	struct call call;
	uint64_t ino = goes_on(&scene, &call);
	scene_peer_sends(&scene, PHONE, "t", 0, "Hello, ");
	scene_refused(&scene, PHONE, CONDITION_BAD_REQUEST, DETAIL_NONE);
	assert_result(&call, -EPROTO);
	assert_int_equal(end(&scene, ino, -EPROTO), -EBADMSG);
	scene_finish(&scene);
}

/* What was there, and what has come so far, may still be of the file. */
static void test_rest_that_breaks(void **state)
{
	(void)state;
	for (int terminated = 0; terminated < 2; terminated++) {
		struct scene scene;
		struct call call;
		uint64_t ino = goes_on(&scene, &call);
		if (terminated) {
			struct metadata metadata = {.action = JINGLE_SESSION_TERMINATE,
						    .reason = JINGLE_MEDIA_ERROR};
			scene_peer_says(&scene, PHONE, "j1", &metadata);
			assert_result(&call, -EBADMSG);
		} else {
			scene_peer_sends(&scene, PHONE, "t", 1, "orl");
			scene_refused(&scene, PHONE, CONDITION_UNEXPECTED_REQUEST, DETAIL_NONE);
			assert_result(&call, -EPROTO);
		}
		assert_int_equal(end(&scene, ino, -EPROTO), 0);
		scene_finish(&scene);
	}
}

static void test_no_rest(void **state)
{
	(void)state;
	struct scene scene;
	struct call call;
	const struct digest digest = transfer_digest(HASH_SHA_256, TEXT), none = {0};
	arrives(&scene, true, &none, HASH_NONE);
	scene_finish(&scene);

	uint64_t ino = arrives(&scene, false, &digest, HASH_NONE);
	assert_true(inbox_file_continue(&scene.account, ino, 7, hash_of_beginning()) < 0);
	scene_finish(&scene);

	/* It was withdrawn, or accepted, meanwhile. */
	ino = arrives(&scene, true, &digest, HASH_SHA_256);
	struct metadata end = {.action = JINGLE_SESSION_TERMINATE, .reason = JINGLE_CANCEL};
	scene_peer_says(&scene, PHONE, "j1", &end);
	assert_false(inbox_file_is_offered(&scene.account, ino));
	assert_true(inbox_file_continue(&scene.account, ino, 7, hash_of_beginning()) < 0);
	scene_finish(&scene);

	ino = arrives(&scene, true, &digest, HASH_SHA_256);
	begin(&scene, ino, &call);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	assert_false(scene.sent->metadata->file.has_range);
	assert_true(inbox_file_continue(&scene.account, ino, 7, hash_of_beginning()) < 0);
	assert_true(inbox_file_continue(&scene.account, 1000, 7, hash_of_beginning()) < 0);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_ends_early),
		cmocka_unit_test(test_long_digest),
		cmocka_unit_test(test_no_digest),
		cmocka_unit_test(test_no_such_part),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_more_than_the_rest),
		cmocka_unit_test(test_rest_that_breaks),
		cmocka_unit_test(test_no_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
