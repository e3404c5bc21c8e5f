/* SPDX-License-Identifier: MIT */
/*
 * stream - one in-band bytestream, without any I/O.
 *
 *            stream_open             accepted            stream_close
 *     NEW ----------------> OPENING ---------> OPEN ------------------> CLOSING ---> CLOSED
 *      |                       |                 |  peer's <close/>        |            ^
 *      |                       |                 +-------------------------|------------+
 *      +-----------------------+-------- an error ----> BROKEN <-----------+
 *
 * From OPEN, a stream whose first block is not carried goes back to OPENING, with another session
 * (stream_reopen).
 *
 * The two directions are independent: each has its seq, its bytes and its parked ops. Received
 * bytes stay readable in CLOSED and BROKEN; a reader sees the end, or the error, after the last
 * byte. Written bytes stay in the sender until the peer has acknowledged them.
 *
 * The parts of a stream, each with the calls that concern it:
 *
 *     stream_session     <open/> and <close/>      stream_outgoing    what is written
 *     stream_resumption  broken connections        stream_incoming    what is read
 *
 * A stream may also be suspended, whatever its state, when our connection or the peer's is broken.
 * Calls wait until the connection is back, or the stream is given up.
 *
 * Units:   sizes are bytes before base64; times are ms of the caller's monotonic clock, or
 *          microseconds of the same clock where RTTs are measured (now_us).
 * Errors:  0 or -errno; on error the stream is unchanged unless said.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047, sections 2.1 (open), 2.2 (data), 2.3 (close), 2.4 (both directions).
 */
#ifndef IBB_STREAM_H
#define IBB_STREAM_H

#include "ibb/block_size.h"
#include "ibb/effects.h"
#include "ibb/limits.h"
#include "ibb/stream_incoming.h"
#include "ibb/stream_outgoing.h"
#include "ibb/stream_resumption.h"
#include "ibb/stream_session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

enum stream_state {
	STREAM_NEW,	/* nothing was sent */
	STREAM_OPENING, /* <open/> was sent */
	STREAM_OPEN,
	STREAM_CLOSING, /* no user is left but who waits for the end; unsent bytes are sent, then
			   <close/> */
	STREAM_CLOSED,	/* ended in good order */
	STREAM_BROKEN,	/* ended otherwise; see error */
};

#define STREAM_MAX_BLOCK   65535 /* XEP-0047 section 2.1: block-size is an unsignedShort */
#define STREAM_NO_DEADLINE INT64_MAX

/* In place of a block size: the largest is agreed on, and the fastest up to it is used. */
#define STREAM_AUTO_BLOCK (STREAM_MAX_BLOCK + 1)

/* What all streams of an account share; immutable after start but for max_stanza and path_mtu. */
struct stream_config {
	uint32_t block_size; /* largest block, 1 to STREAM_MAX_BLOCK, or STREAM_AUTO_BLOCK */
	enum stanza stanza;  /* of blocks that we send on streams that we open */
	size_t window;	     /* most bytes sent and not acknowledged; one block always may be */
	size_t buffer;	     /* most bytes acknowledged and not read */
	size_t buffer_total; /* most bytes not read, of all streams; 0: as limits.h says */
	int64_t timeout_ms;  /* without an answer */
	int64_t answer_timeout_ms; /* a person may take to accept a file that we offer */
	int64_t reconnect_ms;	   /* a stream outlives a broken connection for; 0: it does not */
	size_t max_stanza; /* bytes of the longest stanza that our server takes; 0: it does not say
			    */
	size_t path_mtu;   /* the longest block that our server carries, by what was lost; 0: any */
};

/* Where struct ibb finds the stream, and in which lists of effects.h it is. */
struct stream_links {
	UT_hash_handle by_number; /* ibb.by_number */
	UT_hash_handle by_key;	  /* ibb.by_key */
	char *key;		  /* in ibb.by_key; NULL while it is not in there */
	struct stream *arrived_prev, *arrived_next;   /* ibb.arrived */
	struct stream *sendable_prev, *sendable_next; /* effects.sendable */
	struct stream *readable_prev, *readable_next; /* effects.readable */
	bool is_sendable, is_readable;
};

/* STREAM_NO_DEADLINE where nothing is due. */
struct stream_timers {
	int64_t deadline_ms;   /* when the awaited answer is overdue */
	int64_t keepalive_ms;  /* when to ask whether the peer is still there */
	int64_t page_ms;       /* when digests that we have asked for are overdue */
	int64_t last_heard_ms; /* when the last block came in */
	int64_t retry_ms;      /* back-off: nothing is sent before, or before an acknowledgement */
	unsigned retries;      /* in a row */
};

/* How a stream ends that its owner has released. */
struct stream_ending {
	struct stream *stream; /* borrowed, while it is not freed; else NULL */
	int error;	       /* then: a negative errno; or 0 */
};

struct stream {
	/* Immutable; `peer`, `name` and `folder` once the stream is opened or accepted. */
	const struct stream_config *config;
	struct effects *effects;
	struct limits *limits;
	struct block_size *auto_size;
	struct sharing *sharing;
	uint64_t number;
	bool is_incoming;
	char *peer;   /* full JID; NULL while NEW, unless expected */
	char *name;   /* of the file; or NULL */
	char *folder; /* the path of its folder; or NULL */
	char *sid;    /* changed by stream_reopen */

	enum stream_state state;
	int error;		  /* BROKEN: -errno for its users */
	bool owned;		  /* somebody outside holds it: not to be freed */
	bool consumed;		  /* it was released in good order, and had received something */
	struct peer_quota *quota; /* incoming: counts it */
	struct stream_ending *ending; /* of stream_follow; or NULL */

	struct stream_session session;
	struct stream_outgoing outgoing;
	struct stream_incoming incoming;
	struct stream_timers timers;
	struct stream_resumption resumption;
	struct stream_links links;
};

/* ---- stream.c: life, and questions ---- */

/* A NEW stream with a copy of `sid`. The objects it gets pointers to must outlive it. NULL when
 * memory is short. */
struct stream *stream_create(const struct stream_config *config, struct effects *effects,
			     struct limits *limits, struct block_size *auto_size,
			     struct sharing *sharing, uint64_t number, const char *sid);

/* No op may be parked on it; NULL-safe. */
void stream_destroy(struct stream *stream);

/* *ending says how the stream ends. It must outlive the stream, or follow another one or none
 * (NULL). */
void stream_follow(struct stream *stream, struct stream_ending *ending);

/* NEW: another block size than the configuration's; STREAM_AUTO_BLOCK likewise. */
void stream_set_block_size(struct stream *stream, uint32_t block_size);

/* CLOSED or BROKEN. */
bool stream_is_over(const struct stream *stream);

/* Over: the error for those who still use it; a negative errno. */
int stream_outcome(const struct stream *stream);

/* Whether the peer has acknowledged everything that was written. */
bool stream_is_delivered(const struct stream *stream);

/* Whether the peer has closed it in good order, and its bytes are becoming durable: nothing more is
 * expected of the peer. */
bool stream_is_being_stored(const struct stream *stream);

/* The offset of the next write: bytes written, and zeros. */
uint64_t stream_written(const struct stream *stream);

/* The size of the file so far: bytes written, or received. */
uint64_t stream_size(const struct stream *stream);

/* The word for user.ibb.state and `status`; static. */
const char *stream_state_name(const struct stream *stream);

/* Whether a block may be sent now. */
bool stream_has_block(const struct stream *stream);

/* When stream_tick wants to be called, or STREAM_NO_DEADLINE. */
int64_t stream_deadline(const struct stream *stream);

/* ---- state.c ---- */

/* BROKEN with `error` (negative): with <close/>, or without a word to the peer. No effect if it is
 * over. */
void stream_abort(struct stream *stream, int error);
void stream_break(struct stream *stream, int error);

/* ---- timeout.c ---- */

/* Probes the peer, retries or fails when something is overdue. */
void stream_tick(struct stream *stream, int64_t now_ms);

/* A probe was answered, by the peer or its server. `count`: as in the answered id. */
void stream_probe_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			   int64_t now_ms);

#endif
