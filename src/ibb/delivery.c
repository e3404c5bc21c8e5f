/* SPDX-License-Identifier: MIT */
/*
 * What leaves a stream: writes, the zeros of a gap, blocks, and what answers them.
 */
#include "ibb/stream_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Bytes taken from writers, however small the window is. */
#define WRITE_AHEAD ((size_t)64 * 1024)

/* Writes are taken over, rather than kept in their op, up to this far beyond the window. */
#define WRITE_SLACK ((size_t)1024 * 1024)

/* Zeros made at a time. */
#define GAP_CHUNK ((size_t)64 * 1024)

/* ---- writing ---- */

/* Why nothing more can be written; 0: it can. */
int stream_write_error(const struct stream *stream)
{
	if (stream_is_over(stream)) {
		return stream_outcome(stream);
	}
	/* The peer said <close/>: what was written before may still leave, nothing new. */
	return stream->close_id || stream->state == STREAM_CLOSING ? -ECONNRESET : 0;
}

/* What may wait to be sent, so that the window never runs dry while a writer is being woken. */
static size_t write_ahead(const struct stream *stream)
{
	size_t least = stream->config->window < WRITE_AHEAD ? stream->config->window : WRITE_AHEAD;
	return stream->window.size > least ? stream->window.size : least;
}

static bool is_full(const struct stream *stream)
{
	return stream->gap > 0 || stream->sender.out.length > write_ahead(stream);
}

bool stream_is_delivered(const struct stream *stream)
{
	return sender_is_empty(&stream->sender) && stream->gap == 0 && !stream->writers;
}

/* An answer is awaited from the moment something is to be sent. */
static void await_delivery(struct stream *stream, int64_t now_ms)
{
	if (stream->state == STREAM_OPEN && stream->deadline_ms == STREAM_NO_DEADLINE) {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	stream_take_turn(stream);
}

void stream_write(struct stream *stream, struct op *op, const void *bytes, int64_t now_ms)
{
	struct op **done = &stream->effects->done;
	struct sender *sender = &stream->sender;

	int error = stream_write_error(stream);
	if (error) {
		op_complete(op, error, done);
		return;
	}
	if (op->nonblock && is_full(stream)) {
		op_complete(op, -EAGAIN, done);
		return;
	}
	if (sender->out.length > stream->config->window + WRITE_SLACK || stream->writers ||
	    stream->gap > 0) {
		/* Only after interrupted writes, a gap, or behind another writer, comes one that
		 * must keep its bytes itself. */
		op->data = malloc(op->size);
		if (!op->data) {
			op_complete(op, -ENOMEM, done);
			return;
		}
		memcpy(op->data, bytes, op->size);
		op_park(op, &stream->writers);
		return;
	}
	error = sender_append(sender, bytes, op->size);
	if (error) {
		op_complete(op, error, done);
		return;
	}
	await_delivery(stream, now_ms);
	if (is_full(stream) && !op->nonblock) {
		op_park(op, &stream->writers);
	} else {
		op_complete(op, (ssize_t)op->size, done);
	}
}

/* Turns as much of the gap into zeros as there is room for. */
static void fill_gap(struct stream *stream)
{
	while (stream->gap > 0 && stream->sender.out.length <= write_ahead(stream)) {
		size_t length = stream->gap < GAP_CHUNK ? (size_t)stream->gap : GAP_CHUNK;
		if (sender_append(&stream->sender, NULL, length)) {
			stream_abort(stream, -ENOMEM);
			return;
		}
		stream->gap -= length;
	}
}

int stream_write_zeros(struct stream *stream, uint64_t length, int64_t now_ms)
{
	int error = stream_write_error(stream);
	if (error) {
		return error;
	}
	stream->gap += length;
	fill_gap(stream);
	await_delivery(stream, now_ms);
	return stream->state == STREAM_BROKEN ? stream->error : 0;
}

/* Lets the gap and waiting writers go on while there is room. */
static void release_writers(struct stream *stream)
{
	fill_gap(stream);
	while (stream->writers && !is_full(stream)) {
		struct op *op = stream->writers;
		ssize_t result = (ssize_t)op->size;
		if (op->data && sender_append(&stream->sender, op->data, op->size)) {
			result = -ENOMEM;
		}
		op_complete(op, result, &stream->effects->done);
	}
	if (stream->flushers || stream->state == STREAM_CLOSING) {
		sender_push(&stream->sender);
	}
}

void stream_push(struct stream *stream)
{
	sender_push(&stream->sender);
	stream_take_turn(stream);
}

/* Where the last byte will be that writers have given so far. */
static uint64_t promised(const struct stream *stream)
{
	uint64_t end = stream_written(stream);
	const struct op *op;
	DL_FOREACH (stream->writers, op) {
		end += op->data ? op->size : 0;
	}
	return end;
}

void stream_end_flushes(struct stream *stream)
{
	struct op *op, *next;
	bool all = stream_is_delivered(stream);
	if (stream->suspended) {
		return;
	}
	DL_FOREACH_SAFE (stream->flushers, op, next) {
		if (all || op->end <= stream->sender.acknowledged) {
			stream->confirmed = stream->sender.acknowledged;
			op_complete(op, 0, &stream->effects->done);
		}
	}
}

void stream_flush(struct stream *stream, struct op *op, int64_t now_ms)
{
	struct op **done = &stream->effects->done;

	if (stream->state == STREAM_BROKEN) {
		op_complete(op, stream->error, done);
	} else if (stream_is_delivered(stream) && !stream->suspended) {
		stream->confirmed = stream->sender.acknowledged;
		op_complete(op, 0, done);
	} else if (stream_is_delivered(stream) &&
		   stream->confirmed == stream->sender.acknowledged) {
		op_complete(op, 0, done);
	} else {
		op->end = promised(stream);
		op_park(op, &stream->flushers);
		sender_push(&stream->sender);
		await_delivery(stream, now_ms);
	}
}

/* ---- blocks that leave ---- */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The longest block that there may be. */
static size_t most_length(const struct stream *stream)
{
	return smaller(stream->block_size, stream->most_data);
}

/* How long a block is that is full. */
static size_t block_length(const struct stream *stream)
{
	size_t most = most_length(stream);
	return stream->is_auto ? smaller(most, chunk_length(stream->chunk)) : most;
}

bool stream_has_block(const struct stream *stream)
{
	return (stream->state == STREAM_OPEN || stream->state == STREAM_CLOSING) &&
	       !stream->suspended && stream->retry_ms == STREAM_NO_DEADLINE &&
	       sender_next_length(&stream->sender, block_length(stream), stream->window.size) > 0;
}

/*
 * Messages are not answered. But stanzas between two full JIDs stay in order (RFC 6120 section
 * 10.1), so the answer to a request that follows them, whatever it is, says that the peer has
 * got the blocks before `end`.
 */
static void ask_for_delivery(struct stream *stream, uint64_t end)
{
	stream->unasked = 0;
	stream->asked = end;
	if (stream_ask(stream, 'b', end)) {
		stream_abort(stream, -ENOMEM);
	}
}

/* "KIND STREAM.BLOCK"; once blocks were sent again, "KIND STREAM.BLOCK.EPOCH". */
static void make_id(char *id, size_t size, char kind, const struct stream *stream, uint64_t block)
{
	if (stream->epoch == 0) {
		snprintf(id, size, "%c%" PRIx64 ".%" PRIx64, kind, stream->number, block);
	} else {
		snprintf(id, size, "%c%" PRIx64 ".%" PRIx64 ".%x", kind, stream->number, block,
			 stream->epoch);
	}
}

struct msg *stream_take_block(struct stream *stream, int64_t now_us)
{
	int64_t now_ms = now_us / 1000;
	if (!stream_has_block(stream)) {
		/* The window has shrunk, or blocks have become longer, since it took its turn. */
		stream_leave_turns(stream);
		if (stream->unasked > 0) {
			ask_for_delivery(stream, sender_next_number(&stream->sender));
		}
		return NULL;
	}
	size_t length =
		sender_next_length(&stream->sender, block_length(stream), stream->window.size);
	uint64_t number = sender_next_number(&stream->sender);
	char id[64];
	make_id(id, sizeof(id), 'd', stream, number);
	struct msg block = {
		.kind = MSG_DATA,
		.peer = stream->peer,
		.id = id,
		.sid = stream->sid,
		.carrier = stream->carrier,
		.seq = (uint16_t)number,
		.data_length = length,
	};
	struct msg *msg = msg_create(&block);
	if (!msg || sender_take(&stream->sender, length, msg_room(msg), &number, now_us)) {
		/* Its turn comes again with the next acknowledgement, write or tick. */
		msg_destroy(msg);
		stream_leave_turns(stream);
		return NULL;
	}
	if (stream->deadline_ms == STREAM_NO_DEADLINE) {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	/* To the end of the row, so that every stream gets its share. */
	stream_leave_turns(stream);
	stream_take_turn(stream);
	if (stream->carrier == CARRIER_MESSAGE) {
		stream->unasked += length;
		if (stream->unasked > stream->window.size / 2 || !stream->has_turn) {
			ask_for_delivery(stream, number + 1);
		}
	}
	return msg;
}

/* A block that is about to be acknowledged, in its own answer or in that to a question after it. */
static struct window_trip begin_trip(const struct stream *stream, uint64_t block, int64_t now_us)
{
	const struct sent_block *sent = sender_sent(&stream->sender, block);
	return (struct window_trip){
		.number = block,
		.left_us = sent->sent_us,
		.now_us = now_us,
		.delivered = sent->delivered,
	};
}

/* `before`: sender.acknowledged, before that. */
static void end_trip(struct stream *stream, struct window_trip *trip, uint64_t before)
{
	const struct sender *sender = &stream->sender;
	if (trip->left_us == SENDER_REPEATED) {
		window_note_repeated(&stream->window, block_length(stream));
		return;
	}
	size_t length = block_length(stream);
	bool full = sender->out.length - sender->in_flight >= length;
	if (full) {
		window_note_full(&stream->window);
	}
	/* A writer that is woken up when there is room again fills it a moment later. */
	bool keeps_full = full || (sender->in_flight > 0 &&
				   sender->in_flight + length >= stream->window.size / 4 * 3);
	struct chunk_trip chunk_trip = {
		.left_us = trip->left_us,
		.now_us = trip->now_us,
		.bytes = (size_t)(sender->acknowledged - before),
		.full = keeps_full && stream->is_auto && most_length(stream) > CHUNK_LEAST &&
			!stream->window.starting,
	};
	chunk_measure(stream->chunk, &chunk_trip);
	trip->next = sender_next_number(sender);
	trip->block_size = block_length(stream);
	trip->shared = stream->effects->streams > 1;
	trip->delivered = sender->acknowledged - trip->delivered;
	window_measure(&stream->window, trip);
}

/* After acknowledgements: what waited for them goes on. */
static void advance(struct stream *stream, int64_t now_ms)
{
	stream->retry_ms = STREAM_NO_DEADLINE;
	stream->retries = 0;
	stream->breaks = 0;
	release_writers(stream);
	if (sender_is_empty(&stream->sender)) {
		stream_rest(stream, now_ms);
	} else {
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	}
	stream_end_flushes(stream);
	stream_take_turn(stream);
	stream_close_when_delivered(stream, now_ms);
	stream_answer_when_delivered(stream);
}

void stream_acknowledged(struct stream *stream, uint64_t block, int64_t now_us)
{
	if (stream_is_over(stream)) {
		return;
	}
	struct window_trip trip = {.left_us = SENDER_REPEATED};
	uint64_t before = stream->sender.acknowledged;
	if (sender_is_in_flight(&stream->sender, block)) {
		trip = begin_trip(stream, block, now_us);
	}
	if (sender_acknowledge(&stream->sender, block)) {
		end_trip(stream, &trip, before);
		advance(stream, now_us / 1000);
	}
}

void stream_delivered(struct stream *stream, uint64_t end, int64_t now_us)
{
	struct sender *sender = &stream->sender;
	uint64_t next = sender_next_number(sender);
	end = end < next ? end : next;
	if (stream_is_over(stream) || sender->first >= end) {
		return;
	}
	/* Those before the last one have waited for the question. */
	struct window_trip trip = begin_trip(stream, end - 1, now_us);
	uint64_t before = sender->acknowledged;
	while (sender->blocks_length > 0 && sender->first < end) {
		sender_acknowledge(sender, sender->first);
	}
	end_trip(stream, &trip, before);
	advance(stream, now_us / 1000);
}

/* The first pause, and the longest, before something is sent again. */
#define PAUSE_MS      100
#define PAUSE_MOST_MS 5000

void stream_pause(struct stream *stream, int64_t now_ms)
{
	int64_t pause_ms = PAUSE_MS << (stream->retries < 6 ? stream->retries : 6);

	stream->retries++;
	stream->retry_ms = now_ms + (pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS);
	stream_note_deadline(stream);
}

/* RFC 6120 section 8.3.2, type wait: the peer has not taken the block, nor those behind it. */
static void pause_before(struct stream *stream, uint64_t block, int64_t now_ms)
{
	/* Where a connection may have broken, a block before it may have been lost as well. */
	sender_repeat(&stream->sender, stream->resumable ? stream->sender.first : block);
	stream->epoch++;
	window_cut(&stream->window);
	chunk_disturb(stream->chunk);
	stream_leave_turns(stream);
	stream_pause(stream, now_ms);
}

void stream_repeat_all(struct stream *stream)
{
	sender_repeat_all(&stream->sender);
	stream->epoch++;
	stream->retry_ms = STREAM_NO_DEADLINE;
	stream->retries = 0;
}

void stream_repeat_oldest(struct stream *stream)
{
	struct sender *sender = &stream->sender;
	if (!stream->resumable || stream->state != STREAM_OPEN || sender->blocks_in_flight == 0) {
		return;
	}
	char id[64];
	make_id(id, sizeof(id), 'a', stream, sender->first);
	struct msg block = {
		.kind = MSG_DATA,
		.peer = stream->peer,
		.id = id,
		.sid = stream->sid,
		.carrier = stream->carrier,
		.seq = (uint16_t)sender->first,
		.data_length = sender_copy_oldest(sender, NULL),
	};
	uint8_t *bytes = malloc(block.data_length);
	if (bytes) {
		sender_copy_oldest(sender, bytes);
		block.data = bytes;
		/* Short of memory, it is overdue again after a while. */
		effects_send(stream->effects, &block);
	}
	free(bytes);
}

/*
 * A peer whose reader pauses answers the block as it came first, when it can: so the block, or its
 * acknowledgement, was lost. The same may have happened to all that have waited as long.
 */
void stream_repeated(struct stream *stream, uint64_t block, uint64_t epoch, int64_t now_us)
{
	bool lost = epoch == stream->epoch && sender_is_in_flight(&stream->sender, block);
	stream_acknowledged(stream, block, now_us);
	if (lost && !stream_is_over(stream) && stream->sender.blocks_in_flight > 0) {
		stream_repeat_all(stream);
		stream_take_turn(stream);
	}
}

void stream_data_refused(struct stream *stream, uint64_t block, uint64_t epoch,
			 const struct msg *error, int64_t now_ms)
{
	if (stream_is_over(stream) || stream->suspended || epoch != stream->epoch ||
	    !sender_is_in_flight(&stream->sender, block)) {
		return; /* what was sent before that is sent again */
	}
	if (error->condition == CONDITION_RESOURCE_CONSTRAINT &&
	    error->error_type == ERROR_TYPE_WAIT && stream->carrier == CARRIER_IQ) {
		pause_before(stream, block, now_ms);
		return;
	}
	if (stream_means_away(error) && stream_suspend(stream, true, now_ms)) {
		return;
	}
	if (stream_means_pause(stream, error)) {
		pause_before(stream, block, now_ms);
		return;
	}
	int result = condition_stream_error(error->condition);
	if (stream_means_away(error) || error->condition == CONDITION_ITEM_NOT_FOUND) {
		stream_break(stream, result);
	} else {
		/* XEP-0047 section 2.2: the sender must close after an error about the data. */
		stream_abort(stream, result);
	}
}

bool stream_can_write(const struct stream *stream)
{
	return stream_write_error(stream) || !is_full(stream);
}
