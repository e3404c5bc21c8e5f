/* SPDX-License-Identifier: MIT */
/*
 * <sync/>: bytes that were sent become durable at the receiver. So a flush is more than delivery.
 */
#include "ibb/stream_internal.h"

#include <errno.h>

/* A peer that knows the stream, but seems to be away whenever it is asked, is not one that answers
 * <sync/>. */
#define MAX_FAILURES 4

/* ---- the receiver ---- */

void stream_receive_sync(struct stream *stream, const struct msg *request)
{
	struct op *reader = stream->incoming.readers;
	if (stream_is_over(stream) || stream->state == STREAM_NEW) {
		effects_send_error(stream->effects, request->peer, request->id,
				   CONDITION_ITEM_NOT_FOUND);
		return;
	}
	receiver_ask_sync(&stream->incoming.receiver, request->peer, request->id,
			  (uint64_t)request->size, stream->effects);
	stream_charge_memory(stream);
	if (reader && stream_awaits_sync(stream)) {
		op_complete(reader, STREAM_SYNC, &stream->effects->done);
	}
}

/* ---- the sender ---- */

/* What is not durable is lost to the users of the stream. */
static void fail(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (condition_means_away(answer->condition)) {
		if (++stream->outgoing.sync_failures >= MAX_FAILURES ||
		    !stream_suspend(stream, true, now_ms)) {
			stream_break(stream, -ECONNRESET);
		}
	} else if (answer->condition == CONDITION_ITEM_NOT_FOUND) {
		stream_break(stream, -ECONNRESET);
	} else {
		stream_abort(stream, condition_store_error(answer->condition));
	}
}

void stream_sync_answered(struct stream *stream, const struct msg *answer, uint64_t bytes,
			  int64_t now_ms)
{
	struct stream_outgoing *outgoing = &stream->outgoing;
	/* Once <close/> was sent, its answer says what has become of the bytes. */
	if (stream_is_over(stream) || stream->session.close_sent || bytes > outgoing->sync_asked) {
		return;
	}
	if (answer->kind != MSG_RESULT) {
		fail(stream, answer, now_ms);
		return;
	}
	outgoing->sync_failures = 0;
	outgoing->synced = bytes > outgoing->synced ? bytes : outgoing->synced;
	outgoing->awaits_sync = outgoing->awaits_sync && outgoing->synced < outgoing->sync_asked;
	stream_proceed(stream, now_ms);
}
