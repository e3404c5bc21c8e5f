/* SPDX-License-Identifier: MIT */
/*
 * Incoming answers: to the stream that has sent the request.
 */
#include "ibb/ibb_internal.h"
#include "ibb/stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An id of ours, parsed. */
struct id {
	char kind;
	uint64_t number, session, count, epoch;
};

/* Parses a hexadecimal number; returns the rest, NULL: it is none. */
static const char *parse_part(const char *text, uint64_t *part)
{
	char *end;
	*part = strtoull(text, &end, 16);
	return end == text ? NULL : end;
}

/* False: the id is none of ours. */
static bool parse_id(const char *text, struct id *id)
{
	*id = (struct id){.kind = text[0]};
	if (id->kind == '\0') {
		return false;
	}
	const char *rest = parse_part(text + 1, &id->number);
	id->session = 1;
	if (rest && *rest == '-') {
		rest = parse_part(rest + 1, &id->session);
	}
	if (!rest || *rest != '.') {
		return false;
	}
	rest = parse_part(rest + 1, &id->count);
	if (rest && *rest == '.') {
		rest = parse_part(rest + 1, &id->epoch);
		rest = id->epoch > 0 ? rest : NULL; /* epoch 0 is left out */
	}
	return rest && *rest == '\0';
}

static void open_answered(struct ibb *ibb, struct stream *stream, const struct msg *answer,
			  int64_t now_ms)
{
	uint32_t block_size = stream->session.block_size;
	bool opening = stream->state == STREAM_OPENING;

	if (answer->kind != MSG_RESULT) {
		stream_open_refused(stream, answer, now_ms);
		if (stream->session.block_size < block_size) {
			path_cache_refuse(&ibb->path_cache, stream->peer,
					  stream->session.block_size);
		} else if (answer->condition == CONDITION_RESOURCE_CONSTRAINT &&
			   stream_is_over(stream)) {
			/* It takes no length, so it was short of something else. */
			path_cache_refuse(&ibb->path_cache, stream->peer, UINT32_MAX);
		}
		return;
	}
	stream_open_accepted(stream, answer, now_ms);
	if (opening && stream->state == STREAM_OPEN) {
		struct window_metrics metrics = path_cache_metrics(&ibb->path_cache, stream->peer);
		/* Milliseconds are rounded up. */
		int64_t rtt_us = (now_ms - stream->session.open_sent_ms + 1) * 1000;
		window_restore(&stream->outgoing.window, &metrics, rtt_us, ibb->sharing.streams);
	}
}

/* Whether a block was sent with that id. Messages have none that is answered. */
static bool was_sent(const struct stream *stream, const struct id *id)
{
	return stream->session.stanza == STANZA_IQ && id->epoch <= stream->outgoing.sender.epoch &&
	       (id->kind == ID_BLOCK || id->count < stream->outgoing.overdue_end);
}

/* The stream that has sent the request; NULL: the answer does not count. An answer counts only from
 * the recipient of the request, and for the stream's present session. When the session is lost, no
 * answer counts, as every byte is sent again. */
static struct stream *find_asker(const struct ibb *ibb, const struct msg *answer,
				 const struct id *id)
{
	struct stream *stream;
	HASH_FIND(links.by_number, ibb->by_number, &id->number, sizeof(id->number), stream);
	bool counts = stream && stream->peer && strcmp(stream->peer, answer->peer) == 0 &&
		      id->session == stream->session.reopened + 1 && !stream->session.lost &&
		      !stream->resumption.handed_over;
	return counts ? stream : NULL;
}

/* A block was answered, or one that was retransmitted as overdue. */
static void block_answered(struct stream *stream, const struct msg *answer, const struct id *id,
			   int64_t now_us)
{
	if (answer->kind != MSG_RESULT) {
		stream_data_refused(stream, id->count, id->epoch, answer, now_us / 1000);
		return;
	}
	if (!was_sent(stream, id)) {
		return;
	}
	if (sender_was_cut_anew(&stream->outgoing.sender, id->count, (unsigned)id->epoch)) {
		/* A block that the peer had not received came after all: it has other bytes. */
		stream_abort(stream, -ECONNRESET);
	} else if (id->kind == ID_BLOCK) {
		stream_acknowledged(stream, id->count, now_us);
	} else {
		stream_retransmit_acknowledged(stream, id->count, id->epoch, now_us);
	}
}

/* Whether a message before `end` was lost, though the question behind it was not. An ibbfs says
 * which message it expects next: since it was asked, it may have come to later ones. */
static bool has_lost_message(const struct stream *stream, const struct msg *answer, uint64_t end)
{
	uint64_t next = sender_next_number(&stream->outgoing.sender);
	return answer->kind == MSG_RESULT && answer->has_seq && end <= stream->outgoing.probed &&
	       stream->session.stanza == STANZA_MESSAGE &&
	       (uint16_t)(answer->seq - (uint16_t)end) > next - end;
}

static void delivery_answered(struct stream *stream, const struct msg *answer, const struct id *id,
			      int64_t now_us)
{
	if (has_lost_message(stream, answer, id->count)) {
		stream_abort(stream, -ECONNRESET);
	} else if (answer->kind == MSG_RESULT) {
		/* A peer that names the next message has those before it. */
		stream_delivered(stream, id->count, answer->has_seq, now_us);
	} else if (!condition_means_away(answer->condition) ||
		   !stream_suspend(stream, true, now_us / 1000)) {
		/* Any client with IBB answers a probe; an error is from an ibbfs that has lost the
		 * stream, or from the server of a peer that is offline. */
		stream_break(stream, -ECONNRESET);
	}
}

static void dispatch_answer(struct ibb *ibb, struct stream *stream, const struct msg *answer,
			    const struct id *id, int64_t now_us)
{
	int64_t now_ms = now_us / 1000;
	switch (id->kind) {
	case ID_BLOCK:
	case ID_OVERDUE_BLOCK:
		block_answered(stream, answer, id, now_us);
		break;
	case ID_OPEN:
		if (id->count == stream->session.open_attempt) {
			open_answered(ibb, stream, answer, now_ms);
		}
		break;
	case ID_DELIVERY:
		delivery_answered(stream, answer, id, now_us);
		break;
	case ID_CLOSE:
		stream_close_answered(stream, answer, now_ms);
		break;
	case ID_RESUME:
		stream_resume_answered(stream, answer, now_ms);
		break;
	case ID_PROBE:
		stream_probe_answered(stream, answer, id->count, now_ms);
		break;
	case ID_PAGE:
		stream_page_answered(stream, answer, id->count, now_ms);
		break;
	case ID_SYNC:
		stream_sync_answered(stream, answer, id->count, now_ms);
		break;
	default:
		break;
	}
}

void ibb_receive_answer(struct ibb *ibb, const struct msg *answer, int64_t now_us)
{
	struct id id;
	struct stream *stream = parse_id(answer->id, &id) ? find_asker(ibb, answer, &id) : NULL;
	if (stream) {
		dispatch_answer(ibb, stream, answer, &id, now_us);
		ibb_reopen(ibb, stream, now_us / 1000);
		ibb_settle(ibb, stream);
	}
}
