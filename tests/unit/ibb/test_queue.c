/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

/* Of a segment; the least is 1024. */
#define MOST_SIZE ((size_t)64 * 1024)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The byte at an offset of the pattern that all tests put through a queue. */
static uint8_t pattern(size_t place)
{
	return (uint8_t)(place * 31 + place / 251);
}

/* A queue, and the part of the pattern that it must hold. */
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
	size_t memory = queue_memory_with(&model->queue, length);
	int result = queue_append(&model->queue, bytes, length);
	free(bytes);
	if (result == 0) {
		assert_int_equal(model->queue.memory, memory);
		model->end += length;
	}
	return result;
}

static void assert_holds(const struct model *model)
{
	const struct queue *queue = &model->queue;
	size_t length = model->end - model->first;
	assert_int_equal(queue->length, length);
	assert_true((queue->segments == NULL) == (length == 0)); /* an idle queue costs nothing */
	size_t memory = 0, held = 0;
	const struct queue_segment *segment;
	DL_FOREACH (queue->segments, segment) {
		assert_true(segment->first < segment->end && segment->end <= segment->size);
		assert_true(segment->size <= MOST_SIZE);
		assert_true(segment->first == 0 || segment == queue->segments);
		assert_true(segment->end == segment->size || !segment->next);
		memory += sizeof(*segment) + segment->size;
		held += segment->end - segment->first;
	}
	assert_int_equal(queue->memory, memory);
	assert_int_equal(queue->length, held);

	/* The whole queue, then parts that start and end inside, near either end. */
	const size_t parts[][2] = {
		{0, length},
		{length / 3, length / 2},
		{length / 3 * 2, length / 4},
		{length - length / 9, length / 9},
		{length, 0},
	};
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
		/* exactly full, then beyond the end of the segment */
		{APPEND, 1024, 1024},
		{DROP, 1000, 24},
		{APPEND, 1000, 1024},
		{DROP, 500, 524},
		{APPEND, 400, 924},
		/* one byte of the next segment */
		{APPEND, 101, 1025},
		{APPEND, 0, 1025},
		{APPEND, 100000, 101025},
		{DROP, 101024, 1},
		{APPEND, 100000, 100001},
		/* the newest bytes are removed, whole segments included */
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
	/* A queue that has some room, and one that is empty; for one segment more, and for two. */
	static uint8_t bytes[100000];
	static const struct {
		size_t held;
		unsigned failing;
	} cases[] = {{0, 1}, {0, 2}, {800, 1}, {800, 2}};
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct model model = {0};
		if (cases[n].held > 0) {
			act(&model, APPEND, 1000);
			act(&model, DROP, 900);
			act(&model, APPEND, cases[n].held - 100);
		}
		for (size_t i = 0; i < sizeof bytes; i++) {
			bytes[i] = pattern(model.end + i);
		}
		failing_malloc_arm(cases[n].failing);
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
	static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 9, SIZE_MAX - 10, SIZE_MAX / 2 - 8};
	struct model model = {0};
	act(&model, APPEND, 10);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		assert_int_equal(queue_append(&model.queue, "", lengths[i]), -ENOMEM);
		assert_true(queue_memory_with(&model.queue, lengths[i]) == SIZE_MAX);
		assert_holds(&model);
	}
	queue_finish(&model.queue);
}

/* The memory of a queue that grew by blocks: up to twice its bytes while it is short; for a long
 * one hardly more than its bytes. */
static void test_memory(void **state)
{
	(void)state;
	static const struct {
		size_t block, length, most;
	} cases[] = {
		{1, 1, 1024},	       {1, 5000, 8192},		 {4096, 4096, 4096},
		{4096, 16384, 16384},  {4096, 20480, 32768},	 {16384, 16384, 16384},
		{65535, 65535, 65536}, {4096, 8 << 20, 8 << 20}, {65535, 65535 * 100, 65536 * 100},
	};
	static uint8_t bytes[65535];
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct queue queue = {0};
		while (queue.length < cases[i].length) {
			assert_int_equal(queue_append(&queue, bytes, cases[i].block), 0);
		}
		size_t headers = sizeof(struct queue_segment) * (8 + cases[i].length / MOST_SIZE);
		assert_in_range(queue.memory, cases[i].length, cases[i].most + headers);
		/* Memory of removed bytes is freed, except in a segment that still holds a byte. */
		queue_drop(&queue, queue.length - 1);
		assert_true(queue.memory <= sizeof(struct queue_segment) + MOST_SIZE);
		queue_finish(&queue);
		assert_int_equal(queue.memory, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_many_steps),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_memory_is_short),
		cmocka_unit_test(test_impossible_lengths),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
