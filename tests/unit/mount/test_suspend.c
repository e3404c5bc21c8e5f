/* SPDX-License-Identifier: MIT */
/* suspend, of a file that the test writes. */
#include "mount/suspend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void test_failures(void **state)
{
	(void)state;
	char path[] = "/tmp/suspend-XXXXXX";
	int out = mkstemp(path);
	assert_true(out >= 0);
	int fd = suspend_open(path);
	assert_true(fd >= 0);
	assert_int_equal(suspend_failures(fd), 0);
	assert_int_equal(pwrite(out, "3\n", 2, 0), 2);
	assert_int_equal(suspend_failures(fd), 3);
	assert_int_equal(pwrite(out, "12\n", 3, 0), 3);
	assert_int_equal(suspend_failures(fd), 12);
	assert_int_equal(suspend_failures(fd), 12);
	close(fd);
	close(out);
	unlink(path);
	assert_int_equal(suspend_open(path), -1);
	assert_int_equal(suspend_failures(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
