/* SPDX-License-Identifier: MIT */
/* Files of ours of which a peer asks for a part, in both formats. */
#include "offer/transfer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
	{11, 1, "d"},	 {0, 1, "H"},	 {5, 5, ", wor"}, {1, 11, TEXT + 1},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_ends_early),
		cmocka_unit_test(test_no_such_part),
		cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
