/* SPDX-License-Identifier: MIT */
/*
 * ibb - all bytestreams of one account: dispatches stanzas to their streams, enforces the limits,
 * and schedules what is sent next.
 *
 * The stream of a request is found by the peer's full JID and sid, that of an answer by the peer's
 * full JID and id, never by one alone. Our ids are "KIND NUMBER.COUNT": which request, of which
 * stream. Blocks of a stream that has retransmitted have "KIND NUMBER.COUNT.EPOCH". If a session
 * has taken the place of others, "-SESSION" follows the number.
 *
 * Units:   bytes before base64; ms of the caller's monotonic clock, or microseconds of the same
 *          clock where RTTs are measured (now_us).
 * Errors:  0 or -errno; what goes wrong on the wire is answered there.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0047; RFC 6120 section 8.2.3 (iq semantics).
 */
#ifndef IBB_IBB_H
#define IBB_IBB_H

#include "ibb/path_cache.h"
#include "ibb/path_mtu.h"
#include "ibb/stream.h"
#include "ibb/verdicts.h"

struct ibb {
	struct stream_config config;
	unsigned max_streams;
	struct limits limits;
	struct effects effects;
	struct block_size auto_size; /* of all streams: they share the connection */
	struct sharing sharing;
	struct path_cache path_cache;
	struct path_mtu path_mtu;	   /* kept when the connection breaks */
	struct verdicts verdicts;	   /* likewise */
	struct stream *by_number, *by_key; /* uthash */
	struct stream *arrived;		   /* incoming, not taken yet; oldest first */
	uint64_t last_number;
	bool disconnected;     /* since ibb_disconnect */
	int64_t mute_until_ms; /* see ibb_is_mute */
};

/* `ibb->limits` has the values of limits.h; they may be changed then. */
void ibb_init(struct ibb *ibb, const struct stream_config *config, unsigned max_streams);

/* Frees everything. Every op must be completed (ibb_abandon does it) and taken. */
void ibb_finish(struct ibb *ibb);

/* The server's limit: from now on no stanza with a block is longer than `max_stanza` bytes. 0: no
 * limit. */
void ibb_limit_stanzas(struct ibb *ibb, size_t max_stanza);

/* The longest block that servers may carry to `peer`, by what was lost; 0: any. */
size_t ibb_path_mtu(const struct ibb *ibb, const char *peer);

/* A stream to be opened by us. `sid` (copied) must be random. NULL and *error: -ENFILE (max_streams
 * are running), -ENOMEM. Owned by the caller until ibb_release. */
struct stream *ibb_create_stream(struct ibb *ibb, const char *sid, int *error);

/* stream_open; the stream can be found then. -EINVAL (a JID of impossible length): it is still NEW.
 * -ENOMEM: it is NEW or BROKEN. */
int ibb_open(struct ibb *ibb, struct stream *stream, const char *peer, unsigned features,
	     const char *name, int64_t now_ms);

/*
 * stream_expect: `peer` has been told that it may open a stream with `sid`. Blocks of any size are
 * accepted, as an offer of a file negotiates none. NULL and *error: -EEXIST (a stream with that
 * sid), -ENFILE, -EINVAL, -ENOMEM. Owned by the caller until ibb_release.
 */
struct stream *ibb_expect(struct ibb *ibb, const char *peer, const char *sid, int64_t size,
			  int *error);

/*
 * stream_restore: before the first connection, which resumes it. NULL and *error: -EEXIST, -ENFILE
 * (the peer has too many), -EINVAL (the key is too long), -ENOMEM. Owned by the caller until
 * ibb_release.
 */
struct stream *ibb_restore(struct ibb *ibb, const struct stream_facts *facts, int64_t now_ms,
			   int *error);

/* An earlier process has answered that to the <close/> of that stream (copied), or would have;
 * CONDITION_NONE: with a result. When memory is short, nothing is remembered. */
void ibb_restore_verdict(struct ibb *ibb, const char *peer, const char *sid,
			 enum condition verdict);

/* Whether <close/> has come again for all of these. */
bool ibb_verdicts_are_told(const struct ibb *ibb);

/* verdicts_reach, of all answers to <close/> that are remembered. */
bool ibb_verdicts_reach(const struct ibb *ibb,
			bool (*is_online)(const void *context, const char *peer),
			const void *context);

/* The daemon is about to end: stream_hand_over of each stream that is journaled. Unless `all`,
 * streams whose <close/> is about to be answered are left out. */
void ibb_hand_over(struct ibb *ibb, bool all);

/* stream_close. The stream is not the caller's any more, and is freed when it is over. */
void ibb_release(struct ibb *ibb, struct stream *stream, bool good_order, int64_t now_ms);

/*
 * A stanza that came in, other than MSG_INFO and its answer. `allowed`: its sender may open streams
 * and learn of our presence. A request of anyone else that belongs to no stream is answered with
 * service-unavailable.
 */
void ibb_receive(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_us);

/* Whether there is a stream with that peer (full JID) and sid. */
bool ibb_has_stream(const struct ibb *ibb, const char *peer, const char *sid);

/* The burst of stanzas is over: completes the reads that have bytes. */
void ibb_complete_reads(struct ibb *ibb);

/* stream_keep; the stream is still the caller's. */
void ibb_keep(struct ibb *ibb, struct stream *stream);

/* stream_finish; the stream is still the caller's. */
void ibb_end(struct ibb *ibb, struct stream *stream, int error);

/* stream_abort; the stream is still the caller's. */
void ibb_abort(struct ibb *ibb, struct stream *stream, int error);

/* The oldest incoming stream that was not taken yet, now owned by the caller; or NULL. */
struct stream *ibb_take_arrived(struct ibb *ibb);

/* Whether the backlog of unsent messages is so long that requests get no answer; it is shorter for
 * senders who are not `allowed`. */
bool ibb_is_overloaded(const struct ibb *ibb, bool allowed);

/* Whether probes get no answer: a block in a message was lost for want of memory, and so was the
 * <close/> that would have said so. An answer would acknowledge the block. */
bool ibb_is_mute(const struct ibb *ibb, int64_t now_ms);

/* The next message to send, the caller's: answers and requests first, then one block of each stream
 * (round robin). NULL: there is none. */
struct msg *ibb_next(struct ibb *ibb, int64_t now_us);

/* After any call: whether there is something to send. ibb_next may return NULL all the same. */
bool ibb_has_next(const struct ibb *ibb);

/* The resource `peer` (full JID) is offline. Its streams are suspended or break: with -EHOSTDOWN if
 * it had not accepted yet, else -ECONNRESET. Expected streams that are complete stay. */
void ibb_peer_gone(struct ibb *ibb, const char *peer, int64_t now_ms);

/* It is online again: its suspended streams try to resume. */
void ibb_peer_back(struct ibb *ibb, const char *peer, int64_t now_ms);

/* Our connection is broken: likewise for every stream, with -ENETDOWN if it had not been accepted
 * yet. Unsent messages are dropped. NEW streams, of which no peer knows, stay if
 * config.reconnect_ms is set. */
void ibb_disconnect(struct ibb *ibb, int64_t now_ms);

/* It is back, with the same full JID: suspended streams try to resume. */
void ibb_connect(struct ibb *ibb, int64_t now_ms);

/* The end, while connected: aborts every stream, and tells its peer. */
void ibb_reset(struct ibb *ibb);

/* The end, without a connection: breaks every stream. */
void ibb_abandon(struct ibb *ibb);

/* Whether a stream with that full JID is not over. */
bool ibb_has_peer(const struct ibb *ibb, const char *peer);

/* Whether nothing is unsent, and no stream awaits the answer to its <close/>. */
bool ibb_is_drained(const struct ibb *ibb);

/* When ibb_tick wants to be called, or STREAM_NO_DEADLINE. */
int64_t ibb_deadline(const struct ibb *ibb);
void ibb_tick(struct ibb *ibb, int64_t now_ms);

#endif
