/* SPDX-License-Identifier: MIT */
#include "xmpp/coalescing.h"

/* A depth of twice that many bytes would come in time if half of them were waited for as long. */
#define SHORT_WAIT_US (COALESCING_US / 4)

#define MOST_DEPTH	 262144 /* about what a fast server delivers in COALESCING_MS */
#define MOST_FIRST_PROBE 65536	/* a read may be large because the thread came late */

#define LEAST_HOLD	8
#define MOST_HOLD	1024
#define AFTER_INTERRUPT 32

#define NEW_DEPTH    2 /* reads_in_time when a probe has found it */
#define MOST_IN_TIME 8
#define COST_OF_LATE 2

void coalescing_begin(struct coalescing *coalescing)
{
	*coalescing = (struct coalescing){.hold = LEAST_HOLD, .hold_limit = LEAST_HOLD};
}

void coalescing_interrupt(struct coalescing *coalescing)
{
	coalescing->depth = 0;
	coalescing->probe = 0;
	coalescing->is_idle = false;
	if (coalescing->hold < AFTER_INTERRUPT) {
		coalescing->hold = AFTER_INTERRUPT;
	}
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void hold_longer(struct coalescing *coalescing)
{
	coalescing->probe = 0;
	if (coalescing->hold_limit < MOST_HOLD) {
		coalescing->hold_limit *= 2;
	}
	coalescing->hold = coalescing->hold_limit;
}

static void end_probe(struct coalescing *coalescing)
{
	coalescing->depth = coalescing->probe;
	coalescing->probe = 0;
	coalescing->reads_in_time = NEW_DEPTH;
	if (coalescing->hold_limit > LEAST_HOLD) {
		coalescing->hold_limit /= 2;
	}
}

void coalescing_read(struct coalescing *coalescing, size_t bytes, int64_t waited_us)
{
	if (coalescing->is_idle) {
		coalescing->is_idle = false;
		return;
	}
	if (coalescing->probe > 0) {
		end_probe(coalescing);
	} else if (coalescing->reads_in_time < MOST_IN_TIME) {
		coalescing->reads_in_time++;
	}
	if (coalescing->hold > 0) {
		coalescing->hold--;
	} else if (waited_us <= SHORT_WAIT_US && coalescing->depth < MOST_DEPTH) {
		coalescing->probe = coalescing->depth > 0 ? min(2 * coalescing->depth, MOST_DEPTH)
							  : min(2 * bytes, MOST_FIRST_PROBE);
	}
}

void coalescing_late(struct coalescing *coalescing, size_t bytes)
{
	if (bytes == 0) {
		coalescing->is_idle = true;
	} else if (coalescing->probe > 0) {
		hold_longer(coalescing);
	} else {
		coalescing->reads_in_time -= COST_OF_LATE;
		if (coalescing->reads_in_time < 0) {
			coalescing->reads_in_time = 0;
			coalescing->depth /= 2;
			hold_longer(coalescing);
		}
	}
}

size_t coalescing_low_water(const struct coalescing *coalescing)
{
	size_t bytes = coalescing->probe > 0 ? coalescing->probe : coalescing->depth / 2;
	return coalescing->is_idle || bytes == 0 ? 1 : bytes;
}
