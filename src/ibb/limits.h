/* SPDX-License-Identifier: MIT */
/*
 * limits - what peers may make an account hold and do: each of them, and all together.
 *
 * Memory for what was received and not read: each stream has a share that nobody can take from it,
 * so that one with a reader always goes on; what it needs beyond comes out of a pool that all
 * streams have in common. So all of it is less than the pool and a share for each stream.
 *
 * A peer is a bare JID here: resources cost nobody anything.
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

/* The pool: so much, or so many times the buffer of one stream if that is more. */
#define LIMITS_POOL	    ((size_t)64 * 1024 * 1024)
#define LIMITS_POOL_BUFFERS 4

/* Incoming streams of one peer: that part of all, but so many in any case. */
#define LIMITS_PEER_PART 4
#define LIMITS_PEER_MIN	 16

/* Requests of one peer for a stream: at once, beside as many as it may have; and in a second. Those
 * whose stream brought something, and ended in good order for both sides, do not count: somebody
 * here has taken what came, so it is not for us to say that it was too much. */
#define LIMITS_OPENS_BURST 144
#define LIMITS_OPENS_PER_S 100

/* Messages that are not sent yet, as our connection is slow, or somebody asks faster than it can
 * carry answers: from so many on, those who may not open streams get no answer; acknowledgements
 * wait; nobody gets an answer. */
#define LIMITS_UNSENT_REFUSED 1000
#define LIMITS_UNSENT_ACKS    2048
#define LIMITS_UNSENT	      4096

/* And what they may take in memory. */
#define LIMITS_UNSENT_REFUSED_BYTES ((size_t)2 * 1024 * 1024)
#define LIMITS_UNSENT_BYTES	    ((size_t)16 * 1024 * 1024)

/* The longest id of a request that is answered; but to those who may not open streams we are not
 * there, and a server answers any. */
#define LIMITS_ID 1023

struct peer_quota {
	UT_hash_handle hh;		/* limits.quotas, by bare */
	struct peer_quota *prev, *next; /* limits.lru */
	unsigned streams;		/* incoming, whose memory we still hold */
	int64_t tokens;			/* thousandths that it may still ask for */
	int64_t refilled_ms;		/* when that was so */
	char bare[];
};

struct limits {
	size_t pool, share;
	unsigned peer_streams;
	unsigned opens_per_s, opens_burst;
	size_t used;		   /* of the pool */
	struct peer_quota *quotas; /* uthash */
	struct peer_quota *lru;	   /* all of them; that which was not looked at for longest first */
};

enum limits_answer {
	LIMITS_ADMITTED,
	LIMITS_TOO_SOON,
	LIMITS_TOO_MANY,
	LIMITS_NO_MEMORY,
};

/* `buffer`: the most that a stream acknowledges unread. `pool`: 0 for LIMITS_POOL and so on. */
void limits_init(struct limits *limits, unsigned max_streams, size_t buffer, size_t pool);

/* Every stream must have been given back. */
void limits_finish(struct limits *limits);

/*
 * Whether `jid`, bare or full, may have one more stream now. LIMITS_ADMITTED: *quota counts it,
 * until limits_release. Every call counts as a request, whatever the answer, until limits_release
 * takes that back.
 */
enum limits_answer limits_admit(struct limits *limits, const char *jid, int64_t now_ms,
				struct peer_quota **quota);

/* The stream is gone; `good`: it ended in good order. NULL-safe. */
void limits_release(struct peer_quota *quota, bool good);

/* Whether a stream may hold `memory` bytes if `share` are its own, `charged` of the pool counted
 * for it already. */
bool limits_have_room(const struct limits *limits, size_t memory, size_t share, size_t charged);

/* It does: counts it, and changes *charged. */
void limits_charge(struct limits *limits, size_t memory, size_t share, size_t *charged);

/* Half of the pool is in use: nobody should be asked for more. */
bool limits_under_pressure(const struct limits *limits);

#endif
