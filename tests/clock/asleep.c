/* SPDX-License-Identifier: MIT */
/*
 * asleep - a machine that sleeps, for one process: preloaded (ld.so(8)), it stands before libc.
 *
 * IBBFS_ASLEEP is a folder: `slept` there has the seconds that the machine has slept, and `woken`
 * is a pipe. CLOCK_BOOTTIME is later by the former; a timer of CLOCK_REALTIME is the latter.
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

#define INTERPOSED __attribute__((visibility("default")))

static FILE *open_slept(void)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/slept", getenv("IBBFS_ASLEEP"));
	return fopen(path, "re");
}

INTERPOSED int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	}
	int result = real(clock, now);
	FILE *file = clock == CLOCK_BOOTTIME ? open_slept() : NULL;
	if (file) {
		long seconds = 0;
		if (fscanf(file, "%ld", &seconds) == 1) {
			now->tv_sec += seconds;
		}
		fclose(file);
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
