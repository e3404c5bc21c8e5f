/* SPDX-License-Identifier: MIT */
/*
 * stream_internal - what the parts of a stream share: stream.c (the session), opening.c (how it
 * comes about), delivery.c (what leaves it), reception.c (what comes into it) and resume.c (broken
 * connections).
 *
 * Threads: none; the caller serialises.
 */
#ifndef IBB_STREAM_INTERNAL_H
#define IBB_STREAM_INTERNAL_H

#include "ibb/stream.h"

/* ---- stream.c ---- */

/* The caller's, or NULL. */
char *stream_copy_string(const char *string);

/* An answer is awaited until `timeout_ms` from now; a peer that has accepted is pinged halfway. */
void stream_set_deadline(struct stream *stream, int64_t now_ms, int64_t timeout_ms);
void stream_clear_deadline(struct stream *stream);

/* Nothing is awaited; but a reader's peer that is silent for long is asked whether it is there. */
void stream_rest(struct stream *stream, int64_t now_ms);

/* Puts a stream that has a block to send at the end of the row, unless it is in it. */
void stream_take_turn(struct stream *stream);
void stream_leave_turns(struct stream *stream);

/* Queues a request of ours, with the id by which ibb.c finds its answer: "KIND NUMBER.COUNT", in
 * hex. -ENOMEM. */
int stream_send_request(struct stream *stream, const struct msg *request, char kind,
			uint64_t count);

/*
 * Queues a question that says, by being answered, that the peer is there, and where the stream can
 * be resumed, that it still knows it. Any client that knows IBB
 * can be asked what else it knows; a ping is shorter, but to one that does not know pings the
 * answer would be that of a server whose user has gone. -ENOMEM.
 */
int stream_ask(struct stream *stream, char kind, uint64_t count);

/* The deadline has been changed: says so to the set. */
void stream_note_deadline(struct stream *stream);

/* Sends <open/> or <close/> again, whose answer has not come. */
void stream_ask_again(struct stream *stream, int64_t now_ms);

/* CLOSING: sends <close/> if everything else was delivered. */
void stream_close_when_delivered(struct stream *stream, int64_t now_ms);

/* The peer has sent <close/>: answers it if everything was delivered. */
void stream_answer_when_delivered(struct stream *stream);

/* ---- opening.c ---- */

/* Queues <open/>, the first or another. -ENOMEM. */
int stream_send_open(struct stream *stream);

/* ---- reception.c ---- */

/* After all that may have changed what the receiver holds: counts it among what all streams hold.
 */
void stream_note_memory(struct stream *stream);

/* No read is to be completed later. */
void stream_leave_ripe(struct stream *stream);

/* ---- delivery.c ---- */

/* Why nothing more can be written; 0: it can. */
int stream_write_error(const struct stream *stream);

/* More was delivered: flushes that have waited for it are done, unless the stream is suspended. */
void stream_end_flushes(struct stream *stream);

/* The peer wants to be asked again later, each time a bit later than before. */
void stream_pause(struct stream *stream, int64_t now_ms);

/* Sends the oldest block in flight once more, if there is one and the peer takes it well: it may be
 * what has been lost. */
void stream_repeat_oldest(struct stream *stream);

/* Every block in flight has to be sent again. */
void stream_repeat_all(struct stream *stream);

/* ---- resume.c ---- */

/* Whether an error says that the peer is not there, now. */
bool stream_means_away(const struct msg *error);

/* Whether it says that of a peer that may be back soon, and whose streams can only pause. */
bool stream_means_pause(const struct stream *stream, const struct msg *error);

/* Their parts of stream_deadline and stream_tick. */
int64_t stream_suspension_deadline(const struct stream *stream);
void stream_suspension_tick(struct stream *stream, int64_t now_ms);

#endif
