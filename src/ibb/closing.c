/* SPDX-License-Identifier: MIT */
/*
 * How a stream ends in good order: <close/>, ours or the peer's; and expected streams.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <stdlib.h>

void stream_close(struct stream *stream, bool good_order, int64_t now_ms)
{
	struct op **done = &stream->effects->done;

	if (stream_is_over(stream) || stream->state == STREAM_CLOSING ||
	    stream->resumption.handed_over) {
		return;
	}
	if (stream->session.close_pending && stream_is_at_end(stream) &&
	    stream_is_delivered(stream) && !stream->incoming.receiver.needs_commit) {
		/* The reader has come to the end before ibb_next could answer, or offline. */
		stream_end(stream, STREAM_CLOSED, 0);
	} else if (stream->state == STREAM_NEW && stream_is_delivered(stream)) {
		op_complete_all(&stream->incoming.readers, -ECONNRESET, done);
		stream_end(stream, STREAM_CLOSED, 0);
	} else if (!good_order || stream->state < STREAM_OPEN) {
		stream_abort(stream, -ECONNRESET);
	} else if (!stream->session.close_pending) {
		stream->state = STREAM_CLOSING;
		op_complete_all(&stream->incoming.readers, -ECONNRESET, done);
		stream_push_all(stream);
		stream_schedule(stream);
		stream_close_when_delivered(stream, now_ms);
	}
}

static bool has_received(const struct stream *stream, int64_t size)
{
	return size < 0 || stream->incoming.receiver.received == (uint64_t)size;
}

/* Acknowledges everything received, read or not: the peer sends nothing more. */
static void acknowledge_all(struct stream *stream)
{
	receiver_release(&stream->incoming.receiver, stream->peer, SIZE_MAX, stream->effects);
	stream_charge_memory(stream);
}

/* Another <close/>, while the answer to the first waits. */
static void receive_close_again(struct stream *stream, const struct msg *close)
{
	/* A retransmission gets the same answer: a connection broke, or storing takes long. */
	bool repeats = stream->session.resumable || stream_is_being_stored(stream);
	if (!repeats || receiver_hold_close(&stream->incoming.receiver, close->id)) {
		effects_send_error(stream->effects, close->peer, close->id,
				   CONDITION_UNEXPECTED_REQUEST);
	}
}

/* The peer sends nothing more; its <close/> is answered later. False: memory is short. */
static bool defer_answer(struct stream *stream, const struct msg *close)
{
	if (receiver_hold_close(&stream->incoming.receiver, close->id)) {
		return false;
	}
	stream->session.close_pending = true;
	op_complete_all(&stream->outgoing.writers, -ECONNRESET, &stream->effects->done);
	stream_push_all(stream);
	stream_schedule(stream);
	stream_complete_reads(stream);
	op_complete_all(&stream->incoming.readers, 0, &stream->effects->done);
	return true;
}

/* At once. An ibbfs, which says how many bytes it has sent, takes a result for success. */
static void answer_close(struct stream *stream, const struct msg *close, bool whole)
{
	if (!whole && !close->reset && close->size >= 0) {
		effects_send_error(stream->effects, close->peer, close->id,
				   CONDITION_NOT_ACCEPTABLE);
	} else {
		stream->session.close_accepted = !close->reset;
		effects_send_result(stream->effects, close->peer, close->id);
	}
}

/* An expected stream: stream_finish decides how it ends. */
static void receive_expected_close(struct stream *stream, const struct msg *close, bool whole)
{
	if (close->reset || !whole) {
		answer_close(stream, close, whole);
		stream_break(stream, -ECONNRESET);
	} else if (!stream->incoming.receiver.needs_commit) {
		acknowledge_all(stream);
		answer_close(stream, close, true);
	} else if (receiver_hold_close(&stream->incoming.receiver, close->id)) {
		effects_send_error(stream->effects, close->peer, close->id,
				   CONDITION_INTERNAL_SERVER_ERROR);
	}
}

/* Of bytes that must become durable first. True: it waits, or is answered. */
static bool receive_durable_close(struct stream *stream, const struct msg *close, bool whole)
{
	if (!stream->incoming.receiver.needs_commit) {
		return false;
	}
	if (whole && defer_answer(stream, close)) {
		stream->resumption.suspended = false; /* it has come from there */
		stream->resumption.give_up_ms = 0;
		stream_clear_deadline(stream);
		return true;
	}
	effects_send_error(stream->effects, close->peer, close->id,
			   whole ? CONDITION_INTERNAL_SERVER_ERROR : CONDITION_NOT_ACCEPTABLE);
	stream_break(stream, -ECONNRESET);
	return true;
}

/* OPEN: the peer's <close/> has no <reset/>. Returns whether it was answered, or will be. */
static bool handle_good_close(struct stream *stream, const struct msg *close, bool delivered,
			      bool whole)
{
	if (whole && !stream->incoming.receiver.needs_commit && stream_awaits_reader(stream) &&
	    defer_answer(stream, close)) {
		return true; /* until the bytes are read, as far as they do not fit in the buffer */
	}
	/* The peer did not wait for acknowledgements. Its bytes are here, and will be read. */
	acknowledge_all(stream);
	if (receive_durable_close(stream, close, whole)) {
		return true;
	}
	/* XEP-0047 section 2.3: the other side may flush its own data before it answers <close/>.
	 * Nobody would know whether the peer still accepts messages. */
	bool may_flush = !delivered && stream->incoming.has_reader && whole &&
			 stream->session.stanza == STANZA_IQ;
	return may_flush && defer_answer(stream, close);
}

/* Whether the sender did not wait for acknowledgements, and blocks before its <close/> were lost or
 * refused. It will retransmit them. */
static bool is_early(const struct stream *stream, const struct msg *close)
{
	return stream->state == STREAM_OPEN && stream->session.resumable &&
	       !stream->session.expected && !stream->session.close_pending && !close->reset &&
	       close->size > (int64_t)stream->incoming.receiver.received;
}

void stream_receive_close(struct stream *stream, const struct msg *close)
{
	if (is_early(stream, close)) {
		effects_send_error(stream->effects, close->peer, close->id,
				   CONDITION_UNEXPECTED_REQUEST);
		return;
	}
	bool is_open = stream->state == STREAM_OPEN;
	bool delivered = stream_is_delivered(stream);
	/* Fewer bytes than announced, or than the peer has sent, are no good end. */
	bool as_sent = has_received(stream, close->size);
	bool whole = as_sent && has_received(stream, stream->session.announced_size);

	stream->session.close_received = true;
	/* Another ibbfs names its bytes. */
	if (!close->reset && (stream->session.resumable || close->size >= 0)) {
		stream->session.close_repeats = true;
	}
	if (!stream->session.close_pending) {
		stream_note_digest(stream, close);
	}
	if (stream->incoming.part.has_skipped && !stream->incoming.part.has_digest) {
		whole = false; /* nobody could tell */
	}
	if (stream->session.expected && is_open) {
		receive_expected_close(stream, close, as_sent);
		return;
	}
	if (stream->session.close_pending && !close->reset) {
		receive_close_again(stream, close);
		return;
	}
	if (is_open && !close->reset && handle_good_close(stream, close, delivered, whole)) {
		return;
	}
	answer_close(stream, close, whole);
	if (stream->state == STREAM_OPENING || close->reset || !delivered || !whole) {
		stream_break(stream,
			     close->no_room && !stream->is_incoming ? -ENOSPC : -ECONNRESET);
	} else {
		stream_end(stream, STREAM_CLOSED, 0);
	}
}

/* Why an ibbfs has not stored what was sent; 0: it has. An error of another client says nothing. */
static int close_error(const struct stream *stream, const struct msg *answer)
{
	if (answer->kind != MSG_ERROR || !(stream->session.features & FEATURE_IBBFS)) {
		return 0;
	}
	/* The peer remembers its answer to an earlier <close/> that has arrived. So
	 * item-not-found says that the stream was broken there, or was lost by a restart. */
	return condition_store_error(answer->condition);
}

/* The peer misses bytes that were sent before our <close/>. */
static void close_later(struct stream *stream, int64_t now_ms)
{
	stream->session.close_sent = false;
	if (stream_is_delivered(stream)) {
		/* It has lost what it had acknowledged. */
		stream_abort(stream, -ECONNRESET);
		return;
	}
	stream->session.close_was_early = true;
	if (!stream->resumption.suspended) {
		stream->resumption.give_up_ms = 0; /* the peer knows the stream */
	}
	if (stream->session.finishers && stream->owned) {
		stream->state = STREAM_OPEN;
	}
	if (stream->timers.retry_ms == STREAM_NO_DEADLINE &&
	    stream->outgoing.sender.blocks_in_flight > 0) {
		stream_retransmit_all(stream);
	}
	stream_proceed(stream, now_ms);
}

void stream_close_answered(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (stream->state != STREAM_CLOSING || !stream->session.close_sent) {
		return;
	}
	if (answer->kind == MSG_ERROR && answer->condition == CONDITION_UNEXPECTED_REQUEST &&
	    stream->session.resumable) {
		close_later(stream, now_ms);
		return;
	}
	if (answer->kind == MSG_ERROR && condition_means_away(answer->condition) &&
	    stream_suspend(stream, true, now_ms)) {
		return;
	}
	int error = close_error(stream, answer);
	if (!error) {
		/* <close/> named every byte. */
		sender_acknowledge_before(&stream->outgoing.sender, UINT64_MAX);
		stream->session.close_answered = true;
	}
	stream_end(stream, error ? STREAM_BROKEN : STREAM_CLOSED, error);
}

/* ---- expected streams ---- */

bool stream_is_complete(const struct stream *stream)
{
	const struct receiver *receiver = &stream->incoming.receiver;
	if (receiver->needs_commit && receiver->committed < receiver->received) {
		return false;
	}
	return stream->session.close_received ||
	       (stream->session.announced_size >= 0 &&
		receiver->received == (uint64_t)stream->session.announced_size);
}

void stream_keep(struct stream *stream)
{
	stream->incoming.is_durable = true;
	if (stream->session.close_pending && !stream_is_over(stream) &&
	    !stream->resumption.handed_over) {
		stream_end(stream, STREAM_CLOSED, 0);
	}
}

void stream_finish(struct stream *stream, int error)
{
	if (stream_is_over(stream)) {
		return;
	}
	if (!error && !stream_is_delivered(stream)) {
		error = -ECONNRESET; /* the offer is over, and so is the time for our own bytes */
	}
	if (stream->state == STREAM_OPEN) {
		receiver_release(&stream->incoming.receiver, stream->peer, SIZE_MAX,
				 stream->effects);
		stream_charge_memory(stream);
	}
	stream_end(stream, error ? STREAM_BROKEN : STREAM_CLOSED, error);
}
