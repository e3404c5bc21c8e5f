/* SPDX-License-Identifier: MIT */
/*
 * The answers to our questions for digests (pieces.h), and what happens if there is none.
 */
#include "ibb/stream_internal.h"

static void go_on(struct stream *stream, int64_t now_ms)
{
	stream->timers.page_ms = STREAM_NO_DEADLINE;
	stream_decide_pieces(stream);
	if (!stream_is_over(stream)) {
		stream_release_writers(stream);
		stream_proceed(stream, now_ms);
	}
}

void stream_page_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			  int64_t now_ms)
{
	struct pieces *pieces = stream->outgoing.pieces;
	if (!pieces || stream_is_over(stream) || stream->timers.page_ms == STREAM_NO_DEADLINE ||
	    count != stream->outgoing.pages) {
		return; /* to an earlier question */
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
	if (now_ms >= stream->timers.page_ms) {
		pieces_give_up(stream->outgoing.pieces);
		go_on(stream, now_ms);
	}
}
