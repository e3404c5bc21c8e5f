/* SPDX-License-Identifier: MIT */
/* op, and effects: the queues of completed ops and of messages. */
#include "failing_malloc.h"
#include "ibb/effects.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_init(void **state)
{
	(void)state;
	struct op op;
	memset(&op, 0xff, sizeof op);
	op_init(&op, OP_WRITE, 77, 4096, true);
	assert_int_equal(op.kind, OP_WRITE);
	assert_int_equal(op.token, 77);
	assert_int_equal(op.size, 4096);
	assert_true(op.nonblock);
	assert_null(op.list);
	assert_null(op.data);
	assert_int_equal(op.result, 0);
}

static void test_finish(void **state)
{
	(void)state;
	op_finish(NULL);
	struct op op;
	op_init(&op, OP_READ, 1, 10, false);
	op_finish(&op);
	op.data = malloc(10);
	op_finish(&op);
	assert_null(op.data);
	op_finish(&op);
}

/* Ops are letters; each step leaves the lists as its row shows them. */
static void test_steps(void **state)
{
	(void)state;
	enum action {
		PARK_READER,
		PARK_WRITER,
		COMPLETE,
		COMPLETE_READERS
	};
	static const struct {
		enum action action;
		char op;
		ssize_t result;
		const char *readers, *writers, *done;
	} steps[] = {
		{COMPLETE_READERS, 0, -EIO, "", "", ""},
		{PARK_READER, 'a', 0, "a", "", ""},
		{PARK_READER, 'b', 0, "ab", "", ""},
		{PARK_WRITER, 'c', 0, "ab", "c", ""},
		{PARK_READER, 'd', 0, "abd", "c", ""},
		{COMPLETE, 'b', 5, "ad", "c", "b"},
		/* one that was never parked */
		{COMPLETE, 'e', 7, "ad", "c", "be"},
		{COMPLETE, 'c', -EINTR, "ad", "", "bec"},
		{PARK_WRITER, 'f', 0, "ad", "f", "bec"},
		{COMPLETE_READERS, 0, -ECONNRESET, "", "f", "becad"},
		{COMPLETE_READERS, 0, -EIO, "", "f", "becad"},
		{COMPLETE, 'f', 0, "", "", "becadf"},
	};
	static const ssize_t results[] = {-ECONNRESET, 5, -EINTR, -ECONNRESET, 7, 0};

	struct op ops[6];
	for (size_t i = 0; i < COUNT(ops); i++) {
		op_init(&ops[i], OP_READ, 'a' + i, 1, false);
	}
	struct op *readers = NULL, *writers = NULL;
	struct effects effects = {0};
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct op *op = steps[i].op != 0 ? &ops[steps[i].op - 'a'] : NULL;
		switch (steps[i].action) {
		case PARK_READER:
			op_park(op, &readers);
			assert_ptr_equal(op->list, &readers);
			break;
		case PARK_WRITER:
			op_park(op, &writers);
			assert_ptr_equal(op->list, &writers);
			break;
		case COMPLETE:
			op_complete(op, steps[i].result, &effects.done);
			assert_null(op->list);
			break;
		case COMPLETE_READERS:
			op_complete_all(&readers, steps[i].result, &effects.done);
			break;
		}
		struct op *const lists[] = {readers, writers, effects.done};
		const char *const expected[] = {steps[i].readers, steps[i].writers, steps[i].done};
		for (size_t j = 0; j < COUNT(lists); j++) {
			char letters[COUNT(ops) + 1] = "";
			size_t count = 0;
			for (struct op *at = lists[j]; at != NULL; at = at->next) {
				letters[count++] = (char)at->token;
			}
			assert_string_equal(letters, expected[j]);
		}
	}

	struct op *done = effects_take_done(&effects);
	assert_ptr_equal(done, &ops[1]);
	assert_null(effects_take_done(&effects));
	for (size_t i = 0; i < COUNT(ops); i++) {
		assert_int_equal(ops[i].result, results[i]);
		assert_null(ops[i].list);
		op_finish(&ops[i]);
	}
	effects_finish(&effects);
}

static void test_interrupt(void **state)
{
	(void)state;
	static const struct {
		enum op_kind kind;
		bool holds_data;
		ssize_t result;
	} rows[] = {
		{OP_OPEN, false, -EINTR}, {OP_READ, false, -EINTR}, {OP_FLUSH, false, -EINTR},
		{OP_WRITE, false, 10}, /* its bytes were queued: it waited for room only */
		{OP_WRITE, true, -EINTR},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct op op, *parked = NULL, *done = NULL;
		op_init(&op, rows[i].kind, 1, 10, false);
		op.data = rows[i].holds_data ? malloc(10) : NULL;
		op_park(&op, &parked);
		op_interrupt(&op, &done);
		assert_null(parked);
		assert_ptr_equal(done, &op);
		assert_int_equal(op.result, rows[i].result);
		op_finish(&op);
	}
}

static void test_messages(void **state)
{
	(void)state;
	struct effects effects = {0};
	assert_null(effects_take_message(&effects));
	struct msg close = {.kind = MSG_CLOSE, .peer = "a@b/c", .id = "close 1", .sid = "s"};
	assert_int_equal(effects_send(&effects, &close), 0);
	assert_int_equal(effects_send_result(&effects, "d@e/f", "one"), 0);

	/* Messages keep their order, also when one is taken in between. */
	struct msg *msg = effects_take_message(&effects);
	assert_int_equal(msg->kind, MSG_CLOSE);
	assert_string_equal(msg->sid, "s");
	msg_destroy(msg);
	assert_int_equal(effects_send_error(&effects, "g@h/i", "two", CONDITION_FORBIDDEN), 0);

	msg = effects_take_message(&effects);
	assert_int_equal(msg->kind, MSG_RESULT);
	assert_string_equal(msg->peer, "d@e/f");
	assert_string_equal(msg->id, "one");
	assert_null(msg->sid);
	assert_false(msg->answers_info);
	assert_int_equal(msg->condition, CONDITION_NONE);
	assert_null(msg->next);
	msg_destroy(msg);

	msg = effects_take_message(&effects);
	assert_int_equal(msg->kind, MSG_ERROR);
	assert_string_equal(msg->peer, "g@h/i");
	assert_string_equal(msg->id, "two");
	assert_int_equal(msg->condition, CONDITION_FORBIDDEN);
	assert_int_equal(msg->error_type, ERROR_TYPE_AUTH);
	msg_destroy(msg);
	assert_null(effects_take_message(&effects));
	effects_finish(&effects);
}

static void test_memory_is_short(void **state)
{
	(void)state;
	size_t n = 0;
	do {
		struct effects effects = {0};
		struct msg ping = {.kind = MSG_PING, .peer = "a@b/c", .id = "0"};
		failing_malloc_arm(++n);
		int results[] = {
			effects_send(&effects, &ping),
			effects_send_result(&effects, "a@b/c", "1"),
			effects_send_error(&effects, "a@b/c", "2", CONDITION_BAD_REQUEST),
		};
		/* The others are queued, in order; effects_finish frees the last of them. */
		size_t count = 0;
		struct msg *at = effects.messages;
		for (size_t i = 0; i < COUNT(results); i++) {
			assert_int_equal(results[i], i + 1 == n ? -ENOMEM : 0);
			if (results[i] == 0) {
				assert_non_null(at);
				assert_int_equal(at->id[0], '0' + i);
				at = at->next;
				count++;
			}
		}
		assert_null(at);
		assert_int_equal(count, failing_malloc_failed() ? 2 : 3);
		msg_destroy(effects_take_message(&effects));
		effects_finish(&effects);
		assert_null(effects.messages);
	} while (failing_malloc_disarm());
	assert_int_equal(n, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),	 cmocka_unit_test(test_finish),
		cmocka_unit_test(test_steps),	 cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_messages), cmocka_unit_test(test_memory_is_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
