/* SPDX-License-Identifier: MIT */
/*
 * chunk - how long blocks are best: as long as makes delivery clearly faster.
 *
 * Some servers work for each stanza, and carry twice the bytes in larger ones; others get slower by
 * half once a stanza does not fit into one of their reads. Which it is shows only when it is tried:
 * now and then, while writers keep their windows full, another length is compared with the one in
 * use, in turns, so that what else goes on at the time meets both alike:
 *
 *     used | tried | used | tried | used | tried
 *          ^ at each change, what left before comes back first, and windows find their size
 *
 * A longer one is kept if it was no slower any time, and faster by a tenth in all, or after fewer
 * turns if by more; a shorter one if it was hardly slower any time. After the first time that it
 * was, the comparison is over, so that it costs little where it is of no use.
 *
 * It is for all streams of a connection together: one with longer blocks than the others would be
 * faster only at their cost.
 *
 * Units:   bytes before base64; microseconds of the caller's monotonic clock.
 * Errors:  none.
 * Threads: none; the caller serialises.
 * Source:  XEP-0047 section 2.1: blocks may be shorter than agreed.
 */
#ifndef IBB_BLOCK_SIZE_H
#define IBB_BLOCK_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_LEAST 4096 /* no block is shorter on account of this */

/* Zeroed memory is one that has tried nothing. */
struct chunk {
	unsigned used;	  /* which of the lengths */
	bool went_up;	  /* the last comparison was with a longer one */
	int64_t next_us;  /* no comparison begins before this */
	int64_t pause_us; /* from the end of the last one until then */

	/* The comparison, or, if not `comparing`, the last one, which was broken off. */
	bool comparing, trying; /* it is the turn of `tried` */
	unsigned tried;
	unsigned pairs;		      /* of turns, that are over; 0: none was broken off */
	double used_rate, tried_rate; /* bytes per microsecond, the sums of those */
	double turn_rate;	      /* of the turn before this one */
	int64_t paired_us;	      /* when the last pair was over */

	/* The turn. */
	bool settling;	     /* it is not being measured yet */
	int64_t begun_us;    /* this, or measuring */
	uint64_t bytes;	     /* that have come back since */
	uint64_t full_bytes; /* of them, when the writer kept its window full */
	unsigned trips;	     /* in which they came */
	int64_t longest_us;  /* the longest of those */
	int64_t last_us;     /* when the last one came */
};

/* What has come back at once: an acknowledgement. */
struct chunk_trip {
	int64_t left_us, now_us;
	size_t bytes;
	bool full; /* its stream chooses its blocks; more of it waits to leave; its window knows the
		      way */
};

/* How long a block is now. The caller makes it shorter where it must be. */
size_t chunk_length(const struct chunk *chunk);

void chunk_measure(struct chunk *chunk, const struct chunk_trip *trip);

/* What is measured now says nothing: blocks were lost, or have to wait. */
void chunk_disturb(struct chunk *chunk);

#endif
