/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct msg templates[] = {
	{.kind = MSG_OPEN,
	 .peer = "alice@example.org/phone",
	 .id = "open 7.1",
	 .sid = "mysid",
	 .block_size = 65535,
	 .stanza = STANZA_MESSAGE,
	 .name = "na\xc3\xafve.txt",
	 .size = INT64_MAX},
	{.kind = MSG_OPEN, .peer = "a@b/c", .id = "", .sid = "s", .block_size = 1, .size = -1},
	{.kind = MSG_DATA,
	 .peer = "alice@example.org/phone",
	 .id = "data 7.65536",
	 .sid = "mysid",
	 .seq = 65535,
	 .data = (const uint8_t *)"\0one\0two",
	 .data_length = 8},
	{.kind = MSG_CLOSE, .peer = "a@b/c", .id = "close 1", .sid = "s", .reset = true},
	{.kind = MSG_RESULT, .peer = "", .id = "x"},
	{.kind = MSG_RESULT,
	 .peer = "a@b/c",
	 .id = "i",
	 .node = "https://example.org/#hash=",
	 .answers_info = true,
	 .features = FEATURE_IBB | FEATURE_IBBFS},
	{.kind = MSG_ERROR,
	 .peer = "a@b/c",
	 .id = "i",
	 .condition = CONDITION_RESOURCE_CONSTRAINT,
	 .error_type = ERROR_TYPE_MODIFY},
};

static void assert_string_copied(const char *copy, const char *original)
{
	if (original == NULL) {
		assert_null(copy);
	} else {
		assert_ptr_not_equal(copy, original);
		assert_string_equal(copy, original);
	}
}

static void test_copies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(templates); i++) {
		struct msg original = templates[i];
		original.prev = original.next = &original; /* as if it were on a list */
		struct msg *copy = msg_create(&original);
		assert_non_null(copy);
		assert_string_copied(copy->peer, original.peer);
		assert_string_copied(copy->id, original.id);
		assert_string_copied(copy->sid, original.sid);
		assert_string_copied(copy->name, original.name);
		assert_string_copied(copy->node, original.node);
		assert_ptr_equal(copy->data, msg_room(copy));
		if (original.data != NULL) {
			assert_ptr_not_equal(copy->data, original.data);
			assert_memory_equal(copy->data, original.data, original.data_length);
		}
		assert_null(copy->prev);
		assert_null(copy->next);
		assert_int_equal(copy->kind, original.kind);
		assert_int_equal(copy->block_size, original.block_size);
		assert_int_equal(copy->stanza, original.stanza);
		assert_int_equal(copy->size, original.size);
		assert_int_equal(copy->seq, original.seq);
		assert_int_equal(copy->data_length, original.data_length);
		assert_int_equal(copy->reset, original.reset);
		assert_int_equal(copy->features, original.features);
		assert_int_equal(copy->answers_info, original.answers_info);
		assert_int_equal(copy->condition, original.condition);
		assert_int_equal(copy->error_type, original.error_type);
		msg_destroy(copy);
	}
}

/* The metadata is copied completely, after strings of any length. */
static void test_copies_metadata(void **state)
{
	static const char sid[] = "12345678";
	struct metadata metadata = {
		.file = {.name = "photo.jpg",
			 .size = 3,
			 .date = METADATA_NO_DATE,
			 .media_type = "image/jpeg",
			 .digest = {.algorithm = HASH_SHA_256, .length = 32, .bytes = {1, 2, 3}}},
		.action = JINGLE_SESSION_INITIATE,
		.content = "a-file",
		.transport_sid = "transport",
		.block_size = 4096,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(sid); i++) {
		struct msg original = {.kind = MSG_JINGLE,
				       .peer = "a@b/c",
				       .id = "j1.0",
				       .sid = sid + i,
				       .metadata = &metadata};
		struct msg *copy = msg_create(&original);
		assert_non_null(copy);
		const struct metadata *got = copy->metadata;
		assert_ptr_not_equal(got, &metadata);
		assert_string_copied(copy->sid, sid + i);
		assert_string_copied(got->file.name, metadata.file.name);
		assert_string_copied(got->file.media_type, metadata.file.media_type);
		assert_null(got->file.description);
		assert_string_copied(got->content, metadata.content);
		assert_string_copied(got->transport_sid, metadata.transport_sid);
		assert_true(digest_equals(&got->file.digest, &metadata.file.digest));
		assert_int_equal(got->file.size, 3);
		assert_int_equal(got->block_size, 4096);
		msg_destroy(copy);
	}
}

/* The room for the sender's data overlaps no string. */
static void test_room(void **state)
{
	(void)state;
	static const size_t lengths[] = {0, 1, 4096, 65535};
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct msg *msg = msg_create(&(struct msg){.kind = MSG_DATA,
							   .peer = "alice@example.org/phone",
							   .id = "data 7.1",
							   .sid = "mysid",
							   .data_length = lengths[i]});
		assert_non_null(msg);
		assert_int_equal(msg->data_length, lengths[i]);
		memset(msg_room(msg), 0xff, lengths[i]);
		assert_string_equal(msg->peer, "alice@example.org/phone");
		assert_string_equal(msg->id, "data 7.1");
		assert_string_equal(msg->sid, "mysid");
		msg_destroy(msg);
	}
}

static void test_one_allocation(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(templates); i++) {
		size_t n = 0;
		do {
			failing_malloc_arm(++n);
			struct msg *msg = msg_create(&templates[i]);
			assert_int_equal(msg == NULL, failing_malloc_failed());
			msg_destroy(msg);
		} while (failing_malloc_disarm());
		assert_int_equal(n, 2);
	}
}

static void test_data_room(void **state)
{
	static const struct {
		const char *peer, *sid;
		size_t max_stanza, room;
	} rows[] = {
		{"a@b/c", "s", 10000, (10000 - 512 - 6) / 4 * 3},
		{"a@b/&", "s", 10000, (10000 - 512 - 10 - 1) / 4 * 3},
		{"a@b/'", "\"", 10000, (10000 - 512 - 10 - 6) / 4 * 3},
		{"a@b/c", "s", 512 + 6 + 4, 3},
		/* never nothing */
		{"a@b/c", "s", 512 + 6 + 3, 1},
		{"a@b/c", "s", 0, 1},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(msg_data_room(rows[i].peer, rows[i].sid, rows[i].max_stanza),
				 rows[i].room);
	}
	assert_true(msg_data_room("a", "s", SIZE_MAX) > 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),	       cmocka_unit_test(test_copies_metadata),
		cmocka_unit_test(test_room),	       cmocka_unit_test(test_data_room),
		cmocka_unit_test(test_one_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
