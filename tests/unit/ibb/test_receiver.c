/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/receiver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MEBIBYTE     ((size_t)1024 * 1024)
#define PEER	     "romeo@montague.lit/orchard"

/* The byte at an offset of the received bytes. */
static uint8_t pattern(uint64_t place)
{
	return (uint8_t)(place % 251);
}

/* A receiver, and the ids that it has acknowledged, each a letter. */
struct model {
	struct receiver receiver;
	struct effects effects;
	uint64_t sent, read;
	char acknowledged[128];
	size_t acknowledged_length;
};

static void finish(struct model *model)
{
	receiver_finish(&model->receiver);
	effects_finish(&model->effects);
}

static void take_messages(struct model *model)
{
	struct msg *msg;
	while ((msg = effects_take_message(&model->effects))) {
		assert_int_equal(msg->kind, MSG_RESULT);
		assert_string_equal(msg->peer, PEER);
		assert_int_equal(strlen(msg->id), 1);
		assert_true(model->acknowledged_length < sizeof(model->acknowledged) - 1);
		model->acknowledged[model->acknowledged_length++] = msg->id[0];
		model->acknowledged[model->acknowledged_length] = '\0';
		msg_destroy(msg);
	}
}

static enum condition receive(struct model *model, const char *id, uint16_t seq, size_t length,
			      enum stanza stanza, size_t block_size, size_t buffer)
{
	uint8_t *bytes = malloc(length + 1);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++) {
		bytes[i] = pattern(model->sent + i);
	}
	struct msg data = {
		.kind = MSG_DATA,
		.peer = PEER,
		.id = id,
		.stanza = stanza,
		.seq = seq,
		.data = bytes,
		.data_length = length,
	};
	enum condition condition =
		receiver_accept(&model->receiver, &data, block_size, buffer, &model->effects);
	if (!condition) {
		model->sent += length;
	}
	free(bytes);
	take_messages(model);
	return condition;
}

static ssize_t read_some(struct model *model, size_t size)
{
	uint8_t *bytes = NULL;
	ssize_t length = receiver_read(&model->receiver, size, &bytes);
	for (ssize_t i = 0; i < length; i++) {
		assert_int_equal(bytes[i], pattern(model->read++));
	}
	if (length <= 0) {
		assert_null(bytes);
	}
	free(bytes);
	return length;
}

enum action {
	DATA,	 /* block: its id; seq; length; condition */
	MESSAGE, /* the same by STANZA_MESSAGE */
	READ,	 /* size; the result */
	RELEASE, /* buffer */
};

struct step {
	enum action action;
	const char *id;
	uint16_t seq;
	size_t length;
	enum condition condition;
	ssize_t result;
	size_t unread;	   /* afterwards */
	const char *acked; /* so far */
};

#define BLOCK_SIZE ((size_t)8)
#define BUFFER	   ((size_t)20)

/* The cost of a held block in these tests, besides its bytes. */
#define HELD (sizeof(struct held_request) + 2)

static void play(const struct step *steps, size_t count, size_t block_size, size_t buffer)
{
	struct model model = {0};
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		enum condition condition = CONDITION_NONE;
		ssize_t result = 0;
		struct receiver before = model.receiver;
		switch (step->action) {
		case DATA:
		case MESSAGE:
			condition = receive(&model, step->id, step->seq, step->length,
					    step->action == DATA ? STANZA_IQ : STANZA_MESSAGE,
					    block_size, buffer);
			break;
		case READ:
			result = read_some(&model, step->length);
			break;
		case RELEASE:
			result = receiver_release(&model.receiver, PEER, step->length,
						  &model.effects);
			take_messages(&model);
			break;
		}
		if (condition != step->condition || result != step->result ||
		    model.receiver.in.length != step->unread ||
		    strcmp(model.acknowledged, step->acked) != 0) {
			fail_msg("step %zu: condition %d, result %zd, unread %zu, acked \"%s\"", i,
				 condition, result, model.receiver.in.length, model.acknowledged);
		}
		if (condition) { /* nothing has changed */
			assert_int_equal(model.receiver.seq, before.seq);
			assert_int_equal(model.receiver.received, before.received);
			assert_int_equal(model.receiver.held_memory, before.held_memory);
			assert_ptr_equal(model.receiver.held, before.held);
		}
		assert_int_equal(model.receiver.received, model.sent);
		assert_int_equal(model.receiver.in.length, model.sent - model.read);
	}
	finish(&model);
}

#define OK CONDITION_NONE

static void test_blocks(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{READ, 0, 0, 10, OK, 0, 0, ""},
		{DATA, "a", 0, 8, OK, 0, 8, "a"},
		{DATA, "b", 1, 3, OK, 0, 11, "ab"},
		{READ, 0, 0, 5, OK, 5, 6, "ab"},
		{DATA, "c", 2, 0, OK, 0, 6, "abc"}, /* an empty block is one */
		{DATA, "d", 3, 1, OK, 0, 7, "abcd"},
		{MESSAGE, "e", 4, 8, OK, 0, 15, "abcd"}, /* a message has no answer */
		{DATA, "f", 5, 1, OK, 0, 16, "abcdf"},
		{READ, 0, 0, SIZE_MAX, OK, 16, 0, "abcdf"},
		{READ, 0, 0, 1, OK, 0, 0, "abcdf"},
	};
	play(steps, COUNT(steps), BLOCK_SIZE, BUFFER);
}

static void test_wrong_blocks(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{DATA, "a", 1, 8, CONDITION_UNEXPECTED_REQUEST, 0, 0, ""},
		{DATA, "b", 65535, 8, CONDITION_UNEXPECTED_REQUEST, 0, 0, ""},
		{DATA, "c", 0, 9, CONDITION_BAD_REQUEST, 0, 0, ""},
		{DATA, "d", 0, 8, OK, 0, 8, "d"},
		{DATA, "e", 0, 8, CONDITION_UNEXPECTED_REQUEST, 0, 8, "d"},
		{DATA, "f", 2, 8, CONDITION_UNEXPECTED_REQUEST, 0, 8, "d"},
		{MESSAGE, "g", 0, 8, CONDITION_UNEXPECTED_REQUEST, 0, 8, "d"},
		{MESSAGE, "h", 1, 9, CONDITION_BAD_REQUEST, 0, 8, "d"},
		{DATA, "i", 2, 9, CONDITION_UNEXPECTED_REQUEST, 0, 8, "d"},
		{DATA, "j", 1, 8, OK, 0, 16, "dj"},
	};
	play(steps, COUNT(steps), BLOCK_SIZE, BUFFER);
}

static void test_no_base64(void **state)
{
	(void)state;
	struct model model = {0};
	struct msg data = {.kind = MSG_DATA, .peer = PEER, .id = "a"};
	assert_int_equal(
		receiver_accept(&model.receiver, &data, BLOCK_SIZE, BUFFER, &model.effects),
		CONDITION_BAD_REQUEST);
	assert_null(model.effects.messages);
	assert_int_equal(model.receiver.seq, 0);
	finish(&model);
}

static void test_held(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{DATA, "a", 0, 80, OK, 0, 80, "a"},
		{DATA, "b", 1, 80, OK, 0, 160, "ab"},
		{DATA, "c", 2, 40, OK, 0, 200, "abc"}, /* exactly full */
		{DATA, "d", 3, 10, OK, 0, 210, "abc"},
		{DATA, "e", 4, 0, OK, 0, 210, "abc"}, /* behind one that waits */
		{DATA, "f", 5, 40, OK, 0, 250, "abc"},
		{RELEASE, 0, 0, 200, OK, 0, 250, "abc"},
		{READ, 0, 0, 10, OK, 10, 240, "abc"},
		{RELEASE, 0, 0, 200, OK, 0, 240, "abcde"},
		{RELEASE, 0, 0, 200, OK, 0, 240, "abcde"},
		/* there is room for it, but not before an older one */
		{READ, 0, 0, 30, OK, 30, 210, "abcde"},
		{DATA, "g", 6, 0, OK, 0, 210, "abcde"},
		{READ, 0, 0, 100, OK, 100, 110, "abcde"},
		{DATA, "h", 7, 10, OK, 0, 120, "abcde"},
		{RELEASE, 0, 0, 200, OK, 0, 120, "abcdefgh"},
		{DATA, "i", 8, 80, OK, 0, 200, "abcdefghi"},
		/* all of them, regardless of room */
		{DATA, "j", 9, 80, OK, 0, 280, "abcdefghi"},
		{RELEASE, 0, 0, SIZE_MAX, OK, 0, 280, "abcdefghij"},
	};
	play(steps, COUNT(steps), 80, 200);
}

static void test_a_message_cannot_wait(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{MESSAGE, "a", 0, 8, OK, 0, 8, ""},
		{MESSAGE, "b", 1, 8, OK, 0, 16, ""},
		{MESSAGE, "c", 2, 5, CONDITION_RESOURCE_CONSTRAINT, 0, 16, ""},
		{MESSAGE, "d", 2, 4, OK, 0, 20, ""},
		{MESSAGE, "e", 3, 0, OK, 0, 20, ""},
		{READ, 0, 0, 4, OK, 4, 16, ""},
		{MESSAGE, "f", 4, 5, CONDITION_RESOURCE_CONSTRAINT, 0, 16, ""},
		{MESSAGE, "g", 4, 4, OK, 0, 20, ""},
	};
	play(steps, COUNT(steps), BLOCK_SIZE, BUFFER);
}

/* Unread and held bytes are bounded, however much arrives. */
static void test_bound(void **state)
{
	(void)state;
	static const struct {
		size_t length, buffer, slack;
	} rows[] = {
		{1000, 1000, MEBIBYTE},
		{8, 400, MEBIBYTE},
		{0, 8, MEBIBYTE},
		{65535, 65535, MEBIBYTE},
		{4096, MEBIBYTE, MEBIBYTE},
		{4096, MEBIBYTE + 1, MEBIBYTE + 1},
		{65535, 4 * MEBIBYTE, 4 * MEBIBYTE},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model model = {0};
		const struct receiver *receiver = &model.receiver;
		size_t buffer = rows[i].buffer, length = rows[i].length;
		uint16_t seq = 0;
		/* Full first, so that every further block is held. */
		assert_int_equal(receive(&model, "a", seq++, buffer, STANZA_IQ, buffer, buffer),
				 CONDITION_NONE);
		assert_int_equal(receive(&model, "b", seq++, 1, STANZA_IQ, buffer, buffer),
				 CONDITION_NONE);
		enum condition condition = CONDITION_NONE;
		while (!condition) {
			size_t unread = receiver->in.length + length, held = receiver->held_memory;
			condition = receive(&model, "b", seq++, length, STANZA_IQ, buffer, buffer);
			assert_int_equal(!condition,
					 unread <= buffer + rows[i].slack && held <= rows[i].slack);
		}
		assert_int_equal(condition, CONDITION_RESOURCE_CONSTRAINT);
		assert_true(receiver->in.length <= buffer + rows[i].slack);
		assert_true(receiver->held_memory <= rows[i].slack + HELD);
		assert_string_equal(model.acknowledged, "a");
		finish(&model);
	}
}

static void test_block_sizes(void **state)
{
	(void)state;
	static const struct {
		size_t block_size, length;
		enum condition condition;
	} rows[] = {
		{1, 1, CONDITION_NONE},		{1, 2, CONDITION_BAD_REQUEST},
		{65535, 65535, CONDITION_NONE}, {65535, 65536, CONDITION_BAD_REQUEST},
		{1, 0, CONDITION_NONE},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model model = {0};
		assert_int_equal(receive(&model, "a", 0, rows[i].length, STANZA_IQ,
					 rows[i].block_size, 1 << 20),
				 rows[i].condition);
		finish(&model);
	}
}

static void test_seq_wraps(void **state)
{
	(void)state;
	struct model model = {0};
	for (uint32_t i = 0; i < 65536 + 3; i++) {
		model.acknowledged_length = 0;
		assert_int_equal(receive(&model, "a", (uint16_t)i, 1, STANZA_IQ, 1, 4),
				 CONDITION_NONE);
		assert_string_equal(model.acknowledged, "a");
		assert_int_equal(read_some(&model, 1), 1);
	}
	assert_int_equal(receive(&model, "a", 2, 1, STANZA_IQ, 1, 4), CONDITION_UNEXPECTED_REQUEST);
	assert_int_equal(model.receiver.received, 65539);
	finish(&model);
}

static void test_finish(void **state)
{
	(void)state;
	receiver_finish(NULL);
	struct model model = {0};
	receive(&model, "a", 0, 8, STANZA_IQ, 8, 4);
	receive(&model, "b", 1, 0, STANZA_IQ, 8, 4);
	receiver_finish(&model.receiver);
	assert_null(model.receiver.held);
	assert_int_equal(model.receiver.held_memory, 0);
	receiver_finish(&model.receiver);
	finish(&model);
}

/* Without memory, a block is not accepted, and a read or a release loses nothing. */
static void test_memory_is_short(void **state)
{
	(void)state;
	size_t n = 0;
	do {
		struct model model = {0};
		failing_malloc_arm(++n);
		uint16_t seq = 0;
		char id[2] = "a";
		while (seq < 5) { /* four fit, the fifth is held */
			static const uint8_t bytes[8] = "bytes";
			struct msg data = {.kind = MSG_DATA, .peer = PEER, .id = id, .seq = seq};
			data.data = bytes;
			data.data_length = sizeof(bytes);
			size_t unread = model.receiver.in.length;
			enum condition condition =
				receiver_accept(&model.receiver, &data, 8, 32, &model.effects);
			if (condition) {
				assert_int_equal(condition, CONDITION_RESOURCE_CONSTRAINT);
				assert_int_equal(model.receiver.seq, seq);
				assert_int_equal(model.receiver.received, seq * 8);
				assert_int_equal(model.receiver.in.length, unread);
			} else {
				seq++;
				id[0]++;
			}
		}
		take_messages(&model);
		assert_string_equal(model.acknowledged, "abcd");

		uint8_t *bytes = NULL;
		ssize_t length = receiver_read(&model.receiver, 8, &bytes);
		if (length < 0) {
			assert_int_equal(length, -ENOMEM);
			assert_null(bytes);
			assert_int_equal(model.receiver.in.length, 40);
			length = receiver_read(&model.receiver, 8, &bytes);
		}
		assert_int_equal(length, 8);
		assert_string_equal((char *)bytes, "bytes");
		free(bytes);

		int error = receiver_release(&model.receiver, PEER, 32, &model.effects);
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_non_null(model.receiver.held);
			error = receiver_release(&model.receiver, PEER, 32, &model.effects);
		}
		assert_int_equal(error, 0);
		take_messages(&model);
		assert_string_equal(model.acknowledged, "abcde");
		assert_int_equal(model.receiver.held_memory, 0);
		finish(&model);
	} while (failing_malloc_disarm());
	assert_true(n > 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_wrong_blocks),
		cmocka_unit_test(test_no_base64),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_a_message_cannot_wait),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_seq_wraps),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_memory_is_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
