/* SPDX-License-Identifier: MIT */
/*
 * The wire's side of sent bytes: blocks, their acknowledgements and errors.
 */
#include "ibb/path_mtu.h"
#include "ibb/stream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- blocks ---- */

/*
 * Messages are not answered. But stanzas between two full JIDs stay in order (RFC 6120 section
 * 10.1). So any answer to a request that follows them says that the peer has received the blocks
 * before `end`, back to the last request: if the peer was offline, that was lost with the blocks
 * before it, and a peer that is back under the same full JID answers later ones.
 */
static void probe_delivery(struct stream *stream, uint64_t end)
{
	stream->outgoing.unprobed = 0;
	stream->outgoing.probed = end;
	sender_note_question(&stream->outgoing.sender, end - 1);
	if (stream_send_probe(stream, ID_DELIVERY, end)) {
		stream_abort(stream, -ENOMEM);
	}
}

/* After retransmissions with the epoch. */
static void make_id(char *id, enum id_kind kind, const struct stream *stream, uint64_t block)
{
	int length = stream_make_id(stream, id, kind, block);
	if (stream->outgoing.sender.epoch > 0) {
		snprintf(id + length, (size_t)(STREAM_MAX_ID - length), ".%x",
			 stream->outgoing.sender.epoch);
	}
}

static struct msg skip_of(const struct stream *stream, const char *id, uint64_t number)
{
	return (struct msg){
		.kind = MSG_SKIP,
		.peer = stream->peer,
		.id = id,
		.sid = stream->sid,
		.seq = (uint16_t)number,
	};
}

static struct msg *make_skip(struct stream *stream, const char *id, uint64_t number, int64_t now_us)
{
	struct msg skip = skip_of(stream, id, number);
	struct msg *msg = msg_create(&skip);
	uint64_t length;
	if (msg && sender_send_skip(&stream->outgoing.sender, &length, &number, now_us)) {
		msg_destroy(msg);
		return NULL;
	}
	if (msg) {
		msg->size = (int64_t)length;
	}
	return msg;
}

/* The next block, counted as in flight; NULL when memory is short. */
static struct msg *make_block(struct stream *stream, uint64_t number, int64_t now_us)
{
	struct sender *sender = &stream->outgoing.sender;
	size_t length = sender_next_length(sender, stream_block_length(stream),
					   stream->outgoing.window.size);
	char id[STREAM_MAX_ID];
	make_id(id, ID_BLOCK, stream, number);
	if (length == SENDER_SKIP) {
		return make_skip(stream, id, number, now_us);
	}
	struct msg block = {
		.kind = MSG_DATA,
		.peer = stream->peer,
		.id = id,
		.sid = stream->sid,
		.stanza = stream->session.stanza,
		.seq = (uint16_t)number,
		.data_length = length,
	};
	struct msg *msg = msg_create(&block);
	if (msg && sender_send_block(sender, length, msg_room(msg), &number, now_us)) {
		msg_destroy(msg);
		return NULL;
	}
	return msg;
}

struct msg *stream_next_block(struct stream *stream, int64_t now_us)
{
	uint64_t number = sender_next_number(&stream->outgoing.sender);
	if (!stream_has_block(stream)) {
		/* The window has shrunk, or the block size has grown, since the stream was
		 * scheduled. */
		stream_unschedule(stream);
		if (stream->outgoing.unprobed > 0) {
			probe_delivery(stream, number);
		}
		return NULL;
	}
	struct msg *msg = make_block(stream, number, now_us);
	if (!msg) {
		/* The next acknowledgement, write or tick schedules the stream again. */
		stream_unschedule(stream);
		return NULL;
	}
	if (stream->timers.deadline_ms == STREAM_NO_DEADLINE) {
		stream_set_deadline(stream, now_us / 1000, stream->config->timeout_ms);
	}
	stream_hasten_probe(stream, now_us / 1000);
	/* To the end of the list: round robin. */
	stream_unschedule(stream);
	stream_schedule(stream);
	stream_close_when_delivered(stream, now_us / 1000);
	if (stream->session.stanza == STANZA_MESSAGE) {
		stream->outgoing.unprobed += msg->data_length;
		if (stream->outgoing.unprobed > stream->outgoing.window.size / 2 ||
		    !stream->links.is_sendable) {
			probe_delivery(stream, number + 1);
		}
	}
	return msg;
}

void stream_retransmit_oldest(struct stream *stream)
{
	struct sender *sender = &stream->outgoing.sender;
	if (!stream->session.resumable || stream->state != STREAM_OPEN ||
	    sender->blocks_in_flight == 0) {
		return;
	}
	char id[STREAM_MAX_ID];
	make_id(id, ID_OVERDUE_BLOCK, stream, sender->oldest);
	stream->outgoing.overdue_end = sender->oldest + 1;
	/* When memory is short, the block becomes overdue again. */
	if (sender_block(sender, sender->oldest)->skipped > 0) {
		struct msg skip = skip_of(stream, id, sender->oldest);
		skip.size = (int64_t)sender_block(sender, sender->oldest)->skipped;
		effects_send(stream->effects, &skip);
		return;
	}
	struct msg block = {
		.kind = MSG_DATA,
		.peer = stream->peer,
		.id = id,
		.sid = stream->sid,
		.stanza = stream->session.stanza,
		.seq = (uint16_t)sender->oldest,
		.data_length = sender_copy_oldest(sender, NULL),
	};
	uint8_t *bytes = malloc(block.data_length);
	if (bytes) {
		sender_copy_oldest(sender, bytes);
		block.data = bytes;
		effects_send(stream->effects, &block);
	}
	free(bytes);
}

/* ---- acknowledgements ---- */

/* The sample of a block that is about to be acknowledged, by its own answer or by that to a
 * probe. */
static struct window_sample begin_sample(const struct stream *stream, uint64_t block,
					 int64_t now_us)
{
	const struct sent_block *sent = sender_block(&stream->outgoing.sender, block);
	return (struct window_sample){
		.number = block,
		.sent_us = sent->sent_us,
		.now_us = now_us,
		.delivered = sent->delivered,
	};
}

/* `before`: sender_delivered before the acknowledgement. */
static void end_sample(struct stream *stream, struct window_sample *sample, uint64_t before)
{
	const struct sender *sender = &stream->outgoing.sender;
	if (sample->sent_us == SENDER_RETRANSMITTED) {
		window_note_retransmitted(&stream->outgoing.window, stream_block_length(stream));
		return;
	}
	size_t length = stream_block_length(stream);
	bool full = sender->out.length - sender->in_flight >= length;
	if (full) {
		window_note_limited(&stream->outgoing.window);
	}
	/* A writer that wakes up when there is room fills the window a moment later. */
	bool window_limited =
		full || (sender->in_flight > 0 &&
			 sender->in_flight + length >= stream->outgoing.window.size / 4 * 3);
	struct block_size_sample size_sample = {
		.sent_us = sample->sent_us,
		.now_us = sample->now_us,
		.bytes = (size_t)(sender_delivered(sender) - before),
		.window_limited = window_limited && stream->session.is_auto &&
				  stream_max_block(stream) > BLOCK_SIZE_MIN &&
				  !stream->outgoing.window.slow_start,
	};
	block_size_measure(stream->auto_size, &size_sample);
	sample->next = sender_next_number(sender);
	sample->block_size = stream_block_length(stream);
	sample->sharing = stream->sharing;
	sample->bytes = (size_t)(sender_delivered(sender) - before);
	sample->delivered = sender_delivered(sender) - sample->delivered;
	window_measure(&stream->outgoing.window, sample);
}

static void make_progress(struct stream *stream, int64_t now_ms)
{
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream->timers.retries = 0;
	stream->resumption.breaks = 0;
	stream_release_writers(stream);
	stream_proceed(stream, now_ms);
}

void stream_acknowledged(struct stream *stream, uint64_t block, int64_t now_us)
{
	if (stream_is_over(stream)) {
		return;
	}
	struct window_sample sample = {.sent_us = SENDER_RETRANSMITTED};
	struct sender *sender = &stream->outgoing.sender;
	uint64_t before = sender_delivered(sender);
	bool skipped = false;
	if (sender_is_in_flight(sender, block)) {
		skipped = sender_block(sender, block)->skipped > 0;
		sample = begin_sample(stream, block, now_us);
	}
	if (sender_acknowledge(sender, block)) {
		if (!skipped) {
			end_sample(stream, &sample, before);
		}
		make_progress(stream, now_us / 1000);
	}
}

void stream_delivered(struct stream *stream, uint64_t end, bool all, int64_t now_us)
{
	struct sender *sender = &stream->outgoing.sender;
	uint64_t next = sender_next_number(sender);
	if (end == 0 && !stream_is_over(stream) && !stream->outgoing.is_begun) {
		stream->outgoing.is_begun = true;
		stream_proceed(stream, now_us / 1000);
	}
	/* An answer to a probe that was not sent says nothing. */
	end = end <= stream->outgoing.probed ? end : 0;
	end = end < next ? end : next;
	if (stream_is_over(stream) || end == 0 || !sender_is_in_flight(sender, end - 1)) {
		return;
	}
	/* Only the last one is sampled: earlier ones have waited for the probe. */
	struct window_sample sample = begin_sample(stream, end - 1, now_us);
	uint64_t before = sender_delivered(sender);
	if (all) {
		sender_acknowledge_before(sender, end);
	} else {
		sender_acknowledge_asked(sender, end - 1);
	}
	end_sample(stream, &sample, before);
	make_progress(stream, now_us / 1000);
}

/*
 * A peer with a slow reader answers the first transmission, when it can. An answer to the second
 * says that the block, or its acknowledgement, was lost. The same may have happened to every block
 * in flight.
 */
void stream_retransmit_acknowledged(struct stream *stream, uint64_t block, uint64_t epoch,
				    int64_t now_us)
{
	bool lost = epoch == stream->outgoing.sender.epoch &&
		    sender_is_in_flight(&stream->outgoing.sender, block);
	stream_acknowledged(stream, block, now_us);
	if (lost && !stream_is_over(stream) && stream->outgoing.sender.blocks_in_flight > 0) {
		stream_retransmit_all(stream);
		stream_schedule(stream);
	}
}

/* ---- blocks that were lost ---- */

bool stream_cut_shorter(struct stream *stream, uint64_t number)
{
	struct sender *sender = &stream->outgoing.sender;
	size_t length = sender_block(sender, number)->length;
	size_t most = path_mtu_shorter(length);
	if (!stream->session.resumable || length <= sender->carried || most >= length) {
		return false;
	}
	stream_note_too_long(stream, length);
	stream_retransmit_all(stream);
	sender_cut_anew(sender, number, most);
	block_size_discard(stream->auto_size);
	stream_schedule(stream);
	return true;
}

/* ---- errors ---- */

/*
 * What a server may answer, for the recipient, to a stanza that is too long. XEP-0047 section 2.2
 * has a recipient answer bad-request, item-not-found or unexpected-request, which are never about
 * the length: it would not have accepted the block size. An error of another kind may be its own as
 * well. Then the next session fails in the same way, or the one after that.
 */
static bool may_mean_too_long(const struct msg *error)
{
	return error->condition == CONDITION_POLICY_VIOLATION ||
	       error->condition == CONDITION_NOT_ACCEPTABLE ||
	       error->condition == CONDITION_RESOURCE_CONSTRAINT;
}

/* The block, in flight, was not carried, perhaps for its length. False: blocks do not get shorter.
 */
static bool try_shorter(struct stream *stream, uint64_t block)
{
	const struct sender *sender = &stream->outgoing.sender;
	size_t length = sender_block(sender, block)->length;
	if (stream->session.resumable) {
		return stream_cut_shorter(stream, block);
	}
	if (stream_lose_session(stream)) {
		return true;
	}
	if (length > sender->carried && length > PATH_MTU_MIN) {
		stream_note_too_long(stream, length); /* a later stream is better off */
	}
	return false;
}

/* RFC 6120 section 8.3.2, type wait: the peer has accepted neither the block nor later ones. */
static void back_off_from(struct stream *stream, uint64_t block, int64_t now_ms)
{
	/* Where a connection may have broken, an earlier block may have been lost as well. */
	sender_retransmit(&stream->outgoing.sender,
			  stream->session.resumable ? stream->outgoing.sender.oldest : block);
	stream->outgoing.sender.epoch++;
	window_reduce(&stream->outgoing.window);
	block_size_discard(stream->auto_size);
	stream_unschedule(stream);
	stream_back_off(stream, now_ms);
}

void stream_data_refused(struct stream *stream, uint64_t block, uint64_t epoch,
			 const struct msg *error, int64_t now_ms)
{
	if (stream_is_over(stream) || stream->resumption.suspended ||
	    epoch != stream->outgoing.sender.epoch ||
	    !sender_is_in_flight(&stream->outgoing.sender, block)) {
		return; /* an answer to an earlier transmission */
	}
	if (error->condition == CONDITION_RESOURCE_CONSTRAINT &&
	    error->error_type == ERROR_TYPE_WAIT && stream->session.stanza == STANZA_IQ) {
		back_off_from(stream, block, now_ms);
		return;
	}
	if (may_mean_too_long(error) && try_shorter(stream, block)) {
		return;
	}
	if (condition_means_away(error->condition) && stream_suspend(stream, true, now_ms)) {
		return;
	}
	if (stream_must_back_off(stream, error)) {
		back_off_from(stream, block, now_ms);
		return;
	}
	int result = condition_stream_error(error->condition);
	if (condition_means_away(error->condition) ||
	    error->condition == CONDITION_ITEM_NOT_FOUND) {
		stream_break(stream, result);
	} else {
		/* XEP-0047 section 2.2: after an error about the data the sender must close. */
		stream_abort(stream, result);
	}
}
