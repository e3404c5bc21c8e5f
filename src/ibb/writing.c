/* SPDX-License-Identifier: MIT */
/*
 * The user's side of sent bytes: writes, the zeros of a gap, and flushes.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The least that is buffered ahead of the window. */
#define WRITE_AHEAD ((size_t)64 * 1024)

/* Writes are taken over up to this far beyond what is buffered ahead; later ones stay in their op.
 */
#define WRITE_SLACK ((size_t)1024 * 1024)

/* Zeros of a gap appended at a time. */
#define GAP_STEP ((size_t)64 * 1024)

/* How many bytes of a gap are hashed in one call: enough to decide on a piece of them. */
#define GAP_HASHED (4 * PIECES_LENGTH)

/* ---- room ---- */

int stream_write_error(const struct stream *stream)
{
	if (stream_is_over(stream)) {
		return stream_outcome(stream);
	}
	/* After the peer's <close/> only earlier writes are still sent. */
	return stream->session.close_pending || stream->state == STREAM_CLOSING ? -ECONNRESET : 0;
}

/* Bytes that may be buffered, so that the window never runs dry while a writer wakes up. */
static size_t write_ahead(const struct stream *stream)
{
	size_t least = stream->config->window < WRITE_AHEAD ? stream->config->window : WRITE_AHEAD;
	return stream->outgoing.window.size > least ? stream->outgoing.window.size : least;
}

/* Whether a whole piece is held whose digest at the peer is not known yet. */
static bool awaits_piece(const struct stream *stream)
{
	return stream->outgoing.pieces && pieces_is_full(stream->outgoing.pieces);
}

static bool is_full(const struct stream *stream)
{
	return stream->outgoing.gap > 0 || awaits_piece(stream) ||
	       stream->outgoing.sender.out.length > write_ahead(stream);
}

/* From the moment that something is to be sent, an answer is awaited. */
static void await_delivery(struct stream *stream, int64_t now_ms)
{
	if (stream->state == STREAM_OPEN && stream->timers.deadline_ms == STREAM_NO_DEADLINE) {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	stream_ask_page(stream, now_ms);
	stream_schedule(stream);
}

/* ---- a gap ---- */

/* Appends as many zeros of the gap as there is room for. Zeros that the peer has already take no
 * room, but are hashed: some at a time, and the next ones when these are acknowledged. */
static void fill_gap(struct stream *stream)
{
	size_t most = stream->outgoing.pieces ? GAP_HASHED : SIZE_MAX;
	while (stream->outgoing.gap > 0 && most > 0 && !awaits_piece(stream) &&
	       stream->outgoing.sender.out.length <= write_ahead(stream)) {
		size_t length =
			stream->outgoing.gap < GAP_STEP ? (size_t)stream->outgoing.gap : GAP_STEP;
		if (stream_append(stream, NULL, length)) {
			stream_abort(stream, -ENOMEM);
			return;
		}
		stream->outgoing.gap -= length;
		most -= length < most ? length : most;
	}
}

int stream_write_zeros(struct stream *stream, uint64_t length, int64_t now_ms)
{
	int error = stream_write_error(stream);
	if (error) {
		return error;
	}
	stream->outgoing.gap += length;
	fill_gap(stream);
	await_delivery(stream, now_ms);
	return stream->state == STREAM_BROKEN ? stream->error : 0;
}

/* ---- writes ---- */

void stream_write(struct stream *stream, struct op *op, const void *bytes, int64_t now_ms)
{
	stream_write_behind(stream, op, 0, bytes, now_ms);
}

/* All bytes of the write are queued, and nothing else keeps it waiting. */
static void complete_write(struct stream *stream, struct op *op)
{
	if (op->kind == OP_WRITE) {
		op_complete(op, (ssize_t)op->size, &stream->effects->done);
		return;
	}
	if (op->list) {
		op_unpark(op);
	}
	op->end = stream_written(stream);
	op_park(op, &stream->outgoing.flushers);
	stream_push(stream);
}

/* This happens only after interrupted writes, after a gap or behind another writer. */
static void park_with_bytes(struct stream *stream, struct op *op, const void *bytes)
{
	op->data = malloc(op->size);
	if (!op->data) {
		op_complete(op, -ENOMEM, &stream->effects->done);
		return;
	}
	memcpy(op->data, bytes, op->size);
	op_park(op, &stream->outgoing.writers);
}

void stream_write_behind(struct stream *stream, struct op *op, uint64_t gap, const void *bytes,
			 int64_t now_ms)
{
	struct op **done = &stream->effects->done;
	struct sender *sender = &stream->outgoing.sender;

	int error = stream_write_error(stream);
	if (error) {
		op_complete(op, error, done);
		return;
	}
	if (op->nonblock && is_full(stream)) {
		op_complete(op, -EAGAIN, done);
		return;
	}
	error = gap > 0 ? stream_write_zeros(stream, gap, now_ms) : 0;
	if (!error && op->nonblock && stream->outgoing.gap > 0) {
		error = -EAGAIN;
	}
	if (error) {
		op_complete(op, error, done);
		return;
	}
	if (sender->out.length > write_ahead(stream) + WRITE_SLACK || stream->outgoing.writers ||
	    stream->outgoing.gap > 0 || awaits_piece(stream)) {
		park_with_bytes(stream, op, bytes);
		return;
	}
	error = stream_append(stream, bytes, op->size);
	if (error) {
		op_complete(op, error, done);
		return;
	}
	await_delivery(stream, now_ms);
	if (op->kind == OP_WRITE && is_full(stream) && !op->nonblock) {
		op_park(op, &stream->outgoing.writers);
	} else {
		complete_write(stream, op);
	}
}

bool stream_can_write(const struct stream *stream)
{
	return stream_write_error(stream) || !is_full(stream);
}

void stream_release_writers(struct stream *stream)
{
	fill_gap(stream);
	while (stream->outgoing.writers && !is_full(stream)) {
		struct op *op = stream->outgoing.writers;
		int error = op->data ? stream_append(stream, op->data, op->size) : 0;
		if (error) {
			stream_abort(stream, error); /* a later write must not take its place */
		}
		if (stream_is_over(stream)) {
			return; /* with all its calls */
		}
		complete_write(stream, op);
	}
	if (stream->outgoing.flushers || stream->session.finishers ||
	    stream->session.close_pending || stream->state == STREAM_CLOSING) {
		stream_push_all(stream);
	}
}

/* ---- flushes ---- */

void stream_push(struct stream *stream)
{
	stream_push_all(stream);
	stream_schedule(stream);
}

/* The offset after the last byte of all writes so far, parked ones included. */
static uint64_t end_of_writes(const struct stream *stream)
{
	uint64_t end = stream_written(stream);
	const struct op *op;
	DL_FOREACH (stream->outgoing.writers, op) {
		end += op->data ? op->size : 0;
	}
	return end;
}

void stream_flush(struct stream *stream, struct op *op, int64_t now_ms)
{
	struct op **done = &stream->effects->done;

	if (stream->state == STREAM_BROKEN) {
		op_complete(op, stream->error, done);
	} else if (stream->state == STREAM_CLOSING) {
		/* Two may close the file at once: then each is the last one. */
		op_park(op, &stream->session.finishers);
	} else if (stream_awaits_beginning(stream) && end_of_writes(stream) == 0) {
		/* No block will say that the peer has a place for the file. */
		bool asked = stream->outgoing.flushers != NULL;
		op->end = 0;
		op_park(op, &stream->outgoing.flushers);
		if (!asked) {
			stream_probe_beginning(stream);
		}
		await_delivery(stream, now_ms);
	} else if (stream_is_delivered(stream) && !stream->resumption.suspended &&
		   !stream_needs_sync(stream)) {
		stream->outgoing.flushed = stream->outgoing.sender.acknowledged;
		op_complete(op, 0, done);
	} else if (stream_is_delivered(stream) &&
		   stream->outgoing.flushed == stream->outgoing.sender.acknowledged) {
		op_complete(op, 0, done);
	} else {
		op->end = end_of_writes(stream);
		op_park(op, &stream->outgoing.flushers);
		stream_push_all(stream);
		stream_ask_sync(stream);
		await_delivery(stream, now_ms);
	}
}

void stream_finish_writing(struct stream *stream, struct op *op, int64_t now_ms)
{
	bool begun = stream->state == STREAM_OPEN ||
		     (stream->state <= STREAM_OPENING && !stream_is_delivered(stream));
	/* What a NEW stream's peer is, is not known yet. */
	bool may_answer = stream->state == STREAM_NEW || stream->session.features & FEATURE_IBBFS;
	if (!begun || stream->session.close_pending || stream_is_unread(stream) || !may_answer) {
		stream_flush(stream, op, now_ms);
		return;
	}
	op_park(op, &stream->session.finishers);
	stream_push_all(stream);
	await_delivery(stream, now_ms);
	stream_close_when_delivered(stream, now_ms);
}
