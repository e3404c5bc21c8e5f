/* SPDX-License-Identifier: MIT */
/*
 * The requests of a stream to its peer: <open/>, <close/> and probes.
 */
#include "ibb/stream_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

/* The longest wait for the answer to our <close/>, if nobody waits for it: some clients never send
 * it. */
#define CLOSE_TIMEOUT_MS 10000

int stream_make_id(const struct stream *stream, char *id, enum id_kind kind, uint64_t count)
{
	unsigned session = stream->session.reopened + 1;
	if (session == 1) {
		return snprintf(id, STREAM_MAX_ID, "%c%" PRIx64 ".%" PRIx64, kind, stream->number,
				count);
	}
	return snprintf(id, STREAM_MAX_ID, "%c%" PRIx64 "-%x.%" PRIx64, kind, stream->number,
			session, count);
}

int stream_send_request(struct stream *stream, const struct msg *request, enum id_kind kind,
			uint64_t count)
{
	char id[STREAM_MAX_ID];
	stream_make_id(stream, id, kind, count);
	struct msg msg = *request;
	msg.id = id;
	msg.peer = stream->peer;
	msg.sid = stream->sid;
	return effects_send(stream->effects, &msg);
}

int stream_send_probe(struct stream *stream, enum id_kind kind, uint64_t count)
{
	struct msg probe = {
		.kind = stream->session.features & FEATURE_IBBFS ? MSG_PING : MSG_INFO,
	};
	if (stream->session.resumable && !stream->incoming.receiver.held) {
		/* MSG_RESUME also makes the peer retransmit what is not acknowledged, so not while
		 * we withhold acknowledgements. */
		probe.kind = MSG_RESUME;
	}
	if (kind == ID_DELIVERY && stream->session.features & FEATURE_RESUME) {
		/* A ping would also be answered by a peer that has lost the stream, and the
		 * messages with it. */
		probe.kind = MSG_RESUME;
	}
	probe.seq = stream->incoming.receiver.seq;
	probe.has_seq = probe.kind == MSG_RESUME;
	return stream_send_request(stream, &probe, kind, count);
}

void stream_probe_beginning(struct stream *stream)
{
	if (stream->outgoing.flushers && stream_awaits_beginning(stream) &&
	    stream_written(stream) == 0 && !stream->resumption.suspended) {
		/* When memory is short, it is asked again halfway to the deadline. */
		stream_send_probe(stream, ID_DELIVERY, 0);
	}
}

int stream_send_open(struct stream *stream)
{
	struct msg open = {
		.kind = MSG_OPEN,
		.block_size = stream->session.block_size,
		.stanza = stream->session.stanza,
		.name = stream->session.features & FEATURE_IBBFS ? stream->name : NULL,
		.folder = stream->session.features & FEATURE_FOLDERS ? stream->folder : NULL,
		.size = -1,
		/* With messages it only says that MSG_RESUME may be used as a probe. */
		.pieces = stream->session.asks_pieces,
		.resumable =
			stream->session.resumable || (stream->session.stanza == STANZA_MESSAGE &&
						      stream->session.features & FEATURE_RESUME),
	};
	return stream_send_request(stream, &open, ID_OPEN, stream->session.open_attempt);
}

void stream_send_close(struct stream *stream, bool reset)
{
	struct pieces *pieces = stream->outgoing.pieces;
	bool tells = reset && stream->session.features & FEATURE_IBBFS;
	const struct digest *digest = pieces && !reset ? pieces_finish(pieces) : NULL;
	struct msg close = {
		.kind = MSG_CLOSE,
		.data = digest ? digest->bytes : NULL,
		.data_length = digest ? digest->length : 0,
		.reset = tells,
		.no_room = tells && stream->is_incoming &&
			   condition_of_storage(stream->error) == CONDITION_RESOURCE_CONSTRAINT,
		.size = !reset && stream->session.features & FEATURE_IBBFS
				? (int64_t)stream->outgoing.sender.written
				: -1,
	};
	if (!stream_send_request(stream, &close, ID_CLOSE, 0)) {
		stream->session.close_sent = true;
	}
}

void stream_request_close(struct stream *stream, int64_t now_ms)
{
	stream_send_close(stream, false);
	stream_set_deadline(stream, now_ms,
			    stream->session.finishers ? stream->config->timeout_ms
						      : CLOSE_TIMEOUT_MS);
}

/* The answer may take that fraction of timeout_ms. */
#define PAGE_TIMEOUT_DIVISOR 2

void stream_ask_page(struct stream *stream, int64_t now_ms)
{
	struct msg request = {.kind = MSG_PIECES};
	if (!stream->outgoing.pieces || stream->timers.page_ms != STREAM_NO_DEADLINE ||
	    stream->resumption.suspended ||
	    (stream->state != STREAM_OPEN && stream->state != STREAM_CLOSING) ||
	    !pieces_want_page(stream->outgoing.pieces, &request.first)) {
		return;
	}
	/* When memory is short, no answer will come in time. */
	stream_send_request(stream, &request, ID_PAGE, ++stream->outgoing.pages);
	if (request.first != stream->outgoing.page_first) {
		stream->outgoing.page_tries = 0;
	}
	stream->outgoing.page_first = request.first;
	stream->outgoing.page_tries++;
	stream->timers.page_ms = now_ms + stream->config->timeout_ms / PAGE_TIMEOUT_DIVISOR;
	stream_note_deadline(stream);
}

/* Whether a flush waits for bytes that are acknowledged and not durable. */
static bool awaits_durable(const struct stream *stream)
{
	const struct op *op;
	DL_FOREACH (stream->outgoing.flushers, op) {
		if (stream_is_acknowledged(stream, op->end) &&
		    !stream_is_flushed(stream, op->end)) {
			return true;
		}
	}
	return false;
}

void stream_ask_sync(struct stream *stream)
{
	uint64_t acknowledged = stream->outgoing.sender.acknowledged;
	struct msg request = {.kind = MSG_SYNC, .size = (int64_t)acknowledged};
	if (stream->state != STREAM_OPEN || stream->session.close_pending ||
	    stream->resumption.suspended || stream->outgoing.awaits_sync ||
	    !awaits_durable(stream)) {
		return;
	}
	/* When memory is short, it is asked again halfway to the deadline. */
	if (!stream_send_request(stream, &request, ID_SYNC, acknowledged)) {
		stream->outgoing.sync_asked = acknowledged;
		stream->outgoing.awaits_sync = true;
	}
}

void stream_resend_request(struct stream *stream, int64_t now_ms)
{
	if (stream->state == STREAM_OPENING) {
		stream_send_open(stream);
		stream->session.open_sent_ms = now_ms;
		stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	} else {
		stream_request_close(stream, now_ms);
	}
}
