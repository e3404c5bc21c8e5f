/* SPDX-License-Identifier: MIT */
/*
 * timer - timeouts, and names that expire.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_TIMER_H
#define ACCOUNT_TIMER_H

#include "account/account.h"

/* When timer_tick wants to be called, or STREAM_NO_DEADLINE. */
int64_t timer_deadline(const struct account *account);

void timer_tick(struct account *account, int64_t now_ms);

#endif
