/* SPDX-License-Identifier: MIT */
#include "mount/memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

/* One, because malloc_trim leaves alone the end of every arena but the first. */
#define ARENAS 1

/* Bytes. No window is as large: while there is bulk, nothing is returned. */
#define TRIM_THRESHOLD (128 * 1024 * 1024)

/* Bytes by which the heap grows. */
#define TOP_PAD (1024 * 1024)

/* Less is not worth returning. */
#define KEPT_BYTES ((size_t)1024 * 1024)

#define LOOK_MS 5000

/* Bulk wakes the thread up more often between two looks: for each piece of 128 KiB or less. */
#define IDLE_WAKE_UPS 100

static int64_t look_ms = INT64_MAX; /* INT64_MAX: nothing has happened since the last look */
static unsigned wake_ups;	    /* since the last look */

void memory_init(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
	mallopt(M_TOP_PAD, TOP_PAD);
}

int64_t memory_deadline(void)
{
	return look_ms;
}

void memory_tick(int64_t now_ms)
{
	if (now_ms < look_ms) {
		wake_ups++;
		look_ms = look_ms == INT64_MAX ? now_ms + LOOK_MS : look_ms;
		return;
	}
	bool is_idle = wake_ups <= IDLE_WAKE_UPS;
	wake_ups = 0;
	look_ms = is_idle ? INT64_MAX : now_ms + LOOK_MS;
	if (is_idle && mallinfo2().fordblks > KEPT_BYTES) {
		malloc_trim(0);
	}
}
