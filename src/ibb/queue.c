/* SPDX-License-Identifier: MIT */
#include "ibb/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CAPACITY 1024

void queue_finish(struct queue *queue)
{
	if (queue != NULL) {
		free(queue->bytes);
		*queue = (struct queue){0};
	}
}

size_t queue_capacity(size_t length)
{
	size_t capacity = LEAST_CAPACITY;
	while (capacity < length) {
		if (capacity > SIZE_MAX / 2) {
			return SIZE_MAX;
		}
		capacity *= 2;
	}
	return length == 0 ? 0 : capacity;
}

/* Makes room for `length` bytes in all. */
static int reserve(struct queue *queue, size_t length)
{
	if (length <= queue->capacity) {
		return 0;
	}
	size_t capacity = queue_capacity(length);
	if (capacity == SIZE_MAX) {
		return -ENOMEM;
	}
	uint8_t *bytes = malloc(capacity);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	queue_copy(queue, 0, bytes, queue->length);
	free(queue->bytes);
	queue->bytes = bytes;
	queue->capacity = capacity;
	queue->head = 0;
	return 0;
}

int queue_append(struct queue *queue, const void *bytes, size_t length)
{
	if (length == 0) {
		return 0;
	}
	if (length > SIZE_MAX - queue->length || reserve(queue, queue->length + length) < 0) {
		return -ENOMEM;
	}
	size_t tail = (queue->head + queue->length) & (queue->capacity - 1);
	size_t run = queue->capacity - tail;
	if (run > length) {
		run = length;
	}
	memcpy(queue->bytes + tail, bytes, run);
	memcpy(queue->bytes, (const uint8_t *)bytes + run, length - run);
	queue->length += length;
	return 0;
}

void queue_copy(const struct queue *queue, size_t offset, void *bytes, size_t length)
{
	assert(offset <= queue->length && length <= queue->length - offset);
	if (length == 0) {
		return;
	}
	size_t start = (queue->head + offset) & (queue->capacity - 1);
	size_t run = queue->capacity - start;
	if (run > length) {
		run = length;
	}
	memcpy(bytes, queue->bytes + start, run);
	memcpy((uint8_t *)bytes + run, queue->bytes, length - run);
}

void queue_drop(struct queue *queue, size_t length)
{
	assert(length <= queue->length);
	queue->length -= length;
	if (queue->length == 0) {
		queue_finish(queue);
	} else {
		queue->head = (queue->head + length) & (queue->capacity - 1);
	}
}

void queue_drop_end(struct queue *queue, size_t length)
{
	assert(length <= queue->length);
	queue->length -= length;
	if (queue->length == 0) {
		queue_finish(queue);
	}
}
