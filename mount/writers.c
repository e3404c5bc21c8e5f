/* SPDX-License-Identifier: MIT */
#include "mount/writers.h"

#include "mount/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether descriptor `fd` of process `pid` may be written to. */
static bool is_for_writing(const char *pid, const char *fd)
{
	char path[64], text[512];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
	if (!proc_read(path, text, sizeof(text))) {
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
	DIR *directory = proc_open_directory(path);
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
	proc_close_directory(directory);
	return found;
}

bool writers_include(pid_t pid, const char *name)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", (int)pid);
	return process_writes(text, name, true);
}

/* Whether a process other than ours writes to `wanted`; `otherwise`: if no process can be seen. */
static bool is_written(const char *wanted, bool otherwise)
{
	struct dirent *entry;
	bool found = false;
	DIR *processes = proc_open_directory("/proc");

	while (processes && !found && (entry = readdir(processes))) {
		long pid = strtol(entry->d_name, NULL, 10); /* 0: it is none */
		found = pid > 0 && pid != (long)getpid() &&
			process_writes(entry->d_name, wanted, false);
	}
	if (processes) {
		proc_close_directory(processes);
	}
	return processes ? found : otherwise;
}

bool writers_exist(const char *path)
{
	return is_written(path, false);
}

bool writers_was_last(pid_t pid, const char *name)
{
	return !writers_include(pid, name) && !is_written(name, true);
}
