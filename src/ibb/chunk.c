/* SPDX-License-Identifier: MIT */
#include "ibb/chunk.h"

/* The shortest fits, as a stanza, into the 8 KiB that servers read at once; the longest is all that
 * there is. */
static const size_t lengths[] = {CHUNK_LEAST, 16384, 65535};
#define LONGEST (sizeof(lengths) / sizeof(lengths[0]) - 1)

/* Until what left before has come back and windows have their size: a round of theirs near by (see
 * window.c), or as many round trips. */
#define SETTLING_TRIPS	16
#define SETTLING_ROUNDS 2

/* What a turn measures, at least: more than a hiccup, and than a block more or less would tell. */
#define TURN_US	    60000
#define TURN_TRIPS  8
#define TURN_ROUNDS 1

/* A longer one is kept that is so much faster in all, a shorter one that is each time at least so
 * fast. */
#define FASTER	1.1
#define AS_FAST 0.95

/* Between comparisons; twice as long after each that changed nothing. */
#define PAUSE_US      ((int64_t)10 * 1000 * 1000)
#define PAUSE_MOST_US (8 * PAUSE_US)

/* Nothing comes back for so long, and for two round trips: somebody pauses. */
#define SILENCE_US 250000

size_t chunk_length(const struct chunk *chunk)
{
	return lengths[chunk->turn % 2 == 0 ? chunk->used : chunk->tried];
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

static void begin(struct chunk *chunk, int64_t now_us)
{
	bool up = chunk->used == 0 || (chunk->used < LONGEST && !chunk->went_up);
	chunk->tried = up ? chunk->used + 1 : chunk->used - 1;
	chunk->went_up = up;
	/* What is in use is settled. */
	begin_turn(chunk, false, now_us);
}

static void stop(struct chunk *chunk)
{
	chunk->tried = chunk->used;
	chunk->turn = 0;
}

void chunk_disturb(struct chunk *chunk)
{
	stop(chunk);
}

static void end(struct chunk *chunk, bool better, int64_t now_us)
{
	int64_t pause_us = better || chunk->pause_us == 0 ? PAUSE_US : chunk->pause_us * 2;
	chunk->pause_us = pause_us < PAUSE_MOST_US ? pause_us : PAUSE_MOST_US;
	chunk->next_us = now_us + chunk->pause_us;
	if (better) {
		chunk->used = chunk->tried;
	}
	if (better && chunk->went_up && chunk->used < LONGEST) {
		/* Where longer is better, still longer may be. */
		chunk->went_up = false;
		chunk->next_us = now_us;
	}
	stop(chunk);
}

/* The sum of every second rate. */
static double sum(const struct chunk *chunk, unsigned first)
{
	double rate = 0;
	for (unsigned i = first; i < CHUNK_TURNS; i += 2) {
		rate += chunk->rates[i];
	}
	return rate;
}

static void end_turn(struct chunk *chunk, int64_t now_us)
{
	unsigned turn = chunk->turn;
	chunk->rates[turn] = (double)chunk->bytes / (double)(now_us - chunk->begun_us);
	double least = chunk->went_up ? 1 : AS_FAST;
	if (turn % 2 == 1 && chunk->rates[turn] < least * chunk->rates[turn - 1]) {
		end(chunk, false, now_us);
	} else if (turn == CHUNK_TURNS - 1) {
		bool better = !chunk->went_up || sum(chunk, 1) >= FASTER * sum(chunk, 0);
		end(chunk, better, now_us);
	} else {
		chunk->turn++;
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
	if (chunk->tried == chunk->used) {
		if (trip->full && trip->now_us >= chunk->next_us) {
			begin(chunk, trip->now_us);
		}
		return;
	}
	if (silent_us > SILENCE_US && silent_us > 2 * chunk->longest_us) {
		stop(chunk);
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
			stop(chunk);
		}
	}
}
