/* SPDX-License-Identifier: MIT */
/*
 * What every file of a stream needs: life, questions, deadlines and lists. Nothing here changes the
 * state.
 */
#include "ibb/stream_internal.h"

#include "ibb/path_mtu.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

char *stream_copy_string(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = malloc(size);
	if (copy) {
		memcpy(copy, string, size);
	}
	return copy;
}

/* ---- questions ---- */

bool stream_is_over(const struct stream *stream)
{
	return stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN;
}

int stream_outcome(const struct stream *stream)
{
	return stream->state == STREAM_BROKEN ? stream->error : -ECONNRESET;
}

bool stream_is_delivered(const struct stream *stream)
{
	const struct pieces *pieces = stream->outgoing.pieces;
	return sender_is_empty(&stream->outgoing.sender) && (!pieces || pieces->held.length == 0) &&
	       stream->outgoing.gap == 0 && !stream->outgoing.writers;
}

bool stream_is_being_stored(const struct stream *stream)
{
	return stream->state == STREAM_OPEN && stream->session.close_pending &&
	       stream->incoming.receiver.needs_commit;
}

bool stream_has_ended_input(const struct stream *stream)
{
	return stream_is_over(stream) || stream->session.close_pending || stream->incoming.is_whole;
}

uint64_t stream_written(const struct stream *stream)
{
	const struct pieces *pieces = stream->outgoing.pieces;
	return stream->outgoing.sender.written + (pieces ? pieces->held.length : 0) +
	       stream->outgoing.gap;
}

bool stream_awaits_beginning(const struct stream *stream)
{
	return stream->state == STREAM_OPEN && stream->session.features & FEATURE_RESUME &&
	       !stream->is_incoming && !stream->outgoing.is_begun &&
	       stream->outgoing.sender.acknowledged == 0;
}

bool stream_asks_syncs(const struct stream *stream)
{
	return stream->session.features & FEATURE_SYNC && !stream->is_incoming &&
	       !stream->session.negotiated && !stream_is_over(stream);
}

bool stream_needs_sync(const struct stream *stream)
{
	return stream_asks_syncs(stream) &&
	       stream->outgoing.synced < stream->outgoing.sender.acknowledged;
}

bool stream_is_acknowledged(const struct stream *stream, uint64_t end)
{
	/* A writer that was interrupted has left nothing. */
	return end <= stream->outgoing.sender.acknowledged || stream_is_delivered(stream);
}

bool stream_is_flushed(const struct stream *stream, uint64_t end)
{
	return stream_is_acknowledged(stream, end) &&
	       (end <= stream->outgoing.synced || !stream_needs_sync(stream));
}

uint64_t stream_size(const struct stream *stream)
{
	return stream->is_incoming ? stream->incoming.receiver.received : stream_written(stream);
}

const char *stream_state_name(const struct stream *stream)
{
	static const char *const names[] = {
		[STREAM_NEW] = "new",	      [STREAM_OPENING] = "opening",
		[STREAM_OPEN] = "open",	      [STREAM_CLOSING] = "closing",
		[STREAM_CLOSED] = "finished", [STREAM_BROKEN] = "broken",
	};
	return stream->resumption.suspended ? "suspended" : names[stream->state];
}

/* ---- deadlines ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t suspension_deadline(const struct stream *stream)
{
	int64_t deadline_ms = stream->resumption.retransmit_due ? stream->resumption.retransmit_ms
								: STREAM_NO_DEADLINE;
	if (!stream->resumption.suspended) {
		return deadline_ms;
	}
	int64_t next_ms = stream->resumption.next_attempt_ms < stream->resumption.give_up_ms
				  ? stream->resumption.next_attempt_ms
				  : stream->resumption.give_up_ms;
	return next_ms < deadline_ms ? next_ms : deadline_ms;
}

int64_t stream_deadline(const struct stream *stream)
{
	int64_t next_ms = sooner(stream->timers.deadline_ms, stream->timers.keepalive_ms);
	next_ms = sooner(next_ms, stream->timers.page_ms);
	return sooner(sooner(next_ms, stream->timers.retry_ms), suspension_deadline(stream));
}

void stream_note_deadline(struct stream *stream)
{
	int64_t nearest = stream_deadline(stream);
	if (nearest < stream->effects->deadline_ms) {
		stream->effects->deadline_ms = nearest;
	}
}

/* A peer is asked so soon whether a block that may be too long has arrived. */
#define TRIAL_MS 3000

bool stream_tries_length(const struct stream *stream)
{
	const struct sender *sender = &stream->outgoing.sender;
	size_t least = sender->carried > PATH_MTU_MIN ? sender->carried : PATH_MTU_MIN;
	/* The first question is cheap; many short blocks may be in flight. */
	return stream_block_length(stream) > least && stream->session.stanza == STANZA_IQ &&
	       !stream->outgoing.says_no_seq && sender_longest(sender) > least;
}

bool stream_can_reopen(const struct stream *stream)
{
	return stream->state == STREAM_OPEN && !stream->is_incoming && !stream->session.resumable &&
	       !stream->session.negotiated && !stream->session.close_pending &&
	       stream->outgoing.sender.carried == 0 && stream->incoming.receiver.blocks == 0;
}

void stream_set_deadline(struct stream *stream, int64_t now_ms, int64_t timeout_ms)
{
	if (stream->resumption.suspended) {
		return; /* suspended, it has its own deadline */
	}
	stream->timers.deadline_ms = now_ms + timeout_ms;
	int64_t probe_ms = timeout_ms / 2;
	if (probe_ms > TRIAL_MS && stream_tries_length(stream)) {
		probe_ms = TRIAL_MS;
	}
	bool is_stored = stream->state == STREAM_CLOSING && stream->session.finishers &&
			 stream->session.resumable;
	stream->timers.keepalive_ms =
		stream->state == STREAM_OPEN || is_stored ? now_ms + probe_ms : STREAM_NO_DEADLINE;
	stream_note_deadline(stream);
}

void stream_hasten_probe(struct stream *stream, int64_t now_ms)
{
	int64_t soon_ms = now_ms + TRIAL_MS;
	if (stream->timers.keepalive_ms != STREAM_NO_DEADLINE &&
	    stream->timers.keepalive_ms > soon_ms && stream_tries_length(stream)) {
		stream->timers.keepalive_ms = soon_ms;
		stream_note_deadline(stream);
	}
}

void stream_clear_deadline(struct stream *stream)
{
	stream->timers.deadline_ms = STREAM_NO_DEADLINE;
	stream->timers.keepalive_ms = STREAM_NO_DEADLINE;
}

void stream_set_idle(struct stream *stream, int64_t now_ms)
{
	stream_clear_deadline(stream);
	if (stream->state == STREAM_OPEN && stream->incoming.has_reader &&
	    !stream->resumption.suspended && !stream_is_being_stored(stream)) {
		stream->timers.last_heard_ms = now_ms;
		stream->timers.keepalive_ms = now_ms + stream->config->timeout_ms;
		stream_note_deadline(stream);
	}
}

/* The first back-off, and the longest. */
#define BACK_OFF_MS	100
#define MAX_BACK_OFF_MS 5000

void stream_back_off(struct stream *stream, int64_t now_ms)
{
	int64_t pause_ms = BACK_OFF_MS << (stream->timers.retries < 6 ? stream->timers.retries : 6);

	stream->timers.retries++;
	stream->timers.retry_ms =
		now_ms + (pause_ms < MAX_BACK_OFF_MS ? pause_ms : MAX_BACK_OFF_MS);
	stream_note_deadline(stream);
}

/* ---- lists of the set ---- */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t stream_max_block(const struct stream *stream)
{
	return smaller(stream->session.block_size, stream->session.max_data);
}

size_t stream_block_length(const struct stream *stream)
{
	size_t most = stream_max_block(stream);
	return stream->session.is_auto ? smaller(most, block_size_current(stream->auto_size))
				       : most;
}

/* Whether the first block is in flight, and may be too long. */
static bool awaits_first_block(const struct stream *stream)
{
	return stream->outgoing.sender.carried == 0 && stream_can_reopen(stream) &&
	       sender_longest(&stream->outgoing.sender) > PATH_MTU_MIN;
}

bool stream_has_block(const struct stream *stream)
{
	return (stream->state == STREAM_OPEN || stream->state == STREAM_CLOSING) &&
	       !stream->resumption.suspended && !stream->session.lost &&
	       !stream->session.close_sent && stream->timers.retry_ms == STREAM_NO_DEADLINE &&
	       !awaits_first_block(stream) &&
	       sender_next_length(&stream->outgoing.sender, stream_block_length(stream),
				  stream->outgoing.window.size) > 0;
}

void stream_schedule(struct stream *stream)
{
	if (!stream->links.is_sendable && stream_has_block(stream)) {
		DL_APPEND2(stream->effects->sendable, stream, links.sendable_prev,
			   links.sendable_next);
		stream->links.is_sendable = true;
	}
}

void stream_unschedule(struct stream *stream)
{
	if (stream->links.is_sendable) {
		DL_DELETE2(stream->effects->sendable, stream, links.sendable_prev,
			   links.sendable_next);
		stream->links.is_sendable = false;
	}
}

void stream_clear_readable(struct stream *stream)
{
	if (stream->links.is_readable) {
		DL_DELETE2(stream->effects->readable, stream, links.readable_prev,
			   links.readable_next);
		stream->links.is_readable = false;
	}
}

/* ---- pieces ---- */

void stream_forget_pieces(struct stream *stream)
{
	pieces_destroy(stream->outgoing.pieces);
	stream->outgoing.pieces = NULL;
	stream->timers.page_ms = STREAM_NO_DEADLINE;
}

/* ---- life ---- */

void stream_set_block_size(struct stream *stream, uint32_t block_size)
{
	assert(stream->state == STREAM_NEW);
	stream->session.is_auto = block_size == STREAM_AUTO_BLOCK;
	stream->session.block_size = stream->session.is_auto ? STREAM_MAX_BLOCK : block_size;
}

struct stream *stream_create(const struct stream_config *config, struct effects *effects,
			     struct limits *limits, struct block_size *auto_size,
			     struct sharing *sharing, uint64_t number, const char *sid)
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
	stream->auto_size = auto_size;
	stream->sharing = sharing;
	stream->number = number;
	stream->session.stanza = config->stanza;
	stream_set_block_size(stream, config->block_size);
	stream->session.announced_size = -1;
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream->timers.page_ms = STREAM_NO_DEADLINE;
	window_init(&stream->outgoing.window, config->window);
	stream_clear_deadline(stream);
	return stream;
}

void stream_follow(struct stream *stream, struct stream_ending *ending)
{
	if (ending->stream) {
		ending->stream->ending = NULL;
	}
	*ending = (struct stream_ending){.stream = stream};
	if (stream) {
		stream->ending = ending;
	}
}

/* Without an answer to <close/>, nobody knows of bytes that were not acknowledged before. */
static void tell_ending(struct stream *stream)
{
	struct stream_ending *ending = stream->ending;
	if (ending) {
		int error = stream_is_delivered(stream) ? 0 : -ETIMEDOUT;
		stream_follow(NULL, ending);
		ending->error = stream->error ? stream->error : error;
	}
}

void stream_destroy(struct stream *stream)
{
	if (!stream) {
		return;
	}
	tell_ending(stream);
	assert(!stream->session.openers && !stream->incoming.readers && !stream->outgoing.writers &&
	       !stream->outgoing.flushers);
	stream_unschedule(stream);
	stream_clear_readable(stream);
	sharing_leave(stream->sharing, &stream->outgoing.window.member);
	sender_finish(&stream->outgoing.sender);
	pieces_destroy(stream->outgoing.pieces);
	free(stream->incoming.part.page_id);
	receiver_finish(&stream->incoming.receiver);
	limits_charge(stream->limits, 0, 0, &stream->incoming.charged);
	free(stream->folder);
	free(stream->name);
	free(stream->peer);
	free(stream->sid);
	free(stream);
}
