/* SPDX-License-Identifier: MIT */
#include "ibb/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How long the answer to our <close/> may take; nobody waits for it, and some never send it. */
#define CLOSE_TIMEOUT_MS 10000

/* An ibbfs always does: it is sent again so often, or its reader would wait for ever. */
#define CLOSE_REPEATS 2

char *stream_copy_string(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = malloc(size);
	if (copy) {
		memcpy(copy, string, size);
	}
	return copy;
}

/* ---- what every transition uses ---- */

void stream_note_deadline(struct stream *stream)
{
	int64_t nearest = stream_deadline(stream);
	if (nearest < stream->effects->deadline_ms) {
		stream->effects->deadline_ms = nearest;
	}
}

void stream_set_deadline(struct stream *stream, int64_t now_ms, int64_t timeout_ms)
{
	if (stream->suspended) {
		return; /* it has another */
	}
	stream->deadline_ms = now_ms + timeout_ms;
	stream->ping_ms =
		stream->state == STREAM_OPEN ? now_ms + timeout_ms / 2 : STREAM_NO_DEADLINE;
	stream_note_deadline(stream);
}

void stream_clear_deadline(struct stream *stream)
{
	stream->deadline_ms = STREAM_NO_DEADLINE;
	stream->ping_ms = STREAM_NO_DEADLINE;
}

void stream_rest(struct stream *stream, int64_t now_ms)
{
	stream_clear_deadline(stream);
	if (stream->state == STREAM_OPEN && stream->reading && !stream->suspended) {
		stream->heard_ms = now_ms;
		stream->ping_ms = now_ms + stream->config->timeout_ms;
		stream_note_deadline(stream);
	}
}

/* Queues for its turn a stream that has a block to send. */
void stream_take_turn(struct stream *stream)
{
	if (!stream->has_turn && stream_has_block(stream)) {
		DL_APPEND2(stream->effects->turns, stream, turn_prev, turn_next);
		stream->has_turn = true;
	}
}

void stream_leave_turns(struct stream *stream)
{
	if (stream->has_turn) {
		DL_DELETE2(stream->effects->turns, stream, turn_prev, turn_next);
		stream->has_turn = false;
	}
}

/* A request of ours, with the id by which ibb.c finds its answer: "KIND NUMBER.COUNT", in hex. */
int stream_send_request(struct stream *stream, const struct msg *request, char kind, uint64_t count)
{
	char id[48];
	snprintf(id, sizeof(id), "%c%" PRIx64 ".%" PRIx64, kind, stream->number, count);
	struct msg msg = *request;
	msg.id = id;
	msg.peer = stream->peer;
	msg.sid = stream->sid;
	return effects_send(stream->effects, &msg);
}

int stream_ask(struct stream *stream, char kind, uint64_t count)
{
	struct msg question = {
		.kind = stream->features & FEATURE_IBBFS ? MSG_PING : MSG_INFO,
	};
	if (stream->resumable && !stream->receiver.held) {
		/* It repeats what we have not acknowledged, too: not what we hold back. */
		question.kind = MSG_RESUME;
	}
	if (kind == 'b' && stream->features & FEATURE_RESUME) {
		/* A peer that has lost the stream meanwhile, and with it the messages, is there. */
		question.kind = MSG_RESUME;
	}
	return stream_send_request(stream, &question, kind, count);
}

/* When memory is too short for a <close/>, the peer learns from the answer to its next request. */
static void send_close(struct stream *stream, bool reset)
{
	struct msg close = {
		.kind = MSG_CLOSE,
		.reset = reset && stream->features & FEATURE_IBBFS,
		.size = !reset && stream->features & FEATURE_IBBFS ? (int64_t)stream->sender.written
								   : -1,
	};
	if (!stream_send_request(stream, &close, 'c', 0)) {
		stream->close_sent = true;
	}
}

/* What the users of a stream that is over get. */
int stream_outcome(const struct stream *stream)
{
	return stream->state == STREAM_BROKEN ? stream->error : -ECONNRESET;
}

/* The stream has come to its end: no op waits any longer, but bytes that came can be read. */
static void finish(struct stream *stream, enum stream_state state, int error)
{
	struct op **done = &stream->effects->done;

	stream_serve_readers(stream);
	stream->state = state;
	stream->error = error;
	stream->suspended = false;
	stream->repeat_due = false;
	stream->retry_ms = STREAM_NO_DEADLINE;
	stream_clear_deadline(stream);
	stream_leave_turns(stream);
	if (state == STREAM_BROKEN) {
		sender_discard(&stream->sender);
		stream->gap = 0;
	}
	op_complete_all(&stream->openers, stream_outcome(stream), done);
	op_complete_all(&stream->writers, stream_outcome(stream), done);
	op_complete_all(&stream->flushers, error, done);
	/* Those whom nothing was left for. */
	op_complete_all(&stream->readers, error, done);
}

void stream_break(struct stream *stream, int error)
{
	if (!stream_is_over(stream)) {
		finish(stream, STREAM_BROKEN, error);
	}
}

void stream_abort(struct stream *stream, int error)
{
	if (stream_is_over(stream)) {
		return;
	}
	if (stream->state != STREAM_NEW && !stream->close_sent) {
		send_close(stream, true);
	}
	finish(stream, STREAM_BROKEN, error);
}

/* ---- life ---- */

void stream_set_block_size(struct stream *stream, uint32_t block_size)
{
	assert(stream->state == STREAM_NEW);
	stream->is_auto = block_size == STREAM_AUTO_BLOCK;
	stream->block_size = stream->is_auto ? STREAM_MAX_BLOCK : block_size;
}

struct stream *stream_create(const struct stream_config *config, struct effects *effects,
			     struct limits *limits, struct chunk *chunk, uint64_t number,
			     const char *sid)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream) {
		return NULL;
	}
	stream->sid = stream_copy_string(sid);
	if (!stream->sid) {
		free(stream);
		return NULL;
	}
	stream->config = config;
	stream->effects = effects;
	stream->limits = limits;
	stream->chunk = chunk;
	stream->number = number;
	stream->carrier = config->carrier;
	stream_set_block_size(stream, config->block_size);
	stream->announced = -1;
	stream->retry_ms = STREAM_NO_DEADLINE;
	window_init(&stream->window, config->window);
	stream_clear_deadline(stream);
	return stream;
}

void stream_destroy(struct stream *stream)
{
	if (!stream) {
		return;
	}
	assert(!stream->openers && !stream->readers && !stream->writers && !stream->flushers);
	stream_leave_turns(stream);
	stream_leave_ripe(stream);
	sender_finish(&stream->sender);
	receiver_finish(&stream->receiver);
	stream_note_memory(stream);
	free(stream->close_id);
	free(stream->name);
	free(stream->peer);
	free(stream->sid);
	free(stream);
}

/* ---- the end ---- */

bool stream_is_complete(const struct stream *stream)
{
	const struct receiver *receiver = &stream->receiver;
	if (receiver->confirms && receiver->confirmed < receiver->received) {
		return false;
	}
	return stream->ended ||
	       (stream->announced >= 0 && receiver->received == (uint64_t)stream->announced);
}

void stream_finish(struct stream *stream, int error)
{
	if (stream_is_over(stream)) {
		return;
	}
	if (stream->state == STREAM_OPEN) {
		receiver_release(&stream->receiver, stream->peer, SIZE_MAX, stream->effects);
		stream_note_memory(stream);
	}
	finish(stream, error ? STREAM_BROKEN : STREAM_CLOSED, error);
}

void stream_ask_again(struct stream *stream, int64_t now_ms)
{
	if (stream->state == STREAM_OPENING) {
		stream_send_open(stream);
		stream->asked_ms = now_ms;
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	} else {
		send_close(stream, false);
		stream_set_deadline(stream, now_ms, CLOSE_TIMEOUT_MS);
	}
}

/* Sends <close/> once everything else was delivered. */
void stream_close_when_delivered(struct stream *stream, int64_t now_ms)
{
	if (stream->state != STREAM_CLOSING || !stream_is_delivered(stream) || stream->close_sent ||
	    stream->suspended) {
		return;
	}
	send_close(stream, false);
	stream_set_deadline(stream, now_ms, CLOSE_TIMEOUT_MS);
}

/* Answers the peer's <close/> once everything else was delivered. */
void stream_answer_when_delivered(struct stream *stream)
{
	if (stream->close_id && stream_is_delivered(stream) && !stream_is_over(stream) &&
	    !stream->suspended) {
		/* Short of memory, the answer stays out, and the peer takes silence for it. */
		effects_send_result(stream->effects, stream->peer, stream->close_id);
		finish(stream, STREAM_CLOSED, 0);
	}
}

void stream_close(struct stream *stream, bool good_order, int64_t now_ms)
{
	struct op **done = &stream->effects->done;

	if (stream_is_over(stream) || stream->state == STREAM_CLOSING) {
		return;
	}
	if (stream->state == STREAM_NEW && stream_is_delivered(stream)) {
		op_complete_all(&stream->readers, -ECONNRESET, done);
		finish(stream, STREAM_CLOSED, 0);
	} else if (!good_order || stream->state < STREAM_OPEN) {
		stream_abort(stream, -ECONNRESET);
	} else if (!stream->close_id) {
		stream->state = STREAM_CLOSING;
		op_complete_all(&stream->readers, -ECONNRESET, done);
		sender_push(&stream->sender);
		stream_take_turn(stream);
		stream_close_when_delivered(stream, now_ms);
	}
}

static bool is_received(const struct stream *stream, int64_t size)
{
	return size < 0 || stream->receiver.received == (uint64_t)size;
}

void stream_receive_close(struct stream *stream, const struct msg *close)
{
	bool empty = stream_is_delivered(stream);
	/* Fewer bytes than announced, or than were sent, are no good end. */
	bool whole = is_received(stream, stream->announced) && is_received(stream, close->size);

	stream->ended = true;
	if (stream->expected && stream->state == STREAM_OPEN) {
		receiver_release(&stream->receiver, stream->peer, SIZE_MAX, stream->effects);
		stream_note_memory(stream);
		effects_send_result(stream->effects, close->peer, close->id);
		return;
	}
	if (stream->close_id && !close->reset && stream->resumable) {
		/* Sent again, after a connection broke. */
		char *id = stream_copy_string(close->id);
		if (id) {
			free(stream->close_id);
			stream->close_id = id;
		}
		return;
	}
	if (stream->close_id && !close->reset) {
		effects_send_error(stream->effects, close->peer, close->id,
				   CONDITION_UNEXPECTED_REQUEST);
		return;
	}
	if (stream->state == STREAM_OPEN && !close->reset) {
		/* A sender that did not wait: what it sent is here, and will be read. */
		receiver_release(&stream->receiver, stream->peer, SIZE_MAX, stream->effects);
		stream_note_memory(stream);
	}
	if (stream->state == STREAM_OPEN && !close->reset && !empty && stream->reading && whole &&
	    stream->carrier == CARRIER_IQ) {
		/* XEP-0047 section 2.3: the other side may flush its own data first. Of messages it
		 * would not be known whether they were still taken. */
		stream->close_id = stream_copy_string(close->id);
		if (stream->close_id) {
			sender_push(&stream->sender);
			stream_take_turn(stream);
			op_complete_all(&stream->writers, -ECONNRESET, &stream->effects->done);
			stream_serve_readers(stream);
			op_complete_all(&stream->readers, 0, &stream->effects->done);
			return;
		}
	}
	effects_send_result(stream->effects, close->peer, close->id);
	if (stream->state == STREAM_OPENING || close->reset || !empty || !whole) {
		stream_break(stream, -ECONNRESET);
	} else {
		finish(stream, STREAM_CLOSED, 0);
	}
}

void stream_close_answered(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (stream->state != STREAM_CLOSING || !stream->close_sent) {
		return;
	}
	if (answer->kind == MSG_ERROR && stream_means_away(answer) &&
	    stream_suspend(stream, true, now_ms)) {
		return;
	}
	finish(stream, STREAM_CLOSED, 0);
}

/* ---- time ---- */

bool stream_is_over(const struct stream *stream)
{
	return stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t stream_deadline(const struct stream *stream)
{
	int64_t next_ms = sooner(stream->deadline_ms, stream->ping_ms);
	return sooner(sooner(next_ms, stream->retry_ms), stream_suspension_deadline(stream));
}

/* The peer is overdue, or a reader has not heard of it for long: it may have gone without a word,
 * if we do not see its presence. */
static void ask_whether_there(struct stream *stream, int64_t now_ms)
{
	int64_t timeout_ms = stream->config->timeout_ms;
	stream->ping_ms = STREAM_NO_DEADLINE;
	if (stream->deadline_ms == STREAM_NO_DEADLINE) {
		if (now_ms - stream->heard_ms < timeout_ms) {
			stream->ping_ms = stream->heard_ms + timeout_ms;
			return;
		}
		stream->deadline_ms = now_ms + timeout_ms / 2;
	}
	/* Without memory for it the deadline still stands. */
	stream_ask(stream, 'p', 0);
	stream->asked_before = stream->asked;
	stream_repeat_oldest(stream);
}

/* The awaited answer has not come. It may be that a connection carries nothing any more, and that
 * nobody has noticed yet. */
static void fail_overdue(struct stream *stream, int64_t now_ms)
{
	bool closing = stream->state == STREAM_CLOSING && stream->close_sent;
	if (stream->state >= STREAM_OPEN && stream_suspend(stream, true, now_ms)) {
		return;
	}
	if (closing && stream->features & FEATURE_IBBFS && stream->retries < CLOSE_REPEATS) {
		stream->retries++;
		stream_ask_again(stream, now_ms);
	} else if (closing) {
		finish(stream, STREAM_CLOSED, 0);
	} else {
		stream_abort(stream, -ETIMEDOUT);
	}
}

void stream_tick(struct stream *stream, int64_t now_ms)
{
	if (now_ms >= stream->retry_ms) {
		stream->retry_ms = STREAM_NO_DEADLINE;
		if (stream->state == STREAM_OPENING && now_ms < stream->deadline_ms) {
			stream->asked_ms = now_ms;
			stream_send_open(stream); /* without memory for it, the deadline stands */
		}
	}
	stream_suspension_tick(stream, now_ms);
	if (now_ms >= stream->deadline_ms) {
		fail_overdue(stream, now_ms);
	} else if (now_ms >= stream->ping_ms) {
		ask_whether_there(stream, now_ms);
	}
	stream_take_turn(stream);
}

void stream_ping_answered(struct stream *stream, const struct msg *answer, int64_t now_ms)
{
	if (answer->kind == MSG_ERROR && (condition_means_gone(answer->condition) ||
					  answer->condition == CONDITION_SERVICE_UNAVAILABLE)) {
		if (stream_suspend(stream, true, now_ms)) {
			return;
		}
		/* Its server answers for a resource that has gone (RFC 6121 section 8.5.3.2). */
		if (!stream_means_pause(stream, answer)) {
			stream_break(stream, -ECONNRESET);
		}
	} else if (stream->resumable && answer->kind == MSG_ERROR &&
		   answer->condition == CONDITION_ITEM_NOT_FOUND) {
		stream_break(stream, -ECONNRESET);
	} else if (stream->state == STREAM_OPEN && stream_is_delivered(stream)) {
		stream_rest(stream, now_ms);
	} else if (stream->state == STREAM_OPEN && stream->features & FEATURE_IBBFS &&
		   stream->sender.first < stream->asked_before) {
		/* An earlier question, or its answer, was lost; so messages may have been. */
		stream_abort(stream, -ECONNRESET);
	} else if (stream->state == STREAM_OPEN &&
		   (stream->features & FEATURE_IBBFS || stream->resumable)) {
		/* An ibbfs that is there and does not acknowledge has a reader that pauses. Of
		 * others that is not known: some just drop what they do not like. */
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
}

/* ---- what it looks like ---- */

uint64_t stream_size(const struct stream *stream)
{
	return stream->incoming ? stream->receiver.received : stream_written(stream);
}

uint64_t stream_written(const struct stream *stream)
{
	return stream->sender.written + stream->gap;
}

const char *stream_state_name(const struct stream *stream)
{
	static const char *const names[] = {
		[STREAM_NEW] = "new",	      [STREAM_OPENING] = "opening",
		[STREAM_OPEN] = "open",	      [STREAM_CLOSING] = "closing",
		[STREAM_CLOSED] = "finished", [STREAM_BROKEN] = "broken",
	};
	return stream->suspended ? "suspended" : names[stream->state];
}
