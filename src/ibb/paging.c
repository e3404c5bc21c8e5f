/* SPDX-License-Identifier: MIT */
/*
 * The answers to our questions for digests (pieces.h), and what happens if there is none.
 */
#include "ibb/stream_internal.h"

/* How often a question is asked. */
#define MAX_TRIES 3

static void go_on(struct stream *stream, int64_t now_ms)
{
	stream->timers.page_ms = STREAM_NO_DEADLINE;
	stream_decide_pieces(stream);
	if (!stream_is_over(stream)) {
		stream_release_writers(stream);
		stream_proceed(stream, now_ms);
	}
}

/* Whether it answers the question for the page that is missing, which may have been asked more than
 * once. An error counts only if it answers the last time: the peer refuses all earlier ones. */
static bool is_awaited(const struct stream *stream, const struct msg *answer, uint64_t count)
{
	const struct stream_outgoing *outgoing = &stream->outgoing;
	bool is_last = count == outgoing->pages;
	return is_last || (answer->kind == MSG_RESULT && count < outgoing->pages &&
			   outgoing->pages - count < outgoing->page_tries);
}

void stream_page_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			  int64_t now_ms)
{
	struct pieces *pieces = stream->outgoing.pieces;
	if (!pieces || stream_is_over(stream) || stream->timers.page_ms == STREAM_NO_DEADLINE ||
	    !is_awaited(stream, answer, count)) {
		return;
	}
	if (answer->kind == MSG_RESULT && answer->pieces) {
		pieces_add_page(pieces, stream->outgoing.page_first, answer->size, answer->data,
				answer->data_length);
	} else if (answer->kind == MSG_ERROR && condition_means_away(answer->condition) &&
		   stream_suspend(stream, true, now_ms)) {
		return; /* it is asked again */
	} else {
		pieces_give_up(pieces);
	}
	go_on(stream, now_ms);
}

void stream_paging_tick(struct stream *stream, int64_t now_ms)
{
	if (now_ms < stream->timers.page_ms) {
		return;
	}
	stream->timers.page_ms = STREAM_NO_DEADLINE;
	if (stream->outgoing.page_tries < MAX_TRIES) {
		stream_ask_page(stream, now_ms);
	}
	if (stream->timers.page_ms == STREAM_NO_DEADLINE) {
		pieces_give_up(stream->outgoing.pieces);
		go_on(stream, now_ms);
	}
}
