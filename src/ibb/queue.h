/* SPDX-License-Identifier: MIT */
/*
 * queue - a first-in first-out run of bytes.
 *
 * Takes memory when bytes come in and gives all of it back when the last byte leaves, so an idle
 * stream costs none. The bound on what goes in is the caller's.
 *
 * Units:   bytes.
 * Errors:  -ENOMEM, and then the queue is as it was.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_QUEUE_H
#define IBB_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory is an empty queue. */
struct queue {
	uint8_t *bytes;	 /* a ring; NULL while empty */
	size_t capacity; /* 0 or a power of two */
	size_t head;	 /* index of the oldest byte, < capacity */
	size_t length;
};

/* Frees what the queue holds and leaves it empty; NULL-safe. */
void queue_finish(struct queue *queue);

/* What a queue that has grown to `length` bytes takes in memory; SIZE_MAX: more than there is. */
size_t queue_capacity(size_t length);

/* Copies `length` bytes (0 is allowed) to the end. -ENOMEM. */
int queue_append(struct queue *queue, const void *bytes, size_t length);

/* Copies `length` bytes that begin `offset` after the head; offset + length <= queue->length. */
void queue_copy(const struct queue *queue, size_t offset, void *bytes, size_t length);

/* Drops the oldest `length` bytes; length <= queue->length. */
void queue_drop(struct queue *queue, size_t length);

/* Drops the newest `length` bytes; length <= queue->length. */
void queue_drop_end(struct queue *queue, size_t length);

#endif
