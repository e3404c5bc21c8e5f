/* SPDX-License-Identifier: MIT */
/*
 * How a stream outlives its process: a process that ends hands the stream over to the next one, by
 * facts that are written down; the next process makes a stream of these.
 *
 * To the peer this looks like a broken connection of ours. So the stream begins suspended, and is
 * resumed when we are connected (resumption.c).
 */
#include "ibb/ibb_internal.h"
#include "ibb/stream_internal.h"

#include <assert.h>
#include <errno.h>

bool stream_describe(const struct stream *stream, struct stream_facts *facts)
{
	if (!stream->is_incoming || !stream->session.resumable || stream->session.expected) {
		return false;
	}
	*facts = (struct stream_facts){
		.peer = stream->peer,
		.sid = stream->sid,
		.block_size = stream->session.block_size,
		.announced_size = stream->session.announced_size,
		.received = stream->incoming.receiver.committed,
		.blocks = stream->incoming.receiver.blocks_read,
	};
	return true;
}

int stream_restore(struct stream *stream, const struct stream_facts *facts, int64_t now_ms)
{
	assert(stream->state == STREAM_NEW && !stream->peer);
	stream->peer = stream_copy_string(facts->peer);
	if (!stream->peer) {
		return -ENOMEM;
	}
	stream->is_incoming = true;
	stream->incoming.has_reader = true;
	stream->session.features = FEATURE_IBB | FEATURE_IBBFS | FEATURE_RESUME;
	stream->session.stanza = STANZA_IQ;
	stream->session.resumable = true;
	stream->session.block_size = facts->block_size;
	stream->session.announced_size = facts->announced_size;
	stream->incoming.part.is_offered = stream->incoming.part.is_known = facts->part_size > 0;
	stream->incoming.part.size = facts->part_size;
	stream->incoming.part.has_skipped = facts->has_skipped;
	stream_limit_blocks(stream);
	receiver_restore(&stream->incoming.receiver, facts->received, facts->blocks);
	stream->state = STREAM_OPEN;
	stream_begin_suspension(stream, now_ms);
	return 0;
}

struct stream *ibb_restore(struct ibb *ibb, const struct stream_facts *facts, int64_t now_ms,
			   int *error)
{
	struct peer_quota *quota = NULL;
	if (ibb_find(ibb, facts->peer, facts->sid)) {
		*error = -EEXIST;
		return NULL;
	}
	if (HASH_CNT(links.by_number, ibb->by_number) >= ibb->max_streams ||
	    limits_admit(&ibb->limits, facts->peer, now_ms, &quota) != LIMITS_ADMITTED) {
		*error = -ENFILE;
		return NULL;
	}
	struct stream *stream = ibb_add(ibb, facts->sid, error);
	if (!stream) {
		limits_release(quota, false);
		return NULL;
	}
	stream->quota = quota;
	*error = stream_restore(stream, facts, now_ms);
	if (!*error) {
		*error = ibb_add_key(ibb, stream);
	}
	if (*error) {
		ibb_remove(ibb, stream);
		return NULL;
	}
	stream->owned = true;
	ibb->disconnected = true;
	return stream;
}

void stream_hand_over(struct stream *stream)
{
	stream->resumption.handed_over = true;
	stream->resumption.suspended = true;
	stream->resumption.retransmit_due = false;
	stream->resumption.next_attempt_ms = STREAM_NO_DEADLINE;
	stream->resumption.give_up_ms = STREAM_NO_DEADLINE;
	stream->timers.retry_ms = STREAM_NO_DEADLINE;
	stream_clear_deadline(stream);
	stream_unschedule(stream);
	stream_clear_readable(stream);
	receiver_forget_held(&stream->incoming.receiver);
	stream_charge_memory(stream);
	op_complete_all(&stream->incoming.readers, -ESHUTDOWN, &stream->effects->done);
}

void ibb_hand_over(struct ibb *ibb, bool all)
{
	struct stream *stream, *next;
	HASH_ITER (links.by_number, ibb->by_number, stream, next) {
		if (stream->incoming.is_journaled && !stream_is_over(stream) &&
		    (all || !stream->session.close_pending)) {
			stream_hand_over(stream);
		}
	}
}
