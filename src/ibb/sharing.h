/* SPDX-License-Identifier: MIT */
/*
 * sharing - what the streams of a connection share: the queue that their windows build.
 *
 * Two streams of one connection may have the same bottleneck, be it the server or our own socket. A
 * queue there delays both. A window that may hold the path for half of its RTT builds a queue that
 * is long for a stream with a short RTT. So the length of the queue follows from the shortest RTT
 * of all streams. Each stream may have the same number of bytes in it: then their rates become
 * equal, whatever their RTTs are. If each had a part of its own rate, the rates would stay as
 * unequal as they are.
 *
 * A stream is a member while its window limits it.
 *
 * Units:   bytes; microseconds of the caller's monotonic clock.
 * Errors:  none.
 * Threads: none; the caller serialises.
 * Source:  C. Jin, D. X. Wei, S. H. Low: FAST TCP, IEEE INFOCOM 2004.
 */
#ifndef IBB_SHARING_H
#define IBB_SHARING_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed memory is no member. */
struct sharing_member {
	struct sharing_member *prev, *next;
	bool is_member;
	double rate; /* bytes per microsecond, in the last round */
	int64_t min_rtt_us;
	int64_t noted_us;
};

/* Zeroed memory has no members. */
struct sharing {
	unsigned streams;		/* that use the connection, members or not */
	unsigned begun;			/* so many have; wraps */
	unsigned count;			/* members */
	struct sharing_member *members; /* the one without a round for the longest time first */
	double mean_rate;		/* of the members; 0: there is none */
	int64_t min_rtt_us;		/* the shortest of all members; 0: there is none */
};

/* A stream begins to use the connection, or ends. */
void sharing_begin(struct sharing *sharing);
void sharing_end(struct sharing *sharing);

/* A round is over, in which the window has limited the stream. Members without a round for long are
 * members no more. */
void sharing_note(struct sharing *sharing, struct sharing_member *member, double rate,
		  int64_t min_rtt_us, int64_t now_us);

/* Whether a stream uses the connection that is no member: it has little to send, or has just begun,
 * and what it sends waits behind the queue. */
bool sharing_has_light(const struct sharing *sharing);

/* No effect if it is no member. */
void sharing_leave(struct sharing *sharing, struct sharing_member *member);

#endif
