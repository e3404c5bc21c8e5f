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

/* ---- state.c ---- */

/*
 * Our connection is broken or, while we are `connected`, the peer's: suspends the stream. False,
 * and nothing has changed: it is NEW or over, or the peers have not agreed on resumption.
 */
bool stream_suspend(struct stream *stream, bool connected, int64_t now_ms);

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

/* ---- restoring.c ---- */

/* Whether it is an incoming one that can be known again after a restart; *facts: of now, borrowed
 * from it. */
bool stream_describe(const struct stream *stream, struct stream_facts *facts);

/* NEW: it is as after a broken connection: OPEN, and suspended. -ENOMEM. */
int stream_restore(struct stream *stream, const struct stream_facts *facts, int64_t now_ms);

/* The next process will resume it: its peer is told nothing more. Reads end in -ESHUTDOWN, and what
 * comes is dropped without an answer, as if we were offline already. */
void stream_hand_over(struct stream *stream);

#endif
