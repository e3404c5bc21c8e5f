/* SPDX-License-Identifier: MIT */
/*
 * The transitions that any file of a stream may cause: over, suspended, proceeding.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <utlist.h>

/* A server that closes the connection because of a block, such as one that is too long, would do so
 * for ever. */
#define MAX_BREAKS 4

/* ---- the end ---- */

/* No request stays without an answer. Blocks that are still unread in CLOSING had no reader. */
static void answer_held(struct stream *stream, enum stream_state before, int error)
{
	bool well = stream->state == STREAM_CLOSED;
	stream_refuse_page(stream, CONDITION_ITEM_NOT_FOUND);
	receiver_end(&stream->incoming.receiver,
		     well && before != STREAM_CLOSING ? CONDITION_NONE : CONDITION_ITEM_NOT_FOUND,
		     well ? CONDITION_NONE : condition_of_storage(error));
	stream_release_acknowledgements(stream);
}

static void complete_flushes(struct stream *stream, int error)
{
	while (stream->outgoing.flushers) {
		struct op *op = stream->outgoing.flushers;
		op_complete(op, error ? error : op_success(op), &stream->effects->done);
	}
}

void stream_end(struct stream *stream, enum stream_state state, int error)
{
	struct op **done = &stream->effects->done;
	enum stream_state before = stream->state;

	stream_complete_reads(stream);
	stream->state = state;
	stream->error = error;
	stream->resumption.suspended = false;
	stream->resumption.retransmit_due = false;
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream_clear_deadline(stream);
	stream_unschedule(stream);
	answer_held(stream, before, error);
	if (state == STREAM_BROKEN) {
		sender_discard(&stream->outgoing.sender);
		stream->outgoing.gap = 0;
	}
	stream_forget_pieces(stream);
	op_complete_all(&stream->session.openers, stream_outcome(stream), done);
	op_complete_all(&stream->outgoing.writers, stream_outcome(stream), done);
	complete_flushes(stream, error);
	op_complete_all(&stream->session.finishers, error, done);
	/* The readers for whom no byte was left. */
	op_complete_all(&stream->incoming.readers, error, done);
}

void stream_break(struct stream *stream, int error)
{
	if (!stream_is_over(stream)) {
		stream_end(stream, STREAM_BROKEN, error);
	}
}

void stream_abort(struct stream *stream, int error)
{
	if (stream_is_over(stream) || stream->resumption.handed_over) {
		return;
	}
	/* The error that answers the peer's own <close/> says the same. A peer that has got ours
	 * may still miss bytes. */
	bool is_closed = stream->session.close_sent && stream_is_delivered(stream);
	stream->error = error; /* which <reset/> may say */
	if (stream->state != STREAM_NEW && !is_closed && !stream->session.close_received) {
		/* Who waits for a sync learns why there is none, before the <reset/>. */
		receiver_refuse_syncs(&stream->incoming.receiver, stream->peer,
				      condition_of_storage(error), stream->effects);
		stream_send_close(stream, true);
	}
	stream_end(stream, STREAM_BROKEN, error);
}

/* ---- proceeding ---- */

bool stream_is_unread(const struct stream *stream)
{
	return stream->incoming.readers || receiver_has_unread(&stream->incoming.receiver);
}

/* A close of the last writer is only a flush if there is something to read, or if the answer to
 * <close/> would say nothing. */
static bool is_flush(const struct stream *stream)
{
	return stream_is_unread(stream) || !(stream->session.features & FEATURE_IBBFS);
}

static void finish_without_end(struct stream *stream, int64_t now_ms)
{
	if (!stream_needs_sync(stream)) {
		op_complete_all(&stream->session.finishers, 0, &stream->effects->done);
		return;
	}
	while (stream->session.finishers) {
		struct op *op = stream->session.finishers;
		op_unpark(op);
		op->end = stream->outgoing.sender.acknowledged;
		op_park(op, &stream->outgoing.flushers);
	}
	stream_ask_sync(stream);
	stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
}

/*
 * Whether <close/> may follow the last block at once, which saves a round trip. Stanzas stay in
 * order (RFC 6120 section 10.1), and <close/> names the number of bytes, so a peer that can resume
 * the stream tells if it misses some. Nobody must have anything to read here: what the peer sends
 * until it gets <close/> would be refused.
 */
static bool can_close_behind(const struct stream *stream)
{
	const struct sender *sender = &stream->outgoing.sender;
	return stream->session.resumable && stream->session.stanza == STANZA_IQ &&
	       stream->session.finishers && !is_flush(stream) && !stream->session.close_was_early &&
	       !stream->incoming.has_reader && !stream->outgoing.pieces &&
	       stream->outgoing.gap == 0 && !stream->outgoing.writers &&
	       sender->in_flight == sender->out.length && sender->epoch == 0 &&
	       !stream_tries_length(stream) && stream->timers.retry_ms == STREAM_NO_DEADLINE;
}

void stream_close_when_delivered(struct stream *stream, int64_t now_ms)
{
	bool ends = stream->state == STREAM_CLOSING ||
		    (stream->state == STREAM_OPEN && stream->session.finishers);
	if (!ends || !(stream_is_delivered(stream) || can_close_behind(stream)) ||
	    stream->session.close_sent || stream->session.close_pending ||
	    stream->resumption.suspended) {
		return;
	}
	if (stream->state == STREAM_OPEN && is_flush(stream)) {
		finish_without_end(stream, now_ms);
		return;
	}
	stream->state = STREAM_CLOSING;
	stream_request_close(stream, now_ms);
}

void stream_answer_close(struct stream *stream)
{
	if (stream_can_answer_close(stream)) {
		stream_end(stream, STREAM_CLOSED, 0);
	}
}

static void end_flushes(struct stream *stream)
{
	struct op *op, *next;
	bool syncs = stream_asks_syncs(stream);
	if (stream->resumption.suspended || stream_awaits_beginning(stream)) {
		return;
	}
	DL_FOREACH_SAFE (stream->outgoing.flushers, op, next) {
		if (stream_is_flushed(stream, op->end)) {
			stream->outgoing.flushed = syncs ? stream->outgoing.synced
							 : stream->outgoing.sender.acknowledged;
			op_complete(op, op_success(op), &stream->effects->done);
		}
	}
}

void stream_proceed(struct stream *stream, int64_t now_ms)
{
	if (stream_is_over(stream)) {
		return; /* memory was short */
	}
	end_flushes(stream);
	/* Flushes that are left when all is delivered wait for the answer to a question. */
	if (stream_is_delivered(stream) && !stream->outgoing.flushers &&
	    !stream->session.close_sent) {
		stream_set_idle(stream, now_ms);
	} else {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	stream_probe_beginning(stream); /* the question, or its answer, may be lost */
	stream_ask_sync(stream);
	stream_ask_page(stream, now_ms);
	stream_schedule(stream);
	stream_close_when_delivered(stream, now_ms);
	stream_answer_close(stream);
}

/* ---- suspension ---- */

void stream_retransmit_all(struct stream *stream)
{
	sender_retransmit_all(&stream->outgoing.sender);
	stream->outgoing.sender.epoch++;
	stream->outgoing.awaits_sync = false; /* the request may be lost: it is sent again */
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream->timers.retries = 0;
}

void stream_begin_suspension(struct stream *stream, int64_t now_ms)
{
	stream->resumption.suspended = true;
	if (stream->resumption.give_up_ms == 0) {
		stream->resumption.give_up_ms = now_ms + stream->config->reconnect_ms;
	}
	stream->resumption.next_attempt_ms = STREAM_NO_DEADLINE;
	stream->resumption.gone_ms = STREAM_NO_DEADLINE;
	stream->resumption.attempts = 0;
	/* The question may be lost: it is asked again. */
	stream->timers.page_ms = STREAM_NO_DEADLINE;
	stream->outgoing.page_tries = 0;
	stream_clear_deadline(stream);
	stream_retransmit_all(stream);
	stream_unschedule(stream);
	stream_note_deadline(stream);
}

bool stream_can_suspend(const struct stream *stream)
{
	return stream->session.resumable && !stream_is_over(stream) && stream->state != STREAM_NEW;
}

bool stream_has_given_up(const struct stream *stream, int64_t now_ms)
{
	return stream->resumption.give_up_ms != 0 && now_ms >= stream->resumption.give_up_ms;
}

bool stream_suspend(struct stream *stream, bool connected, int64_t now_ms)
{
	if (stream->resumption.handed_over || stream_is_being_stored(stream)) {
		return true;
	}
	if (!stream_can_suspend(stream) || stream_has_given_up(stream, now_ms)) {
		return false;
	}
	if (!connected && stream->outgoing.sender.blocks_in_flight > 0 &&
	    ++stream->resumption.breaks >= MAX_BREAKS) {
		return false;
	}
	if (!stream->resumption.suspended) {
		stream_begin_suspension(stream, now_ms);
	}
	stream->resumption.retransmit_due = false;
	if (!connected) {
		stream->resumption.checked_ms = 0;
		stream->resumption.retransmit_ms = 0; /* our break is no reason to pace the peer */
	}
	/* Of a break of ours, the sender may not even know. */
	stream->resumption.gone_ms = connected ? now_ms : STREAM_NO_DEADLINE;
	/* While we are connected, the peer may be back at any time. */
	stream->resumption.next_attempt_ms =
		connected ? now_ms + STREAM_RETRY_MS : STREAM_NO_DEADLINE;
	stream_note_deadline(stream);
	return true;
}

bool stream_must_back_off(const struct stream *stream, const struct msg *error)
{
	return error->error_type == ERROR_TYPE_WAIT && condition_means_gone(error->condition) &&
	       !stream->session.resumable && stream->session.stanza == STANZA_IQ;
}
