/* SPDX-License-Identifier: MIT */
#include "ibb/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void drop_all_skips(struct sender *sender)
{
	skip_drop_all(&sender->skips);
	sender->unsent = NULL;
}

void sender_finish(struct sender *sender)
{
	if (sender) {
		queue_finish(&sender->out);
		drop_all_skips(sender);
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

int sender_skip(struct sender *sender, uint64_t length)
{
	assert(length > 0);
	int error = skip_append(&sender->skips, sender->written - sender->skipped, length,
				sender->unsent != NULL);
	if (error) {
		return error;
	}
	sender->unsent = sender->unsent ? sender->unsent : sender->skips->prev;
	sender->written += length;
	sender->skipped += length;
	return 0;
}

void sender_push(struct sender *sender)
{
	sender->push = sender->out.length;
}

uint64_t sender_delivered(const struct sender *sender)
{
	return sender->acknowledged - sender->acknowledged_skips;
}

static struct sent_block *block_at(const struct sender *sender, size_t index)
{
	assert(sender->blocks_capacity > 0);
	return &sender->blocks[(sender->blocks_head + index) % sender->blocks_capacity];
}

/* Whether the next block is a retransmission. */
static bool retransmits(const struct sender *sender)
{
	return sender->blocks_in_flight < sender->blocks_length;
}

/* The length of the next new block. */
static size_t new_length(const struct sender *sender, size_t block_size)
{
	size_t length = sender->out.length - sender->in_flight;
	if (sender->unsent) {
		uint64_t before = sender->unsent->at - sender_delivered(sender) - sender->in_flight;
		length = before < length ? (size_t)before : length;
		if (length == 0) {
			return SENDER_SKIP;
		}
		return length < block_size ? length : block_size;
	}
	if (length >= block_size) {
		return block_size;
	}
	return sender->in_flight > 0 && sender->push <= sender->in_flight ? 0 : length;
}

size_t sender_next_length(const struct sender *sender, size_t block_size, size_t window)
{
	size_t length;
	if (sender->blocks_in_flight >= SENDER_MAX_BLOCKS) {
		return 0;
	}
	if (retransmits(sender)) {
		const struct sent_block *block = block_at(sender, sender->blocks_in_flight);
		length = block->skipped > 0 ? SENDER_SKIP : block->length;
	} else {
		length = new_length(sender, block_size);
	}
	if (length == SENDER_SKIP) {
		return length;
	}
	return sender->in_flight > 0 && sender->in_flight + length > window ? 0 : length;
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
		blocks[i] = *block_at(sender, i);
	}
	free(sender->blocks);
	sender->blocks = blocks;
	sender->blocks_capacity = capacity;
	sender->blocks_head = 0;
	return 0;
}

/* The next block, of that length, or the next skip is in flight. */
static int send_next(struct sender *sender, size_t length, uint64_t skipped, uint64_t *number,
		     int64_t now_us)
{
	bool retransmit = retransmits(sender);
	if (!retransmit) {
		int error = grow_blocks(sender);
		if (error) {
			return error;
		}
		*block_at(sender, sender->blocks_length) = (struct sent_block){
			.length = (uint32_t)length,
			.skipped = skipped,
			.epoch = sender->epoch,
		};
		sender->blocks_length++;
	}
	*number = sender_next_number(sender);
	struct sent_block *block = block_at(sender, sender->blocks_in_flight);
	block->sent_us = retransmit ? SENDER_RETRANSMITTED : now_us;
	block->delivered = sender_delivered(sender);
	sender->blocks_in_flight++;
	sender->in_flight += length;
	return 0;
}

int sender_send_block(struct sender *sender, size_t length, uint8_t *bytes, uint64_t *number,
		      int64_t now_us)
{
	assert(length > 0 && sender->in_flight + length <= sender->out.length);
	size_t offset = sender->in_flight;
	int error = send_next(sender, length, 0, number, now_us);
	if (!error) {
		queue_copy(&sender->out, offset, bytes, length);
	}
	return error;
}

int sender_send_skip(struct sender *sender, uint64_t *length, uint64_t *number, int64_t now_us)
{
	if (retransmits(sender)) {
		*length = block_at(sender, sender->blocks_in_flight)->skipped;
		return send_next(sender, 0, *length, number, now_us);
	}
	struct skip *skip = sender->unsent;
	int error = send_next(sender, 0, skip->length, number, now_us);
	if (!error) {
		*length = skip->length;
		sender->unsent = skip->next;
	}
	return error;
}

/* A block in flight, by its number; NULL: it is not. */
static struct sent_block *find_block(const struct sender *sender, uint64_t number)
{
	if (number < sender->oldest || number - sender->oldest >= sender->blocks_in_flight) {
		return NULL;
	}
	return block_at(sender, (size_t)(number - sender->oldest));
}

bool sender_is_in_flight(const struct sender *sender, uint64_t number)
{
	const struct sent_block *block = find_block(sender, number);
	return block && !block->acknowledged;
}

const struct sent_block *sender_block(const struct sender *sender, uint64_t number)
{
	const struct sent_block *block = find_block(sender, number);
	assert(block);
	return block;
}

uint64_t sender_next_number(const struct sender *sender)
{
	return sender->oldest + sender->blocks_in_flight;
}

static void drop_oldest(struct sender *sender)
{
	size_t length = block_at(sender, 0)->length;
	uint64_t skipped = block_at(sender, 0)->skipped;
	queue_drop(&sender->out, length);
	if (skipped > 0) {
		skip_drop(&sender->skips, sender->skips);
	}
	if (sender->blocks_in_flight > 0) {
		sender->blocks_in_flight--;
		sender->in_flight -= length;
	}
	sender->push = sender->push > length ? sender->push - length : 0;
	sender->acknowledged += length + skipped;
	sender->acknowledged_skips += skipped;
	sender->blocks_head = (sender->blocks_head + 1) % sender->blocks_capacity;
	sender->blocks_length--;
	sender->oldest++;
}

static void note_carried(struct sender *sender, const struct sent_block *block)
{
	sender->carried = block->length > sender->carried ? block->length : sender->carried;
}

bool sender_acknowledge(struct sender *sender, uint64_t number)
{
	if (sender->blocks_in_flight == 0 && sender->blocks_length > 0 &&
	    number == sender->oldest) {
		/* The answer to an earlier transmission. */
		note_carried(sender, block_at(sender, 0));
		drop_oldest(sender);
		return true;
	}
	struct sent_block *block = find_block(sender, number);
	if (!block || block->acknowledged) {
		return false;
	}
	block->acknowledged = true;
	note_carried(sender, block);
	while (sender->blocks_in_flight > 0 && block_at(sender, 0)->acknowledged) {
		drop_oldest(sender);
	}
	return true;
}

void sender_acknowledge_before(struct sender *sender, uint64_t end)
{
	while (sender->blocks_length > 0 && sender->oldest < end) {
		sender_acknowledge(sender, sender->oldest);
	}
}

void sender_note_question(struct sender *sender, uint64_t number)
{
	struct sent_block *block = find_block(sender, number);
	if (block) {
		block->asked = true;
	}
}

void sender_acknowledge_asked(struct sender *sender, uint64_t number)
{
	uint64_t first = number;
	while (first > sender->oldest && !find_block(sender, first - 1)->asked) {
		first--;
	}
	while (first <= number) {
		sender_acknowledge(sender, first++);
	}
}

void sender_retransmit(struct sender *sender, uint64_t number)
{
	assert(find_block(sender, number));
	while (sender_next_number(sender) > number) {
		struct sent_block *block = block_at(sender, --sender->blocks_in_flight);
		block->acknowledged = false;
		sender->in_flight -= block->length;
	}
}

void sender_retransmit_all(struct sender *sender)
{
	if (sender->blocks_in_flight > 0) {
		sender_retransmit(sender, sender->oldest);
	}
}

/* Removes the blocks from index `first` on from the ring: they are unsent again. */
static void uncut(struct sender *sender, size_t first)
{
	for (size_t i = sender->blocks_length; i > first; i--) {
		if (block_at(sender, i - 1)->skipped > 0) {
			sender->unsent =
				sender->unsent ? sender->unsent->prev : sender->skips->prev;
		}
	}
	sender->blocks_length = first;
}

void sender_cut_anew(struct sender *sender, uint64_t number, size_t block_size)
{
	if (number < sender->oldest || number - sender->oldest > sender->blocks_length) {
		return;
	}
	size_t first = (size_t)(number - sender->oldest);
	first = first > sender->blocks_in_flight ? first : sender->blocks_in_flight;
	for (size_t i = first; i < sender->blocks_length; i++) {
		if (block_at(sender, i)->length > block_size) {
			uint64_t end = sender->oldest + sender->blocks_length;
			sender->cut_end = sender->cut_end > end ? sender->cut_end : end;
			uncut(sender, i);
		}
	}
}

void sender_restart(struct sender *sender)
{
	assert(sender->acknowledged == 0 && sender->carried == 0 && !sender->skips);
	sender->in_flight = 0;
	sender->blocks_length = 0;
	sender->blocks_in_flight = 0;
	sender->oldest = 0;
	sender->cut_end = 0;
	sender->epoch = 0;
}

bool sender_was_cut_anew(const struct sender *sender, uint64_t number, unsigned epoch)
{
	if (number < sender->oldest) {
		return false;
	}
	if (number - sender->oldest < sender->blocks_length) {
		return epoch < block_at(sender, (size_t)(number - sender->oldest))->epoch;
	}
	return number < sender->cut_end;
}

void sender_note_received(struct sender *sender, uint64_t number)
{
	for (size_t i = 0; i < sender->blocks_length && sender->oldest + i < number; i++) {
		note_carried(sender, block_at(sender, i));
	}
}

size_t sender_longest(const struct sender *sender)
{
	size_t longest = 0;
	for (size_t i = 0; i < sender->blocks_in_flight; i++) {
		size_t length = block_at(sender, i)->length;
		longest = length > longest ? length : longest;
	}
	return longest;
}

size_t sender_copy_oldest(struct sender *sender, uint8_t *bytes)
{
	struct sent_block *block = find_block(sender, sender->oldest);
	assert(block);
	if (bytes) {
		queue_copy(&sender->out, 0, bytes, block->length);
		block->sent_us = SENDER_RETRANSMITTED;
	}
	return block->length;
}

bool sender_is_empty(const struct sender *sender)
{
	return sender->out.length == 0 && !sender->skips;
}

void sender_discard(struct sender *sender)
{
	queue_finish(&sender->out);
	drop_all_skips(sender);
	sender->in_flight = 0;
	sender->push = 0;
	sender->blocks_length = 0;
	sender->blocks_in_flight = 0;
}
