/* SPDX-License-Identifier: MIT */
/* watchdog: calls that return, that take long, and that hang. */
#include "mount/disk/watchdog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Nobody writes to it. */
static int silent_fd;

static void count(void *context)
{
	++*(int *)context;
}

static void hang(void *context)
{
	char byte;
	int *fds = context;
	while (read(fds[0], &byte, 1) < 0) {
	}
}

/* Slow, but not as slow as the limit. */
static void work(void *context)
{
	struct timespec moment = {.tv_nsec = 10000000};
	for (unsigned i = 0; i < 250; i++) {
		nanosleep(&moment, NULL);
	}
	++*(int *)context;
}

static void test_returns(void **state)
{
	int calls = 0;
	(void)state;
	assert_int_equal(watchdog_run(count, &calls, silent_fd, 60000), 0);
	assert_int_equal(calls, 1);
}

static void test_progress(void **state)
{
	int calls = 0;
	(void)state;
	assert_int_equal(watchdog_run(work, &calls, silent_fd, 2000), 0);
	assert_int_equal(calls, 1);
}

/* What hangs is left alone. */
static void test_hangs(void **state)
{
	static int never[2];
	(void)state;
	assert_int_equal(pipe(never), 0);
	assert_int_equal(watchdog_run(hang, never, silent_fd, 100), -ETIMEDOUT);
}

static void test_signal(void **state)
{
	static int never[2];
	int signal_fd = eventfd(1, EFD_CLOEXEC);
	(void)state;
	assert_int_equal(pipe(never), 0);
	assert_int_equal(watchdog_run(hang, never, signal_fd, 60000), -EINTR);
	close(signal_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_signal),
	};
	silent_fd = eventfd(0, EFD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
