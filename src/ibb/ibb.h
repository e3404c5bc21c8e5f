/* SPDX-License-Identifier: MIT */
/*
 * ibb - all bytestreams of one account: finds the stream that a stanza belongs to, keeps the
 * limits, and says what is to be sent next.
 *
 * A request is found by the peer's full JID and sid, an answer by the peer's full JID and id,
 * never by one alone. Ids of ours are "KIND NUMBER.COUNT": which request, of which stream; of
 * blocks that are sent again, "KIND NUMBER.COUNT.EPOCH".
 *
 * Units:   bytes before base64; ms of the caller's monotonic clock; microseconds of the same where
 *          round trips are measured (now_us).
 * Errors:  0 or -errno; what goes wrong on the wire is answered there.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0047; RFC 6120 section 8.2.3 (iq semantics).
 */
#ifndef IBB_IBB_H
#define IBB_IBB_H

#include "ibb/path_cache.h"
#include "ibb/stream.h"

struct ibb {
	struct stream_config config;
	unsigned max_streams;
	struct limits limits;
	struct effects effects;
	struct block_size auto_size; /* of all streams together: they share the connection */
	struct path_cache path_cache;
	struct stream *by_number, *by_key; /* uthash */
	struct stream *arrived;		   /* incoming, not yet taken; oldest first */
	uint64_t last_number;
	bool disconnected;     /* since ibb_disconnect */
	int64_t mute_until_ms; /* see ibb_is_mute */
};

/* What comes in is limited as limits.h says, until `ibb->limits` is given other values. */
void ibb_init(struct ibb *ibb, const struct stream_config *config, unsigned max_streams);

/* Frees everything. Every op must be completed and taken (ibb_abandon does the first). */
void ibb_finish(struct ibb *ibb);

/* From now on no block's stanza is longer than `max_stanza` bytes, the server's limit; 0: there is
 * none. */
void ibb_limit_stanzas(struct ibb *ibb, size_t max_stanza);

/* A stream to be dialled, NULL and *error: -ENFILE (max_streams are running), -ENOMEM. Owned by the
 * caller until ibb_release. `sid` is copied; it must be random. */
struct stream *ibb_create_stream(struct ibb *ibb, const char *sid, int *error);

/* stream_open, and the stream can be found. -EINVAL (a JID of impossible length): it is still NEW;
 * -ENOMEM: it is NEW or BROKEN. */
int ibb_open(struct ibb *ibb, struct stream *stream, const char *peer, unsigned features,
	     const char *name, int64_t now_ms);

/*
 * A stream that `peer` has been told it may open with `sid`: stream_expect, and it can be found.
 * Its blocks may have any size, since who has offered a file has not asked how long they may be.
 * NULL and *error: -EEXIST (there is one with that sid), -ENFILE, -EINVAL, -ENOMEM. Owned by the
 * caller until ibb_release.
 */
struct stream *ibb_expect(struct ibb *ibb, const char *peer, const char *sid, int64_t size,
			  int *error);

/* stream_close; the stream is not the caller's any more, and is freed when it is over. */
void ibb_release(struct ibb *ibb, struct stream *stream, bool good_order, int64_t now_ms);

/*
 * A stanza that came in. `allowed`: its sender may open streams and learn of our presence; to
 * anyone else, every request that does not belong to a stream is answered service-unavailable.
 * MSG_INFO and its answers are not for here.
 */
void ibb_receive(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_us);

/* Nothing more has come for now: completes the reads that wait for what has. */
void ibb_complete_reads(struct ibb *ibb);

/* stream_finish; the stream is still the caller's. */
void ibb_end(struct ibb *ibb, struct stream *stream, int error);

/* stream_abort; the stream is still the caller's. */
void ibb_abort(struct ibb *ibb, struct stream *stream, int error);

/* The oldest incoming stream that was not yet taken, now owned by the caller; or NULL. */
struct stream *ibb_take_arrived(struct ibb *ibb);

/* Whether so much is unsent already that a request of somebody, who is `allowed` or not, is better
 * left without an answer. */
bool ibb_is_overloaded(const struct ibb *ibb, bool allowed);

/* Whether no question is to be answered, be it by silence: a block in a message was lost for want
 * of memory, with the <close/> that would have said so, and the answer would say that it was taken.
 */
bool ibb_is_mute(const struct ibb *ibb, int64_t now_ms);

/* What to send next, the caller's: answers and requests first, then one block of each stream in
 * turn. NULL when there is nothing. */
struct msg *ibb_next(struct ibb *ibb, int64_t now_us);

/* The resource `peer` (full JID) has gone: its streams are suspended, or else break, with
 * -EHOSTDOWN if it had not accepted yet, else -ECONNRESET; but for what was expected and is
 * complete. */
void ibb_peer_gone(struct ibb *ibb, const char *peer, int64_t now_ms);

/* It is there again: streams with it that are suspended try to go on. */
void ibb_peer_back(struct ibb *ibb, const char *peer, int64_t now_ms);

/* Our connection has gone: likewise every stream, with -ENETDOWN if it had not been accepted yet,
 * else -ECONNRESET; unsent messages are dropped. Where connections are waited for, nothing happens
 * to streams that are NEW, as nobody knows of them yet. */
void ibb_disconnect(struct ibb *ibb, int64_t now_ms);

/* It is back, under the same full JID: streams that are suspended try to go on. */
void ibb_connect(struct ibb *ibb, int64_t now_ms);

/* The end, while we are still connected: every stream is aborted, and its peer told. */
void ibb_reset(struct ibb *ibb);

/* As ibb_disconnect, but no stream outlives it. */
void ibb_abandon(struct ibb *ibb);

/* Whether there is a stream with that full JID that is not over. */
bool ibb_has_peer(const struct ibb *ibb, const char *peer);

/* Whether no stream waits to send anything or for an answer to its <close/>, and no message is
 * unsent. */
bool ibb_is_drained(const struct ibb *ibb);

/* When ibb_tick wants to be called, or STREAM_NO_DEADLINE. */
int64_t ibb_deadline(const struct ibb *ibb);
void ibb_tick(struct ibb *ibb, int64_t now_ms);

#endif
