/* SPDX-License-Identifier: MIT */
#include "ibb/ibb_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <utlist.h>

/* A break ends as many streams at once as there may be; this many of a moment ago are known, too.
 */
#define LEAST_VERDICTS 1024

void ibb_init(struct ibb *ibb, const struct stream_config *config, unsigned max_streams)
{
	*ibb = (struct ibb){
		.config = *config,
		.max_streams = max_streams,
		.effects.deadline_ms = STREAM_NO_DEADLINE,
	};
	limits_init(&ibb->limits, max_streams, config->buffer, config->buffer_total);
	verdicts_init(&ibb->verdicts, max_streams > LEAST_VERDICTS ? max_streams : LEAST_VERDICTS);
}

void ibb_finish(struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		ibb_remove(ibb, stream);
	}
	effects_finish(&ibb->effects);
	limits_finish(&ibb->limits);
	verdicts_finish(&ibb->verdicts);
	path_cache_finish(&ibb->path_cache);
}

/* ---- the user's side ---- */

/* Streams that are over and wait to be read do not count, nor those that have only to be closed. */
static unsigned count_live(const struct ibb *ibb)
{
	const struct stream *stream, *next;
	unsigned count = 0;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		bool is_closed = stream->session.close_sent && stream_is_delivered(stream);
		count += !stream_is_over(stream) && !is_closed;
	}
	return count;
}

struct stream *ibb_create_stream(struct ibb *ibb, const char *sid, int *error)
{
	if (count_live(ibb) >= ibb->max_streams) {
		*error = -ENFILE;
		return NULL;
	}
	struct stream *stream = ibb_add(ibb, sid, error);
	if (stream) {
		stream->owned = true;
	}
	return stream;
}

int ibb_open(struct ibb *ibb, struct stream *stream, const char *peer, unsigned features,
	     const char *name, int64_t now_ms)
{
	if (!ibb_can_find(peer, stream->sid)) {
		return -EINVAL;
	}
	uint32_t wanted = stream->session.block_size;
	uint32_t accepted = path_cache_block_size(&ibb->path_cache, peer);
	stream->session.block_size = accepted < wanted ? accepted : wanted;
	ibb->path_mtu.now_ms = now_ms;
	stream->session.path_mtu = path_mtu_most(&ibb->path_mtu, peer);
	ibb->config.path_mtu = path_mtu_ours(&ibb->path_mtu);
	int error = stream_open(stream, peer, features, name, now_ms);
	if (error) {
		stream->session.block_size = wanted;
		return error;
	}
	error = ibb_add_key(ibb, stream);
	if (error) {
		/* The <open/> is queued already. */
		stream_abort(stream, error);
	}
	return error;
}

struct stream *ibb_expect(struct ibb *ibb, const char *peer, const char *sid, int64_t size,
			  int *error)
{
	if (ibb_find(ibb, peer, sid)) {
		*error = -EEXIST;
		return NULL;
	}
	struct stream *stream = ibb_create_stream(ibb, sid, error);
	if (!stream) {
		return NULL;
	}
	*error = stream_expect(stream, peer, size);
	if (!*error) {
		*error = ibb_add_key(ibb, stream);
	}
	if (*error) {
		ibb_remove(ibb, stream);
		return NULL;
	}
	return stream;
}

void ibb_release(struct ibb *ibb, struct stream *stream, bool good_order, int64_t now_ms)
{
	assert(stream->owned);
	stream->owned = false;
	stream->consumed = good_order && stream->incoming.receiver.received > 0;
	stream_close(stream, good_order, now_ms);
	ibb_settle(ibb, stream);
}

void ibb_abort(struct ibb *ibb, struct stream *stream, int error)
{
	stream_abort(stream, error);
	ibb_settle(ibb, stream);
}

void ibb_keep(struct ibb *ibb, struct stream *stream)
{
	stream_keep(stream);
	ibb_settle(ibb, stream);
}

void ibb_end(struct ibb *ibb, struct stream *stream, int error)
{
	stream_finish(stream, error);
	ibb_settle(ibb, stream);
}

struct stream *ibb_take_arrived(struct ibb *ibb)
{
	struct stream *stream = ibb->arrived;
	if (stream) {
		DL_DELETE2(ibb->arrived, stream, links.arrived_prev, links.arrived_next);
		stream->owned = true;
	}
	return stream;
}

bool ibb_has_stream(const struct ibb *ibb, const char *peer, const char *sid)
{
	return ibb_find(ibb, peer, sid) != NULL;
}

void ibb_complete_reads(struct ibb *ibb)
{
	while (ibb->effects.readable) {
		stream_complete_reads(ibb->effects.readable);
	}
}

/* ---- messages to be sent ---- */

bool ibb_is_overloaded(const struct ibb *ibb, bool allowed)
{
	const struct effects *effects = &ibb->effects;
	return allowed ? effects->queued >= LIMITS_UNSENT || effects->memory >= LIMITS_UNSENT_BYTES
		       : effects->queued >= LIMITS_UNSENT_REFUSED ||
				 effects->memory >= LIMITS_UNSENT_REFUSED_BYTES;
}

/* The backlog is halved. It is not done sooner, as it visits all streams. */
static void catch_up(struct ibb *ibb)
{
	struct stream *stream, *next;
	ibb->effects.backlogged = ibb->effects.answers_due = false;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		stream_release_acknowledgements(stream);
		stream_answer_close(stream);
		ibb_settle(ibb, stream);
	}
}

struct msg *ibb_next(struct ibb *ibb, int64_t now_us)
{
	struct msg *msg = effects_take_message(&ibb->effects);
	bool backlogged = ibb->effects.backlogged || ibb->effects.answers_due;
	if (backlogged && ibb->effects.queued <= LIMITS_UNSENT_ACKS / 2) {
		catch_up(ibb);
		msg = msg ? msg : effects_take_message(&ibb->effects);
	}
	while (!msg && ibb->effects.sendable) {
		struct stream *stream = ibb->effects.sendable;
		msg = stream_next_block(stream, now_us);
		ibb_settle(ibb, stream);
	}
	/* A stream without a block may have queued a probe. */
	return msg ? msg : effects_take_message(&ibb->effects);
}

bool ibb_has_next(const struct ibb *ibb)
{
	return ibb->effects.messages || ibb->effects.sendable || ibb->effects.answers_due;
}

bool ibb_has_peer(const struct ibb *ibb, const char *peer)
{
	const struct stream *stream, *next;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		if (strcmp(stream->peer, peer) == 0) {
			return true;
		}
	}
	return false;
}

bool ibb_is_drained(const struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		/* What is about to be stored need not be resumed. */
		bool ends = stream->session.close_pending && stream->incoming.is_journaled;
		if ((!stream->owned || ends) && !stream_is_over(stream) &&
		    !stream->resumption.handed_over) {
			return false;
		}
	}
	return !ibb->effects.messages && !ibb->effects.sendable;
}

/* ---- all streams of a peer, or of the account ---- */

void ibb_limit_stanzas(struct ibb *ibb, size_t max_stanza)
{
	struct stream *stream, *next;
	ibb->config.max_stanza = max_stanza;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		stream_limit_blocks(stream);
	}
}

size_t ibb_path_mtu(const struct ibb *ibb, const char *peer)
{
	size_t ours = path_mtu_ours(&ibb->path_mtu);
	size_t theirs = path_mtu_most(&ibb->path_mtu, peer);
	return ours == 0 || (theirs > 0 && theirs < ours) ? theirs : ours;
}

/* Our connection is broken, and the stream cannot be resumed. */
static void break_stream(struct ibb *ibb, struct stream *stream)
{
	stream_break(stream, stream->state >= STREAM_OPEN ? -ECONNRESET : -ENETDOWN);
	ibb_settle(ibb, stream);
}

/* Drops unsent messages, and the answers of streams that are over, which waited for a shorter
 * backlog. */
static void drop_messages(struct ibb *ibb)
{
	struct stream *stream, *next;
	struct msg *msg;
	while ((msg = effects_take_message(&ibb->effects))) {
		msg_destroy(msg);
	}
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		if (stream_is_over(stream)) {
			receiver_forget_held(&stream->incoming.receiver);
			ibb_settle(ibb, stream);
		}
	}
}

/* A stream whose bytes are all here needs nothing more. */
static bool needs_peer(const struct stream *stream)
{
	if (stream->session.expected) {
		return stream->state != STREAM_OPEN || !stream_is_complete(stream);
	}
	return !stream_is_being_stored(stream);
}

void ibb_peer_gone(struct ibb *ibb, const char *peer, int64_t now_ms)
{
	struct stream *stream, *next;
	path_cache_forget(&ibb->path_cache, peer);
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		if (!stream->peer || strcmp(stream->peer, peer) != 0 || !needs_peer(stream)) {
			continue;
		}
		bool is_open = stream->state >= STREAM_OPEN;
		if (!is_open || !stream_suspend(stream, true, now_ms)) {
			stream_break(stream, is_open ? -ECONNRESET : -EHOSTDOWN);
		}
		ibb_settle(ibb, stream);
	}
}

void ibb_peer_back(struct ibb *ibb, const char *peer, int64_t now_ms)
{
	struct stream *stream, *next;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		if (strcmp(stream->peer, peer) == 0) {
			stream->resumption.gone_ms = STREAM_NO_DEADLINE; /* it is asked */
			stream_resume(stream, now_ms);
		}
	}
}

/* The connection broke: was it for the length of a block? */
static void learn_path_mtu(struct ibb *ibb)
{
	struct stream *stream, *next;
	size_t longest = 0;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		size_t length = sender_longest(&stream->outgoing.sender);
		longest = length > longest ? length : longest;
	}
	size_t before = path_mtu_ours(&ibb->path_mtu);
	size_t most = path_mtu_broken(&ibb->path_mtu, longest);
	if (most == 0 || (before > 0 && most >= before)) {
		return;
	}
	ibb->config.path_mtu = most;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		stream_limit_blocks(stream);
		if (sender_longest(&stream->outgoing.sender) > most) {
			stream->resumption.breaks = 0; /* the next blocks are shorter */
		}
	}
}

void ibb_disconnect(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;
	ibb->disconnected = true;
	ibb->path_mtu.now_ms = now_ms;
	learn_path_mtu(ibb);
	path_cache_finish(&ibb->path_cache); /* the next connection may have another path */
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		bool unknown = stream->state == STREAM_NEW && !stream->session.expected &&
			       ibb->config.reconnect_ms > 0;
		if (!unknown && needs_peer(stream) && !stream_suspend(stream, false, now_ms) &&
		    !stream_await_reopening(stream, now_ms)) {
			break_stream(ibb, stream);
		}
	}
	drop_messages(ibb);
}

void ibb_connect(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;
	if (!ibb->disconnected) {
		return;
	}
	ibb->disconnected = false;
	HASH_ITER (links.by_key, ibb->by_key, stream, next) {
		ibb_reopen(ibb, stream, now_ms);
		stream_resume(stream, now_ms);
		ibb_settle(ibb, stream);
	}
}

void ibb_reset(struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		stream_abort(stream, stream->state >= STREAM_OPEN ? -ECONNRESET : -ENETDOWN);
		ibb_settle(ibb, stream);
	}
}

void ibb_abandon(struct ibb *ibb)
{
	struct stream *stream, *next;
	ibb->disconnected = true;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		break_stream(ibb, stream);
	}
	drop_messages(ibb);
}

int64_t ibb_deadline(const struct ibb *ibb)
{
	return ibb->effects.deadline_ms;
}

void ibb_tick(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;

	if (now_ms < ibb->effects.deadline_ms) {
		return;
	}
	ibb->effects.deadline_ms = STREAM_NO_DEADLINE;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		if (now_ms >= stream_deadline(stream)) {
			stream_tick(stream, now_ms);
			ibb_reopen(ibb, stream, now_ms);
		}
		int64_t deadline = stream_deadline(stream);
		if (deadline < ibb->effects.deadline_ms) {
			ibb->effects.deadline_ms = deadline;
		}
		ibb_settle(ibb, stream);
	}
}
