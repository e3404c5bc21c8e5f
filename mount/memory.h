/* SPDX-License-Identifier: MIT */
/*
 * memory - how much freed memory malloc keeps.
 *
 * Blocks are freed in the order of their allocation. By default, glibc would return their memory to
 * the kernel and fetch it again, at several times the cost of sending. So malloc keeps what is
 * freed, until the bulk is over.
 *
 * Units:   ms of the monotonic clock.
 * Threads: the main thread.
 * Source:  mallopt(3), malloc_trim(3).
 */
#ifndef MOUNT_MEMORY_H
#define MOUNT_MEMORY_H

#include <stdint.h>

/* Before other threads start. */
void memory_init(void);

/* When memory_tick is to be called at the latest; INT64_MAX: nothing has happened. */
int64_t memory_deadline(void);

/* Whenever the main thread has woken up. Some seconds later, unless it has much to do, returns to
 * the kernel what is free. */
void memory_tick(int64_t now_ms);

#endif
