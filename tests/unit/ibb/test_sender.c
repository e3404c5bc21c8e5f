/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/sender.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The byte at an offset of the written bytes. */
static uint8_t pattern(uint64_t place)
{
	return (uint8_t)(place % 251);
}

/* A sender, and how much of the pattern was written and sent. */
struct model {
	struct sender sender;
	uint64_t written, taken;
};

static int append(struct model *model, size_t length)
{
	uint8_t *bytes = malloc(length + 1);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++) {
		bytes[i] = pattern(model->written + i);
	}
	int error = sender_append(&model->sender, bytes, length);
	free(bytes);
	if (!error) {
		model->written += length;
	}
	return error;
}

/* Takes the next block, whose bytes must be the next ones; returns its number. */
static uint64_t take(struct model *model, size_t length)
{
	uint64_t number;
	uint8_t *bytes = malloc(length);
	assert_non_null(bytes);
	assert_int_equal(sender_send_block(&model->sender, length, bytes, &number, 0), 0);
	for (size_t i = 0; i < length; i++) {
		assert_int_equal(bytes[i], pattern(model->taken + i));
	}
	free(bytes);
	model->taken += length;
	return number;
}

enum action {
	APPEND, /* bytes */
	PUSH,
	TAKE, /* bytes: the sendable bytes must be this many; they are */
	STOP, /* nothing may be sent */
	ACK,  /* a block's number */
	NACK, /* a block's number, which must be unknown */
	DISCARD,
};

struct step {
	enum action action;
	uint64_t value;
	size_t out, in_flight, push; /* afterwards */
	uint64_t first, acknowledged;
};

static void play(const struct step *steps, size_t count, size_t block_size, size_t window)
{
	struct model model = {0};
	struct sender *sender = &model.sender;
	uint64_t number = 0;
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		size_t value = (size_t)step->value;
		switch (step->action) {
		case APPEND:
			assert_int_equal(append(&model, value), 0);
			break;
		case PUSH:
			sender_push(sender);
			break;
		case TAKE:
			assert_int_equal(sender_next_length(sender, block_size, window), value);
			assert_int_equal(take(&model, value), number++);
			break;
		case STOP:
			assert_int_equal(sender_next_length(sender, block_size, window), 0);
			break;
		case ACK:
			assert_true(sender_is_in_flight(sender, step->value));
			assert_true(sender_acknowledge(sender, step->value));
			assert_false(sender_is_in_flight(sender, step->value));
			break;
		case NACK:
			assert_false(sender_is_in_flight(sender, step->value));
			assert_false(sender_acknowledge(sender, step->value));
			break;
		case DISCARD:
			sender_discard(sender);
			break;
		}
		if (sender->out.length != step->out || sender->in_flight != step->in_flight ||
		    sender->push != step->push || sender->oldest != step->first ||
		    sender->acknowledged != step->acknowledged) {
			fail_msg("step %zu: %zu %zu %zu %zu %zu", i, sender->out.length,
				 sender->in_flight, sender->push, (size_t)sender->oldest,
				 (size_t)sender->acknowledged);
		}
		assert_int_equal(sender->written, model.written);
		assert_int_equal(sender_is_empty(sender), step->out == 0);
	}
	sender_finish(sender);
}

#define PLAY(steps, block_size, window) play(steps, COUNT(steps), block_size, window)

static void test_nagle(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{STOP, 0, 0, 0, 0, 0, 0},
		/* a partial block is sent when nothing is in flight */
		{APPEND, 3, 3, 0, 0, 0, 0},
		{TAKE, 3, 3, 3, 0, 0, 0},
		/* else when it is full */
		{APPEND, 7, 10, 3, 0, 0, 0},
		{STOP, 0, 10, 3, 0, 0, 0},
		{APPEND, 1, 11, 3, 0, 0, 0},
		{TAKE, 8, 11, 11, 0, 0, 0},
		{STOP, 0, 11, 11, 0, 0, 0},
		/* or when everything before it is acknowledged */
		{APPEND, 2, 13, 11, 0, 0, 0},
		{ACK, 0, 10, 8, 0, 1, 3},
		{STOP, 0, 10, 8, 0, 1, 3},
		{ACK, 1, 2, 0, 0, 2, 11},
		{TAKE, 2, 2, 2, 0, 2, 11},
		/* or when it is pushed, with the bytes that came after the push */
		{APPEND, 1, 3, 2, 0, 2, 11},
		{PUSH, 0, 3, 2, 3, 2, 11},
		{APPEND, 1, 4, 2, 3, 2, 11},
		{TAKE, 2, 4, 4, 3, 2, 11},
		/* a push applies only to the bytes before it */
		{APPEND, 1, 5, 4, 3, 2, 11},
		{STOP, 0, 5, 4, 3, 2, 11},
		{ACK, 2, 3, 2, 1, 3, 13},
		{ACK, 3, 1, 0, 0, 4, 15},
		{TAKE, 1, 1, 1, 0, 4, 15},
		{ACK, 4, 0, 0, 0, 5, 16},
		/* nothing to push */
		{PUSH, 0, 0, 0, 0, 5, 16},
		{STOP, 0, 0, 0, 0, 5, 16},
	};
	PLAY(steps, 8, 100);
}

static void test_push_of_many_blocks(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{APPEND, 20, 20, 0, 0, 0, 0}, {PUSH, 0, 20, 0, 20, 0, 0},
		{PUSH, 0, 20, 0, 20, 0, 0},   {TAKE, 8, 20, 8, 20, 0, 0},
		{TAKE, 8, 20, 16, 20, 0, 0},  {ACK, 0, 12, 8, 12, 1, 8},
		{TAKE, 4, 12, 12, 12, 1, 8},  {STOP, 0, 12, 12, 12, 1, 8},
		{ACK, 1, 4, 4, 4, 2, 16},     {ACK, 2, 0, 0, 0, 3, 20},
	};
	PLAY(steps, 8, 100);
}

static void test_window(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{APPEND, 40, 40, 0, 0, 0, 0},
		{TAKE, 8, 40, 8, 0, 0, 0},
		{TAKE, 8, 40, 16, 0, 0, 0},
		/* 24 would be more than 20: blocks are not made smaller for the window */
		{STOP, 0, 40, 16, 0, 0, 0},
		{PUSH, 0, 40, 16, 40, 0, 0},
		{STOP, 0, 40, 16, 40, 0, 0},
		{ACK, 0, 32, 8, 32, 1, 8},
		{TAKE, 8, 32, 16, 32, 1, 8},
		{STOP, 0, 32, 16, 32, 1, 8},
		/* a block that is acknowledged out of order stays in flight until its turn */
		{ACK, 2, 32, 16, 32, 1, 8},
		{STOP, 0, 32, 16, 32, 1, 8},
		{ACK, 1, 16, 0, 16, 3, 24},
		{TAKE, 8, 16, 8, 16, 3, 24},
		{TAKE, 8, 16, 16, 16, 3, 24},
		{ACK, 4, 16, 16, 16, 3, 24},
		{ACK, 3, 0, 0, 0, 5, 40},
	};
	PLAY(steps, 8, 20);
}

static void test_one_block_always_may_be_in_flight(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{APPEND, 16, 16, 0, 0, 0, 0}, {TAKE, 8, 16, 8, 0, 0, 0},  {STOP, 0, 16, 8, 0, 0, 0},
		{PUSH, 0, 16, 8, 16, 0, 0},   {STOP, 0, 16, 8, 16, 0, 0}, {ACK, 0, 8, 0, 8, 1, 8},
		{TAKE, 8, 8, 8, 8, 1, 8},     {ACK, 1, 0, 0, 0, 2, 16},
	};
	PLAY(steps, 8, 7);
	PLAY(steps, 8, 0);
}

static void test_exact_window(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{APPEND, 24, 24, 0, 0, 0, 0}, {TAKE, 8, 24, 8, 0, 0, 0}, {TAKE, 8, 24, 16, 0, 0, 0},
		{STOP, 0, 24, 16, 0, 0, 0},   {ACK, 0, 16, 8, 0, 1, 8},	 {TAKE, 8, 16, 16, 0, 1, 8},
		{ACK, 1, 8, 8, 0, 2, 16},     {ACK, 2, 0, 0, 0, 3, 24},
	};
	PLAY(steps, 8, 16);
}

static void test_answers_to_nothing(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{NACK, 0, 0, 0, 0, 0, 0},	{APPEND, 24, 24, 0, 0, 0, 0},
		{NACK, 0, 24, 0, 0, 0, 0}, /* not sent yet */
		{TAKE, 8, 24, 8, 0, 0, 0},	{TAKE, 8, 24, 16, 0, 0, 0},
		{NACK, 2, 24, 16, 0, 0, 0},	{NACK, UINT64_MAX, 24, 16, 0, 0, 0},
		{NACK, 65536, 24, 16, 0, 0, 0}, /* the seq is 0, the block is not */
		{ACK, 1, 24, 16, 0, 0, 0},	{NACK, 1, 24, 16, 0, 0, 0}, /* twice, out of turn */
		{ACK, 0, 8, 0, 0, 2, 16},	{NACK, 0, 8, 0, 0, 2, 16},  /* twice */
		{NACK, 1, 8, 0, 0, 2, 16},	{TAKE, 8, 8, 8, 0, 2, 16},
		{NACK, 1, 8, 8, 0, 2, 16},	{ACK, 2, 0, 0, 0, 3, 24},
		{NACK, 2, 0, 0, 0, 3, 24},
	};
	PLAY(steps, 8, 100);
}

static void test_discard(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{DISCARD, 0, 0, 0, 0, 0, 0}, {APPEND, 20, 20, 0, 0, 0, 0},
		{TAKE, 8, 20, 8, 0, 0, 0},   {TAKE, 8, 20, 16, 0, 0, 0},
		{ACK, 0, 12, 8, 0, 1, 8},    {PUSH, 0, 12, 8, 12, 1, 8},
		{DISCARD, 0, 0, 0, 0, 1, 8}, /* acknowledged blocks stay acknowledged */
		{NACK, 1, 0, 0, 0, 1, 8},    {STOP, 0, 0, 0, 0, 1, 8},
	};
	PLAY(steps, 8, 100);
}

static void test_block_sizes(void **state)
{
	(void)state;
	static const struct {
		size_t block_size, window, length, blocks, last;
	} rows[] = {
		{1, 1, 3, 3, 1},
		{1, 1000, 1000, 1000, 1},
		{2, 1000, 5, 3, 1},
		{65535, 65535, 65535, 1, 65535},
		{65535, 1 << 20, 65536, 2, 1},
		{65535, 1 << 20, 3 * 65535, 3, 65535},
		{4096, 65536, 10000, 3, 1808},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model model = {0};
		assert_int_equal(append(&model, rows[i].length), 0);
		sender_push(&model.sender);
		uint64_t acknowledged = 0, number = 0;
		size_t length = 0;
		while (!sender_is_empty(&model.sender)) {
			size_t next = sender_next_length(&model.sender, rows[i].block_size,
							 rows[i].window);
			if (next > 0) {
				length = next;
				assert_int_equal(take(&model, next), number++);
			} else {
				assert_true(sender_acknowledge(&model.sender, acknowledged++));
			}
		}
		assert_int_equal(number, rows[i].blocks);
		assert_int_equal(length, rows[i].last);
		assert_int_equal(model.sender.acknowledged, rows[i].length);
		sender_finish(&model.sender);
	}
}

/* Answers in any order, while the ring of blocks grows and wraps. */
static void test_any_order(void **state)
{
	(void)state;
	struct model model = {0};
	struct sender *sender = &model.sender;
	uint32_t random = 1;
	uint64_t sent = 0, answered = 0;
	bool is_answered[2048] = {false};
	while (answered < COUNT(is_answered)) {
		random = random * 1664525 + 1013904223;
		if (sender->out.length - sender->in_flight < 100) {
			assert_int_equal(append(&model, 300), 0);
		}
		if (random >> 31 && sent < COUNT(is_answered) && sender->blocks_length < 40) {
			assert_int_equal(take(&model, 1 + (random >> 8) % 50), sent++);
			continue;
		}
		uint64_t number = sender->oldest + (random >> 8) % 45;
		bool known = number < sent && !is_answered[number];
		assert_int_equal(sender_acknowledge(sender, number), known);
		if (known) {
			is_answered[number] = true;
			answered++;
		}
		assert_int_equal(sender->blocks_length, sent - sender->oldest);
		for (uint64_t block = 0; block < sender->oldest; block++) {
			assert_true(is_answered[block]);
		}
		assert_true(sender->oldest == COUNT(is_answered) || !is_answered[sender->oldest]);
	}
	assert_int_equal(sender->in_flight, 0);
	assert_int_equal(sender->acknowledged, model.taken);
	assert_int_equal(sender->out.length, model.written - model.taken);
	sender_finish(sender);
}

static void test_restart(void **state)
{
	(void)state;
	struct model model = {0};
	struct sender *sender = &model.sender;
	assert_int_equal(append(&model, 40), 0);
	sender_push(sender);
	take(&model, 10);
	take(&model, 10);
	sender->epoch++;
	sender_restart(sender);
	model.taken = 0;
	assert_int_equal(sender_next_number(sender), 0);
	assert_int_equal(sender->in_flight, 0);
	assert_int_equal(sender->epoch, 0);
	assert_false(sender_acknowledge(sender, 0));
	take(&model, 30);
	assert_int_equal(sender_next_length(sender, 30, 100), 10); /* it is still pushed */
	take(&model, 10);
	assert_true(sender_acknowledge(sender, 0));
	assert_true(sender_acknowledge(sender, 1));
	assert_true(sender_is_empty(sender));
	sender_finish(sender);
}

static void test_cut_anew(void **state)
{
	(void)state;
	struct model model = {0};
	struct sender *sender = &model.sender;
	assert_int_equal(append(&model, 40), 0);
	assert_int_equal(sender_longest(sender), 0);
	take(&model, 10);
	take(&model, 10);
	take(&model, 8);
	assert_int_equal(sender_longest(sender), 10);
	/* not what is in flight */
	sender_cut_anew(sender, 0, 4);
	assert_int_equal(sender_next_number(sender), 3);
	sender_retransmit_all(sender);
	sender->epoch++;
	/* nor what is short enough; nor what the receiver cannot mean */
	sender_cut_anew(sender, 0, 10);
	sender_cut_anew(sender, 4, 4);
	assert_int_equal(sender->blocks_length, 3);
	sender_cut_anew(sender, 3, 4);
	assert_int_equal(sender->blocks_length, 3);
	assert_false(sender_was_cut_anew(sender, 2, 0));
	/* from the second on */
	sender_cut_anew(sender, 1, 4);
	model.taken = 0;
	assert_int_equal(sender_next_length(sender, 4, 100), 10);
	assert_int_equal(take(&model, 10), 0);
	assert_int_equal(sender_next_length(sender, 4, 100), 4);
	assert_int_equal(take(&model, 4), 1);
	/* answers to the first and to the second transmission of each */
	assert_false(sender_was_cut_anew(sender, 0, 0));
	assert_true(sender_was_cut_anew(sender, 1, 0));
	assert_false(sender_was_cut_anew(sender, 1, 1));
	assert_true(sender_was_cut_anew(sender, 2, 0));
	assert_false(sender_was_cut_anew(sender, 3, 0));
	assert_true(sender_acknowledge(sender, 0));
	assert_true(sender_acknowledge(sender, 1));
	assert_int_equal(sender->carried, 10);
	assert_false(sender_was_cut_anew(sender, 1, 0));
	assert_int_equal(sender->acknowledged, 14);
	sender_finish(sender);
}

static void test_zeros(void **state)
{
	(void)state;
	struct sender sender = {0};
	uint8_t bytes[10002];
	uint64_t number;
	assert_int_equal(sender_append(&sender, "a", 1), 0);
	assert_int_equal(sender_append(&sender, NULL, 10000), 0);
	assert_int_equal(sender_append(&sender, NULL, 0), 0);
	assert_int_equal(sender_append(&sender, "b", 1), 0);
	assert_int_equal(sender.written, sizeof(bytes));
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(sender_send_block(&sender, sizeof(bytes), bytes, &number, 0), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(bytes[i], i == 0 ? 'a' : i == 10001 ? 'b' : 0);
	}
	sender_finish(&sender);
}

/* An answered question acknowledges the blocks behind the question before it. */
static void test_questions(void **state)
{
	(void)state;
	struct model model = {.written = 0};
	struct sender *sender = &model.sender;
	assert_int_equal(append(&model, 30), 0);
	for (uint64_t number = 0; number < 6; number++) {
		assert_int_equal(take(&model, 5), number);
	}
	sender_note_question(sender, 1);
	sender_note_question(sender, 2);
	sender_note_question(sender, 5);
	sender_note_question(sender, 6); /* is not in flight */
	sender_acknowledge_asked(sender, 5);
	assert_int_equal(sender->acknowledged, 0);
	assert_false(sender_is_in_flight(sender, 3));
	assert_true(sender_is_in_flight(sender, 2));
	sender_acknowledge_asked(sender, 1);
	assert_int_equal(sender->acknowledged, 10);
	sender_acknowledge_asked(sender, 2);
	assert_true(sender_is_empty(sender));
	sender_finish(sender);
}

static void test_finish(void **state)
{
	(void)state;
	sender_finish(NULL);
	struct model model = {0};
	sender_finish(&model.sender);
	assert_int_equal(append(&model, 10), 0);
	take(&model, 4);
	sender_finish(&model.sender);
	sender_finish(&model.sender);
}

/* On an error nothing has changed, and it works the next time. */
static void test_memory_is_short(void **state)
{
	(void)state;
	uint8_t bytes[8];
	uint64_t number;
	/* Zeros are written in pieces, and a later piece may fail. */
	for (size_t n = 1; n <= 3; n++) {
		struct model model = {0};
		assert_int_equal(append(&model, 10), 0);
		failing_malloc_arm(n);
		int error = sender_append(&model.sender, NULL, 50000);
		assert_int_equal(error, failing_malloc_disarm() ? -ENOMEM : 0);
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(model.sender.written, 10);
		assert_int_equal(model.sender.out.length, 10);
		assert_int_equal(sender_append(&model.sender, NULL, 50000), 0);
		assert_int_equal(model.sender.written, 50010);
		sender_finish(&model.sender);
	}

	struct model model = {0};
	struct sender *sender = &model.sender;
	failing_malloc_arm(1);
	assert_int_equal(sender_append(sender, "abc", 3), -ENOMEM);
	assert_true(failing_malloc_disarm());
	assert_int_equal(sender->written, 0);
	assert_true(sender_is_empty(sender));
	assert_int_equal(append(&model, 100), 0);
	/* The ring of blocks is made, and grows, when it is needed. */
	for (size_t i = 0; i < 40; i++) {
		struct sender before = *sender;
		failing_malloc_arm(1);
		int error = sender_send_block(sender, 1, bytes, &number, 0);
		if (failing_malloc_disarm()) {
			assert_int_equal(error, -ENOMEM);
			assert_memory_equal(sender, &before, sizeof(before));
			error = sender_send_block(sender, 1, bytes, &number, 0);
		}
		assert_int_equal(error, 0);
		assert_int_equal(number, i);
		assert_int_equal(bytes[0], pattern(i));
	}
	/* No answer needs memory. */
	failing_malloc_arm(1);
	for (size_t i = 40; i-- > 0;) {
		assert_true(sender_acknowledge(sender, i));
	}
	assert_false(failing_malloc_disarm());
	assert_int_equal(sender->acknowledged, 40);
	sender_finish(sender);
}

/* The next is a skip of so many bytes. */
static void take_skip(struct model *model, uint64_t length, uint64_t number)
{
	uint64_t skipped, sent;
	assert_int_equal(sender_next_length(&model->sender, 8, 100), SENDER_SKIP);
	assert_int_equal(sender_send_skip(&model->sender, &skipped, &sent, 0), 0);
	assert_int_equal(skipped, length);
	assert_int_equal(sent, number);
	model->taken += length;
}

static void append_skip(struct model *model, uint64_t length)
{
	assert_int_equal(sender_skip(&model->sender, length), 0);
	model->written += length;
}

static void test_skips(void **state)
{
	(void)state;
	struct model model = {0};
	struct sender *sender = &model.sender;
	assert_int_equal(append(&model, 10), 0);
	append_skip(&model, 20);
	append_skip(&model, 5);
	assert_int_equal(append(&model, 9), 0);
	/* a block ends where the skip begins, and does not wait for more bytes */
	assert_int_equal(take(&model, 8), 0);
	assert_int_equal(sender_next_length(sender, 8, 100), 2);
	assert_int_equal(take(&model, 2), 1);
	take_skip(&model, 25, 2);
	assert_int_equal(take(&model, 8), 3);
	assert_int_equal(sender_next_length(sender, 8, 100), 0);
	assert_int_equal(sender->written, 44);

	/* retransmitted, and acknowledged in order */
	sender_retransmit(sender, 2);
	model.taken = 10;
	take_skip(&model, 25, 2);
	assert_true(sender_acknowledge(sender, 2));
	assert_int_equal(sender->acknowledged, 0);
	assert_true(sender_acknowledge(sender, 0) && sender_acknowledge(sender, 1));
	assert_int_equal(sender->acknowledged, 35);
	assert_int_equal(sender_delivered(sender), 10);

	/* cut anew, with a skip behind */
	append_skip(&model, 7);
	sender_push(sender);
	assert_int_equal(take(&model, 8), 3);
	assert_int_equal(take(&model, 1), 4);
	take_skip(&model, 7, 5);
	sender_retransmit_all(sender);
	sender_cut_anew(sender, 3, 5);
	model.taken = 35;
	assert_int_equal(sender_next_length(sender, 5, 100), 5);
	assert_int_equal(take(&model, 5), 3);
	assert_int_equal(take(&model, 4), 4);
	take_skip(&model, 7, 5);
	assert_int_equal(sender_next_length(sender, 8, 100), 0);
	assert_false(sender_is_empty(sender));
	assert_true(sender_acknowledge(sender, 3) && sender_acknowledge(sender, 4));
	assert_false(sender_is_empty(sender));
	assert_true(sender_acknowledge(sender, 5));
	assert_true(sender_is_empty(sender));
	append_skip(&model, 1);
	sender_discard(sender);
	assert_true(sender_is_empty(sender));
	sender_finish(sender);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nagle),
		cmocka_unit_test(test_push_of_many_blocks),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_one_block_always_may_be_in_flight),
		cmocka_unit_test(test_exact_window),
		cmocka_unit_test(test_answers_to_nothing),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_cut_anew),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_skips),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_memory_is_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
