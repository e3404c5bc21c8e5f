/* SPDX-License-Identifier: MIT */
#include "ibb/block_size.h"

/* A stanza with the smallest fits into the 8 KiB that servers read at once; the largest is the most
 * that the XEP allows. */
static const size_t sizes[] = {BLOCK_SIZE_MIN, 16384, 65535};
#define SMALLEST (-1)
#define LARGEST	 1

/* The time until blocks of the other size are acknowledged, and windows have settled: one of their
 * rounds where the RTT is short (see window.c), else one round trip. */
#define SETTLING_SAMPLES     16
#define SETTLING_ROUND_TRIPS 1

/* A turn measures at least this: more than a scheduling delay, or a block more or less, can change.
 */
#define TURN_US		 60000
#define TURN_SAMPLES	 8
#define TURN_ROUND_TRIPS 1

/* A larger size is kept after so many pairs if it is so much faster in all; a smaller one if each
 * of its turns is at least AS_FAST. */
static const double speedups[] = {1.5, 1.25, 1.1};
#define PAIRS	(sizeof(speedups) / sizeof(speedups[0]))
#define AS_FAST 0.95

/* Between comparisons; doubled by each that changed nothing. */
#define PAUSE_US     ((int64_t)10 * 1000 * 1000)
#define MAX_PAUSE_US (8 * PAUSE_US)

/* No acknowledgement for this long, and for two round trips: the reader has paused. */
#define SILENCE_US 250000

size_t block_size_current(const struct block_size *size)
{
	return sizes[(size->uses_candidate ? size->candidate : size->current) - SMALLEST];
}

static void begin_turn(struct block_size *size, bool settling, int64_t now_us)
{
	size->settling = settling;
	size->begun_us = now_us;
	size->bytes = size->limited_bytes = 0;
	size->samples = 0;
	size->max_rtt_us = 0;
}

/* ---- a comparison ---- */

static bool is_larger(const struct block_size *size)
{
	return size->candidate > size->current;
}

static void begin(struct block_size *size, int64_t now_us)
{
	/* An interrupted comparison continues: files may be short. */
	if (size->pairs == 0 || now_us - size->last_pair_us > PAUSE_US) {
		bool up = size->current == SMALLEST ||
			  (size->current < LARGEST && !size->went_larger);
		size->candidate = up ? size->current + 1 : size->current - 1;
		size->pairs = 0;
		size->current_rate = size->candidate_rate = 0;
	}
	size->comparing = true;
	/* The current size needs no settling. */
	begin_turn(size, false, now_us);
}

static void interrupt(struct block_size *size)
{
	size->comparing = size->uses_candidate = false;
}

void block_size_discard(struct block_size *size)
{
	interrupt(size);
	size->pairs = 0;
}

static void end(struct block_size *size, bool better, int64_t now_us)
{
	int64_t pause_us = better || size->pause_us == 0 ? PAUSE_US : size->pause_us * 2;
	size->pause_us = pause_us < MAX_PAUSE_US ? pause_us : MAX_PAUSE_US;
	size->not_before_us = now_us + size->pause_us;
	size->went_larger = is_larger(size);
	if (better) {
		size->current = size->candidate;
	}
	if (better && size->went_larger && size->current < LARGEST) {
		/* Where a larger size is better, the next may be better still. */
		size->went_larger = false;
		size->not_before_us = now_us;
	}
	if (!better && !size->is_chosen && size->went_larger) {
		/* If the first size is too large, a smaller one is found at once. */
		size->not_before_us = now_us;
	}
	size->is_chosen |= better || !size->went_larger;
	interrupt(size);
	size->pairs = 0;
}

/* Both have had a turn; `rate` is the candidate's. */
static void end_pair(struct block_size *size, double rate, int64_t now_us)
{
	size->last_pair_us = now_us;
	size->current_rate += size->previous_rate;
	size->candidate_rate += rate;
	bool is_faster = size->candidate_rate >= speedups[size->pairs] * size->current_rate;
	size->pairs++;
	if (rate < (is_larger(size) ? 1 : AS_FAST) * size->previous_rate) {
		end(size, false, now_us);
	} else if (size->pairs == PAIRS || (is_larger(size) && is_faster)) {
		end(size, is_faster || !is_larger(size), now_us);
	}
}

static void end_turn(struct block_size *size, int64_t now_us)
{
	double rate = (double)size->bytes / (double)(now_us - size->begun_us);
	if (size->uses_candidate) {
		end_pair(size, rate, now_us);
	}
	if (size->comparing) {
		size->previous_rate = rate;
		size->uses_candidate = !size->uses_candidate;
		begin_turn(size, true, now_us);
	}
}

/* ---- acknowledgements ---- */

static bool is_settled(const struct block_size *size)
{
	return size->samples >= SETTLING_SAMPLES &&
	       size->last_sample_us - size->begun_us >= SETTLING_ROUND_TRIPS * size->max_rtt_us;
}

static bool is_measured(const struct block_size *size)
{
	int64_t passed_us = size->last_sample_us - size->begun_us;
	return size->samples >= TURN_SAMPLES && passed_us >= TURN_US &&
	       passed_us >= TURN_ROUND_TRIPS * size->max_rtt_us;
}

void block_size_measure(struct block_size *size, const struct block_size_sample *sample)
{
	int64_t silent_us = sample->now_us - size->last_sample_us;
	int64_t rtt_us = sample->now_us - sample->sent_us;
	size->last_sample_us = sample->now_us;
	if (!size->comparing) {
		if (sample->window_limited && sample->now_us >= size->not_before_us) {
			begin(size, sample->now_us);
		}
		return;
	}
	if (silent_us > SILENCE_US && silent_us > 2 * size->max_rtt_us) {
		interrupt(size);
		return;
	}
	size->samples++;
	size->max_rtt_us = rtt_us > size->max_rtt_us ? rtt_us : size->max_rtt_us;
	size->bytes += sample->bytes;
	size->limited_bytes += sample->window_limited ? sample->bytes : 0;
	if (size->settling) {
		if (is_settled(size)) {
			begin_turn(size, false, sample->now_us);
		}
	} else if (is_measured(size)) {
		if (size->limited_bytes >= size->bytes / 2) {
			end_turn(size, sample->now_us);
		} else {
			interrupt(size);
		}
	}
}
