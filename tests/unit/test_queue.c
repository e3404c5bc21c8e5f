/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The byte at a place of the run that all tests put through a queue. */
static uint8_t pattern(size_t place)
{
	return (uint8_t)(place * 31 + place / 251);
}

/* A queue, and which part of the run it must hold. */
struct model {
	struct queue queue;
	size_t first, end;
};

static int append(struct model *model, size_t length)
{
	uint8_t *bytes = malloc(length + 1);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++) {
		bytes[i] = pattern(model->end + i);
	}
	int result = queue_append(&model->queue, bytes, length);
	free(bytes);
	if (result == 0) {
		model->end += length;
	}
	return result;
}

static void assert_holds(const struct model *model)
{
	const struct queue *queue = &model->queue;
	size_t length = model->end - model->first;
	assert_int_equal(queue->length, length);
	assert_true(queue->capacity >= length);
	assert_int_equal(queue->capacity & (queue->capacity - 1), 0);
	assert_true(queue->head < queue->capacity || queue->head == 0);
	assert_true((queue->bytes == NULL) == (length == 0)); /* an idle queue costs nothing */

	/* All of it, then a part that starts and ends inside. */
	const size_t parts[][2] = {{0, length}, {length / 3, length / 2}, {length, 0}};
	for (size_t i = 0; i < COUNT(parts); i++) {
		uint8_t *bytes = malloc(parts[i][1] + 1);
		assert_non_null(bytes);
		queue_copy(queue, parts[i][0], bytes, parts[i][1]);
		for (size_t j = 0; j < parts[i][1]; j++) {
			assert_int_equal(bytes[j], pattern(model->first + parts[i][0] + j));
		}
		free(bytes);
	}
}

enum action {
	APPEND,
	DROP,
	DROP_END,
};

static void act(struct model *model, enum action action, size_t length)
{
	switch (action) {
	case APPEND:
		assert_int_equal(append(model, length), 0);
		break;
	case DROP:
		queue_drop(&model->queue, length);
		model->first += length;
		break;
	case DROP_END:
		queue_drop_end(&model->queue, length);
		model->end -= length;
		break;
	}
	assert_holds(model);
}

static void test_steps(void **state)
{
	(void)state;
	static const struct {
		enum action action;
		size_t length, left;
	} steps[] = {
		{APPEND, 0, 0},
		{DROP, 0, 0},
		{DROP_END, 0, 0},
		{APPEND, 1, 1},
		{DROP, 1, 0},
		/* exactly full, then around the end of the ring */
		{APPEND, 1024, 1024},
		{DROP, 1000, 24},
		{APPEND, 1000, 1024},
		{DROP, 500, 524},
		{APPEND, 400, 924},
		/* grows while it is wrapped */
		{APPEND, 101, 1025},
		{APPEND, 0, 1025},
		{APPEND, 100000, 101025},
		{DROP, 101024, 1},
		{APPEND, 100000, 100001},
		/* the newest bytes leave, also across the end of the ring */
		{DROP_END, 99990, 11},
		{APPEND, 60000, 60011},
		{DROP_END, 60000, 11},
		{DROP_END, 11, 0},
		{APPEND, 5000, 5000},
		{DROP, 5000, 0},
	};
	struct model model = {0};
	for (size_t i = 0; i < COUNT(steps); i++) {
		act(&model, steps[i].action, steps[i].length);
		assert_int_equal(model.queue.length, steps[i].left);
	}
	queue_finish(&model.queue);
}

static void test_many_steps(void **state)
{
	(void)state;
	struct model model = {0};
	uint32_t random = 1;
	for (unsigned i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		size_t length = model.end - model.first, amount = (random >> 8) % 700;
		enum action action = random >> 28 < (length < 4000 ? 9 : 5) ? APPEND
				     : random >> 28 < 14		    ? DROP
									    : DROP_END;
		act(&model, action, action != APPEND && amount > length ? length : amount);
	}
	queue_finish(&model.queue);
}

static void test_finish(void **state)
{
	(void)state;
	queue_finish(NULL);
	struct model model = {0};
	act(&model, APPEND, 10);
	queue_finish(&model.queue);
	model.first = model.end;
	assert_holds(&model);
	act(&model, APPEND, 10); /* and it can be used again */
	queue_finish(&model.queue);
	queue_finish(&model.queue);
}

static void test_memory_is_short(void **state)
{
	(void)state;
	/* A queue whose bytes wrap, and one that is empty. */
	for (size_t held = 0; held <= 800; held += 800) {
		struct model model = {0};
		if (held > 0) {
			act(&model, APPEND, 1000);
			act(&model, DROP, 900);
			act(&model, APPEND, held - 100);
		}
		static uint8_t bytes[3000];
		for (size_t i = 0; i < sizeof bytes; i++) {
			bytes[i] = pattern(model.end + i);
		}
		failing_malloc_arm(1);
		assert_int_equal(queue_append(&model.queue, bytes, sizeof bytes), -ENOMEM);
		assert_true(failing_malloc_disarm());
		assert_holds(&model);
		assert_int_equal(queue_append(&model.queue, bytes, sizeof bytes), 0);
		model.end += sizeof bytes;
		assert_holds(&model);
		queue_finish(&model.queue);
	}
}

static void test_impossible_lengths(void **state)
{
	(void)state;
	static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 9, SIZE_MAX - 10, SIZE_MAX / 2 + 2};
	struct model model = {0};
	act(&model, APPEND, 10);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		assert_int_equal(queue_append(&model.queue, "", lengths[i]), -ENOMEM);
		assert_holds(&model);
	}
	queue_finish(&model.queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_many_steps),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_memory_is_short),
		cmocka_unit_test(test_impossible_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
