/* SPDX-License-Identifier: MIT */
#include "ibb/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sender_finish(struct sender *sender)
{
	if (sender) {
		queue_finish(&sender->out);
		free(sender->blocks);
		sender->blocks = NULL;
	}
}

static int append_zeros(struct sender *sender, size_t length)
{
	static const uint8_t zeros[4096];
	for (size_t done = 0, part; done < length; done += part) {
		part = length - done < sizeof(zeros) ? length - done : sizeof(zeros);
		int error = queue_append(&sender->out, zeros, part);
		if (error) {
			queue_drop_end(&sender->out, done);
			return error;
		}
	}
	sender->written += length;
	return 0;
}

int sender_append(struct sender *sender, const void *bytes, size_t length)
{
	if (!bytes) {
		return append_zeros(sender, length);
	}
	int error = queue_append(&sender->out, bytes, length);
	if (error) {
		return error;
	}
	sender->written += length;
	return 0;
}

void sender_push(struct sender *sender)
{
	sender->push = sender->out.length;
}

size_t sender_next_length(const struct sender *sender, size_t block_size, size_t window)
{
	size_t length = sender->out.length - sender->in_flight;
	if (length >= block_size) {
		length = block_size;
	} else if (sender->in_flight > 0 && sender->push <= sender->in_flight) {
		return 0;
	}
	if (sender->in_flight > 0 && sender->in_flight + length > window) {
		return 0;
	}
	return length;
}

/* Makes room for one more block in the ring. */
static int grow_blocks(struct sender *sender)
{
	if (sender->blocks_length < sender->blocks_capacity) {
		return 0;
	}
	size_t capacity = sender->blocks_capacity ? sender->blocks_capacity * 2 : 16;
	struct sent_block *blocks = calloc(capacity, sizeof(*blocks));
	if (!blocks) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < sender->blocks_length; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): no capacity, no length */
		blocks[i] = sender->blocks[(sender->blocks_head + i) % sender->blocks_capacity];
	}
	free(sender->blocks);
	sender->blocks = blocks;
	sender->blocks_capacity = capacity;
	sender->blocks_head = 0;
	return 0;
}

int sender_take(struct sender *sender, size_t length, uint8_t *bytes, uint64_t *number,
		int64_t now_us)
{
	assert(length > 0 && sender->in_flight + length <= sender->out.length);
	int error = grow_blocks(sender);
	if (error) {
		return error;
	}
	queue_copy(&sender->out, sender->in_flight, bytes, length);
	size_t end = (sender->blocks_head + sender->blocks_length) % sender->blocks_capacity;
	sender->blocks[end] = (struct sent_block){.length = (uint32_t)length, .sent_us = now_us};
	*number = sender_next_number(sender);
	sender->blocks_length++;
	sender->in_flight += length;
	return 0;
}

/* A block in flight, by its number; NULL: it is not. */
static struct sent_block *find_block(const struct sender *sender, uint64_t number)
{
	if (number < sender->first || number - sender->first >= sender->blocks_length) {
		return NULL;
	}
	size_t index =
		(sender->blocks_head + (size_t)(number - sender->first)) % sender->blocks_capacity;
	return &sender->blocks[index];
}

bool sender_is_in_flight(const struct sender *sender, uint64_t number)
{
	const struct sent_block *block = find_block(sender, number);
	return block && !block->acknowledged;
}

int64_t sender_sent_us(const struct sender *sender, uint64_t number)
{
	const struct sent_block *block = find_block(sender, number);
	assert(block);
	return block->sent_us;
}

uint64_t sender_next_number(const struct sender *sender)
{
	return sender->first + sender->blocks_length;
}

bool sender_acknowledge(struct sender *sender, uint64_t number)
{
	struct sent_block *block = find_block(sender, number);
	if (!block || block->acknowledged) {
		return false;
	}
	block->acknowledged = true;

	while (sender->blocks_length > 0 && sender->blocks[sender->blocks_head].acknowledged) {
		size_t length = sender->blocks[sender->blocks_head].length;
		queue_drop(&sender->out, length);
		sender->in_flight -= length;
		sender->push = sender->push > length ? sender->push - length : 0;
		sender->acknowledged += length;
		sender->blocks_head = (sender->blocks_head + 1) % sender->blocks_capacity;
		sender->blocks_length--;
		sender->first++;
	}
	return true;
}

bool sender_is_empty(const struct sender *sender)
{
	return sender->out.length == 0;
}

void sender_discard(struct sender *sender)
{
	queue_finish(&sender->out);
	sender->in_flight = 0;
	sender->push = 0;
	sender->blocks_length = 0;
}
