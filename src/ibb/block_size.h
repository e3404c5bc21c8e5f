/* SPDX-License-Identifier: MIT */
/*
 * block_size - the block size for -o block_size=auto: the one that delivers clearly faster.
 *
 * Some servers work per stanza, and carry twice the bytes in larger ones. Others become slower by
 * half once a stanza does not fit into one of their reads. Only a measurement tells which. It
 * begins with a size that few servers carry slowly, as a comparison takes seconds where the RTT is
 * long. While writers keep their windows full, a larger size is compared with it, then a smaller
 * one, and now and then another one with the current one. The two take turns, so that other load
 * affects both alike:
 *
 *     current | candidate | current | candidate | current | candidate
 *             ^ after each change: blocks in flight are acknowledged, and windows settle
 *
 * A larger size is kept if it was slower in no turn, and faster by a tenth in all, or by more after
 * fewer turns. A smaller size is kept if it was clearly slower in no turn. The comparison ends with
 * the first turn that was slower, so that it costs little where it is of no use.
 *
 * All streams of a connection share one block size: a stream with larger blocks than the others
 * would be faster only at their cost.
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

#define BLOCK_SIZE_MIN 4096 /* the smallest size that is chosen */

/* Zeroed memory has compared nothing yet, and uses the middle one of three sizes. */
struct block_size {
	int current;	  /* which size: -1, 0 or 1, the smallest first */
	bool is_chosen;	  /* current is no guess: it has changed, or both others were compared */
	bool went_larger; /* the last comparison was with a larger size */
	int64_t not_before_us; /* no comparison begins before this */
	int64_t pause_us;      /* between the last comparison and the next */

	/* The comparison; unless `comparing`, the last one, if it was interrupted. */
	bool comparing;
	bool uses_candidate;		     /* it is the candidate's turn */
	int candidate;			     /* as current */
	unsigned pairs;			     /* of turns, completed; 0: nothing was interrupted */
	double current_rate, candidate_rate; /* bytes per microsecond, sums over the pairs */
	double previous_rate;		     /* of the previous turn */
	int64_t last_pair_us;		     /* when the last pair was complete */

	/* The turn. */
	bool settling;		/* nothing is measured yet */
	int64_t begun_us;	/* when settling, or measuring, began */
	uint64_t bytes;		/* acknowledged since */
	uint64_t limited_bytes; /* of these, while the writer was window-limited */
	unsigned samples;
	int64_t max_rtt_us;
	int64_t last_sample_us;
};

/* An acknowledgement. */
struct block_size_sample {
	int64_t sent_us, now_us;
	size_t bytes;
	/* Its stream uses this size, is window-limited and not in slow start. */
	bool window_limited;
};

/* The size to use now. The caller uses less where it must. */
size_t block_size_current(const struct block_size *size);

void block_size_measure(struct block_size *size, const struct block_size_sample *sample);

/* Blocks were lost, or are backed off: discards what is being measured. */
void block_size_discard(struct block_size *size);

#endif
