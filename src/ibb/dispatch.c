/* SPDX-License-Identifier: MIT */
/*
 * Incoming requests: to their stream, or an answer if there is none.
 */
#include "ibb/ibb_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void refuse(struct ibb *ibb, const struct msg *request, enum condition condition)
{
	if (request->kind != MSG_DATA || request->stanza == STANZA_IQ) {
		/* When memory is short there is no answer: the sender has a timeout. */
		effects_send_error(&ibb->effects, request->peer, request->id, condition);
	}
}

/*
 * A block in a message, of a stream that we do not know any more: we broke it when its sender
 * seemed to be offline, or we have restarted. Messages have no answer. A <close/> ahead of our
 * answer to the next probe says that the block was not accepted.
 */
static void disown(struct ibb *ibb, const struct msg *data, int64_t now_ms)
{
	struct msg close = {
		.kind = MSG_CLOSE,
		.peer = data->peer,
		.id = "c0.0", /* of no stream: its answer is ignored */
		.sid = data->sid,
		.size = -1,
	};
	if (effects_send(&ibb->effects, &close)) {
		/* Longer than any peer waits for an answer. */
		ibb->mute_until_ms = now_ms + 2 * ibb->config.timeout_ms;
	}
}

bool ibb_is_mute(const struct ibb *ibb, int64_t now_ms)
{
	return now_ms < ibb->mute_until_ms;
}

/* The quota that counts a new stream; NULL: it was refused. Streams that wait to be read count as
 * well: they hold memory. */
static struct peer_quota *admit(struct ibb *ibb, const struct msg *open, int64_t now_ms)
{
	struct peer_quota *quota = NULL;
	enum condition condition = CONDITION_NOT_ACCEPTABLE;
	switch (limits_admit(&ibb->limits, open->peer, now_ms, &quota)) {
	case LIMITS_ADMITTED:
		if (HASH_CNT(links.by_number, ibb->by_number) < ibb->max_streams) {
			return quota;
		}
		limits_release(quota, false);
		break;
	case LIMITS_TOO_SOON:
		effects_send_wait(&ibb->effects, open->peer, open->id);
		return NULL;
	case LIMITS_TOO_MANY:
		break;
	case LIMITS_NO_MEMORY:
		condition = CONDITION_INTERNAL_SERVER_ERROR;
		break;
	}
	refuse(ibb, open, condition);
	return NULL;
}

static void receive_new_open(struct ibb *ibb, const struct msg *open, int64_t now_ms)
{
	struct peer_quota *quota = admit(ibb, open, now_ms);
	if (!quota) {
		return;
	}
	int error;
	struct stream *stream = ibb_add(ibb, open->sid, &error);
	if (!stream) {
		limits_release(quota, false);
		refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		return;
	}
	stream->quota = quota;
	stream->session.path_mtu = path_mtu_most(&ibb->path_mtu, open->peer);
	ibb->config.path_mtu = path_mtu_ours(&ibb->path_mtu);
	if (stream_accept(stream, open, now_ms)) {
		ibb_remove(ibb, stream);
		refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		return;
	}
	if (ibb_add_key(ibb, stream)) {
		/* The result is queued already. */
		stream_close(stream, false, 0);
		ibb_remove(ibb, stream);
		return;
	}
	DL_APPEND2(ibb->arrived, stream, links.arrived_prev, links.arrived_next);
	stream->owned = true; /* by ibb.arrived */
}

static void receive_open(struct ibb *ibb, const struct msg *open, int64_t now_ms)
{
	struct stream *known = ibb_find(ibb, open->peer, open->sid);
	if (known && known->session.expected && known->state == STREAM_NEW) {
		if (stream_accept(known, open, now_ms)) {
			refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		}
		return;
	}
	if (known && stream_is_same_open(known, open)) {
		/* When memory is short, it comes again. */
		stream_send_accepted(known, open->id);
		return;
	}
	if (known) {
		/* A sid names one session at a time. */
		refuse(ibb, open, CONDITION_NOT_ACCEPTABLE);
		return;
	}
	if (open->block_size > ibb->config.block_size) {
		refuse(ibb, open, CONDITION_RESOURCE_CONSTRAINT);
		return;
	}
	receive_new_open(ibb, open, now_ms);
}

/* A request that belongs to a stream. */
static void receive_for_stream(struct ibb *ibb, struct stream *stream, const struct msg *msg,
			       int64_t now_ms)
{
	if (strlen(msg->id) > LIMITS_ID || stream->resumption.handed_over) {
		return;
	}
	if (msg->kind == MSG_DATA || msg->kind == MSG_SKIP) {
		stream_receive_data(stream, msg, now_ms);
	} else if (msg->kind == MSG_RESUME) {
		stream_receive_resume(stream, msg, now_ms);
	} else if (msg->kind == MSG_PIECES) {
		stream_receive_pieces(stream, msg);
	} else if (msg->kind == MSG_SYNC) {
		stream_receive_sync(stream, msg);
	} else {
		stream_receive_close(stream, msg);
	}
	ibb_settle(ibb, stream);
}

/* As the first time. */
static void repeat_verdict(struct ibb *ibb, const struct msg *close, enum condition verdict)
{
	if (verdict == CONDITION_NONE) {
		effects_send_result(&ibb->effects, close->peer, close->id);
	} else if (verdict == CONDITION_RESOURCE_CONSTRAINT) {
		effects_send_wait(&ibb->effects, close->peer, close->id);
	} else {
		refuse(ibb, close, verdict);
	}
}

/* Any other request, of a sender who may open streams. */
static void receive_for_none(struct ibb *ibb, const struct msg *msg, int64_t now_ms)
{
	enum condition verdict;
	if (msg->kind == MSG_OPEN) {
		receive_open(ibb, msg, now_ms);
	} else if (msg->kind == MSG_PING) {
		if (!ibb_is_mute(ibb, now_ms)) {
			effects_send_result(&ibb->effects, msg->peer, msg->id);
		}
	} else if (msg->kind == MSG_UNKNOWN) {
		refuse(ibb, msg, msg->condition);
	} else if (msg->kind == MSG_DATA && msg->stanza == STANZA_MESSAGE) {
		disown(ibb, msg, now_ms);
	} else if (msg->kind == MSG_CLOSE && ibb_find_verdict(ibb, msg->peer, msg->sid, &verdict)) {
		repeat_verdict(ibb, msg, verdict);
	} else {
		refuse(ibb, msg, CONDITION_ITEM_NOT_FOUND);
	}
}

static bool is_of_stream(const struct msg *request)
{
	return request->kind == MSG_DATA || request->kind == MSG_CLOSE ||
	       request->kind == MSG_RESUME || request->kind == MSG_SKIP ||
	       request->kind == MSG_PIECES || request->kind == MSG_SYNC;
}

static void receive_request(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_ms)
{
	struct stream *stream = NULL;

	if (ibb_is_overloaded(ibb, true)) {
		return;
	}
	if (is_of_stream(msg)) {
		stream = ibb_find(ibb, msg->peer, msg->sid);
	}
	if (stream && !stream->session.lost) {
		receive_for_stream(ibb, stream, msg, now_ms);
		return;
	}
	if (ibb_is_overloaded(ibb, allowed) || (allowed && strlen(msg->id) > LIMITS_ID)) {
		return;
	}
	if (allowed) {
		receive_for_none(ibb, msg, now_ms);
	} else {
		/* As a server answers for a resource that is offline (RFC 6121 section 8.5). */
		refuse(ibb, msg, CONDITION_SERVICE_UNAVAILABLE);
	}
}

void ibb_receive(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_us)
{
	ibb->path_cache.now_ms = now_us / 1000;
	ibb->path_mtu.now_ms = now_us / 1000;
	if (msg->kind == MSG_RESULT || msg->kind == MSG_ERROR || msg->kind == MSG_BOUNCE) {
		ibb_receive_answer(ibb, msg, now_us);
	} else {
		receive_request(ibb, msg, allowed, now_us / 1000);
	}
}
