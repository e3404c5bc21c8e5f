/* SPDX-License-Identifier: MIT */
/*
 * The user's side of received bytes: reads, and the memory of unread bytes.
 */
#include "ibb/stream_internal.h"

#include <errno.h>

/* The memory of a block besides its bytes: its id, while its acknowledgement is withheld. */
#define BLOCK_OVERHEAD 2048

/* ---- memory ---- */

size_t stream_memory_share(const struct stream *stream)
{
	static const struct queue empty;
	size_t block = queue_memory_with(&empty, stream->session.block_size) + BLOCK_OVERHEAD;
	return stream->limits->share > block ? stream->limits->share : block;
}

size_t stream_buffer_size(const struct stream *stream)
{
	size_t buffer = stream->config->buffer;
	if (limits_under_pressure(stream->limits) && buffer > stream->limits->share) {
		buffer = stream->limits->share;
	}
	return buffer > stream->session.block_size ? buffer : stream->session.block_size;
}

void stream_charge_memory(struct stream *stream)
{
	limits_charge(stream->limits, receiver_memory(&stream->incoming.receiver),
		      stream_memory_share(stream), &stream->incoming.charged);
}

/* Acknowledgements for which memory is short are sent with the next read or block. A stream that is
 * over has no next one: its acknowledgements wait until the backlog is shorter. */
void stream_release_acknowledgements(struct stream *stream)
{
	if (receiver_release(&stream->incoming.receiver, stream->peer, stream_buffer_size(stream),
			     stream->effects) &&
	    stream_is_over(stream)) {
		stream->effects->backlogged = true;
	}
	stream_charge_memory(stream);
}

/* ---- reads ---- */

/* Bytes, or a skip. */
static ssize_t read_next(struct stream *stream, struct op *op)
{
	struct receiver *receiver = &stream->incoming.receiver;
	ssize_t result = STREAM_SKIP;
	if (receiver_read_skip(receiver)) {
		op->offset = receiver_position(receiver);
	} else {
		result = receiver_read(receiver, op->size, &op->data);
	}
	op->end = receiver->blocks_read;
	return result;
}

void stream_complete_reads(struct stream *stream)
{
	stream_clear_readable(stream);
	while (stream->incoming.readers && receiver_has_unread(&stream->incoming.receiver)) {
		struct op *op = stream->incoming.readers;
		ssize_t result = read_next(stream, op);
		op_complete(op, result, &stream->effects->done);
	}
	stream_release_acknowledgements(stream);
}

bool stream_awaits_sync(const struct stream *stream)
{
	const struct receiver *receiver = &stream->incoming.receiver;
	/* An offered file ends with its last byte, any other with <close/>, before which the peer
	 * may wait for an answer. */
	bool at_end = stream_has_ended_input(stream) ||
		      (stream->session.expected && stream->session.announced_size >= 0 &&
		       receiver->received == (uint64_t)stream->session.announced_size);
	bool may_be_last = receiver->needs_sync && receiver->committed == receiver->received &&
			   receiver->synced < receiver->received;
	return !at_end && (may_be_last || receiver_awaits_sync(receiver));
}

bool stream_awaits_reader(const struct stream *stream)
{
	return stream->session.resumable &&
	       stream->incoming.receiver.in.length > stream_buffer_size(stream);
}

bool stream_can_answer_close(const struct stream *stream)
{
	return stream->session.close_pending && stream_is_delivered(stream) &&
	       !stream_is_over(stream) && !stream->resumption.suspended &&
	       !stream->incoming.receiver.needs_commit && !stream_awaits_reader(stream);
}

void stream_read(struct stream *stream, struct op *op)
{
	struct op **done = &stream->effects->done;

	if (stream->resumption.handed_over) {
		op_complete(op, -ESHUTDOWN, done);
		return;
	}
	ssize_t result;
	if (stream_awaits_sync(stream)) {
		result = STREAM_SYNC;
	} else if (stream_wants_page(stream, &op->offset)) {
		result = STREAM_PAGE;
	} else {
		result = read_next(stream, op);
	}
	stream_release_acknowledgements(stream);
	if (stream_can_answer_close(stream)) {
		stream->effects->answers_due = true;
	}
	if (result != 0) {
		op_complete(op, result, done);
	} else if (stream_is_over(stream)) {
		op_complete(op, stream->error, done);
	} else if (stream_has_ended_input(stream)) {
		op_complete(op, 0, done);
	} else if (op->nonblock) {
		op_complete(op, -EAGAIN, done);
	} else {
		op_park(op, &stream->incoming.readers);
	}
}

void stream_defer_acknowledgements(struct stream *stream)
{
	stream->incoming.receiver.needs_commit = true;
}

void stream_commit(struct stream *stream)
{
	receiver_commit(&stream->incoming.receiver);
	stream_release_acknowledgements(stream);
}

void stream_defer_last_acknowledgement(struct stream *stream)
{
	stream->incoming.receiver.needs_sync = true;
}

void stream_sync_when_asked(struct stream *stream)
{
	stream->incoming.receiver.syncs = true;
}

void stream_sync(struct stream *stream)
{
	receiver_sync(&stream->incoming.receiver);
	stream_release_acknowledgements(stream);
}

void stream_set_journaled(struct stream *stream, bool journaled)
{
	stream->incoming.is_journaled = journaled;
}

void stream_end_reads(struct stream *stream)
{
	stream->incoming.is_whole = true;
	stream_complete_reads(stream);
	op_complete_all(&stream->incoming.readers, 0, &stream->effects->done);
}

bool stream_is_at_end(const struct stream *stream)
{
	return !receiver_has_unread(&stream->incoming.receiver) && stream_has_ended_input(stream);
}

bool stream_can_read(const struct stream *stream)
{
	return receiver_has_unread(&stream->incoming.receiver) || stream_is_at_end(stream) ||
	       stream_awaits_sync(stream);
}
