/* SPDX-License-Identifier: MIT */
#include "ibb/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A segment is as long as all segments before it together: short queues take little memory, long
 * ones few segments. MOST_SIZE limits what is unused at both ends of a long queue. */
#define LEAST_SIZE 1024
#define MOST_SIZE  ((size_t)64 * 1024)

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- segments ---- */

static void drop_segment(struct queue *queue, struct queue_segment *segment)
{
	DL_DELETE(queue->segments, segment);
	queue->memory -= sizeof(*segment) + segment->size;
	free(segment);
}

static struct queue_segment *last_segment(const struct queue *queue)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): DL_DELETE has corrected it */
	return queue->segments ? queue->segments->prev : NULL;
}

/* The size of a new segment after `length` bytes, if `more` bytes are to be appended. */
static size_t segment_size(size_t length, size_t more)
{
	size_t size = LEAST_SIZE;
	while (size < MOST_SIZE && (size < length || size < more)) {
		size *= 2;
	}
	return size;
}

/* Unused bytes of the last segment. */
static size_t room(const struct queue *queue)
{
	const struct queue_segment *last = last_segment(queue);
	return last ? last->size - last->end : 0;
}

void queue_finish(struct queue *queue)
{
	if (queue) {
		while (queue->segments) {
			drop_segment(queue, queue->segments);
		}
		*queue = (struct queue){0};
	}
}

/* ---- appending ---- */

static bool is_possible(const struct queue *queue, size_t length)
{
	return length <= PTRDIFF_MAX - queue->length;
}

size_t queue_memory_with(const struct queue *queue, size_t length)
{
	if (!is_possible(queue, length)) {
		return SIZE_MAX;
	}
	size_t memory = queue->memory;
	size_t done = smaller(length, room(queue));
	while (done < length) {
		size_t size = segment_size(queue->length + done, length - done);
		memory += sizeof(struct queue_segment) + size;
		done += smaller(size, length - done);
	}
	return memory;
}

/* Appends an empty segment for `more` bytes, or the first of them. */
static struct queue_segment *add_segment(struct queue *queue, size_t length, size_t more)
{
	size_t size = segment_size(length, more);
	struct queue_segment *segment = malloc(sizeof(*segment) + size);
	if (segment) {
		segment->size = size;
		segment->first = segment->end = 0;
		queue->memory += sizeof(*segment) + size;
		DL_APPEND(queue->segments, segment);
	}
	return segment;
}

int queue_append(struct queue *queue, const void *bytes, size_t length)
{
	if (!is_possible(queue, length)) {
		return -ENOMEM;
	}
	size_t before = queue->length;
	for (size_t done = 0, part; done < length; done += part) {
		if (room(queue) == 0 && !add_segment(queue, queue->length, length - done)) {
			queue_drop_end(queue, queue->length - before);
			return -ENOMEM;
		}
		struct queue_segment *last = last_segment(queue);
		part = smaller(length - done, last->size - last->end);
		memcpy(last->bytes + last->end, (const uint8_t *)bytes + done, part);
		last->end += part;
		queue->length += part;
	}
	return 0;
}

/* ---- removal ---- */

/* The segment of the byte at `*offset`, which becomes the offset in the segment. */
static const struct queue_segment *find(const struct queue *queue, size_t *offset)
{
	const struct queue_segment *segment = queue->segments;
	if (*offset < queue->length / 2) {
		while (*offset >= segment->end - segment->first) {
			*offset -= segment->end - segment->first;
			segment = segment->next;
		}
		*offset += segment->first;
		return segment;
	}
	size_t rest = queue->length - *offset; /* from there to the end */
	for (segment = segment->prev; rest > segment->end - segment->first;
	     segment = segment->prev) {
		rest -= segment->end - segment->first;
	}
	*offset = segment->end - rest;
	return segment;
}

void queue_copy(const struct queue *queue, size_t offset, void *bytes, size_t length)
{
	assert(offset <= queue->length && length <= queue->length - offset);
	if (length == 0) {
		return;
	}
	const struct queue_segment *segment = find(queue, &offset);
	for (size_t done = 0; done < length; segment = segment->next) {
		size_t part = smaller(segment->end - offset, length - done);
		memcpy((uint8_t *)bytes + done, segment->bytes + offset, part);
		done += part;
		offset = 0;
	}
}

void queue_drop(struct queue *queue, size_t length)
{
	assert(length <= queue->length);
	queue->length -= length;
	while (length > 0) {
		struct queue_segment *segment = queue->segments;
		/* The segments hold queue->length bytes. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		size_t part = smaller(segment->end - segment->first, length);
		segment->first += part;
		length -= part;
		if (segment->first == segment->end) {
			drop_segment(queue, segment);
		}
	}
}

void queue_drop_end(struct queue *queue, size_t length)
{
	assert(length <= queue->length);
	queue->length -= length;
	while (length > 0) {
		struct queue_segment *segment = last_segment(queue);
		size_t part = smaller(segment->end - segment->first, length);
		segment->end -= part;
		length -= part;
		if (segment->first == segment->end) {
			drop_segment(queue, segment);
		}
	}
}
