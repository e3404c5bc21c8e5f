/* SPDX-License-Identifier: MIT */
#include "mount/suspend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int suspend_open(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

uint64_t suspend_failures(int fd)
{
	char text[24];
	ssize_t length = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : 0;
	text[length > 0 ? length : 0] = '\0';
	return strtoull(text, NULL, 10);
}
