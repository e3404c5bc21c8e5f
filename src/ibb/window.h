/* SPDX-License-Identifier: MIT */
/*
 * window - the congestion window of a stream: how many bytes may be in flight.
 *
 * A window that is too small leaves the path idle. One that is too large builds a queue at the
 * bottleneck, which delivers nothing sooner and delays other streams. The right size is the
 * bandwidth-delay product, and half as much again, so that the path never runs dry:
 *
 *     size = best rate of the last rounds * (minimum RTT + allowance)
 *
 * The allowance covers scheduling delays of busy machines. It is smaller while a light stream uses
 * the connection. If others do, all of them share one queue instead (sharing.h):
 *
 *     size = best rate of the last rounds * minimum RTT + share of the queue
 *
 * Rate and RTT are sampled with each acknowledged block. The window begins small, unless metrics of
 * an earlier stream to the same peer are known. In slow start it grows with each acknowledged
 * block, twofold in a round, or fourfold where the RTT is long, until the RTT shows that a queue
 * begins.
 *
 * Units:   bytes; microseconds of the caller's monotonic clock.
 * Errors:  none.
 * Threads: none; the caller serialises.
 * Source:  N. Cardwell et al.: BBR, ACM Queue 14 (2016); without its pacing, as there is no timer
 *          fine enough, and without its drained phases, as XMPP has no losses to take for a queue.
 *          RFC 9406 (HyStart++): slow start that ends by the RTT.
 */
#ifndef IBB_WINDOW_H
#define IBB_WINDOW_H

#include "ibb/sharing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_ROUNDS 8

/* The round being measured: blocks sent since the size was last changed. */
struct window_round {
	uint64_t first_block; /* its number */
	size_t first_size;    /* of the window */
	uint32_t samples;
	double rate_sum; /* of the samples */
	int64_t min_rtt_us;
	bool limited; /* the window has kept a block from being sent */
};

struct window {
	size_t size; /* bytes that may be in flight; one block always may be */
	size_t max;
	int64_t min_rtt_us; /* 0: unknown */
	bool slow_start;
	bool has_light; /* the connection had light streams at the last sample */
	unsigned begun; /* of the sharing, when the queue was last drained */
	int64_t drained_us;
	size_t unreduced_size;	     /* before window_reduce; 0: it was never reduced */
	unsigned flat_rounds;	     /* slow start: rounds in which the window hardly grew */
	size_t block_size;	     /* in the rounds below; 0: there was none */
	unsigned rounds;	     /* in these rings, of which the last WINDOW_ROUNDS are kept */
	double rates[WINDOW_ROUNDS]; /* bytes per microsecond */
	int64_t rtts_us[WINDOW_ROUNDS]; /* the minimum of each */
	size_t sizes[WINDOW_ROUNDS];
	struct window_round round;
	struct sharing_member member;
};

/* A block that was acknowledged. */
struct window_sample {
	uint64_t number; /* the block's */
	uint64_t next;	 /* the number of the next block to be sent */
	int64_t sent_us;
	int64_t now_us;
	size_t bytes;		 /* acknowledged now */
	uint64_t delivered;	 /* bytes acknowledged since it was sent, these included */
	size_t block_size;	 /* the current one */
	struct sharing *sharing; /* of the connection */
};

/* What a stream has measured, for a later one to the same peer. */
struct window_metrics {
	double rate; /* bytes per microsecond; 0: unknown */
	int64_t min_rtt_us;
	bool is_least; /* the path may be faster */
};

void window_init(struct window *window, size_t max);

/* Before the first block: another request took `rtt_us`. `streams` share the path, this one
 * included. */
void window_set_initial_rtt(struct window *window, int64_t rtt_us, unsigned streams);

struct window_metrics window_learned(const struct window *window);

/* After window_set_initial_rtt, with the same values: begins with what is known of the path. */
void window_restore(struct window *window, const struct window_metrics *metrics, int64_t rtt_us,
		    unsigned streams);

/* A block waits for the window: a window that limits nothing need not grow. */
void window_note_limited(struct window *window);

void window_measure(struct window *window, const struct window_sample *sample);

/* A block that was sent more than once was acknowledged, so its RTT is unknown (Karn's rule). After
 * window_reduce the window grows by it, up to half of its size before. */
void window_note_retransmitted(struct window *window, size_t block_size);

/* The peer or its server cannot take more: one block at a time, then slow start. */
void window_reduce(struct window *window);

#endif
