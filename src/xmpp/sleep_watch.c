/* SPDX-License-Identifier: MIT */
#include "xmpp/sleep_watch.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* The two clocks are read one after the other. */
#define NOISE_MS 1000

/* The timer is only there to be cancelled; now and then it expires. */
#define YEAR_S ((time_t)365 * 86400)

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET (1 << 1)
#endif

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t slept_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC);
}

static void arm(const struct sleep_watch *watch)
{
	struct itimerspec late = {.it_value.tv_sec = time(NULL) + YEAR_S};

	timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &late, NULL);
}

void sleep_watch_init(struct sleep_watch *watch)
{
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	watch->slept_ms = slept_ms();
	arm(watch);
}

void sleep_watch_finish(struct sleep_watch *watch)
{
	if (watch->fd >= 0) {
		close(watch->fd);
		watch->fd = -1;
	}
}

bool sleep_watch_note(struct sleep_watch *watch, int64_t total_ms)
{
	bool slept = total_ms - watch->slept_ms >= NOISE_MS;

	watch->slept_ms = total_ms;
	return slept;
}

bool sleep_watch_take(struct sleep_watch *watch)
{
	uint64_t count;
	ssize_t got = read(watch->fd, &count, sizeof(count)); /* ECANCELED */

	(void)got;
	arm(watch);
	return sleep_watch_note(watch, slept_ms());
}
