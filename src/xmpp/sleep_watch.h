/* SPDX-License-Identifier: MIT */
/*
 * sleep_watch - tells that the machine has been asleep.
 *
 * Timers of ibbfs run on CLOCK_MONOTONIC, which stands still while the machine sleeps: no stream
 * times out by that. But a server or a router may have given the connection up meanwhile, and does
 * not say so.
 *
 * Units:   ms.
 * Errors:  none: without a descriptor, no sleep is noticed.
 * Threads: the XMPP thread.
 * Source:  timerfd_create(2), TFD_TIMER_CANCEL_ON_SET, which the kernel also does after a sleep;
 *          clock_gettime(2), CLOCK_BOOTTIME.
 */
#ifndef XMPP_SLEEP_WATCH_H
#define XMPP_SLEEP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct sleep_watch {
	int fd;		  /* readable after a sleep, and when the clock is set; or -1 */
	int64_t slept_ms; /* since the machine was started */
};

void sleep_watch_init(struct sleep_watch *watch);
void sleep_watch_finish(struct sleep_watch *watch);

/* `fd` is readable: whether the machine has slept since the last call, or since sleep_watch_init.
 */
bool sleep_watch_take(struct sleep_watch *watch);

/* The same, of the time for which the machine has slept since it was started. */
bool sleep_watch_note(struct sleep_watch *watch, int64_t total_ms);

#endif
