/* SPDX-License-Identifier: MIT */
#include "ibb/receiver.h"

#include "ibb/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The least that a sender may have in flight beyond the buffer. */
#define MIN_SLACK ((size_t)1024 * 1024)

static void drop_held(struct receiver *receiver, struct held_block *block)
{
	DL_DELETE(receiver->held, block);
	receiver->held_memory -= block->memory;
	free(block);
}

size_t receiver_memory(const struct receiver *receiver)
{
	return receiver->in.memory + receiver->held_memory;
}

size_t receiver_memory_with(const struct receiver *receiver, const struct msg *data)
{
	return queue_memory_with(&receiver->in, data->data_length) + receiver->held_memory +
	       sizeof(struct held_block) + strlen(data->id) + 1;
}

void receiver_finish(struct receiver *receiver)
{
	if (receiver) {
		queue_finish(&receiver->in);
		while (receiver->held) {
			drop_held(receiver, receiver->held);
		}
	}
}

/* Withholds the acknowledgement of a block. */
static int hold(struct receiver *receiver, const char *id, uint16_t seq, uint64_t end)
{
	size_t length = strlen(id) + 1;
	size_t memory = sizeof(struct held_block) + length;
	struct held_block *block = malloc(memory);
	if (!block) {
		return -ENOMEM;
	}
	block->end = end;
	block->seq = seq;
	block->memory = memory;
	memcpy(block->id, id, length);
	DL_APPEND(receiver->held, block);
	receiver->held_memory += memory;
	return 0;
}

enum condition receiver_accept(struct receiver *receiver, const struct msg *data, size_t block_size,
			       size_t buffer, struct effects *effects)
{
	if (data->seq != receiver->seq) {
		return CONDITION_UNEXPECTED_REQUEST;
	}
	if (!data->data || data->data_length > block_size) {
		return CONDITION_BAD_REQUEST;
	}

	size_t unread = receiver->in.length + data->data_length;
	bool fits = unread <= buffer;
	bool backlogged = effects->queued >= LIMITS_UNSENT_ACKS && data->carrier == CARRIER_IQ;
	size_t slack = buffer > MIN_SLACK ? buffer : MIN_SLACK;
	bool bounded = unread <= buffer + slack && receiver->held_memory <= slack;
	if ((!fits || backlogged) && (!bounded || data->carrier == CARRIER_MESSAGE)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	if (queue_append(&receiver->in, data->data, data->data_length)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	uint64_t end = receiver->received + data->data_length;
	if (data->carrier == CARRIER_IQ) {
		/* After a withheld acknowledgement later ones are withheld too: answers stay in
		 * order. */
		bool at_once = fits && !backlogged && !receiver->held && !receiver->needs_commit;
		effects->backlogged = effects->backlogged || backlogged;
		if (at_once ? effects_send_result(effects, data->peer, data->id)
			    : hold(receiver, data->id, data->seq, end)) {
			queue_drop_end(&receiver->in, data->data_length);
			return CONDITION_RESOURCE_CONSTRAINT;
		}
	}
	receiver->received = end;
	receiver->blocks++;
	receiver->seq++;
	return CONDITION_NONE;
}

bool receiver_is_duplicate(struct receiver *receiver, const struct msg *data,
			   struct effects *effects)
{
	uint16_t behind = (uint16_t)(receiver->seq - data->seq);
	if (behind == 0 || behind > UINT16_MAX / 2 || behind > receiver->blocks) {
		return false;
	}
	const struct held_block *held;
	DL_FOREACH (receiver->held, held) {
		if (held->seq == data->seq) {
			return true; /* the withheld answer to its first id says the same */
		}
	}
	/* When memory is short, the peer retransmits once more. */
	effects_send_result(effects, data->peer, data->id);
	return true;
}

ssize_t receiver_read(struct receiver *receiver, size_t size, uint8_t **bytes)
{
	size_t length = receiver->in.length < size ? receiver->in.length : size;
	if (length == 0) {
		return 0;
	}
	uint8_t *copy = malloc(length);
	if (!copy) {
		return -ENOMEM;
	}
	queue_copy(&receiver->in, 0, copy, length);
	queue_drop(&receiver->in, length);
	*bytes = copy;
	return (ssize_t)length;
}

void receiver_commit(struct receiver *receiver)
{
	receiver->committed = receiver->received - receiver->in.length;
}

int receiver_release(struct receiver *receiver, const char *peer, size_t buffer,
		     struct effects *effects)
{
	uint64_t read = receiver->received - receiver->in.length;
	if (receiver->needs_commit) {
		read = receiver->committed;
		buffer = 0;
	}
	while (receiver->held &&
	       (receiver->held->end <= read || receiver->held->end - read <= buffer)) {
		if (effects->queued >= LIMITS_UNSENT_ACKS) {
			effects->backlogged = true;
			break;
		}
		int error = effects_send_result(effects, peer, receiver->held->id);
		if (error) {
			return error;
		}
		drop_held(receiver, receiver->held);
	}
	return 0;
}
