/* SPDX-License-Identifier: MIT */
/*
 * Written bytes go to the sender, or are skipped if the peer has them already (pieces.h).
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <utlist.h>

/* Bytes that are moved at once. */
#define STEP ((size_t)16 * 1024)

/* The oldest `length` of the held bytes are to be sent. */
static int send_held(struct stream *stream, size_t length)
{
	uint8_t bytes[STEP];
	for (size_t part; length > 0; length -= part) {
		part = length < sizeof(bytes) ? length : sizeof(bytes);
		pieces_copy(stream->outgoing.pieces, bytes, part);
		int error = sender_append(&stream->outgoing.sender, bytes, part);
		if (error) {
			return error;
		}
		pieces_drop(stream->outgoing.pieces, part, false);
	}
	return 0;
}

static int skip_held(struct stream *stream, size_t length)
{
	int error = sender_skip(&stream->outgoing.sender, length);
	if (!error) {
		pieces_drop(stream->outgoing.pieces, length, true);
	}
	return error;
}

void stream_decide_pieces(struct stream *stream)
{
	struct pieces *pieces = stream->outgoing.pieces;
	enum pieces_verdict verdict;
	size_t length;
	if (!pieces) {
		return;
	}
	bool flushes = pieces->is_flushed;
	while ((verdict = pieces_next(pieces, &length)) != PIECES_WAIT) {
		if (verdict == PIECES_SEND ? send_held(stream, length)
					   : skip_held(stream, length)) {
			stream_abort(stream, -ENOMEM);
			return;
		}
	}
	if (flushes) {
		sender_push(&stream->outgoing.sender);
	}
	if (pieces_are_needless(pieces)) {
		stream_forget_pieces(stream);
	}
	stream_schedule(stream);
}

void stream_begin_pieces(struct stream *stream, int64_t now_ms)
{
	/* Bytes that were written before the answer to <open/> are sent. */
	if (stream->session.asks_pieces && stream_written(stream) == 0) {
		/* When memory is short, everything is sent. */
		stream->outgoing.pieces = pieces_create();
		stream_ask_page(stream, now_ms);
	}
}

int stream_append(struct stream *stream, const void *bytes, size_t length)
{
	if (!stream->outgoing.pieces) {
		return sender_append(&stream->outgoing.sender, bytes, length);
	}
	int error = pieces_hold(stream->outgoing.pieces, bytes, length);
	if (!error) {
		stream_decide_pieces(stream);
		error = stream->state == STREAM_BROKEN ? stream->error : 0;
	}
	return error;
}

/* Whether parked writers, or the gap, have more bytes. These may complete the held piece: a push
 * now would send the piece that could be skipped. stream_release_writers pushes again. */
static bool awaits_written(const struct stream *stream)
{
	const struct op *op;
	DL_FOREACH (stream->outgoing.writers, op) {
		if (op->data) {
			return true;
		}
	}
	return stream->outgoing.gap > 0;
}

void stream_push_all(struct stream *stream)
{
	if (stream->outgoing.pieces && !awaits_written(stream)) {
		pieces_flush(stream->outgoing.pieces);
		stream_decide_pieces(stream);
	}
	sender_push(&stream->outgoing.sender);
}
