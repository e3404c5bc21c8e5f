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
 * A stream may also be suspended, whatever its state: a connection is broken, ours or the peer's.
 * Calls wait until it is back, or has been away for too long.
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
#include "ibb/hash.h"
#include "ibb/limits.h"
#include "ibb/pieces.h"
#include "ibb/receiver.h"
#include "ibb/sender.h"
#include "ibb/window.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

enum stream_state {
	STREAM_NEW,	/* nothing was sent */
	STREAM_OPENING, /* <open/> was sent */
	STREAM_OPEN,
	STREAM_CLOSING, /* no user is left; unsent bytes are sent, then <close/> */
	STREAM_CLOSED,	/* ended in good order */
	STREAM_BROKEN,	/* ended otherwise; see error */
};

#define STREAM_MAX_BLOCK   65535 /* XEP-0047 section 2.1: block-size is an unsignedShort */
#define STREAM_NO_DEADLINE INT64_MAX

/* Results of stream_read, of a stream with stream_set_part: the bytes up to op->offset in the file
 * are skipped; the digests from piece op->offset on are wanted (stream_answer_page). */
#define STREAM_SKIP (-ESPIPE)
#define STREAM_PAGE (-ENOTUNIQ)

/* In place of a block size: the largest is agreed on, and the fastest up to it is used. */
#define STREAM_AUTO_BLOCK (STREAM_MAX_BLOCK + 1)

/* What all streams of an account share; immutable after start but for max_stanza and max_block. */
struct stream_config {
	uint32_t block_size; /* largest block, 1 to STREAM_MAX_BLOCK, or STREAM_AUTO_BLOCK */
	enum stanza stanza;  /* of blocks that we send on streams that we open */
	size_t window;	     /* most bytes sent and not acknowledged; one block always may be */
	size_t buffer;	     /* most bytes acknowledged and not read */
	size_t buffer_total; /* most bytes not read, of all streams; 0: as limits.h says */
	int64_t timeout_ms;  /* without an answer */
	int64_t answer_timeout_ms; /* a person may take to accept a file that we offer */
	int64_t reconnect_ms;	   /* a stream outlives a broken connection for; 0: it does not */
	size_t max_stanza; /* bytes of the longest that our server takes; 0: it does not say */
	size_t max_block;  /* of the longest block that it may take, by what was lost; 0: any */
};

/* Where the set finds the stream (ibb.c), and in which lists of effects.h it is. */
struct stream_links {
	UT_hash_handle by_number; /* ibb.by_number */
	UT_hash_handle by_key;	  /* ibb.by_key */
	char *key;		  /* in ibb.by_key; NULL while it is not in there */
	struct stream *arrived_prev, *arrived_next;   /* ibb.arrived */
	struct stream *sendable_prev, *sendable_next; /* effects.sendable */
	struct stream *readable_prev, *readable_next; /* effects.readable */
	bool is_sendable, is_readable;
};

/* What <open/> has agreed on, and the handshakes of <open/> and <close/>. */
struct stream_session {
	/* Immutable once the stream is OPEN, but by stream_reopen. */
	enum stanza stanza;
	unsigned features;	/* of the peer, enum feature */
	int64_t announced_size; /* of the file, as the peer's <open/> or its offer says; or -1 */
	bool expected;		/* by stream_expect: stream_finish decides where it ends */
	bool resumable;		/* both ends can resume it (resumption.c) */
	bool asks_pieces;	/* our <open/> asks whether the peer has pieces of the file */
	uint32_t block_size;	/* as negotiated so far */
	bool is_auto;		/* blocks are as long as `auto_size` says, up to block_size */
	size_t max_data;	/* in a block that we send, by what servers take */
	size_t path_mtu;	/* the longest block that servers on the path carry, by what
				   was lost; 0: any */
	bool found_limit;	/* this stream has found that, and it is not remembered yet */
	bool negotiated;	/* in an offer: no other session can take its place */
	unsigned reopened;	/* how often another session has taken its place */
	bool lost;		/* another one is due to do so, once we are connected */

	unsigned open_attempt; /* of <open/>, counted for its id */
	int64_t open_sent_ms;  /* when the last of them was sent */
	struct op *openers;    /* parked until the stream is OPEN */

	bool close_received;
	bool close_refused; /* the peer's <close/>, at once */
	bool close_pending; /* the peer's <close/>, in good order, is not answered yet: our own
			       bytes are being sent, or its bytes are not durable */
	bool close_sent;
	unsigned closes;      /* how often it was */
	struct op *finishers; /* parked until our <close/> is answered */
};

/* What this end writes. */
struct stream_outgoing {
	struct sender sender;
	struct window window;
	struct pieces *pieces; /* NULL: the peer has told of none */
	uint64_t gap;	       /* zeros that follow these bytes, before those of `writers` */

	unsigned pages;	     /* how often digests were asked for */
	uint64_t page_first; /* from which piece on, the last time */

	/* MSG_RESUME was sent as a probe: how many so far, and of the last one the end of the
	 * blocks before it, and the epoch. The peer does not say which of them have arrived. */
	uint64_t asked, asked_end;
	unsigned asked_epoch;
	bool says_no_seq;

	uint64_t passed; /* the peer has answered a question that was sent after the blocks before
			    this one, of a stream that cannot be resumed */

	uint64_t overdue_end; /* blocks from here on were never retransmitted as overdue */

	/* STANZA_MESSAGE: bytes sent since the last probe; the end of the blocks that it covers;
	 * and that end when the peer was last asked whether it is there. */
	size_t unprobed;
	uint64_t probed, probed_before;

	uint64_t flushed;	       /* bytes that a flush has reported as delivered */
	bool is_begun;		       /* the peer has said that it can store an empty file */
	struct op *writers, *flushers; /* parked */
};

/* What the receiver has of the file already: its NAME.part (part.c). */
struct stream_part {
	bool is_offered; /* the answer to <open/> said that there may be one */
	bool is_known;	 /* by stream_set_part, with: */
	uint64_t size;
	bool has_skipped;    /* the peer, some of it */
	uint64_t pages;	     /* requests for digests so far */
	char *page_id;	     /* of the one that waits; or NULL */
	uint64_t page_first; /* its first piece */
	bool has_digest;     /* <close/> had that of the whole: */
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

/* STREAM_NO_DEADLINE where nothing is due. */
struct stream_timers {
	int64_t deadline_ms;   /* when the awaited answer is overdue */
	int64_t keepalive_ms;  /* when to ask whether the peer is still there */
	int64_t page_ms;       /* when digests that we have asked for are overdue */
	int64_t last_heard_ms; /* when the last block came in */
	int64_t retry_ms;      /* back-off: nothing is sent before, or before an acknowledgement */
	unsigned retries;      /* in a row */
};

/* Broken connections. */
struct stream_resumption {
	bool suspended;		 /* nothing is sent */
	int64_t give_up_ms;	 /* when to give up; 0: nothing is missing since a break */
	int64_t next_attempt_ms; /* suspended: when to ask the peer, or STREAM_NO_DEADLINE */
	unsigned attempts;	 /* suspended: so far */
	int64_t retransmit_ms;	 /* blocks are not retransmitted before, even if the peer asks */
	bool retransmit_due;	 /* but then they are */
	unsigned breaks; /* of our connection, in a row, with blocks in flight and none delivered */
	bool left;	 /* ibb_leave */
	int64_t checked_ms; /* when stream_check_sender has asked for that; 0: never */
};

/* What is needed to know an incoming stream again after a restart. Its blocks come in iqs. */
struct stream_facts {
	const char *peer, *sid;
	uint32_t block_size;
	int64_t announced_size;
	uint64_t received; /* bytes of whole blocks, and of skips; at least what was acknowledged */
	uint64_t blocks;   /* and skips */
	uint64_t part_size; /* size of the part that is gone on with, or 0; and of that: */
	bool has_skipped;   /* the peer, some of it */
};

struct stream {
	/* Immutable; `peer`, `name` and `folder` once the stream is opened or accepted. */
	const struct stream_config *config;
	struct effects *effects;
	struct limits *limits;
	struct block_size *auto_size;
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
			     struct limits *limits, struct block_size *auto_size, uint64_t number,
			     const char *sid);

/* No op may be parked on it; NULL-safe. */
void stream_destroy(struct stream *stream);

/* NEW: another block size than the configuration's; STREAM_AUTO_BLOCK likewise. */
void stream_set_block_size(struct stream *stream, uint32_t block_size);

/* CLOSED or BROKEN. */
bool stream_is_over(const struct stream *stream);

/* Over: the error for those who still use it; a negative errno. */
int stream_outcome(const struct stream *stream);

/* Whether the peer has acknowledged everything that was written. */
bool stream_is_delivered(const struct stream *stream);

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

/* ---- opening.c ---- */

/* NEW: the path of the file's folder (copied), which is sent to a peer with FEATURE_FOLDERS.
 * -ENOMEM. */
int stream_set_folder(struct stream *stream, const char *folder);

/*
 * NEW: sends <open/> to `peer`, a full JID (copied). The name (copied; may be NULL) is sent to a
 * peer with FEATURE_IBBFS in `features`. -ENOMEM: the stream is still NEW.
 */
int stream_open(struct stream *stream, const char *peer, unsigned features, const char *name,
		int64_t now_ms);

/* NEW: it will be opened later, at no known time. Completes the ops of stream_wait_open. */
void stream_postpone(struct stream *stream);

/*
 * NEW: `peer` (copied) has been told that it may open the stream; stream_accept follows when it
 * does. `size`: of what it will send, or -1. The stream stays OPEN until stream_finish, also when
 * the peer closes it. -ENOMEM.
 */
int stream_expect(struct stream *stream, const char *peer, int64_t size);

/* NEW: takes over what the peer's <open/> says (copied) and queues the answer. The stream is OPEN.
 * -ENOMEM. */
int stream_accept(struct stream *stream, const struct msg *open, int64_t now_ms);

/* Whether `open`, for the same peer and sid, is a retransmission of the accepted one: our answer
 * was lost with a connection. */
bool stream_is_same_open(const struct stream *stream, const struct msg *open);

/* NEW, OPENING: fails unless the answer comes within timeout_ms from now. No effect in other
 * states. */
void stream_await(struct stream *stream, int64_t now_ms);

/* Completes `op` once the peer has accepted, or with the stream's error. */
void stream_wait_open(struct stream *stream, struct op *op);

/* The result that accepts an <open/> with that id. -ENOMEM. */
int stream_send_accepted(struct stream *stream, const char *id);

/* <open/> was answered. Ignored while suspended: <open/> will be sent again. */
void stream_open_accepted(struct stream *stream, const struct msg *result, int64_t now_ms);
void stream_open_refused(struct stream *stream, const struct msg *error, int64_t now_ms);

/* config->max_stanza or max_block has changed: blocks fit, except those that are retransmitted. */
void stream_limit_blocks(struct stream *stream);

/* ---- reopening.c ---- */

/* Our connection is broken, perhaps for the length of our first block: the stream is suspended, and
 * `lost` until we are connected. False, and nothing has changed: another session cannot take the
 * place of this one. */
bool stream_await_reopening(struct stream *stream, int64_t now_ms);

/* `lost`: closes the session, and opens another one with shorter blocks, whose sid begins with that
 * of this one. -ENOMEM: the stream is BROKEN. */
int stream_reopen(struct stream *stream, int64_t now_ms);

/* ---- writing.c ---- */

/*
 * Queues op->size bytes (copied). Completes `op` when less than a window is unsent or
 * unacknowledged. Errors: -EAGAIN (nonblock; no byte was queued), -ECONNRESET (the peer has
 * closed), -ENOMEM, the stream's error.
 */
void stream_write(struct stream *stream, struct op *op, const void *bytes, int64_t now_ms);

/* The same, behind `gap` zeros. Only where they do not fit into the window may -EAGAIN leave them
 * queued: a write at the same offset goes on from there. */
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
 * earlier flush has reported the same bytes. If nothing was written, a peer with FEATURE_RESUME is
 * asked whether it can store the file.
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

/* With deferred acknowledgements, of a peer that may take the acknowledgement of the last block for
 * the end: that waits for stream_sync. */
void stream_defer_last_acknowledgement(struct stream *stream);

/* Whether it can be resumed by the next process, as what was committed is in a journal. */
void stream_set_journaled(struct stream *stream, bool journaled);

/* Whether the peer may be waiting for stream_sync: the acknowledgement of the last block so far,
 * all of which are committed, is withheld. Not at the end, where stream_keep follows. */
bool stream_awaits_sync(const struct stream *stream);

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

/* ---- part.c ---- */

/* Incoming, if part.is_offered, before the first block: the receiver has `size` bytes of the file
 * already, which may be skipped. Acknowledgements must be deferred. */
void stream_set_part(struct stream *stream, uint64_t size);

/* Whether the peer waits for the digests from piece *first on, PIECES_PAGE at most; and the answer.
 */
bool stream_wants_page(const struct stream *stream, uint64_t *first);
void stream_answer_page(struct stream *stream, uint64_t first, const uint8_t *digests,
			size_t length);

/* The peer asks for that. */
void stream_receive_pieces(struct stream *stream, const struct msg *request);

/* ---- closing.c ---- */

/*
 * The last user has gone. In good order: unsent bytes are sent, then <close/>, and the stream is
 * CLOSING until that is answered. Otherwise <close/> is sent at once, with <reset/> to a peer with
 * FEATURE_IBBFS, and the stream is BROKEN. Parked ops end in -ECONNRESET. No effect if it is over.
 */
void stream_close(struct stream *stream, bool good_order, int64_t now_ms);

void stream_receive_close(struct stream *stream, const struct msg *close);

/* Our <close/> was answered, by result or error. */
void stream_close_answered(struct stream *stream, const struct msg *answer, int64_t now_ms);

/* Expected: whether the peer has sent everything, or says so; and all of it is committed, if
 * acknowledgements are deferred. */
bool stream_is_complete(const struct stream *stream);

/* With deferred acknowledgements, at the end: the whole is durable, and has its name. Unless it was
 * expected, the stream is CLOSED, and its <close/> answered. */
void stream_keep(struct stream *stream);

/* Expected: nothing more will come. CLOSED, or BROKEN with `error` (negative). The peer gets
 * acknowledgements and nothing else. */
void stream_finish(struct stream *stream, int error);

/* ---- state.c ---- */

/* BROKEN with `error` (negative): with <close/>, or without a word to the peer. No effect if it is
 * over. */
void stream_abort(struct stream *stream, int error);
void stream_break(struct stream *stream, int error);

/*
 * Our connection is broken or, while we are `connected`, the peer's: suspends the stream. False,
 * and nothing has changed: it is NEW or over, or the peers have not agreed on resumption.
 */
bool stream_suspend(struct stream *stream, bool connected, int64_t now_ms);

/* ---- restoring.c ---- */

/* Whether it is an incoming one that can be known again after a restart; *facts: of now, borrowed
 * from it. */
bool stream_describe(const struct stream *stream, struct stream_facts *facts);

/* NEW: it is as after a broken connection: OPEN, and suspended. -ENOMEM. */
int stream_restore(struct stream *stream, const struct stream_facts *facts, int64_t now_ms);

/* The next process will resume it: its peer is told nothing more. Reads end in -ESHUTDOWN, and what
 * comes is dropped without an answer, as if we were offline already. */
void stream_leave(struct stream *stream);

/* ---- reception.c ---- */

/* A block; the answer is queued, now or later. */
void stream_receive_data(struct stream *stream, const struct msg *data, int64_t now_ms);

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

/* A probe was answered, so the blocks before `end` have arrived, or are durable if the peer stores
 * them; 0: an empty file is. */
void stream_delivered(struct stream *stream, uint64_t end, int64_t now_us);

/* ---- paging.c ---- */

/* Our question for digests was answered. `count`: as in the answered id. */
void stream_page_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			  int64_t now_ms);

/* ---- resumption.c ---- */

/* Whether the sender of an incoming stream still has it, as another one for the same file is opened
 * from `peer`. STREAM_SENDER_UNKNOWN: it is asked; the next calls will know. */
enum stream_sender {
	STREAM_SENDER_THERE,
	STREAM_SENDER_GONE,
	STREAM_SENDER_UNKNOWN,
};
enum stream_sender stream_check_sender(struct stream *stream, const char *peer, int64_t now_ms);

/* Suspended: the connection may be back. Asks the peer whether it still knows the stream. */
void stream_resume(struct stream *stream, int64_t now_ms);

/* That was answered; and the peer asks the same. */
void stream_resume_answered(struct stream *stream, const struct msg *answer, int64_t now_ms);
void stream_receive_resume(struct stream *stream, const struct msg *resume, int64_t now_ms);

/* ---- timeout.c ---- */

/* Probes the peer, retries or fails when something is overdue. */
void stream_tick(struct stream *stream, int64_t now_ms);

/* A probe was answered, by the peer or its server. `count`: as in the answered id. */
void stream_probe_answered(struct stream *stream, const struct msg *answer, uint64_t count,
			   int64_t now_ms);

#endif
