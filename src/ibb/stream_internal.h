/* SPDX-License-Identifier: MIT */
/*
 * stream_internal - what the files of a stream need of each other. A file calls only files in rows
 * above its own.
 *
 *     stream                                  the struct, deadlines, lists, questions
 *     request    part                         requests to the peer; pieces that we have
 *     reading                                 reads and their memory
 *     state                                   over, suspended, proceeding
 *     skipping                                pieces that the peer has
 *     opening    closing  reception  writing  <open/>; <close/>; blocks received; writes
 *     syncing                                 <sync/>
 *     reopening  paging                       sessions whose first block is not carried; digests
 *     resumption delivery                     broken connections; blocks sent
 *     restoring  timeout                      restarts; what is overdue
 *
 * Threads: none; the caller serialises.
 */
#ifndef IBB_STREAM_INTERNAL_H
#define IBB_STREAM_INTERNAL_H

#include "ibb/stream.h"

/* ---- stream.c ---- */

/* The caller's; NULL when memory is short. */
char *stream_copy_string(const char *string);

/* An answer must come within `timeout_ms` from now. The peer of an OPEN stream is probed halfway,
 * and one that may be storing what was sent. No effect while suspended. */
void stream_set_deadline(struct stream *stream, int64_t now_ms, int64_t timeout_ms);
void stream_clear_deadline(struct stream *stream);

/* No answer is awaited. A peer that we read from is probed when it has been silent for long. */
void stream_set_idle(struct stream *stream, int64_t now_ms);

/* Exponential back-off: nothing is retried before it has passed. */
void stream_back_off(struct stream *stream, int64_t now_ms);

/* After a change of any timer: tells struct ibb. */
void stream_note_deadline(struct stream *stream);

/* The longest block that may be sent; and how long a full block is now. */
size_t stream_max_block(const struct stream *stream);
size_t stream_block_length(const struct stream *stream);

/* Whether a block in flight is longer than any that the peer has acknowledged, and than every
 * server carries. Then the peer can be asked soon whether it has arrived. */
bool stream_tries_length(const struct stream *stream);

/* Whether the peer has no byte of the stream, as far as it says, so that another session can take
 * the place of this one. Until the first block is acknowledged it is in flight alone, if it may be
 * too long: a later one that arrives without it would end the session. */
bool stream_can_reopen(const struct stream *stream);

/* A block was sent; if it tries a length, the peer is asked soon. */
void stream_hasten_probe(struct stream *stream, int64_t now_ms);

/* Appends a stream that has a block to effects.sendable, unless it is in it; and removes it. */
void stream_schedule(struct stream *stream);
void stream_unschedule(struct stream *stream);

/* Whether nothing has said yet that the peer has a place for the file: not the answer to a question
 * (stream_probe_beginning), nor an acknowledgement. */
bool stream_awaits_beginning(const struct stream *stream);

/* Whether a flush waits until what was written is durable at the peer; and whether something is not
 * yet that was acknowledged. */
bool stream_asks_syncs(const struct stream *stream);
bool stream_needs_sync(const struct stream *stream);

/* A flush of the bytes up to `end`: whether they are acknowledged; and durable, if it waits for
 * that. */
bool stream_is_acknowledged(const struct stream *stream, uint64_t end);
bool stream_is_flushed(const struct stream *stream, uint64_t end);

/* Whether readers find the end after the last byte. */
bool stream_has_ended_input(const struct stream *stream);

/* Removes the stream from effects.readable. */
void stream_clear_readable(struct stream *stream);

/* Everything is sent from now on. No byte may be held. */
void stream_forget_pieces(struct stream *stream);

/* ---- request.c ---- */

/* Which request an id is of: its first character. */
enum id_kind {
	ID_BLOCK = 'd',
	ID_OVERDUE_BLOCK = 'a', /* retransmitted, as its answer was overdue */
	ID_OPEN = 'o',
	ID_CLOSE = 'c',
	ID_RESUME = 'r',
	ID_DELIVERY = 'b', /* a probe whose answer acknowledges blocks, or an empty file */
	ID_PROBE = 'p',	   /* any other */
	ID_PAGE = 'h',	   /* for digests */
	ID_SYNC = 's',	   /* for bytes to become durable */
};

/* The id of a request without its epoch, as in ibb.h. Returns its length, as snprintf. */
#define STREAM_MAX_ID 64
int stream_make_id(const struct stream *stream, char *id, enum id_kind kind, uint64_t count);

/* Queues a request with such an id, by which answer.c finds the stream again. -ENOMEM. */
int stream_send_request(struct stream *stream, const struct msg *request, enum id_kind kind,
			uint64_t count);

/*
 * Queues a question whose answer says that the peer is there and, of a resumable stream, that it
 * still knows it. Any client with IBB answers disco#info. A ping is shorter, but a client without
 * XEP-0199 answers it like a server whose user is offline. -ENOMEM.
 */
int stream_send_probe(struct stream *stream, enum id_kind kind, uint64_t count);

/* Asks the peer whether it can store an empty file, if somebody waits for that. No effect while
 * suspended. */
void stream_probe_beginning(struct stream *stream);

/* Queues <open/>. -ENOMEM. */
int stream_send_open(struct stream *stream);

/* Queues <close/>. A <reset/> says whether there is no room, by stream->error. When memory is
 * short, the peer learns of it by our answer to its next request.
 */
void stream_send_close(struct stream *stream, bool reset);

/* Likewise, in good order; an answer is awaited. */
void stream_request_close(struct stream *stream, int64_t now_ms);

/* Asks for digests, if more are wanted now. */
void stream_ask_page(struct stream *stream, int64_t now_ms);

/* Asks the peer to make durable what it has acknowledged, if a flush waits for that. No effect
 * while the answer to an earlier request is awaited. */
void stream_ask_sync(struct stream *stream);

/* Retransmits the <open/> or <close/> that was not answered. */
void stream_resend_request(struct stream *stream, int64_t now_ms);

/* ---- reading.c ---- */

/* Memory that no other stream can take from this one; one block always fits. */
size_t stream_memory_share(const struct stream *stream);

/* Bytes that may be acknowledged and unread; one block always fits. */
size_t stream_buffer_size(const struct stream *stream);

/* Whether the answer to <close/> of a peer that did not wait for acknowledgements must wait until
 * more is read, as they would. Other peers than an ibbfs may not expect that. */
bool stream_awaits_reader(const struct stream *stream);

/* After each change of the receiver: charges its memory to the pool of all streams. */
void stream_charge_memory(struct stream *stream);

/* Whether the peer waits for stream_sync, or may do so: every block so far is committed, and the
 * acknowledgement of the last one is withheld. False at the end, where stream_keep follows. */
bool stream_awaits_sync(const struct stream *stream);

/* ---- state.c ---- */

/* CLOSED or BROKEN: completes every parked op. Received bytes stay readable. */
void stream_end(struct stream *stream, enum stream_state state, int error);

/* Whether somebody at this end reads, or there are bytes to read. */
bool stream_is_unread(const struct stream *stream);

/* CLOSING, or OPEN with an op of stream_finish_writing: sends <close/> if everything else is
 * delivered, or is sent and the peer can tell if it misses some of it. */
void stream_close_when_delivered(struct stream *stream, int64_t now_ms);

/* After an acknowledgement, or a suspension: completes flushes, sends blocks, and the <close/> or
 * the answer to <close/> that waited for delivery. */
void stream_proceed(struct stream *stream, int64_t now_ms);

/* Every block in flight is to be retransmitted. */
void stream_retransmit_all(struct stream *stream);

/* Nothing is sent, and calls wait, until the stream is resumed or has been suspended for too long.
 */
void stream_begin_suspension(struct stream *stream, int64_t now_ms);

/* Whether the stream may be suspended; and whether it has been suspended for too long. */
bool stream_can_suspend(const struct stream *stream);
bool stream_has_given_up(const struct stream *stream, int64_t now_ms);

/* The first pause between two attempts to resume. */
#define STREAM_RETRY_MS 500

/* Whether an error says that delivery may succeed later, on a stream that cannot be resumed. */
bool stream_must_back_off(const struct stream *stream, const struct msg *error);

/* ---- part.c ---- */

/* If the peer waits for digests: it gets this error. */
void stream_refuse_page(struct stream *stream, enum condition condition);

/* A skip has come in. CONDITION_NONE, or why the stream must end. */
enum condition stream_take_skip(struct stream *stream, const struct msg *skip);

/* Remembers the digest of the whole file, if the peer's <close/> has it. */
void stream_note_digest(struct stream *stream, const struct msg *close);

/* ---- skipping.c ---- */

/* Our <open/> was accepted by a peer that may have pieces of the file. */
void stream_begin_pieces(struct stream *stream, int64_t now_ms);

/* Bytes are written (copied); NULL stands for zeros. -ENOMEM, and the stream may be BROKEN. */
int stream_append(struct stream *stream, const void *bytes, size_t length);

/* After more bytes were held, or more digests are known: sends or skips held bytes. When memory is
 * short, the stream is BROKEN. */
void stream_decide_pieces(struct stream *stream);

/* sender_push, held bytes included. */
void stream_push_all(struct stream *stream);

/* ---- paging.c ---- */

/* Its part of stream_tick. */
void stream_paging_tick(struct stream *stream, int64_t now_ms);

/* ---- writing.c ---- */

/* Why nothing more can be written; 0: it can. */
int stream_write_error(const struct stream *stream);

/* Takes over bytes of the gap and of parked writers while there is room. */
void stream_release_writers(struct stream *stream);

/* ---- reopening.c ---- */

/* A block of this length was lost, and it may be for its length. */
void stream_note_too_long(struct stream *stream, size_t length);

/* The first block, which may be too long, was lost: the stream is `lost`, and blocks are shorter.
 * False: another session cannot take the place of this one, and nothing has changed. */
bool stream_lose_session(struct stream *stream);

/* ---- delivery.c ---- */

/* Resumable: block `number`, in flight, was lost, and no later one has arrived. Retransmits; if the
 * block is longer than any that was acknowledged, it and later ones are cut shorter. False: it is
 * not, and nothing has changed. */
bool stream_cut_shorter(struct stream *stream, uint64_t number);

/* Resumable: retransmits the oldest block in flight, which may have been lost. */
void stream_retransmit_oldest(struct stream *stream);

/* ---- resumption.c ---- */

/* Its part of stream_tick. */
void stream_resumption_tick(struct stream *stream, int64_t now_ms);

#endif
