/* SPDX-License-Identifier: MIT */
/*
 * How a stream begins: <open/>, ours or the peer's, and its answer.
 */
#include "ibb/stream_internal.h"

#include "ibb/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* The smallest block size that is tried when a peer asks for a smaller one. */
#define MIN_NEGOTIATED_BLOCK 128

/* The longest name that is kept: more than any directory can hold. */
#define MAX_NAME 1023

/* A longer stanza would cost us the connection, and with it every other stream. */
void stream_limit_blocks(struct stream *stream)
{
	size_t max_stanza = stream->config->max_stanza;
	stream->session.max_data = STREAM_MAX_BLOCK;
	if (max_stanza > 0) {
		size_t room = msg_data_room(stream->peer, stream->sid, max_stanza);
		stream->session.max_data = room < STREAM_MAX_BLOCK ? room : STREAM_MAX_BLOCK;
	}
	size_t learnt[] = {stream->config->path_mtu, stream->session.path_mtu};
	for (size_t i = 0; i < 2; i++) {
		if (learnt[i] > 0 && learnt[i] < stream->session.max_data) {
			stream->session.max_data = learnt[i];
		}
	}
}

void stream_await(struct stream *stream, int64_t now_ms)
{
	if (stream->state <= STREAM_OPENING) {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
}

int stream_set_folder(struct stream *stream, const char *folder)
{
	assert(stream->state == STREAM_NEW);
	char *copy = stream_copy_string(folder);
	if (!copy) {
		return -ENOMEM;
	}
	free(stream->folder);
	stream->folder = copy;
	return 0;
}

int stream_open(struct stream *stream, const char *peer, unsigned features, const char *name,
		int64_t now_ms)
{
	assert(stream->state == STREAM_NEW);
	char *peer_copy = stream_copy_string(peer);
	char *name_copy = name ? stream_copy_string(name) : NULL;
	if (!peer_copy || (name && !name_copy)) {
		free(peer_copy);
		free(name_copy);
		return -ENOMEM;
	}
	uint32_t wanted = stream->session.block_size;
	stream->peer = peer_copy;
	stream->name = name_copy;
	stream->session.features = features;
	stream_limit_blocks(stream);
	if (stream->session.block_size > stream->session.max_data) {
		stream->session.block_size = (uint32_t)stream->session.max_data;
	}
	/* Messages are not answered, so nobody knows what was lost. */
	stream->session.resumable = features & FEATURE_RESUME &&
				    stream->session.stanza == STANZA_IQ &&
				    stream->config->reconnect_ms > 0;
	stream->session.asks_pieces =
		stream->session.resumable && name && !stream->incoming.has_reader;
	int error = stream_send_open(stream);
	if (error) {
		free(peer_copy);
		free(name_copy);
		stream->peer = NULL;
		stream->name = NULL;
		stream->session.block_size = wanted;
		return error;
	}
	stream->state = STREAM_OPENING;
	stream->session.open_sent_ms = now_ms;
	stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	return 0;
}

int stream_send_accepted(struct stream *stream, const char *id)
{
	struct msg result = {
		.kind = MSG_RESULT,
		.peer = stream->peer,
		.id = id,
		.size = -1,
		.pieces = stream->incoming.part.is_offered,
	};
	return effects_send(stream->effects, &result);
}

int stream_accept(struct stream *stream, const struct msg *open, int64_t now_ms)
{
	assert(stream->state == STREAM_NEW);
	stream->peer = stream->session.expected ? stream->peer : stream_copy_string(open->peer);
	stream->name = open->name ? utf8_copy(open->name, MAX_NAME) : NULL;
	/* The account has checked its length. */
	stream->folder = open->folder ? stream_copy_string(open->folder) : NULL;
	stream->session.resumable =
		open->resumable && open->stanza == STANZA_IQ && stream->config->reconnect_ms > 0;
	stream->incoming.part.is_offered =
		open->pieces && stream->session.resumable && !stream->session.expected;
	if (!stream->peer || (open->name && !stream->name) || (open->folder && !stream->folder) ||
	    stream_send_accepted(stream, open->id)) {
		return -ENOMEM;
	}
	stream->is_incoming = true;
	stream->incoming.has_reader = true;
	stream_limit_blocks(stream);
	/* Only an ibbfs sends a name, and only to another ibbfs. */
	stream->session.features = open->name ? FEATURE_IBB | FEATURE_IBBFS : 0;
	if (open->resumable) {
		stream->session.features |= FEATURE_RESUME;
	}
	stream->session.stanza = open->stanza;
	stream->session.block_size = open->block_size;
	stream->session.announced_size =
		stream->session.expected ? stream->session.announced_size : open->size;
	stream->state = STREAM_OPEN;
	stream_set_idle(stream, now_ms);
	op_complete_all(&stream->session.openers, 0, &stream->effects->done);
	return 0;
}

void stream_postpone(struct stream *stream)
{
	assert(stream->state == STREAM_NEW);
	stream_clear_deadline(stream);
	op_complete_all(&stream->session.openers, 0, &stream->effects->done);
}

int stream_expect(struct stream *stream, const char *peer, int64_t size)
{
	assert(stream->state == STREAM_NEW && !stream->peer);
	stream->peer = stream_copy_string(peer);
	if (!stream->peer) {
		return -ENOMEM;
	}
	stream->is_incoming = true;
	stream->incoming.has_reader = true;
	stream->session.expected = true;
	stream->session.announced_size = size;
	return 0;
}

bool stream_is_same_open(const struct stream *stream, const struct msg *open)
{
	return stream->is_incoming && stream->session.resumable && open->resumable &&
	       stream->state == STREAM_OPEN && stream->incoming.receiver.blocks == 0 &&
	       stream->session.block_size == open->block_size;
}

void stream_wait_open(struct stream *stream, struct op *op)
{
	if (stream_is_over(stream)) {
		op_complete(op, stream_outcome(stream), &stream->effects->done);
	} else if (stream->state >= STREAM_OPEN) {
		op_complete(op, 0, &stream->effects->done);
	} else {
		op_park(op, &stream->session.openers);
	}
}

void stream_open_accepted(struct stream *stream, const struct msg *result, int64_t now_ms)
{
	if (stream->state != STREAM_OPENING || stream->resumption.suspended) {
		return;
	}
	stream->state = STREAM_OPEN;
	stream->resumption.give_up_ms = 0;
	stream->timers.retries = 0;
	if (result->pieces) {
		stream_begin_pieces(stream, now_ms);
	}
	window_set_initial_rtt(&stream->outgoing.window,
			       (now_ms - stream->session.open_sent_ms) * 1000,
			       stream->sharing->streams);
	if (sender_is_empty(&stream->outgoing.sender)) {
		stream_set_idle(stream, now_ms);
	} else {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	op_complete_all(&stream->session.openers, 0, &stream->effects->done);
	stream_schedule(stream);
}

void stream_open_refused(struct stream *stream, const struct msg *error, int64_t now_ms)
{
	if (stream->state != STREAM_OPENING || stream->resumption.suspended) {
		return;
	}
	if (stream->resumption.give_up_ms != 0 && condition_means_away(error->condition) &&
	    stream_suspend(stream, true, now_ms)) {
		return; /* the peer was there before a connection broke, and is not back yet */
	}
	/* XEP-0047 section 2.1: resource-constraint asks for smaller blocks. Its type should be
	 * modify; others send cancel, or wait, which is RFC 6120's own for it (section 8.3.3.18).
	 * Only an ibbfs means something else by wait. Rounded up, since from 65535 that meets the
	 * limits of others, which are powers of two. */
	bool constrained = error->condition == CONDITION_RESOURCE_CONSTRAINT;
	bool too_soon = constrained && error->error_type == ERROR_TYPE_WAIT &&
			stream->session.features & FEATURE_IBBFS;
	uint32_t half = (stream->session.block_size + 1) / 2;
	if (constrained && !too_soon && half >= MIN_NEGOTIATED_BLOCK) {
		stream->session.block_size = half;
		stream->session.open_attempt++;
		stream->session.open_sent_ms = now_ms;
		if (!stream_send_open(stream)) {
			stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
			return;
		}
	}
	if (too_soon) {
		/* The peer limits our rate of requests (limits.h). The deadline stays. */
		stream->session.open_attempt++;
		stream_back_off(stream, now_ms);
		return;
	}
	if (stream->session.reopened > 0 && condition_means_away(error->condition)) {
		stream_break(stream, -ECONNRESET); /* the peer was there before */
		return;
	}
	bool silent = stream->session.features & FEATURE_SILENT &&
		      error->condition == CONDITION_SERVICE_UNAVAILABLE;
	stream_break(stream, silent ? -EHOSTDOWN : condition_open_error(error->condition));
}
