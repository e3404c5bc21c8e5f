/* SPDX-License-Identifier: MIT */
/*
 * stream_internal - what the files of a stream need of each other. Each calls only those above it
 * in this list; those of one line do not call each other.
 *
 *     stream                      the struct: deadlines, lists, questions
 *     request   reading           requests to the peer; reads of the user
 *     state                       the end, suspension, and what goes on after acknowledgements
 *     writing   opening   resumption  writes of the user; <open/>; broken connections
 *     delivery  reception closing blocks that leave, and that come; <close/>
 *     timeout                     what happens when time has passed
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
void stream_set_idle(struct stream *stream, int64_t now_ms);

/* The peer wants to be asked again later, each time a bit later than before. */
void stream_back_off(struct stream *stream, int64_t now_ms);

/* The deadline has been changed: says so to the set. */
void stream_note_deadline(struct stream *stream);

/* The longest block that there may be, and how long one is that is full. */
size_t stream_max_block(const struct stream *stream);
size_t stream_block_length(const struct stream *stream);

/* Puts a stream that has a block to send at the end of the row, unless it is in it. */
void stream_schedule(struct stream *stream);
void stream_unschedule(struct stream *stream);

/* No read is to be completed later. */
void stream_clear_readable(struct stream *stream);

/* ---- request.c ---- */

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
int stream_send_probe(struct stream *stream, char kind, uint64_t count);

/* Queues <open/>, the first or another. -ENOMEM. */
int stream_send_open(struct stream *stream);

/* Queues <close/>. When memory is too short for it, the peer learns from the answer to its next
 * request. */
void stream_send_close(struct stream *stream, bool reset);

/* Likewise, in good order, and its answer is awaited. */
void stream_request_close(struct stream *stream, int64_t now_ms);

/* Sends <open/> or <close/> again, whose answer has not come. */
void stream_resend_request(struct stream *stream, int64_t now_ms);

/* ---- reading.c ---- */

/* Memory that no other stream can take from it: one block always has some. */
size_t stream_memory_share(const struct stream *stream);

/* What may be unread and acknowledged: one block always fits. */
size_t stream_buffer_size(const struct stream *stream);

/* After all that may have changed what the receiver holds: counts it among what all streams hold.
 */
void stream_charge_memory(struct stream *stream);

/* ---- state.c ---- */

/* The stream has come to its end: no op waits any longer, but bytes that came can be read. */
void stream_end(struct stream *stream, enum stream_state state, int error);

/* CLOSING: sends <close/> if everything else was delivered. */
void stream_close_when_delivered(struct stream *stream, int64_t now_ms);

/* More was delivered, or the stream is not suspended any more: what waited for that goes on. */
void stream_proceed(struct stream *stream, int64_t now_ms);

/* Every block in flight has to be sent again. */
void stream_retransmit_all(struct stream *stream);

/* Whether the stream can be suspended, and whether it has been for too long. */
bool stream_can_suspend(const struct stream *stream);
bool stream_has_given_up(const struct stream *stream, int64_t now_ms);

/* Between two attempts to go on, while the peer does not answer; the first. */
#define STREAM_RETRY_MS 500

/* Whether it says that of a peer that may be back soon, and whose streams can only pause. */
bool stream_must_back_off(const struct stream *stream, const struct msg *error);

/* ---- writing.c ---- */

/* Why nothing more can be written; 0: it can. */
int stream_write_error(const struct stream *stream);

/* Lets the gap and waiting writers go on while there is room. */
void stream_release_writers(struct stream *stream);

/* ---- delivery.c ---- */

/* Sends the oldest block in flight once more, if there is one and the peer takes it well: it may be
 * what has been lost. */
void stream_retransmit_oldest(struct stream *stream);

/* ---- resumption.c ---- */

/* Its part of stream_tick. */
void stream_suspension_tick(struct stream *stream, int64_t now_ms);

#endif
