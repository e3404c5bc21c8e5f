/* SPDX-License-Identifier: MIT */
#include "ibb/receiver.h"

#include "ibb/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The least that a sender may have in flight beyond the buffer. */
#define MIN_SLACK ((size_t)1024 * 1024)

static void drop_held(struct receiver *receiver, struct held_request *request)
{
	DL_DELETE(receiver->held, request);
	receiver->held_memory -= request->memory;
	receiver->held_syncs -= request->kind == HELD_SYNC;
	free(request);
}

void receiver_forget_held(struct receiver *receiver)
{
	while (receiver->held) {
		drop_held(receiver, receiver->held);
	}
}

size_t receiver_memory(const struct receiver *receiver)
{
	return receiver->in.memory + receiver->held_memory;
}

size_t receiver_memory_with(const struct receiver *receiver, const struct msg *data)
{
	return queue_memory_with(&receiver->in, data->data_length) + receiver->held_memory +
	       sizeof(struct held_request) + strlen(data->id) + 1;
}

void receiver_finish(struct receiver *receiver)
{
	if (receiver) {
		queue_finish(&receiver->in);
		skip_drop_all(&receiver->skips);
		receiver_forget_held(receiver);
	}
}

/* Withholds the answer to a request. */
static int hold(struct receiver *receiver, enum held_kind kind, const char *id, uint16_t seq,
		uint64_t end)
{
	size_t length = strlen(id) + 1;
	size_t memory = sizeof(struct held_request) + length;
	struct held_request *request = malloc(memory);
	if (!request) {
		return -ENOMEM;
	}
	request->kind = kind;
	request->end = end;
	request->seq = seq;
	request->memory = memory;
	memcpy(request->id, id, length);
	DL_APPEND(receiver->held, request);
	receiver->held_memory += memory;
	receiver->held_syncs += kind == HELD_SYNC;
	return 0;
}

/* Likewise of one without bytes, of which there can be any number. */
static int hold_more(struct receiver *receiver, enum held_kind kind, const char *id, uint16_t seq,
		     uint64_t end)
{
	return receiver->held_memory < MIN_SLACK ? hold(receiver, kind, id, seq, end) : -ENOMEM;
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
	bool backlogged = effects->queued >= LIMITS_UNSENT_ACKS && data->stanza == STANZA_IQ;
	size_t slack = buffer > MIN_SLACK ? buffer : MIN_SLACK;
	bool bounded = unread <= buffer + slack && receiver->held_memory <= slack;
	if ((!fits || backlogged) && (!bounded || data->stanza == STANZA_MESSAGE)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	if (queue_append(&receiver->in, data->data, data->data_length)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	uint64_t end = receiver->received + data->data_length;
	if (data->stanza == STANZA_IQ) {
		/* After a withheld acknowledgement later ones are withheld too: answers stay in
		 * order. */
		bool at_once = fits && !backlogged && !receiver->held && !receiver->needs_commit;
		effects->backlogged = effects->backlogged || backlogged;
		if (at_once ? effects_send_result(effects, data->peer, data->id)
			    : hold(receiver, HELD_DATA, data->id, data->seq, end)) {
			queue_drop_end(&receiver->in, data->data_length);
			return CONDITION_RESOURCE_CONSTRAINT;
		}
	}
	receiver->received = end;
	receiver->blocks++;
	receiver->seq++;
	return CONDITION_NONE;
}

enum condition receiver_skip(struct receiver *receiver, const struct msg *skip)
{
	uint64_t end = receiver->received + (uint64_t)skip->size;
	if (skip->seq != receiver->seq) {
		return CONDITION_UNEXPECTED_REQUEST;
	}
	if (hold_more(receiver, HELD_DATA, skip->id, skip->seq, end)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	if (skip_append(&receiver->skips, receiver->received - receiver->skipped,
			(uint64_t)skip->size, true)) {
		drop_held(receiver, receiver->held->prev);
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	receiver->skipped += (uint64_t)skip->size;
	receiver->unread_skips += (uint64_t)skip->size;
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
	const struct held_request *held;
	DL_FOREACH (receiver->held, held) {
		if (held->kind == HELD_DATA && held->seq == data->seq) {
			break;
		}
	}
	/* When memory is short, the peer retransmits once more. */
	if (!held) {
		effects_send_result(effects, data->peer, data->id);
	} else if (hold_more(receiver, HELD_DATA, data->id, data->seq, held->end)) {
		effects_send_wait(effects, data->peer, data->id);
	}
	return true;
}

void receiver_probe(struct receiver *receiver, const char *peer, const char *id,
		    struct effects *effects)
{
	bool is_committed = receiver->has_committed && receiver->committed == receiver->received &&
			    !receiver->held;
	if (!receiver->needs_commit || is_committed) {
		effects_send_resumed(effects, peer, id, receiver->seq);
	} else if (hold_more(receiver, HELD_PROBE, id, 0, receiver->received)) {
		effects_send_error(effects, peer, id, CONDITION_INTERNAL_SERVER_ERROR);
	}
}

int receiver_hold_close(struct receiver *receiver, const char *id)
{
	return hold_more(receiver, HELD_CLOSE, id, 0, receiver->received);
}

uint64_t receiver_position(const struct receiver *receiver)
{
	return receiver->received - receiver->in.length - receiver->unread_skips;
}

bool receiver_has_unread(const struct receiver *receiver)
{
	return receiver->in.length > 0 || receiver->skips;
}

/* How many of the unread bytes are whole blocks, `size` at most; *blocks: how many blocks and skips
 * these are. Duplicates are held behind their first transmission. */
static size_t count_whole(const struct receiver *receiver, uint64_t size, uint64_t *blocks)
{
	uint64_t read = receiver_position(receiver), end = read;
	const struct held_request *held;
	*blocks = receiver->blocks_read;
	DL_FOREACH (receiver->held, held) {
		if (held->kind != HELD_DATA) {
			continue;
		}
		if (held->end > read + size) {
			break;
		}
		uint16_t more = (uint16_t)(held->seq + 1 - (uint16_t)*blocks);
		if (more > 0 && more <= UINT16_MAX / 2) {
			*blocks += more;
			end = held->end > end ? held->end : end;
		}
	}
	return (size_t)(end - read);
}

/* Unread bytes before the next skip, or all. */
static size_t length_before_skip(const struct receiver *receiver)
{
	if (!receiver->skips) {
		return receiver->in.length;
	}
	uint64_t sent = receiver->received - receiver->skipped;
	return receiver->in.length - (size_t)(sent - receiver->skips->at);
}

bool receiver_read_skip(struct receiver *receiver)
{
	struct skip *skip = receiver->skips;
	uint64_t blocks;
	if (!skip || length_before_skip(receiver) > 0) {
		return false;
	}
	if (receiver->needs_commit && count_whole(receiver, skip->length, &blocks) > 0) {
		receiver->blocks_read = blocks;
	}
	receiver->unread_skips -= skip->length;
	skip_drop(&receiver->skips, skip);
	return true;
}

ssize_t receiver_read(struct receiver *receiver, size_t size, uint8_t **bytes)
{
	size_t length = length_before_skip(receiver);
	uint64_t blocks = 0;
	length = length < size ? length : size;
	if (length == 0) {
		return 0;
	}
	size_t whole = receiver->needs_commit ? count_whole(receiver, length, &blocks) : 0;
	length = whole > 0 ? whole : length;
	uint8_t *copy = malloc(length);
	if (!copy) {
		return -ENOMEM;
	}
	queue_copy(&receiver->in, 0, copy, length);
	queue_drop(&receiver->in, length);
	if (whole > 0) {
		receiver->blocks_read = blocks;
	}
	*bytes = copy;
	return (ssize_t)length;
}

void receiver_restore(struct receiver *receiver, uint64_t bytes, uint64_t blocks)
{
	receiver->received = receiver->committed = bytes;
	receiver->blocks = receiver->blocks_read = blocks;
	receiver->seq = (uint16_t)blocks;
	receiver->needs_commit = true;
}

void receiver_commit(struct receiver *receiver)
{
	receiver->committed = receiver_position(receiver);
	receiver->has_committed = true;
}

void receiver_sync(struct receiver *receiver)
{
	receiver->synced = receiver->committed;
	receiver->has_synced = true;
}

/* Whether the first `end` bytes are where the peer may ask for them to be. */
static bool is_stored(const struct receiver *receiver, uint64_t end)
{
	if (!receiver->needs_commit) {
		return true;
	}
	return receiver->syncs ? receiver->has_synced && receiver->synced >= end
			       : receiver->has_committed && receiver->committed >= end;
}

enum condition receiver_ask_sync(struct receiver *receiver, const char *peer, const char *id,
				 uint64_t end, struct effects *effects)
{
	enum condition condition = CONDITION_NONE;
	if (end > receiver->received) {
		condition = CONDITION_BAD_REQUEST;
	} else if (is_stored(receiver, end)) {
		effects_send_result(effects, peer, id);
	} else if (hold_more(receiver, HELD_SYNC, id, 0, end)) {
		condition = CONDITION_INTERNAL_SERVER_ERROR;
	}
	if (condition != CONDITION_NONE) {
		effects_send_error(effects, peer, id, condition);
	}
	return condition;
}

bool receiver_awaits_sync(const struct receiver *receiver)
{
	const struct held_request *held;
	if (receiver->held_syncs == 0 || !receiver->syncs || !receiver->has_committed) {
		return false;
	}
	DL_FOREACH (receiver->held, held) {
		if (held->kind == HELD_SYNC && held->end <= receiver->committed &&
		    !is_stored(receiver, held->end)) {
			return true;
		}
	}
	return false;
}

void receiver_end(struct receiver *receiver, enum condition data_verdict,
		  enum condition close_verdict)
{
	receiver->has_ended = true;
	receiver->data_verdict = data_verdict;
	receiver->close_verdict = close_verdict;
}

/* Whether a request can be answered when `read` bytes were read, or are durable. */
static bool is_due(const struct receiver *receiver, const struct held_request *request,
		   uint64_t read, size_t buffer)
{
	if (receiver->has_ended) {
		return true;
	}
	if (request->kind == HELD_CLOSE || (receiver->needs_commit && !receiver->has_committed)) {
		return false;
	}
	if (request->kind == HELD_SYNC) {
		return is_stored(receiver, request->end);
	}
	return request->end <= read || request->end - read <= buffer;
}

static int answer_with(const struct receiver *receiver, const struct held_request *request,
		       enum condition verdict, const char *peer, struct effects *effects)
{
	switch (verdict) {
	case CONDITION_NONE:
		return request->kind == HELD_PROBE
			       ? effects_send_resumed(effects, peer, request->id, receiver->seq)
			       : effects_send_result(effects, peer, request->id);
	case CONDITION_RESOURCE_CONSTRAINT:
		return effects_send_wait(effects, peer, request->id);
	default:
		return effects_send_error(effects, peer, request->id, verdict);
	}
}

static int answer(const struct receiver *receiver, const struct held_request *request,
		  const char *peer, struct effects *effects)
{
	bool of_file = request->kind == HELD_CLOSE || request->kind == HELD_SYNC;
	enum condition verdict = of_file ? receiver->close_verdict : receiver->data_verdict;
	return answer_with(receiver, request, receiver->has_ended ? verdict : CONDITION_NONE, peer,
			   effects);
}

void receiver_refuse_syncs(struct receiver *receiver, const char *peer, enum condition verdict,
			   struct effects *effects)
{
	struct held_request *held, *next;
	DL_FOREACH_SAFE (receiver->held, held, next) {
		if (receiver->held_syncs == 0 || effects->queued >= LIMITS_UNSENT_ACKS) {
			return;
		}
		if (held->kind == HELD_SYNC &&
		    !answer_with(receiver, held, verdict, peer, effects)) {
			drop_held(receiver, held);
		}
	}
}

int receiver_release(struct receiver *receiver, const char *peer, size_t buffer,
		     struct effects *effects)
{
	uint64_t read = receiver_position(receiver);
	if (receiver->needs_commit) {
		read = receiver->committed;
		buffer = 0;
	}
	if (receiver->needs_sync && receiver->synced < receiver->received &&
	    read == receiver->received && read > 0) {
		read--; /* not the last block */
	}
	while (receiver->held && is_due(receiver, receiver->held, read, buffer)) {
		if (effects->queued >= LIMITS_UNSENT_ACKS) {
			effects->backlogged = true;
			break;
		}
		int error = answer(receiver, receiver->held, peer, effects);
		if (error) {
			return error;
		}
		drop_held(receiver, receiver->held);
	}
	return 0;
}
