/* SPDX-License-Identifier: MIT */
/*
 * queue - a FIFO of bytes.
 *
 * Memory is taken as bytes come in and given back as they leave, so an empty queue has none. Bytes
 * are never moved: a long queue takes hardly more memory than it holds, also while it grows. The
 * caller limits its length.
 *
 * Units:   bytes.
 * Errors:  -ENOMEM, and the queue has not changed.
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
	size_t memory; /* of all segments */
};

/* Empties the queue; NULL-safe. */
void queue_finish(struct queue *queue);

/* The memory of the queue with `length` bytes more; SIZE_MAX: impossible. */
size_t queue_memory_with(const struct queue *queue, size_t length);

/* Appends a copy of `length` bytes (0 is allowed). -ENOMEM. */
int queue_append(struct queue *queue, const void *bytes, size_t length);

/* Copies `length` bytes from `offset` on; offset + length <= queue->length. Fast near either
 * end. */
void queue_copy(const struct queue *queue, size_t offset, void *bytes, size_t length);

/* Drops the oldest `length` bytes; length <= queue->length. */
void queue_drop(struct queue *queue, size_t length);

/* Drops the newest `length` bytes; length <= queue->length. */
void queue_drop_end(struct queue *queue, size_t length);

#endif
