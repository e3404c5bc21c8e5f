/* SPDX-License-Identifier: MIT */
/*
 * The receiver's side of pieces. It has a part of the file already, its NAME.part, which the sender
 * may skip. The sender asks for digests of the pieces of NAME.part first. The reader of the stream
 * computes them.
 */
#include "ibb/stream_internal.h"

#include "ibb/pieces.h"

#include <stdlib.h>
#include <string.h>

/* How many questions about a part of `size` bytes are answered: twice its pages, and a few. */
#define MAX_PAGES(size) ((size) / (PIECES_PAGE * PIECES_LENGTH) * 2 + 8)

/* ---- pages ---- */

static void answer_page(struct stream *stream, const uint8_t *digests, size_t length)
{
	struct stream_part *part = &stream->incoming.part;
	struct msg answer = {
		.kind = MSG_RESULT,
		.peer = stream->peer,
		.id = part->page_id,
		.pieces = true,
		.size = (int64_t)part->size,
		.data = digests,
		.data_length = length,
	};
	effects_send(stream->effects, &answer); /* when memory is short, the peer sends all */
	free(part->page_id);
	part->page_id = NULL;
}

void stream_refuse_page(struct stream *stream, enum condition condition)
{
	struct stream_part *part = &stream->incoming.part;
	if (part->page_id) {
		effects_send_error(stream->effects, stream->peer, part->page_id, condition);
		free(part->page_id);
		part->page_id = NULL;
	}
}

bool stream_wants_page(const struct stream *stream, uint64_t *first)
{
	*first = stream->incoming.part.page_first;
	return stream->incoming.part.page_id && stream->incoming.part.is_known;
}

/* If the peer waits for digests: answers it, or completes the read of somebody who will. */
static void serve_page(struct stream *stream)
{
	const struct stream_part *part = &stream->incoming.part;
	struct op *reader = stream->incoming.readers;
	if (!part->page_id || !part->is_known) {
		return;
	}
	if (part->page_first >= pieces_count(part->size)) {
		answer_page(stream, NULL, 0);
	} else if (reader) {
		reader->offset = part->page_first;
		op_complete(reader, STREAM_PAGE, &stream->effects->done);
	}
}

void stream_receive_pieces(struct stream *stream, const struct msg *request)
{
	struct stream_part *part = &stream->incoming.part;
	if (!part->is_offered || stream->state != STREAM_OPEN || stream->session.close_received) {
		effects_send_error(stream->effects, request->peer, request->id,
				   CONDITION_ITEM_NOT_FOUND);
		return;
	}
	/* Each question makes us read and hash up to PIECES_PAGE pieces. Answers may be lost. */
	if (part->pages++ >= MAX_PAGES(part->size)) {
		effects_send_error(stream->effects, request->peer, request->id,
				   CONDITION_RESOURCE_CONSTRAINT);
		return;
	}
	/* One question at a time. The last one counts, as the answer to an earlier one may have
	 * been lost. */
	stream_refuse_page(stream, CONDITION_UNEXPECTED_REQUEST);
	part->page_id = stream_copy_string(request->id);
	part->page_first = request->first;
	if (!part->page_id) {
		effects_send_error(stream->effects, request->peer, request->id,
				   CONDITION_INTERNAL_SERVER_ERROR);
		return;
	}
	serve_page(stream);
}

void stream_answer_page(struct stream *stream, uint64_t first, const uint8_t *digests,
			size_t length)
{
	const struct stream_part *part = &stream->incoming.part;
	if (part->page_id && part->page_first == first) {
		answer_page(stream, digests, length);
	}
}

/* ---- the part ---- */

void stream_set_part(struct stream *stream, uint64_t size)
{
	struct stream_part *part = &stream->incoming.part;
	part->is_known = part->is_offered;
	part->size = size;
	serve_page(stream);
}

enum condition stream_take_skip(struct stream *stream, const struct msg *skip)
{
	struct stream_part *part = &stream->incoming.part;
	struct receiver *receiver = &stream->incoming.receiver;
	if (skip->seq != receiver->seq) {
		return CONDITION_UNEXPECTED_REQUEST;
	}
	if (!part->is_known || skip->size <= 0 || receiver->received > part->size ||
	    (uint64_t)skip->size > part->size - receiver->received) {
		return CONDITION_BAD_REQUEST;
	}
	enum condition condition = receiver_skip(receiver, skip);
	part->has_skipped = part->has_skipped || condition == CONDITION_NONE;
	return condition;
}

void stream_note_digest(struct stream *stream, const struct msg *close)
{
	struct stream_part *part = &stream->incoming.part;
	part->has_digest = close->data && close->data_length == PIECES_DIGEST;
	if (part->has_digest) {
		memcpy(part->digest, close->data, PIECES_DIGEST);
	}
}
