/* SPDX-License-Identifier: MIT */
#include "mount/caller.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* include/linux/sched.h: "Killed by a signal". */
#define PF_SIGNALED 0x00000400

/* The beginning of a small file; false if there is none. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	ssize_t length = read(fd, text, size - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

bool caller_is_killed(pid_t pid)
{
	char path[32], text[512];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, sizeof(text))) {
		return false;
	}
	/* The second field is a name in parentheses that may hold anything; flags is the ninth. */
	const char *rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & PF_SIGNALED);
}

/* Whether descriptor `fd` of process `pid` may be written to. */
static bool is_for_writing(const char *pid, const char *fd)
{
	char path[64], text[512];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
	if (!read_text(path, text, sizeof(text))) {
		return false;
	}
	const char *line = strstr(text, "flags:");
	return line && sscanf(line, "flags: %o", &flags) == 1 && (flags & O_ACCMODE) != O_RDONLY;
}

/* Whether the link to an open file leads to `wanted`: a path or, without a slash, a name. */
static bool is_that(const char *target, const char *wanted)
{
	const char *slash = strrchr(target, '/');
	return strcmp(wanted[0] == '/' || !slash ? target : slash + 1, wanted) == 0;
}

/* `otherwise`: the result if we may not see the open files of the process. Links in /proc are read,
 * not followed: they may lead into our own mount, and only this thread could answer. */
static bool process_writes(const char *pid, const char *wanted, bool otherwise)
{
	char path[64], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	DIR *directory = opendir(path);
	if (!directory) {
		return otherwise;
	}
	while (!found && (entry = readdir(directory))) {
		ssize_t length =
			/* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): a real dirfd */
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		if (length > 0) {
			target[length] = '\0';
			found = is_that(target, wanted) && is_for_writing(pid, entry->d_name);
		}
	}
	closedir(directory);
	return found;
}

bool caller_may_write(pid_t pid, const char *name)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", (int)pid);
	return process_writes(text, name, true);
}

bool caller_is_written(const char *path)
{
	struct dirent *entry;
	bool found = false;
	DIR *processes = opendir("/proc");

	while (processes && !found && (entry = readdir(processes))) {
		long pid = strtol(entry->d_name, NULL, 10); /* 0: it is none */
		found = pid > 0 && pid != (long)getpid() &&
			process_writes(entry->d_name, path, false);
	}
	if (processes) {
		closedir(processes);
	}
	return found;
}
