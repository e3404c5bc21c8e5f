/* SPDX-License-Identifier: MIT */
/*
 * What all parts of a stream need: its struct, its deadlines, its place in the lists of the set,
 * and what can be told of it. Nothing here changes its state.
 */
#include "ibb/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

char *stream_copy_string(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = malloc(size);
	if (copy) {
		memcpy(copy, string, size);
	}
	return copy;
}

/* ---- what can be told of it ---- */

bool stream_is_over(const struct stream *stream)
{
	return stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN;
}

int stream_outcome(const struct stream *stream)
{
	return stream->state == STREAM_BROKEN ? stream->error : -ECONNRESET;
}

bool stream_is_delivered(const struct stream *stream)
{
	return sender_is_empty(&stream->sender) && stream->gap == 0 && !stream->writers;
}

uint64_t stream_written(const struct stream *stream)
{
	return stream->sender.written + stream->gap;
}

uint64_t stream_size(const struct stream *stream)
{
	return stream->incoming ? stream->receiver.received : stream_written(stream);
}

const char *stream_state_name(const struct stream *stream)
{
	static const char *const names[] = {
		[STREAM_NEW] = "new",	      [STREAM_OPENING] = "opening",
		[STREAM_OPEN] = "open",	      [STREAM_CLOSING] = "closing",
		[STREAM_CLOSED] = "finished", [STREAM_BROKEN] = "broken",
	};
	return stream->suspended ? "suspended" : names[stream->state];
}

/* ---- deadlines ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t suspension_deadline(const struct stream *stream)
{
	int64_t deadline_ms = stream->repeat_due ? stream->repeat_ms : STREAM_NO_DEADLINE;
	if (!stream->suspended) {
		return deadline_ms;
	}
	int64_t next_ms =
		stream->resume_ms < stream->until_ms ? stream->resume_ms : stream->until_ms;
	return next_ms < deadline_ms ? next_ms : deadline_ms;
}

int64_t stream_deadline(const struct stream *stream)
{
	int64_t next_ms = sooner(stream->deadline_ms, stream->ping_ms);
	return sooner(sooner(next_ms, stream->retry_ms), suspension_deadline(stream));
}

void stream_note_deadline(struct stream *stream)
{
	int64_t nearest = stream_deadline(stream);
	if (nearest < stream->effects->deadline_ms) {
		stream->effects->deadline_ms = nearest;
	}
}

void stream_set_deadline(struct stream *stream, int64_t now_ms, int64_t timeout_ms)
{
	if (stream->suspended) {
		return; /* it has another */
	}
	stream->deadline_ms = now_ms + timeout_ms;
	stream->ping_ms =
		stream->state == STREAM_OPEN ? now_ms + timeout_ms / 2 : STREAM_NO_DEADLINE;
	stream_note_deadline(stream);
}

void stream_clear_deadline(struct stream *stream)
{
	stream->deadline_ms = STREAM_NO_DEADLINE;
	stream->ping_ms = STREAM_NO_DEADLINE;
}

void stream_rest(struct stream *stream, int64_t now_ms)
{
	stream_clear_deadline(stream);
	if (stream->state == STREAM_OPEN && stream->reading && !stream->suspended) {
		stream->heard_ms = now_ms;
		stream->ping_ms = now_ms + stream->config->timeout_ms;
		stream_note_deadline(stream);
	}
}

/* The first pause, and the longest, before something is sent again. */
#define PAUSE_MS      100
#define PAUSE_MOST_MS 5000

void stream_pause(struct stream *stream, int64_t now_ms)
{
	int64_t pause_ms = PAUSE_MS << (stream->retries < 6 ? stream->retries : 6);

	stream->retries++;
	stream->retry_ms = now_ms + (pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS);
	stream_note_deadline(stream);
}

/* ---- lists of the set ---- */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t stream_max_block(const struct stream *stream)
{
	return smaller(stream->block_size, stream->most_data);
}

size_t stream_block_length(const struct stream *stream)
{
	size_t most = stream_max_block(stream);
	return stream->is_auto ? smaller(most, chunk_length(stream->chunk)) : most;
}

bool stream_has_block(const struct stream *stream)
{
	return (stream->state == STREAM_OPEN || stream->state == STREAM_CLOSING) &&
	       !stream->suspended && stream->retry_ms == STREAM_NO_DEADLINE &&
	       sender_next_length(&stream->sender, stream_block_length(stream),
				  stream->window.size) > 0;
}

void stream_take_turn(struct stream *stream)
{
	if (!stream->has_turn && stream_has_block(stream)) {
		DL_APPEND2(stream->effects->turns, stream, turn_prev, turn_next);
		stream->has_turn = true;
	}
}

void stream_leave_turns(struct stream *stream)
{
	if (stream->has_turn) {
		DL_DELETE2(stream->effects->turns, stream, turn_prev, turn_next);
		stream->has_turn = false;
	}
}

void stream_leave_ripe(struct stream *stream)
{
	if (stream->is_ripe) {
		DL_DELETE2(stream->effects->ripe, stream, ripe_prev, ripe_next);
		stream->is_ripe = false;
	}
}

/* ---- life ---- */

void stream_set_block_size(struct stream *stream, uint32_t block_size)
{
	assert(stream->state == STREAM_NEW);
	stream->is_auto = block_size == STREAM_AUTO_BLOCK;
	stream->block_size = stream->is_auto ? STREAM_MAX_BLOCK : block_size;
}

struct stream *stream_create(const struct stream_config *config, struct effects *effects,
			     struct limits *limits, struct chunk *chunk, uint64_t number,
			     const char *sid)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream) {
		return NULL;
	}
	stream->sid = stream_copy_string(sid);
	if (!stream->sid) {
		free(stream);
		return NULL;
	}
	stream->config = config;
	stream->effects = effects;
	stream->limits = limits;
	stream->chunk = chunk;
	stream->number = number;
	stream->carrier = config->carrier;
	stream_set_block_size(stream, config->block_size);
	stream->announced = -1;
	stream->retry_ms = STREAM_NO_DEADLINE;
	window_init(&stream->window, config->window);
	stream_clear_deadline(stream);
	return stream;
}

void stream_destroy(struct stream *stream)
{
	if (!stream) {
		return;
	}
	assert(!stream->openers && !stream->readers && !stream->writers && !stream->flushers);
	stream_leave_turns(stream);
	stream_leave_ripe(stream);
	sender_finish(&stream->sender);
	receiver_finish(&stream->receiver);
	limits_charge(stream->limits, 0, 0, &stream->charged);
	free(stream->close_id);
	free(stream->name);
	free(stream->peer);
	free(stream->sid);
	free(stream);
}
