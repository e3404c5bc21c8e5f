/* SPDX-License-Identifier: MIT */
/*
 * The wire's side of received bytes: blocks, and their answers.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <utlist.h>

/* A bad block, which ends the stream, is reported before a lack of memory. */
static enum condition take_block(struct stream *stream, const struct msg *data)
{
	if (data->kind == MSG_SKIP) {
		enum condition verdict = stream_take_skip(stream, data);
		stream_charge_memory(stream);
		return verdict;
	}
	size_t memory = receiver_memory_with(&stream->incoming.receiver, data);
	bool good = data->seq == stream->incoming.receiver.seq && data->data &&
		    data->data_length <= stream->session.block_size;
	if (good && stream->session.expected && stream->session.announced_size >= 0 &&
	    data->data_length >
		    (uint64_t)stream->session.announced_size - stream->incoming.receiver.received) {
		stream->incoming.too_long = true;
		return CONDITION_BAD_REQUEST;
	}
	if (good && !limits_have_room(stream->limits, memory, stream_memory_share(stream),
				      stream->incoming.charged)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	enum condition condition =
		receiver_accept(&stream->incoming.receiver, data, stream->session.block_size,
				stream_buffer_size(stream), stream->effects);
	stream_charge_memory(stream);
	if (condition == CONDITION_NONE && stream->incoming.hash) {
		hash_update(stream->incoming.hash, data->data, data->data_length);
	}
	return condition;
}

/* Nobody reads, any more or at all, so nothing may be acknowledged. The peer may not know it
 * yet. */
static void refuse_unread(struct stream *stream, const struct msg *data)
{
	if (data->stanza == STANZA_IQ) {
		effects_send_error(stream->effects, data->peer, data->id, CONDITION_ITEM_NOT_FOUND);
	} else if (!stream->session.close_sent) {
		/* A probe that follows the message may be answered only after our <close/>. */
		stream_abort(stream, -ECONNRESET);
	}
}

static void refuse_block(struct stream *stream, const struct msg *data, enum condition condition)
{
	bool too_much = condition == CONDITION_RESOURCE_CONSTRAINT;
	bool is_early = condition == CONDITION_UNEXPECTED_REQUEST && stream->state == STREAM_OPEN &&
			!stream->session.close_pending;
	if (stream->session.resumable && data->stanza == STANZA_IQ && (too_much || is_early)) {
		/* Too many bytes at once, or the previous block was lost: the peer retransmits. */
		effects_send_wait(stream->effects, data->peer, data->id);
		return;
	}
	if (data->stanza == STANZA_IQ) {
		effects_send_error(stream->effects, data->peer, data->id, condition);
	}
	/* XEP-0047 section 2.2: after a lost or bad block the stream must be closed. */
	stream_abort(stream, too_much ? -ECONNRESET : -EPROTO);
}

/* Completes parked reads now if one is full, else together with the blocks of the same burst. */
static void notify_readers(struct stream *stream)
{
	const struct op *readers = stream->incoming.readers;
	if (!readers) {
		stream_release_acknowledgements(stream);
	} else if (stream->incoming.receiver.in.length >= readers->size) {
		stream_complete_reads(stream);
	} else if (!stream->links.is_readable) {
		DL_APPEND2(stream->effects->readable, stream, links.readable_prev,
			   links.readable_next);
		stream->links.is_readable = true;
	}
}

void stream_receive_data(struct stream *stream, const struct msg *data, int64_t now_ms)
{
	stream->timers.last_heard_ms = now_ms;
	/* Also in CLOSING: the block was read, and its acknowledgement was lost. A message has no
	 * answer, and so is never retransmitted. */
	if (stream->session.resumable && data->stanza == STANZA_IQ &&
	    stream->state >= STREAM_OPEN && !stream->session.close_pending &&
	    receiver_is_duplicate(&stream->incoming.receiver, data, stream->effects)) {
		return;
	}
	bool is_open = stream->state == STREAM_OPEN;
	if (stream->state == STREAM_CLOSING ||
	    (is_open && !stream->incoming.has_reader && !stream->session.close_pending)) {
		refuse_unread(stream, data);
		return;
	}
	enum condition condition = is_open && !stream->session.close_received
					   ? take_block(stream, data)
					   : CONDITION_UNEXPECTED_REQUEST;
	if (condition != CONDITION_NONE) {
		refuse_block(stream, data, condition);
	} else {
		notify_readers(stream);
	}
}
