/* SPDX-License-Identifier: MIT */
/*
 * What a stream does when something is overdue: it probes the peer, retries, gives up.
 */
#include "ibb/stream_internal.h"

#include <errno.h>

/* An ibbfs always answers <close/>: it is retransmitted so often, or its reader would wait for
 * ever. */
#define CLOSE_RETRIES 2

/* Stanzas stay in order (RFC 6120 section 10.1), so a peer that has answered a question has
 * received what was sent before it. If it still has not acknowledged a block that may be too long,
 * a moment later, then the block was dropped. */
#define REORDER_MS 1000

static bool was_dropped(const struct stream *stream)
{
	const struct sender *sender = &stream->outgoing.sender;
	return sender->oldest < stream->outgoing.passed && !stream->session.resumable &&
	       stream->outgoing.asked_epoch == sender->epoch && stream_tries_length(stream);
}

/* An answer is overdue, or a peer that we read from has been silent for long: it may have gone
 * offline, if we do not see its presence. */
static void probe_peer(struct stream *stream, int64_t now_ms)
{
	int64_t timeout_ms = stream->config->timeout_ms;
	stream->timers.keepalive_ms = STREAM_NO_DEADLINE;
	if (was_dropped(stream) && stream_lose_session(stream)) {
		return;
	}
	if (stream->timers.deadline_ms == STREAM_NO_DEADLINE) {
		if (now_ms - stream->timers.last_heard_ms < timeout_ms) {
			stream->timers.keepalive_ms = stream->timers.last_heard_ms + timeout_ms;
			return;
		}
		stream->timers.deadline_ms = now_ms + timeout_ms / 2;
	}
	bool asks = stream_tries_length(stream) && !stream->incoming.receiver.held;
	if (asks) {
		stream->outgoing.asked++;
		stream->outgoing.asked_end = sender_next_number(&stream->outgoing.sender);
		stream->outgoing.asked_epoch = stream->outgoing.sender.epoch;
	}
	/* When memory is short the deadline still stands. */
	stream_send_probe(stream, ID_PROBE, asks ? stream->outgoing.asked : 0);
	stream_probe_beginning(stream);
	stream->outgoing.awaits_sync = false;
	stream_ask_sync(stream);
	stream->outgoing.probed_before = stream->outgoing.probed;
	if (!asks) {
		stream_retransmit_oldest(stream);
	}
}

/* The awaited answer has not come. A connection may be broken without anybody having noticed. */
static void fail_overdue(struct stream *stream, int64_t now_ms)
{
	bool closing = stream->state == STREAM_CLOSING && stream->session.close_sent;
	if (stream->state >= STREAM_OPEN && stream_suspend(stream, true, now_ms)) {
		return;
	}
	if (closing && stream->session.features & FEATURE_IBBFS &&
	    stream->timers.retries < CLOSE_RETRIES) {
		stream->timers.retries++;
		stream_resend_request(stream, now_ms);
	} else if (closing && stream->session.finishers) {
		stream_end(stream, STREAM_BROKEN, -ETIMEDOUT);
	} else if (closing) {
		stream_end(stream, STREAM_CLOSED, 0);
	} else {
		if (was_dropped(stream)) {
			/* A later stream is better off. */
			stream_note_too_long(stream, sender_longest(&stream->outgoing.sender));
		}
		stream_abort(stream, -ETIMEDOUT);
	}
}

void stream_tick(struct stream *stream, int64_t now_ms)
{
	if (now_ms >= stream->timers.retry_ms) {
		stream->timers.retry_ms = STREAM_NO_DEADLINE;
		if (stream->state == STREAM_OPENING && now_ms < stream->timers.deadline_ms) {
			stream->session.open_sent_ms = now_ms;
			stream_send_open(stream); /* when memory is short, the deadline stands */
		}
	}
	stream_resumption_tick(stream, now_ms);
	stream_paging_tick(stream, now_ms);
	if (now_ms >= stream->timers.deadline_ms) {
		fail_overdue(stream, now_ms);
	} else if (now_ms >= stream->timers.keepalive_ms) {
		probe_peer(stream, now_ms);
	}
	stream_schedule(stream);
}

/*
 * The peer says which block it expects next. If that was sent before the question, it was lost: the
 * two stay in order (RFC 6120 section 10.1). Otherwise the reader is slow.
 */
static void learn_arrived(struct stream *stream, const struct msg *answer)
{
	struct sender *sender = &stream->outgoing.sender;
	uint64_t number = sender->oldest + (uint16_t)(answer->seq - (uint16_t)sender->oldest);
	if (answer->kind != MSG_RESULT || stream->outgoing.asked_epoch != sender->epoch) {
		return;
	}
	stream->outgoing.says_no_seq = !answer->has_seq;
	if (!answer->has_seq || number > sender_next_number(sender)) {
		return;
	}
	sender_note_received(sender, number);
	if (number < stream->outgoing.asked_end && !stream_cut_shorter(stream, number)) {
		stream_retransmit_all(stream);
		stream_schedule(stream);
	}
}

/* While our <close/> has no answer. The peer may be storing the file, and gets all the time it
 * needs. If it does not know the stream any more, the answer to <close/> says how that has ended.
 */
static void learn_stored(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (answer->kind == MSG_RESULT && !stream->resumption.suspended) {
		stream->resumption.give_up_ms = 0;
		if (!stream_is_delivered(stream)) {
			/* Its reader is slow, or blocks were lost, which the answer tells. */
			stream_resend_request(stream, now_ms);
		}
	}
}

void stream_probe_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			   int64_t now_ms)
{
	bool asked = count > 0 && count == stream->outgoing.asked;
	if (asked && stream->session.resumable && !stream_is_over(stream) &&
	    !stream->resumption.suspended) {
		learn_arrived(stream, answer);
	} else if (asked && !stream->session.resumable) {
		stream->outgoing.passed = stream->outgoing.asked_end;
	}
	if (answer->kind == MSG_ERROR && condition_means_away(answer->condition)) {
		if (stream_suspend(stream, true, now_ms)) {
			return;
		}
		/* The server answers for a resource that is offline (RFC 6121 section 8.5.3.2). */
		if (!stream_must_back_off(stream, answer)) {
			stream_break(stream, -ECONNRESET);
		}
	} else if (stream->session.resumable && stream->session.close_sent) {
		learn_stored(stream, answer, now_ms);
	} else if (stream->session.resumable && answer->kind == MSG_ERROR &&
		   answer->condition == CONDITION_ITEM_NOT_FOUND) {
		stream_break(stream, -ECONNRESET);
	} else if (stream->state == STREAM_OPEN && stream_is_delivered(stream) &&
		   !stream->outgoing.flushers) {
		stream_set_idle(stream, now_ms);
	} else if (was_dropped(stream) && stream_can_reopen(stream)) {
		stream->timers.keepalive_ms = now_ms + REORDER_MS;
		stream_note_deadline(stream);
	} else if (stream->state == STREAM_OPEN && stream->session.features & FEATURE_IBBFS &&
		   stream->outgoing.sender.oldest < stream->outgoing.probed_before) {
		/* An earlier probe, or its answer, was lost; so messages may have been lost. */
		stream_abort(stream, -ECONNRESET);
	} else if (stream->state == STREAM_OPEN &&
		   (stream->session.features & FEATURE_IBBFS || stream->session.resumable)) {
		/* An ibbfs that is there and does not acknowledge has a slow reader. Other clients
		 * may have dropped the block. */
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
}
