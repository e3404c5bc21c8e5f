/* SPDX-License-Identifier: MIT */
/*
 * stream_session - what a stream has agreed on with its peer, and how its session begins and ends.
 *
 * Units:   as in stream.h.
 * Errors:  0 or -errno; on error the stream is unchanged unless said.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047, sections 2.1 (open) and 2.3 (close).
 */
#ifndef IBB_STREAM_SESSION_H
#define IBB_STREAM_SESSION_H

#include "ibb/msg.h"
#include "ibb/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

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
	bool found_limit;	/* this stream has found path_mtu, which is not remembered yet */
	bool negotiated;	/* in an offer: no other session can take the place of this one */
	unsigned reopened;	/* how often another session has taken the place of one */
	bool lost;		/* another session takes its place once we are connected */

	unsigned open_attempt; /* of <open/>, counted for its id */
	int64_t open_sent_ms;  /* when the last of them was sent */
	struct op *openers;    /* parked until the stream is OPEN */

	bool close_received;
	bool close_repeats;   /* the peer's <close/>, in good order, may come again */
	bool close_accepted;  /* it was answered with a result at once; otherwise the answer is
				 receiver.close_verdict, when the stream is over */
	bool close_pending;   /* the peer's <close/>, in good order, is not answered yet: our own
				 bytes are being sent, or its bytes are not durable */
	bool close_sent;      /* nothing is sent behind it before its answer */
	bool close_answered;  /* ours, with no error that counts */
	bool close_was_early; /* ours: the peer missed bytes, so the next one waits for
				 acknowledgements */
	struct op *finishers; /* parked until our <close/> is answered */
};

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

/* config->max_stanza or path_mtu has changed: blocks fit, except those that are retransmitted. */
void stream_limit_blocks(struct stream *stream);

/* ---- reopening.c ---- */

/* Our connection is broken, perhaps for the length of our first block: the stream is suspended, and
 * `lost` until we are connected. False, and nothing has changed: another session cannot take the
 * place of this one. */
bool stream_await_reopening(struct stream *stream, int64_t now_ms);

/* `lost`: closes the session, and opens another one with shorter blocks, whose sid begins with that
 * of this one. -ENOMEM: the stream is BROKEN. */
int stream_reopen(struct stream *stream, int64_t now_ms);

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

/* Expected: nothing more will come. CLOSED, or BROKEN with `error` (negative), or with -ECONNRESET
 * if bytes of ours are not acknowledged. The peer gets acknowledgements and nothing else. */
void stream_finish(struct stream *stream, int error);

/* ---- state.c ---- */

/* Answers the peer's <close/> if stream_can_answer_close. */
void stream_answer_close(struct stream *stream);

#endif
