/* SPDX-License-Identifier: MIT */
/*
 * How another session takes the place of one whose first block is not carried, as it is too long
 * for a server on the path. With a peer that cannot resume the stream, a block cannot be
 * retransmitted in the same session (XEP-0047 section 2.2: after an error its sender must close).
 * So the session is closed, another one is opened with blocks a quarter as long, and every byte is
 * sent again. That is possible as long as the peer has acknowledged none.
 *
 * Three events say that the block was not carried:
 *
 * - an error: policy-violation, not-acceptable, or resource-constraint that is not of type wait
 * - silence: the peer answers a question that was sent after the block, and not the block
 * - a connection of ours that breaks while the block is in flight
 *
 * A message has no answer. If it is dropped, nobody knows. The other two hold for iq and message
 * alike.
 */
#include "ibb/path_mtu.h"
#include "ibb/stream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stream_note_too_long(struct stream *stream, size_t length)
{
	stream->session.path_mtu = path_mtu_shorter(length);
	stream->session.found_limit = true;
	stream_limit_blocks(stream);
}

bool stream_lose_session(struct stream *stream)
{
	size_t longest = sender_longest(&stream->outgoing.sender);
	if (!stream_can_reopen(stream) || longest <= PATH_MTU_MIN) {
		return false;
	}
	stream_note_too_long(stream, longest);
	stream->session.lost = true;
	stream_clear_deadline(stream);
	stream_unschedule(stream);
	return true;
}

bool stream_await_reopening(struct stream *stream, int64_t now_ms)
{
	if (stream_is_over(stream) || stream->config->reconnect_ms == 0 ||
	    stream_has_given_up(stream, now_ms)) {
		return false;
	}
	if (!stream->session.lost && !stream_lose_session(stream)) {
		return false;
	}
	if (!stream->resumption.suspended) {
		stream_begin_suspension(stream, now_ms);
	}
	return true;
}

/* The sid of the next session: as hard to guess, and as unlikely to be used, as the first. */
static char *make_sid(const struct stream *stream)
{
	size_t size = strlen(stream->sid) + sizeof("-4294967295");
	char *sid = malloc(size);
	if (sid) {
		snprintf(sid, size, "%s-%u", stream->sid, stream->session.reopened + 2);
	}
	return sid;
}

/* Forgets everything that belongs to the old session. */
static void restart(struct stream *stream)
{
	stream->session.lost = false;
	stream->session.close_sent = false;
	sender_restart(&stream->outgoing.sender);
	stream->outgoing.asked = 0;
	stream->outgoing.passed = 0;
	stream->outgoing.unprobed = 0;
	stream->outgoing.probed = 0;
	stream->outgoing.probed_before = 0;
	stream->resumption.suspended = false;
	stream->resumption.give_up_ms = 0;
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream->timers.retries = 0;
}

int stream_reopen(struct stream *stream, int64_t now_ms)
{
	char *sid = make_sid(stream);
	if (!sid) {
		stream_abort(stream, -ENOMEM);
		return -ENOMEM;
	}
	/* Stanzas stay in order: the peer hears of the end before the beginning. */
	stream_send_close(stream, true);
	restart(stream);
	free(stream->sid);
	stream->sid = sid;
	stream->session.reopened++;
	stream->state = STREAM_OPENING;
	stream_limit_blocks(stream);
	if (stream->session.block_size > stream->session.max_data) {
		stream->session.block_size = (uint32_t)stream->session.max_data;
	}
	stream->session.open_sent_ms = now_ms;
	stream_set_deadline(stream, now_ms, stream->config->timeout_ms);
	if (stream_send_open(stream)) {
		stream_break(stream, -ENOMEM);
		return -ENOMEM;
	}
	return 0;
}
