/* SPDX-License-Identifier: MIT */
/*
 * clock - the time by which everything waits.
 *
 * Units:   ms or us of CLOCK_MONOTONIC.
 * Threads: any.
 * Source:  clock_gettime(2).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);
int64_t clock_now_us(void);

#endif
