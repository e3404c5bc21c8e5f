/* SPDX-License-Identifier: MIT */
/* device, of mounts that every machine has. */
#include "mount/process/device.h"

#include "mount/process/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned long mount_of(const char *path)
{
	char info_path[64], info[512];
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	snprintf(info_path, sizeof(info_path), "/proc/self/fdinfo/%d", fd);
	assert_true(proc_read(info_path, info, sizeof(info)));
	close(fd);
	const char *line = strstr(info, "\nmnt_id:");
	assert_non_null(line);
	return strtoul(line + 8, NULL, 10);
}

static void test_ours(void **state)
{
	(void)state;
	unsigned long ours = mount_of("/proc/self/status"), other = mount_of("/dev/null");
	assert_true(ours != other);
	device_set("/proc");
	assert_true(device_is_ours(getpid(), ours));
	assert_false(device_is_ours(getpid(), other));
	device_set("/pro");
	assert_true(device_is_ours(getpid(), other));
}

static void test_mounted(void **state)
{
	(void)state;
	device_set("/proc");
	assert_true(device_is_mounted("/proc"));
	assert_false(device_is_mounted("/pro"));
	device_set("/pro");
	assert_false(device_is_mounted("/proc"));
}

/* A mount that is there no more, while ours is; a process that there is not. */
static void test_unknown(void **state)
{
	(void)state;
	device_set("/proc");
	assert_false(device_is_ours(getpid(), 0));
	assert_true(device_is_ours(0, mount_of("/dev/null")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_mounted),
		cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
