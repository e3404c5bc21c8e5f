/* SPDX-License-Identifier: MIT */
/*
 * core - the bytestreams of one account as fuzz_ibb.c and world.c use them: the one place in
 * tests/fuzz that knows how the calls of src/ibb are written.
 *
 * Units:   bytes before base64; ms of the world's clock.
 * Threads: none.
 */
#ifndef CORE_H
#define CORE_H

#include "fuzz.h"
#include "ibb/ibb.h"

#include <errno.h>

struct core {
	struct ibb ibb;
};

static inline void core_start(struct core *core, const struct stream_config *config,
			      unsigned max_streams)
{
	ibb_init(&core->ibb, config, max_streams);
}

static inline void core_finish(struct core *core)
{
	ibb_finish(&core->ibb);
}

/* ---- the user's side ---- */

static inline struct stream *core_create(struct core *core, const char *sid)
{
	int error = 0;
	struct stream *stream = ibb_create_stream(&core->ibb, sid, &error);
	FUZZ_CHECK(stream || error == -ENFILE || error == -ENOMEM);
	return stream;
}

static inline int core_dial(struct core *core, struct stream *stream, const char *peer,
			    unsigned features, const char *name, int64_t now_ms)
{
	return ibb_open(&core->ibb, stream, peer, features, name, now_ms);
}

/* Whether its user will read from a stream that is dialled. */
static inline void core_set_reading(struct stream *stream, bool reading)
{
	stream->incoming.has_reader = reading;
}

static inline void core_await(struct stream *stream, int64_t now_ms)
{
	stream_await(stream, now_ms);
}

static inline void core_submit(struct stream *stream, struct op *op, const void *bytes,
			       int64_t now_ms)
{
	switch (op->kind) {
	case OP_OPEN:
		stream_wait_open(stream, op);
		break;
	case OP_READ:
		stream_read(stream, op);
		break;
	case OP_WRITE:
	case OP_WRITE_SYNC:
		stream_write(stream, op, bytes, now_ms);
		break;
	default:
		stream_flush(stream, op, now_ms);
	}
}

static inline int core_zeros(struct stream *stream, uint64_t length, int64_t now_ms)
{
	return stream_write_zeros(stream, length, now_ms);
}

static inline void core_push(struct stream *stream)
{
	stream_push(stream);
}

static inline void core_interrupt(struct core *core, struct op *op)
{
	op_interrupt(op, &core->ibb.effects.done);
}

/* Whether all bytes of the OP_WRITE_SYNC are queued, and it waits for their delivery. */
static inline bool core_is_queued(const struct stream *stream, const struct op *op)
{
	return op->list == &stream->outgoing.flushers;
}

static inline void core_release(struct core *core, struct stream *stream, bool good_order,
				int64_t now_ms)
{
	ibb_release(&core->ibb, stream, good_order, now_ms);
}

static inline void core_abort(struct core *core, struct stream *stream)
{
	ibb_abort(&core->ibb, stream, -EIO);
}

static inline struct stream *core_take_arrived(struct core *core)
{
	return ibb_take_arrived(&core->ibb);
}

static inline struct op *core_take_done(struct core *core)
{
	return effects_take_done(&core->ibb.effects);
}

/* What is read goes into a file, and is acknowledged when it is there; and after a restart of the
 * process, the stream is known. False: it is too late, or no such stream. */
static inline bool core_store(struct stream *stream)
{
	struct stream_facts facts;
	if (!stream_describe(stream, &facts) || stream->incoming.receiver.received > 0) {
		return false;
	}
	stream_defer_acknowledgements(stream);
	stream_sync_when_asked(stream);
	stream_set_journaled(stream, true);
	return true;
}

/* What was read is in the file. */
static inline void core_commit(struct stream *stream)
{
	stream_commit(stream);
}

/* What was committed is durable. */
static inline void core_sync(struct stream *stream)
{
	stream_sync(stream);
}

/* Of a new process: a stream of an earlier one, of which so much is in the file. NULL: it cannot be
 * known again. */
static inline struct stream *core_restore(struct core *core, const struct stream_facts *facts,
					  int64_t now_ms)
{
	int error = 0;
	struct stream *stream = ibb_restore(&core->ibb, facts, now_ms, &error);
	FUZZ_CHECK(stream || error == -ENFILE || error == -ENOMEM || error == -EEXIST);
	if (stream) {
		stream_sync_when_asked(stream);
		stream_set_journaled(stream, true);
	}
	return stream;
}

/* ---- the wire's side ---- */

static inline void core_receive(struct core *core, const struct msg *msg, bool allowed,
				int64_t now_ms)
{
	if (msg->kind == MSG_INFO) {
		/* Another part of the daemon answers disco#info, in the same queue. */
		if (!ibb_is_overloaded(&core->ibb, true)) {
			effects_send_result(&core->ibb.effects, msg->peer, msg->id);
		}
	} else {
		/* There is no inbox, so there are no pieces in one. */
		struct msg plain = *msg;
		plain.pieces = false;
		ibb_receive(&core->ibb, &plain, allowed, now_ms * 1000);
		ibb_complete_reads(&core->ibb);
	}
}

static inline struct msg *core_next(struct core *core, int64_t now_ms)
{
	return ibb_next(&core->ibb, now_ms * 1000);
}

static inline void core_peer_gone(struct core *core, const char *peer, int64_t now_ms)
{
	ibb_peer_gone(&core->ibb, peer, now_ms);
}

/* The connection breaks, and comes back. */
static inline void core_disconnect(struct core *core, int64_t now_ms)
{
	ibb_disconnect(&core->ibb, now_ms);
}

static inline void core_connect(struct core *core, int64_t now_ms)
{
	ibb_connect(&core->ibb, now_ms);
}

/* The connection is gone for good: every stream ends. */
static inline void core_stop(struct core *core, int64_t now_ms)
{
	(void)now_ms;
	ibb_abandon(&core->ibb);
}

static inline int64_t core_deadline(const struct core *core)
{
	return ibb_deadline(&core->ibb);
}

static inline void core_tick(struct core *core, int64_t now_ms)
{
	ibb_tick(&core->ibb, now_ms);
}

/* ---- what is seen of it ---- */

static inline unsigned core_count(const struct core *core)
{
	return HASH_CNT(links.by_number, core->ibb.by_number);
}

static inline bool core_is_drained(const struct core *core)
{
	return ibb_is_drained(&core->ibb);
}

/* The bytes that every unread stream may hold at least. */
static inline size_t core_buffer(const struct core *core)
{
	return core->ibb.config.buffer;
}

/* The bytes that the stream has accepted from its peer. */
static inline uint64_t core_received(const struct stream *stream)
{
	return stream->incoming.receiver.received;
}

static inline uint16_t core_expected_seq(const struct stream *stream)
{
	return stream->incoming.receiver.seq;
}

static inline bool core_is_new(const struct stream *stream)
{
	return stream->state == STREAM_NEW;
}

static inline bool core_is_arrived(const struct stream *stream)
{
	return stream->is_incoming;
}

/* The invariants between any two calls. */
static inline void core_check(const struct core *core, size_t most_written)
{
	const size_t mebibyte = (size_t)1024 * 1024; /* the slack of receiver.h and delivery.c */
	const struct stream *stream, *next;
	size_t charged = 0;
	HASH_ITER (links.by_number, core->ibb.by_number, stream, next) {
		const struct sender *sender = &stream->outgoing.sender;
		const struct receiver *receiver = &stream->incoming.receiver;
		size_t window = core->ibb.config.window, buffer = core->ibb.config.buffer;
		size_t block = stream->session.block_size;

		FUZZ_CHECK(block >= 1 && block <= STREAM_MAX_BLOCK);
		FUZZ_CHECK(sender->in_flight <= sender->out.length);
		FUZZ_CHECK(sender->push <= sender->out.length);
		FUZZ_CHECK(sender->in_flight <= (window > block ? window : block));
		FUZZ_CHECK(sender->out.length <= window + mebibyte + most_written);
		buffer = buffer > block ? buffer : block;
		size_t slack = buffer > mebibyte ? buffer : mebibyte;
		/* The last held block counts only for the next one. */
		size_t last = receiver->held ? receiver->held->prev->memory : 0;
		FUZZ_CHECK(receiver->in.length <= buffer + slack);
		FUZZ_CHECK(receiver->held_memory <= slack + last);
		FUZZ_CHECK(!stream->incoming.readers || receiver->in.length == 0);
		if (stream_is_over(stream)) {
			FUZZ_CHECK(!stream->links.is_sendable);
			FUZZ_CHECK(!stream->session.openers && !stream->incoming.readers &&
				   !stream->outgoing.writers && !stream->outgoing.flushers);
			FUZZ_CHECK(stream_deadline(stream) == STREAM_NO_DEADLINE);
		}
		FUZZ_CHECK(receiver_memory(receiver) <= core->ibb.limits.share +
								stream->incoming.charged +
								(size_t)2 * STREAM_MAX_BLOCK);
		charged += stream->incoming.charged;
	}
	FUZZ_CHECK(core->ibb.limits.used == charged && charged <= core->ibb.limits.pool);
	/* Answers are bounded; each stream has few requests of ours. */
	FUZZ_CHECK(core->ibb.effects.queued <= LIMITS_UNSENT + 256);
}

#endif
