/* SPDX-License-Identifier: MIT */
/*
 * window - how many bytes of a stream may be on their way: as many as keep the way busy.
 *
 * A window that is too small leaves the way idle. One that is too large makes a queue before its
 * narrowest point, which delivers nothing sooner and keeps other streams waiting. The right size is
 * what is delivered during the shortest round trip, and half as much again, so that it never runs
 * dry:
 *
 *     size = best rate of the last rounds * (shortest round trip + allowance)
 *
 * The allowance outlasts the hiccups of busy machines, and is larger while no other stream waits
 * for the connection. Rate and trip are measured block by block. At the start nothing is known,
 * unless an earlier stream went the same way: the window is small, and doubled in each round, or
 * made four times as large far away, for as long as that makes delivery faster.
 *
 * Units:   bytes; microseconds of the caller's monotonic clock.
 * Errors:  none.
 * Threads: none; the caller serialises.
 * Source:  N. Cardwell et al.: BBR, ACM Queue 14 (2016); without its pacing, as there is no timer
 *          fine enough, and without its drained phases, as XMPP has no losses to take for a queue.
 */
#ifndef IBB_WINDOW_H
#define IBB_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_ROUNDS 8

struct window {
	size_t size;	     /* bytes that may be on their way; one block always may be */
	size_t most;	     /* never more */
	int64_t shortest_us; /* round trip; 0: none is known */
	bool starting;
	bool shared;			 /* when a block came back last */
	size_t before_cut;		 /* the size; 0: it was never cut */
	unsigned flat;			 /* rounds in which a larger size did not make it faster */
	double rates[WINDOW_ROUNDS];	 /* bytes per microsecond, of the last rounds */
	int64_t trips_us[WINDOW_ROUNDS]; /* the shortest trip of each */
	size_t sizes[WINDOW_ROUNDS];	 /* the window in each */
	unsigned rounds;
	size_t block_size; /* in those; 0: there was none */

	/* The round that is being measured: blocks that left since the size was last changed. */
	uint64_t first;	 /* of them */
	uint32_t trips;	 /* that came back */
	double rate;	 /* the sum of what each of them says */
	int64_t trip_us; /* the shortest */
	bool was_full;	 /* the window has kept something from leaving */
};

/* A block that came back. */
struct window_trip {
	uint64_t number;    /* the block's */
	uint64_t next;	    /* that of the next one to leave */
	int64_t left_us;    /* when it left */
	int64_t now_us;	    /* when it came back */
	uint64_t delivered; /* bytes that came back between the two, with this block */
	size_t block_size;  /* how long blocks are now */
	bool shared;	    /* other streams use the connection */
};

/* What a stream has found out about its way, for another one. */
struct window_metrics {
	double rate;	     /* bytes per microsecond; 0: nothing is known */
	int64_t shortest_us; /* round trip */
};

void window_init(struct window *window, size_t most);

/* What was there before any block: a request of another kind took `trip_us`. */
void window_expect(struct window *window, int64_t trip_us);

/* What has been found out. */
struct window_metrics window_learned(const struct window *window);

/* After window_expect, with the same `trip_us`: a window that begins with what is known of the way
 * already, `streams` of which, this one among them, now share it. */
void window_restore(struct window *window, const struct window_metrics *metrics, int64_t trip_us,
		    unsigned streams);

/* Something waits to leave, and the window keeps it: without that it need not grow. */
void window_note_full(struct window *window);

void window_measure(struct window *window, const struct window_trip *trip);

/* A block came back that left more than once, so nobody knows how long it took: after window_cut,
 * that it came is reason to grow up to half of what was too much. */
void window_note_repeated(struct window *window, size_t block_size);

/* The other side cannot take more: one block at a time, and from there as after the start. */
void window_cut(struct window *window);

#endif
