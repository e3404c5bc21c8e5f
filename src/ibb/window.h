/* SPDX-License-Identifier: MIT */
/*
 * window - how many bytes of a stream may be on their way: as many as keep the way busy.
 *
 * A window that is too small leaves the way idle; one that is too large makes a queue before its
 * narrowest point, which delivers nothing sooner, slows some servers down and keeps other streams
 * waiting. Both show in the round trip of a block. While that stays near the shortest that was
 * ever seen, more bytes on their way are more bytes delivered (Little's law), and the window
 * grows: at first twofold each round, or fourfold far away, where rounds are long. Once blocks are
 * found to queue, it follows
 *
 *     size * (shortest + allowance) / round trip
 *
 * which is the rule of FAST TCP. Streams that queue at the same place see the same queue, so that
 * stays as short as with one of them.
 *
 * Units:   bytes; microseconds of the caller's monotonic clock.
 * Errors:  none.
 * Threads: none; the caller serialises.
 * Source:  C. Jin, D. Wei, S. Low: FAST TCP (2004), section 3.
 */
#ifndef IBB_WINDOW_H
#define IBB_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
	size_t size;	     /* bytes that may be on their way; one block always may be */
	size_t most;	     /* never more */
	int64_t shortest_us; /* round trip; 0: none is known */
	bool starting;	     /* no queue was found yet */

	/* The round that is being measured: blocks that left since the size was last changed. */
	uint64_t first;	  /* of them */
	uint32_t trips;	  /* that came back */
	double frequency; /* sum of 1/us of the trips: a hiccup of the machine hardly shows in it */
	bool was_full;	  /* the window has kept something from leaving */
};

void window_init(struct window *window, size_t most);

/* Something waits to leave, and the window keeps it: without that it need not grow. */
void window_note_full(struct window *window);

/* Block `number` came back, sent at `sent_us`; the next one to leave is `next`. */
void window_measure(struct window *window, uint64_t number, uint64_t next, int64_t sent_us,
		    int64_t now_us, size_t block_size);

/* The other side cannot take more: one block at a time, and from there as after the start. */
void window_cut(struct window *window);

#endif
