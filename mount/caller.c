/* SPDX-License-Identifier: MIT */
#include "mount/caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* include/linux/sched.h: "Killed by a signal". */
#define PF_SIGNALED 0x00000400

bool caller_is_killed(pid_t pid)
{
	char path[32], text[512];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0) {
		return false;
	}
	text[length] = '\0';
	/* The second field is a name in parentheses that may hold anything; flags is the ninth. */
	const char *rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & PF_SIGNALED);
}
