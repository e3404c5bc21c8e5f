/* SPDX-License-Identifier: MIT */
/*
 * stream_incoming - what the peer sends on a stream, until it is read.
 *
 * Units:   as in stream.h.
 * Errors:  0 or -errno; on error the stream is unchanged unless said.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047, section 2.2 (data).
 */
#ifndef IBB_STREAM_INCOMING_H
#define IBB_STREAM_INCOMING_H

#include "ibb/hash.h"
#include "ibb/msg.h"
#include "ibb/op.h"
#include "ibb/pieces.h"
#include "ibb/receiver.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* Results of stream_read, after stream_set_part. STREAM_SKIP: the bytes of the file up to
 * op->offset are skipped. STREAM_PAGE: the digests from piece op->offset on are wanted
 * (stream_answer_page). And with deferred acknowledgements, STREAM_SYNC: the bytes so far are to
 * become durable (stream_sync). */
#define STREAM_SKIP (-ESPIPE)
#define STREAM_PAGE (-ENOTUNIQ)
#define STREAM_SYNC (-EINPROGRESS)

/* The part of the file that the receiver has already: its NAME.part (part.c). */
struct stream_part {
	bool is_offered; /* the answer to <open/> said that there may be one */
	bool is_known;	 /* by stream_set_part, with: */
	uint64_t size;
	bool has_skipped;    /* the peer, some of it */
	uint64_t pages;	     /* requests for digests so far */
	char *page_id;	     /* of the request that waits; or NULL */
	uint64_t page_first; /* its first piece */
	bool has_digest;     /* <close/> had the digest of the whole file: */
	uint8_t digest[PIECES_DIGEST];
};

/* What the peer sends. */
struct stream_incoming {
	struct receiver receiver;
	struct stream_part part;
	size_t charged;	    /* of the pool in limits */
	struct hash *hash;  /* of the bytes received; the user's, or NULL */
	bool too_long;	    /* the peer has sent more bytes than were offered */
	bool has_reader;    /* somebody at this end reads, or will */
	bool is_whole;	    /* expected: nothing more will come, and what has come is right */
	bool is_durable;    /* stream_keep */
	bool is_journaled;  /* stream_set_journaled */
	struct op *readers; /* parked */
};

/* ---- reading.c ---- */

/*
 * Completes `op` with at least one byte in op->data (the caller's), with 0 at the end in good
 * order, or with an error: -EAGAIN (nonblock), -ENOMEM (no byte is lost), or the stream's error
 * after its last byte.
 */
void stream_read(struct stream *stream, struct op *op);

/* Whether a read would complete at once, be it with an error; and whether it would find the end, in
 * good order or not. */
bool stream_can_read(const struct stream *stream);
bool stream_is_at_end(const struct stream *stream);

/* Before the first block: bytes are acknowledged only after stream_commit. A read of at least
 * STREAM_MAX_BLOCK bytes ends with a block then, and op->end is the count of blocks so far. */
void stream_defer_acknowledgements(struct stream *stream);

/* Every byte that was read is written. */
void stream_commit(struct stream *stream);

/* With deferred acknowledgements, if the peer may take the acknowledgement of the last block for
 * the end: that acknowledgement waits for stream_sync. */
void stream_defer_last_acknowledgement(struct stream *stream);

/* Whether the next process can resume the stream, as a journal has what was committed. */
void stream_set_journaled(struct stream *stream, bool journaled);

/* With deferred acknowledgements: the answer to <sync/> waits for stream_sync. Otherwise it waits
 * for stream_commit. */
void stream_sync_when_asked(struct stream *stream);

/* Every committed byte is durable. */
void stream_sync(struct stream *stream);

/* Expected: readers find the end after the last byte. */
void stream_end_reads(struct stream *stream);

/* Completes parked reads with the unread bytes. Blocks come in bursts, and one read of many blocks
 * costs little more than a read of one; so stream_receive_data completes only reads that are full.
 */
void stream_complete_reads(struct stream *stream);

/* The backlog of unsent messages is shorter: queues the acknowledgements that waited for that. */
void stream_release_acknowledgements(struct stream *stream);

/* Whether the peer's <close/> is to be answered now: our own bytes are delivered, and the peer's
 * are read as far as they exceed the buffer. With deferred acknowledgements, stream_keep answers
 * it. */
bool stream_can_answer_close(const struct stream *stream);

/* ---- syncing.c ---- */

/* The peer asks that bytes become durable. */
void stream_receive_sync(struct stream *stream, const struct msg *request);

/* ---- reception.c ---- */

/* A block; the answer is queued, now or later. */
void stream_receive_data(struct stream *stream, const struct msg *data, int64_t now_ms);

/* ---- part.c ---- */

/* Incoming, if part.is_offered, before the first block: the receiver has `size` bytes of the file
 * already, which the sender may skip. Acknowledgements must be deferred. */
void stream_set_part(struct stream *stream, uint64_t size);

/* Whether the peer waits for the digests from piece *first on, PIECES_PAGE at most. And the answer:
 * `length` bytes of digests. */
bool stream_wants_page(const struct stream *stream, uint64_t *first);
void stream_answer_page(struct stream *stream, uint64_t first, const uint8_t *digests,
			size_t length);

/* The peer asks for digests. */
void stream_receive_pieces(struct stream *stream, const struct msg *request);

#endif
