/* SPDX-License-Identifier: MIT */
/*
 * limits - quotas: what peers may make an account hold and do, each of them and all together.
 *
 * Memory of unread bytes: each stream has a share of its own, so that a stream with a reader always
 * proceeds. What it needs beyond the share is charged to a pool that all streams have in common. So
 * the total is bounded by the pool and a share for each stream.
 *
 * Requests: a token bucket for each peer. A peer is a bare JID here: resources cost it nothing.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_LIMITS_H
#define IBB_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

/* The pool: the larger of these bytes and so many buffers of one stream. */
#define LIMITS_POOL	    ((size_t)64 * 1024 * 1024)
#define LIMITS_POOL_BUFFERS 4

/* Incoming streams of one peer: a quarter of all, and at least so many. */
#define LIMITS_PEER_PART 4
#define LIMITS_PEER_MIN	 16

/* Requests of one peer for a stream: in a burst, beyond the streams that it may have; and per
 * second. A request is refunded if its stream brought something and ended in good order for both
 * sides: somebody here has read it, so it was not too much. */
#define LIMITS_OPENS_BURST 144
#define LIMITS_OPENS_PER_S 100

/* High-water marks of the backlog, in unsent messages. Above the first, senders who may not open
 * streams get no answer; above the second, acknowledgements are withheld; above the third, nobody
 * gets an answer. */
#define LIMITS_UNSENT_REFUSED 1000
#define LIMITS_UNSENT_ACKS    2048
#define LIMITS_UNSENT	      4096

/* The first and the third, in bytes of memory. */
#define LIMITS_UNSENT_REFUSED_BYTES ((size_t)2 * 1024 * 1024)
#define LIMITS_UNSENT_BYTES	    ((size_t)16 * 1024 * 1024)

/* The longest id of a request that is answered. Senders who may not open streams are answered
 * whatever the id, as a server does for a resource that is offline. */
#define LIMITS_ID 1023

struct peer_quota {
	UT_hash_handle hh;		/* limits.quotas, by bare */
	struct peer_quota *prev, *next; /* limits.lru */
	unsigned streams;		/* incoming, until their memory is freed */
	int64_t tokens;			/* thousandths of a request */
	int64_t refilled_ms;		/* when `tokens` was up to date */
	char bare[];
};

struct limits {
	size_t pool, share;
	unsigned peer_streams;
	unsigned opens_per_s, opens_burst;
	size_t used;		   /* of the pool */
	struct peer_quota *quotas; /* uthash */
	struct peer_quota *lru;	   /* all of them, the least recently checked first */
};

enum limits_answer {
	LIMITS_ADMITTED,
	LIMITS_TOO_SOON,
	LIMITS_TOO_MANY,
	LIMITS_NO_MEMORY,
};

/* `buffer`: the unread bytes that a stream acknowledges. `pool`: 0 for the default. */
void limits_init(struct limits *limits, unsigned max_streams, size_t buffer, size_t pool);

/* Every stream must have been released. */
void limits_finish(struct limits *limits);

/*
 * Whether `jid`, bare or full, may have one more stream now. LIMITS_ADMITTED: *quota counts it
 * until limits_release. Every call takes a token, if there is one.
 */
enum limits_answer limits_admit(struct limits *limits, const char *jid, int64_t now_ms,
				struct peer_quota **quota);

/* The stream is freed. `refund`: it brought something and ended in good order. NULL-safe. */
void limits_release(struct peer_quota *quota, bool refund);

/* Whether a stream may hold `memory` bytes. `share`: its own; `charged`: already charged to the
 * pool for it. */
bool limits_have_room(const struct limits *limits, size_t memory, size_t share, size_t charged);

/* Charges it to the pool, and updates *charged. */
void limits_charge(struct limits *limits, size_t memory, size_t share, size_t *charged);

/* Half of the pool is in use: peers should not be asked for more. */
bool limits_under_pressure(const struct limits *limits);

#endif
