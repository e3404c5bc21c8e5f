/* SPDX-License-Identifier: MIT */
/*
 * How a suspended stream is resumed, after a connection broke: ours or the peer's. Any block or
 * acknowledgement in flight may have been lost, in both directions. So each side asks whether the
 * other still knows the stream (MSG_RESUME), retransmits every block that is not acknowledged, and
 * acknowledges duplicates.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <string.h>

/* The longest pause between two attempts to resume. */
#define MAX_RETRY_MS 8000

/* The least time between two retransmissions of everything. A request costs the peer little, and
 * what it makes us retransmit may be a whole window. */
#define RETRANSMIT_MS 1000

/* How long the answer to stream_check_sender may take, and how long it is valid. After a break of
 * our connection, a sender has as long to resume its stream before it is gone for another resource.
 */
#define CHECK_MS 5000
#define ALIVE_MS 10000

void stream_resume(struct stream *stream, int64_t now_ms)
{
	if (!stream->resumption.suspended || stream->session.lost || stream_is_over(stream) ||
	    stream->resumption.handed_over) {
		return;
	}
	if (stream->resumption.gone_ms == STREAM_NO_DEADLINE) {
		stream->resumption.gone_ms = now_ms + ALIVE_MS;
	}
	if (stream->state == STREAM_OPENING || stream->session.close_sent) {
		/* The unanswered request serves as the question. */
		stream->resumption.suspended = false;
		stream_resend_request(stream, now_ms);
		return;
	}
	struct msg resume = {
		.kind = MSG_RESUME,
		.seq = stream->incoming.receiver.seq,
		.has_seq = true,
	};
	/* When memory is short there is the next attempt. */
	stream_send_request(stream, &resume, ID_RESUME, stream->resumption.attempts);
	int64_t pause_ms = STREAM_RETRY_MS
			   << (stream->resumption.attempts < 4 ? stream->resumption.attempts : 4);
	stream->resumption.next_attempt_ms =
		now_ms + (pause_ms < MAX_RETRY_MS ? pause_ms : MAX_RETRY_MS);
	stream->resumption.attempts++;
	stream_note_deadline(stream);
}

/* `peer` is online, as the same program or as another one. A sender that has come back as another
 * resource may have left its old session behind. */
static void ask_sender(struct stream *stream, int64_t now_ms)
{
	bool was_suspended = stream->resumption.suspended;
	int64_t gone_ms = stream->resumption.gone_ms;
	stream->resumption.checked_ms = now_ms;
	stream_suspend(stream, true, now_ms);
	stream->resumption.gone_ms = was_suspended ? gone_ms : STREAM_NO_DEADLINE;
	stream_resume(stream, now_ms);
}

enum stream_sender stream_check_sender(struct stream *stream, const char *peer, int64_t now_ms)
{
	bool is_same = strcmp(stream->peer, peer) == 0;
	int64_t checked_ms = stream->resumption.checked_ms;
	bool was_checked = checked_ms != 0 && now_ms - checked_ms < ALIVE_MS;
	if (stream_is_over(stream)) {
		return STREAM_SENDER_UNKNOWN; /* its reader has not heard of the end yet */
	}
	if (stream->session.close_received || !stream->session.resumable) {
		return STREAM_SENDER_THERE;
	}
	if (!was_checked && !is_same && stream->resumption.suspended) {
		return now_ms < stream->resumption.gone_ms ? STREAM_SENDER_UNKNOWN
							   : STREAM_SENDER_GONE;
	}
	if (!was_checked) {
		ask_sender(stream, now_ms);
		return STREAM_SENDER_UNKNOWN;
	}
	if (!stream->resumption.suspended) {
		return STREAM_SENDER_THERE;
	}
	return now_ms - checked_ms < CHECK_MS ? STREAM_SENDER_UNKNOWN : STREAM_SENDER_GONE;
}

/* Both ends know that the other still has the stream. */
static void proceed(struct stream *stream, int64_t now_ms)
{
	stream->resumption.suspended = false;
	stream->resumption.give_up_ms = 0;
	stream->resumption.next_attempt_ms = STREAM_NO_DEADLINE;
	stream_proceed(stream, now_ms);
}

/* As proceed; later if blocks were retransmitted just now. */
static void proceed_paced(struct stream *stream, int64_t now_ms)
{
	bool retransmits = stream->outgoing.sender.blocks_length > 0;
	if (retransmits && now_ms < stream->resumption.retransmit_ms) {
		stream->resumption.retransmit_due = true;
		stream->resumption.next_attempt_ms = STREAM_NO_DEADLINE;
		stream_note_deadline(stream);
		return;
	}
	stream->resumption.retransmit_due = false;
	if (retransmits) {
		stream->resumption.retransmit_ms = now_ms + RETRANSMIT_MS;
	}
	if (!stream->resumption.suspended) {
		/* The peer's connection broke, and was back before we heard of it. */
		stream_retransmit_all(stream);
	}
	proceed(stream, now_ms);
}

/*
 * Whether the peer can expect the block with that seq next. It cannot go back behind a block that
 * it has acknowledged: after a restart, or a loss of power, it may have lost bytes that are not in
 * the sender any more.
 */
static bool can_expect(const struct stream *stream, const struct msg *resume)
{
	const struct sender *sender = &stream->outgoing.sender;
	uint16_t ahead = (uint16_t)(resume->seq - (uint16_t)sender->oldest);
	return !resume->has_seq || ahead <= sender->blocks_length;
}

/* The peer says which block it expects next. Those from there on were lost, perhaps because they
 * were too long. */
static void cut_anew(struct stream *stream, const struct msg *resume)
{
	struct sender *sender = &stream->outgoing.sender;
	if (resume->has_seq) {
		uint16_t ahead = (uint16_t)(resume->seq - (uint16_t)sender->oldest);
		sender_note_received(sender, sender->oldest + ahead);
		sender_cut_anew(sender, sender->oldest + ahead, stream_max_block(stream));
	}
}

void stream_resume_answered(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (!stream->resumption.suspended || stream_is_over(stream)) {
		return;
	}
	if (answer->kind == MSG_RESULT && !can_expect(stream, answer)) {
		stream_abort(stream, -ECONNRESET);
	} else if (answer->kind == MSG_RESULT) {
		cut_anew(stream, answer);
		proceed_paced(stream, now_ms);
	} else if (!condition_means_away(answer->condition)) {
		stream_break(stream, -ECONNRESET);
	} else {
		stream->resumption.gone_ms = now_ms;
	}
}

static void answer_resume(struct stream *stream, const struct msg *resume)
{
	struct receiver *receiver = &stream->incoming.receiver;
	if (receiver->received > 0) {
		effects_send_resumed(stream->effects, resume->peer, resume->id, receiver->seq);
	} else {
		/* It may be about an empty file. */
		receiver_probe(receiver, resume->peer, resume->id, stream->effects);
	}
}

void stream_receive_resume(struct stream *stream, const struct msg *resume, int64_t now_ms)
{
	if (stream->session.stanza == STANZA_MESSAGE && stream->state >= STREAM_OPEN) {
		/* A probe: whether the messages before it have arrived. */
		receiver_probe(&stream->incoming.receiver, resume->peer, resume->id,
			       stream->effects);
		stream_charge_memory(stream);
		return;
	}
	if (stream->state == STREAM_OPEN && !stream->session.resumable) {
		/* The stream is known. If a connection broke, the next block ends it. */
		effects_send_result(stream->effects, resume->peer, resume->id);
		return;
	}
	if (!stream_can_suspend(stream)) {
		effects_send_error(stream->effects, resume->peer, resume->id,
				   CONDITION_ITEM_NOT_FOUND);
		return;
	}
	bool awaits_answer = stream->state == STREAM_OPENING || stream->session.close_sent;
	if (!awaits_answer && !can_expect(stream, resume)) {
		effects_send_error(stream->effects, resume->peer, resume->id,
				   CONDITION_ITEM_NOT_FOUND);
		stream_abort(stream, -ECONNRESET);
		return;
	}
	answer_resume(stream, resume);
	if (awaits_answer) {
		if (stream->session.close_sent && !stream_is_delivered(stream)) {
			stream_resend_request(stream, now_ms); /* it may be lost with blocks */
		}
		return; /* the answer is still to come */
	}
	if (stream->resumption.suspended) {
		cut_anew(stream, resume);
	}
	proceed_paced(stream, now_ms);
}

void stream_resumption_tick(struct stream *stream, int64_t now_ms)
{
	if (stream->resumption.retransmit_due && now_ms >= stream->resumption.retransmit_ms) {
		proceed_paced(stream, now_ms);
	}
	if (!stream->resumption.suspended) {
		return;
	}
	if (stream_has_given_up(stream, now_ms)) {
		stream_abort(stream, -ECONNRESET);
	} else if (now_ms >= stream->resumption.next_attempt_ms) {
		stream_resume(stream, now_ms);
	}
}
