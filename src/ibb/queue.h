/* SPDX-License-Identifier: MIT */
/*
 * queue - a first-in first-out run of bytes.
 *
 * Takes memory when bytes come in and gives it back as they leave, all of it with the last one, so
 * an idle stream costs none. Bytes stay where they were put: a long queue takes hardly more than
 * it holds, also while it grows. The bound on what goes in is the caller's.
 *
 * Units:   bytes.
 * Errors:  -ENOMEM, and then the queue is as it was.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_QUEUE_H
#define IBB_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* A piece of a queue; each but the first and the last is full. */
struct queue_segment {
	struct queue_segment *prev, *next; /* queue.segments */
	size_t size;
	size_t first, end; /* the bytes that it holds; first < end <= size */
	uint8_t bytes[];
};

/* Zeroed memory is an empty queue. */
struct queue {
	struct queue_segment *segments; /* oldest first; NULL while empty */
	size_t length;
	size_t memory; /* that all of it takes */
};

/* Frees what the queue holds and leaves it empty; NULL-safe. */
void queue_finish(struct queue *queue);

/* What the queue would take in memory with `length` bytes more; SIZE_MAX: more than there is. */
size_t queue_memory_with(const struct queue *queue, size_t length);

/* Copies `length` bytes (0 is allowed) to the end. -ENOMEM. */
int queue_append(struct queue *queue, const void *bytes, size_t length);

/* Copies `length` bytes that begin `offset` after the head; offset + length <= queue->length. It is
 * fast near either end. */
void queue_copy(const struct queue *queue, size_t offset, void *bytes, size_t length);

/* Drops the oldest `length` bytes; length <= queue->length. */
void queue_drop(struct queue *queue, size_t length);

/* Drops the newest `length` bytes; length <= queue->length. */
void queue_drop_end(struct queue *queue, size_t length);

#endif
