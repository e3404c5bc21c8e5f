/* SPDX-License-Identifier: MIT */
#include "ibb/block_size.h"

/* The shortest fits, as a stanza, into the 8 KiB that servers read at once; the longest is all that
 * there is. */
static const size_t lengths[] = {CHUNK_LEAST, 16384, 65535};
#define LONGEST (sizeof(lengths) / sizeof(lengths[0]) - 1)

/* Until what left before has come back and windows have their size: a round of theirs near by (see
 * window.c), or a round trip. */
#define SETTLING_TRIPS	16
#define SETTLING_ROUNDS 1

/* What a turn measures, at least: more than a hiccup, and than a block more or less would tell. */
#define TURN_US	    60000
#define TURN_TRIPS  8
#define TURN_ROUNDS 1

/* A longer one is kept that is so much faster in all, the sooner the clearer it is; a shorter one
 * that is each time at least so fast. */
static const double faster[] = {1.5, 1.25, 1.1};
#define PAIRS	(sizeof(faster) / sizeof(faster[0]))
#define AS_FAST 0.95

/* Between comparisons; twice as long after each that changed nothing. */
#define PAUSE_US      ((int64_t)10 * 1000 * 1000)
#define PAUSE_MOST_US (8 * PAUSE_US)

/* Nothing comes back for so long, and for two round trips: somebody pauses. */
#define SILENCE_US 250000

size_t chunk_length(const struct chunk *chunk)
{
	return lengths[chunk->trying ? chunk->tried : chunk->used];
}

static void begin_turn(struct chunk *chunk, bool settling, int64_t now_us)
{
	chunk->settling = settling;
	chunk->begun_us = now_us;
	chunk->bytes = chunk->full_bytes = 0;
	chunk->trips = 0;
	chunk->longest_us = 0;
}

/* ---- a comparison ---- */

static bool is_up(const struct chunk *chunk)
{
	return chunk->tried > chunk->used;
}

static void begin(struct chunk *chunk, int64_t now_us)
{
	/* One that was broken off goes on: files may be short. */
	if (chunk->pairs == 0 || now_us - chunk->paired_us > PAUSE_US) {
		bool up = chunk->used == 0 || (chunk->used < LONGEST && !chunk->went_up);
		chunk->tried = up ? chunk->used + 1 : chunk->used - 1;
		chunk->pairs = 0;
		chunk->used_rate = chunk->tried_rate = 0;
	}
	chunk->comparing = true;
	/* What is in use is settled. */
	begin_turn(chunk, false, now_us);
}

static void break_off(struct chunk *chunk)
{
	chunk->comparing = chunk->trying = false;
}

void chunk_disturb(struct chunk *chunk)
{
	break_off(chunk);
	chunk->pairs = 0;
}

static void end(struct chunk *chunk, bool better, int64_t now_us)
{
	int64_t pause_us = better || chunk->pause_us == 0 ? PAUSE_US : chunk->pause_us * 2;
	chunk->pause_us = pause_us < PAUSE_MOST_US ? pause_us : PAUSE_MOST_US;
	chunk->next_us = now_us + chunk->pause_us;
	chunk->went_up = is_up(chunk);
	if (better) {
		chunk->used = chunk->tried;
	}
	if (better && chunk->went_up && chunk->used < LONGEST) {
		/* Where longer is better, still longer may be. */
		chunk->went_up = false;
		chunk->next_us = now_us;
	}
	break_off(chunk);
	chunk->pairs = 0;
}

/* Both have had a turn; `rate` is that of the one that is tried. */
static void end_pair(struct chunk *chunk, double rate, int64_t now_us)
{
	chunk->paired_us = now_us;
	chunk->used_rate += chunk->turn_rate;
	chunk->tried_rate += rate;
	bool is_faster = chunk->tried_rate >= faster[chunk->pairs] * chunk->used_rate;
	chunk->pairs++;
	if (rate < (is_up(chunk) ? 1 : AS_FAST) * chunk->turn_rate) {
		end(chunk, false, now_us);
	} else if (chunk->pairs == PAIRS || (is_up(chunk) && is_faster)) {
		end(chunk, is_faster || !is_up(chunk), now_us);
	}
}

static void end_turn(struct chunk *chunk, int64_t now_us)
{
	double rate = (double)chunk->bytes / (double)(now_us - chunk->begun_us);
	if (chunk->trying) {
		end_pair(chunk, rate, now_us);
	}
	if (chunk->comparing) {
		chunk->turn_rate = rate;
		chunk->trying = !chunk->trying;
		begin_turn(chunk, true, now_us);
	}
}

/* ---- what comes back ---- */

static bool is_settled(const struct chunk *chunk)
{
	return chunk->trips >= SETTLING_TRIPS &&
	       chunk->last_us - chunk->begun_us >= SETTLING_ROUNDS * chunk->longest_us;
}

static bool is_measured(const struct chunk *chunk)
{
	int64_t passed_us = chunk->last_us - chunk->begun_us;
	return chunk->trips >= TURN_TRIPS && passed_us >= TURN_US &&
	       passed_us >= TURN_ROUNDS * chunk->longest_us;
}

void chunk_measure(struct chunk *chunk, const struct chunk_trip *trip)
{
	int64_t silent_us = trip->now_us - chunk->last_us;
	int64_t trip_us = trip->now_us - trip->left_us;
	chunk->last_us = trip->now_us;
	if (!chunk->comparing) {
		if (trip->full && trip->now_us >= chunk->next_us) {
			begin(chunk, trip->now_us);
		}
		return;
	}
	if (silent_us > SILENCE_US && silent_us > 2 * chunk->longest_us) {
		break_off(chunk);
		return;
	}
	chunk->trips++;
	chunk->longest_us = trip_us > chunk->longest_us ? trip_us : chunk->longest_us;
	chunk->bytes += trip->bytes;
	chunk->full_bytes += trip->full ? trip->bytes : 0;
	if (chunk->settling) {
		if (is_settled(chunk)) {
			begin_turn(chunk, false, trip->now_us);
		}
	} else if (is_measured(chunk)) {
		if (chunk->full_bytes >= chunk->bytes / 2) {
			end_turn(chunk, trip->now_us);
		} else {
			break_off(chunk);
		}
	}
}
