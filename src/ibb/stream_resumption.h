/* SPDX-License-Identifier: MIT */
/*
 * stream_resumption - how a stream outlives a broken connection, and a restart of the daemon.
 *
 * Units:   as in stream.h.
 * Errors:  0 or -errno; on error the stream is unchanged unless said.
 * Threads: none; the caller serialises.
 * Source:  docs/wire.md, "Streams that outlive a connection".
 */
#ifndef IBB_STREAM_RESUMPTION_H
#define IBB_STREAM_RESUMPTION_H

#include "ibb/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* Broken connections. */
struct stream_resumption {
	bool suspended;		 /* nothing is sent */
	int64_t give_up_ms;	 /* when to give up; 0: nothing is missing since a break */
	int64_t next_attempt_ms; /* suspended: when to ask the peer, or STREAM_NO_DEADLINE */
	unsigned attempts;	 /* suspended: so far */
	int64_t retransmit_ms;	 /* blocks are not retransmitted before, even if the peer asks */
	bool retransmit_due;	 /* but then they are */
	unsigned breaks; /* of our connection, in a row, with blocks in flight and none delivered */
	bool handed_over;   /* ibb_hand_over */
	int64_t checked_ms; /* when stream_check_sender has asked for that; 0: never, or not since a
			       break of our connection */
	int64_t gone_ms;    /* suspended: from when on its sender counts as gone, if another
			       resource asks; or STREAM_NO_DEADLINE: the sender is not asked yet */
};

/* The facts by which an incoming stream is restored after a restart. Its blocks come in iqs. */
struct stream_facts {
	const char *peer, *sid;
	uint32_t block_size;
	int64_t announced_size;
	uint64_t received; /* bytes of whole blocks and of skips; no fewer than were acknowledged */
	uint64_t blocks;   /* and skips */
	uint64_t part_size; /* of the NAME.part that the stream completes; or 0 */
	bool has_skipped;   /* the peer, some of it */
};

/* ---- state.c ---- */

/*
 * Our connection is broken or, while we are `connected`, the peer's: suspends the stream, unless
 * it does not matter (stream_is_being_stored). False, and nothing has changed: it is NEW or over,
 * or the peers have not agreed on resumption.
 */
bool stream_suspend(struct stream *stream, bool connected, int64_t now_ms);

/* ---- resumption.c ---- */

/* `peer` opens another stream for the file of an incoming one: whether the sender of the incoming
 * one still has it. STREAM_SENDER_UNKNOWN: the sender is asked; a later call will know. */
enum stream_sender {
	STREAM_SENDER_THERE,
	STREAM_SENDER_GONE,
	STREAM_SENDER_UNKNOWN,
};
enum stream_sender stream_check_sender(struct stream *stream, const char *peer, int64_t now_ms);

/* Suspended: the connection may be back. Asks the peer whether it still knows the stream. */
void stream_resume(struct stream *stream, int64_t now_ms);

/* The peer has answered that question; and the peer asks the same. */
void stream_resume_answered(struct stream *stream, const struct msg *answer, int64_t now_ms);
void stream_receive_resume(struct stream *stream, const struct msg *resume, int64_t now_ms);

/* ---- restoring.c ---- */

/* Whether it is an incoming stream that can be restored after a restart; *facts: those of now,
 * borrowed from the stream. */
bool stream_describe(const struct stream *stream, struct stream_facts *facts);

/* NEW: makes it OPEN and suspended, as after a broken connection. -ENOMEM. */
int stream_restore(struct stream *stream, const struct stream_facts *facts, int64_t now_ms);

/* The next process will resume the stream: nothing more is sent to its peer. Reads end in
 * -ESHUTDOWN. What comes in is dropped without an answer, as if we were offline already. */
void stream_hand_over(struct stream *stream);

#endif
