/* SPDX-License-Identifier: MIT */
/*
 * asleep - a machine that sleeps, for one process: preloaded (ld.so(8)), it stands before libc.
 *
 * IBBFS_ASLEEP is a folder: `slept` there has the seconds that the machine has slept, `passed`
 * those that have passed faster than they do, and `woken` is a pipe. CLOCK_BOOTTIME is later by the
 * sum, CLOCK_MONOTONIC by the second of these; a timer of CLOCK_REALTIME is the pipe. What waits
 * already waits for as long as it does elsewhere.
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define INTERPOSED __attribute__((visibility("default")))

static long seconds_in(const char *name)
{
	char path[4096], text[32];
	snprintf(path, sizeof(path), "%s/%s", getenv("IBBFS_ASLEEP"), name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0) {
		close(fd);
	}
	text[length > 0 ? length : 0] = '\0';
	return strtol(text, NULL, 10);
}

INTERPOSED int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	}
	int result = real(clock, now);
	if (clock == CLOCK_BOOTTIME) {
		now->tv_sec += seconds_in("slept");
	}
	if (clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC) {
		now->tv_sec += seconds_in("passed");
	}
	return result;
}

INTERPOSED int timerfd_create(int clock, int flags)
{
	static int (*real)(int, int);
	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "timerfd_create");
	}
	if (clock != CLOCK_REALTIME) {
		return real(clock, flags);
	}
	char path[4096];
	snprintf(path, sizeof(path), "%s/woken", getenv("IBBFS_ASLEEP"));
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}
