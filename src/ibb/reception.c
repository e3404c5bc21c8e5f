/* SPDX-License-Identifier: MIT */
/*
 * What comes into a stream: blocks, and the reads that take them out.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <utlist.h>

/* Of a block's memory beside its bytes: its id, which may wait for its answer. */
#define BLOCK_OVERHEAD 2048

/* ---- memory ---- */

/* Memory that no other stream can take from it: one block always has some. */
static size_t own_share(const struct stream *stream)
{
	static const struct queue empty;
	size_t block = queue_memory_with(&empty, stream->block_size) + BLOCK_OVERHEAD;
	return stream->limits->share > block ? stream->limits->share : block;
}

/* One block always fits. */
static size_t buffer_size(const struct stream *stream)
{
	size_t buffer = stream->config->buffer;
	if (limits_are_near(stream->limits) && buffer > stream->limits->share) {
		buffer = stream->limits->share;
	}
	return buffer > stream->block_size ? buffer : stream->block_size;
}

void stream_note_memory(struct stream *stream)
{
	limits_charge(stream->limits, receiver_memory(&stream->receiver), own_share(stream),
		      &stream->charged);
}

/* Answers that memory is too short for now leave with the next read or block. */
void stream_catch_up(struct stream *stream)
{
	if (!stream_is_over(stream)) {
		receiver_release(&stream->receiver, stream->peer, buffer_size(stream),
				 stream->effects);
	}
	stream_note_memory(stream);
}

void stream_leave_ripe(struct stream *stream)
{
	if (stream->is_ripe) {
		DL_DELETE2(stream->effects->ripe, stream, ripe_prev, ripe_next);
		stream->is_ripe = false;
	}
}

void stream_serve_readers(struct stream *stream)
{
	stream_leave_ripe(stream);
	while (stream->readers && stream->receiver.in.length > 0) {
		struct op *op = stream->readers;
		ssize_t result = receiver_read(&stream->receiver, op->size, &op->data);
		op_complete(op, result, &stream->effects->done);
	}
	stream_catch_up(stream);
}

/* ---- blocks that come ---- */

/* What is wrong with a block comes first: an error that must end the stream. */
static enum condition take_block(struct stream *stream, const struct msg *data)
{
	size_t memory = receiver_memory_with(&stream->receiver, data);
	bool good = data->seq == stream->receiver.seq && data->data &&
		    data->data_length <= stream->block_size;
	if (good && stream->expected && stream->announced >= 0 &&
	    data->data_length > (uint64_t)stream->announced - stream->receiver.received) {
		return CONDITION_BAD_REQUEST; /* more than was offered */
	}
	if (good && !limits_have_room(stream->limits, memory, own_share(stream), stream->charged)) {
		return CONDITION_RESOURCE_CONSTRAINT;
	}
	enum condition condition = receiver_take(&stream->receiver, data, stream->block_size,
						 buffer_size(stream), stream->effects);
	stream_note_memory(stream);
	if (condition == CONDITION_NONE && stream->hash) {
		hash_update(stream->hash, data->data, data->data_length);
	}
	return condition;
}

void stream_receive_data(struct stream *stream, const struct msg *data, int64_t now_ms)
{
	stream->heard_ms = now_ms;
	/* Also in CLOSING: it was read, and only its acknowledgement was lost. */
	if (stream->resumable && stream->state >= STREAM_OPEN && !stream->close_id &&
	    receiver_knows(&stream->receiver, data, stream->effects)) {
		return;
	}
	bool unread = stream->state == STREAM_OPEN && !stream->reading && !stream->close_id;
	if (stream->state == STREAM_CLOSING || unread) {
		/* Nobody reads, any more or at all, so nothing may be acknowledged; the peer may
		 * not know it yet. */
		if (data->carrier == CARRIER_IQ) {
			effects_send_error(stream->effects, data->peer, data->id,
					   CONDITION_ITEM_NOT_FOUND);
		} else if (!stream->close_sent) {
			/* What follows a message may be answered only behind our <close/>. */
			stream_abort(stream, -ECONNRESET);
		}
		return;
	}
	enum condition condition = stream->state == STREAM_OPEN && !stream->ended
					   ? take_block(stream, data)
					   : CONDITION_UNEXPECTED_REQUEST;
	if (stream->resumable && data->carrier == CARRIER_IQ &&
	    (condition == CONDITION_RESOURCE_CONSTRAINT ||
	     (condition == CONDITION_UNEXPECTED_REQUEST && stream->state == STREAM_OPEN &&
	      !stream->close_id))) {
		/* Too much at once, or the one before was lost on its way: it will be repeated. */
		effects_send_wait(stream->effects, data->peer, data->id);
		return;
	}
	if (condition != CONDITION_NONE) {
		if (data->carrier == CARRIER_IQ) {
			effects_send_error(stream->effects, data->peer, data->id, condition);
		}
		/* XEP-0047 section 2.2: after a lost or bad block the stream must be closed. */
		stream_abort(stream,
			     condition == CONDITION_RESOURCE_CONSTRAINT ? -ECONNRESET : -EPROTO);
		return;
	}
	if (!stream->readers) {
		stream_catch_up(stream);
	} else if (stream->receiver.in.length >= stream->readers->size) {
		stream_serve_readers(stream);
	} else if (!stream->is_ripe) {
		DL_APPEND2(stream->effects->ripe, stream, ripe_prev, ripe_next);
		stream->is_ripe = true;
	}
}

void stream_read(struct stream *stream, struct op *op)
{
	struct op **done = &stream->effects->done;

	ssize_t result = receiver_read(&stream->receiver, op->size, &op->data);
	stream_catch_up(stream);
	if (result != 0) {
		op_complete(op, result, done);
	} else if (stream_is_over(stream)) {
		op_complete(op, stream->error, done);
	} else if (stream->close_id) {
		op_complete(op, 0, done);
	} else if (op->nonblock) {
		op_complete(op, -EAGAIN, done);
	} else {
		op_park(op, &stream->readers);
	}
}

void stream_confirm_reads(struct stream *stream)
{
	stream->receiver.confirms = true;
}

void stream_confirm(struct stream *stream)
{
	receiver_confirm(&stream->receiver);
	stream_catch_up(stream);
}

/* ---- what would happen ---- */

bool stream_is_at_end(const struct stream *stream)
{
	return stream->receiver.in.length == 0 && (stream_is_over(stream) || stream->close_id);
}

bool stream_can_read(const struct stream *stream)
{
	return stream->receiver.in.length > 0 || stream_is_at_end(stream);
}
