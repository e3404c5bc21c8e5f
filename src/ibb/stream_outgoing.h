/* SPDX-License-Identifier: MIT */
/*
 * stream_outgoing - what this end of a stream writes, until the peer has acknowledged it.
 *
 * Units:   as in stream.h.
 * Errors:  0 or -errno; on error the stream is unchanged unless said.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047, section 2.2 (data).
 */
#ifndef IBB_STREAM_OUTGOING_H
#define IBB_STREAM_OUTGOING_H

#include "ibb/msg.h"
#include "ibb/op.h"
#include "ibb/pieces.h"
#include "ibb/sender.h"
#include "ibb/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* What this end writes. */
struct stream_outgoing {
	struct sender sender;
	struct window window;
	struct pieces *pieces; /* NULL: the peer has none, as far as we know */
	uint64_t gap;	       /* zeros that follow the written bytes, before those of `writers` */

	unsigned pages;	     /* how often digests were asked for */
	uint64_t page_first; /* from which piece on, the last time */
	unsigned page_tries; /* how often from there on, since the last break */

	/* MSG_RESUME was sent as a probe: how often; and, of the last probe, the end of the blocks
	 * before it, and the epoch. says_no_seq: the peer does not say which of them have arrived.
	 */
	uint64_t asked, asked_end;
	unsigned asked_epoch;
	bool says_no_seq;

	uint64_t passed; /* of a stream that cannot be resumed: the peer has answered a question
			    that was sent after the blocks before this one */

	uint64_t overdue_end; /* blocks from here on were never retransmitted as overdue */

	/* STANZA_MESSAGE: bytes sent since the last probe; the end of the blocks that this probe
	 * covers; and that end when the peer was last asked whether it is there. */
	size_t unprobed;
	uint64_t probed, probed_before;

	/* Of a peer with FEATURE_SYNC: the bytes that are durable there; those of the last request;
	 * whether its answer is awaited; and how often in a row the peer seemed to be away. */
	uint64_t synced, sync_asked;
	bool awaits_sync;
	unsigned sync_failures;

	uint64_t flushed;	       /* bytes that a flush has reported as delivered */
	bool is_begun;		       /* the peer has said that it can store an empty file */
	struct op *writers, *flushers; /* parked */
};

/* ---- writing.c ---- */

/*
 * Queues op->size bytes (copied). Completes `op` when less than a window is unsent or
 * unacknowledged; an OP_WRITE_SYNC when a stream_flush after it would be over. Errors: -EAGAIN
 * (nonblock; no byte was queued), -ECONNRESET (the peer has closed), -ENOMEM, the stream's error.
 */
void stream_write(struct stream *stream, struct op *op, const void *bytes, int64_t now_ms);

/* The same, behind `gap` zeros. After -EAGAIN, some zeros may be queued if they do not fit into the
 * window. A write at the same offset goes on from there. */
void stream_write_behind(struct stream *stream, struct op *op, uint64_t gap, const void *bytes,
			 int64_t now_ms);

/* As stream_write with `length` zeros, without waiting. They take no more memory than the window.
 * -ENOMEM, the stream's error. */
int stream_write_zeros(struct stream *stream, uint64_t length, int64_t now_ms);

/* Whether a write would complete at once, be it with an error. */
bool stream_can_write(const struct stream *stream);

/* Sends everything written so far, even if the last block or piece is not full. */
void stream_push(struct stream *stream);

/*
 * Completes `op` with 0 when the peer has acknowledged every byte written before, or with the
 * stream's error. While the stream is suspended `op` waits even if every byte is acknowledged: the
 * peer may have lost the stream, and with it a good end for its reader. It does not wait if an
 * earlier flush has reported the same bytes. A peer with FEATURE_SYNC is asked to make them durable
 * first: -ENOSPC if it has no room, -ECONNRESET if it could not. If nothing was written, a peer
 * with FEATURE_RESUME is asked whether it can store the file. Once <close/> follows, `op` waits for
 * its answer, as that of stream_finish_writing.
 */
void stream_flush(struct stream *stream, struct op *op, int64_t now_ms);

/*
 * As stream_flush by the last writer: once everything is delivered, <close/> is sent, and `op`
 * waits for its answer. Then a peer that stores what it receives has stored it. Completes `op` with
 * -ENOSPC if the peer had no room, -ECONNRESET if it could not store it, or with the stream's
 * error. Only of a peer with FEATURE_IBBFS, and if nobody is reading and nothing of what has
 * arrived by then is unread: such a stream does not end in good order. Else it is stream_flush.
 */
void stream_finish_writing(struct stream *stream, struct op *op, int64_t now_ms);

/* ---- delivery.c ---- */

/* The next block, counted as in flight; NULL: there is none, or memory is short. */
struct msg *stream_next_block(struct stream *stream, int64_t now_us);

/* `block`: the running number in the answered id. */
void stream_acknowledged(struct stream *stream, uint64_t block, int64_t now_us);

/* The answer to an overdue block that stream_tick has retransmitted. */
void stream_retransmit_acknowledged(struct stream *stream, uint64_t block, uint64_t epoch,
				    int64_t now_us);

/* `epoch`: as in the answered id. */
void stream_data_refused(struct stream *stream, uint64_t block, uint64_t epoch,
			 const struct msg *error, int64_t now_ms);

/* A probe was answered: the blocks before `end` have arrived, be it `all` of them, or those behind
 * the probe before it. If the peer stores them, they are durable. 0: an empty file is. */
void stream_delivered(struct stream *stream, uint64_t end, bool all, int64_t now_us);

/* ---- syncing.c ---- */

/* Our request that the first `bytes` become durable was answered. */
void stream_sync_answered(struct stream *stream, const struct msg *answer, uint64_t bytes,
			  int64_t now_ms);

/* ---- paging.c ---- */

/* Our question for digests was answered. `count`: as in the answered id. */
void stream_page_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			  int64_t now_ms);

#endif
