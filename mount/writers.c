/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* syscall */

#include "mount/writers.h"

#include "clock.h"
#include "mount/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file; `ino` 0: whatever its inode. */
struct wanted {
	const char *name; /* or its path, which begins with a slash */
	uint64_t ino;
};

/* Linux tells the inode since 5.14. */
static bool has_inode(const char *fdinfo, uint64_t ino)
{
	const char *line = strstr(fdinfo, "\nino:");
	return !line || strtoull(line + 5, NULL, 10) == ino;
}

/* Whether descriptor `fd` of process `pid` may be written to, and is of that inode. */
static bool is_for_writing(const char *pid, const char *fd, uint64_t ino)
{
	char path[64], text[512];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
	if (!proc_read(path, text, sizeof(text))) {
		return false;
	}
	const char *line = strstr(text, "flags:");
	return line && sscanf(line, "flags: %o", &flags) == 1 && (flags & O_ACCMODE) != O_RDONLY &&
	       (ino == 0 || has_inode(text, ino));
}

/* Whether the link to an open file leads to `wanted`: a path or, without a slash, a name. */
static bool is_that(const char *target, const char *wanted)
{
	const char *slash = strrchr(target, '/');
	return strcmp(wanted[0] == '/' || !slash ? target : slash + 1, wanted) == 0;
}

enum sight {
	HIDDEN, /* its open files may not be seen, or it has ended */
	WRITES, /* has the file open for writing */
	SHARES, /* does not, but has a socket, through which descriptors pass */
	CLOSED,
};

/* Links in /proc are read, not followed: they may lead into our own mount, and only this thread
 * could answer. */
static enum sight look_at(const char *pid, struct wanted wanted)
{
	char path[64], target[PATH_MAX];
	struct dirent *entry;
	enum sight sight = CLOSED;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	DIR *directory = proc_open_directory(path);
	if (!directory) {
		return HIDDEN;
	}
	while (sight != WRITES && (entry = readdir(directory))) {
		ssize_t length =
			/* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): a real dirfd */
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		if (length <= 0) {
			continue;
		}
		target[length] = '\0';
		if (is_that(target, wanted.name) &&
		    is_for_writing(pid, entry->d_name, wanted.ino)) {
			sight = WRITES;
		} else if (strncmp(target, "socket:", 7) == 0) {
			sight = SHARES;
		}
	}
	proc_close_directory(directory);
	return sight;
}

static enum sight look_at_pid(pid_t pid, struct wanted wanted)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", (int)pid);
	return look_at(text, wanted);
}

bool writers_include(pid_t pid, const char *name)
{
	enum sight sight = look_at_pid(pid, (struct wanted){name, 0});
	return sight == WRITES || sight == HIDDEN;
}

/* Whether a process other than ours writes to `wanted`; `otherwise`: if no process can be seen. */
static bool is_written(struct wanted wanted, bool otherwise)
{
	struct dirent *entry;
	bool found = false;
	DIR *processes = proc_open_directory("/proc");

	while (processes && !found && (entry = readdir(processes))) {
		long pid = strtol(entry->d_name, NULL, 10); /* 0: it is none */
		found = pid > 0 && pid != (long)getpid() &&
			look_at(entry->d_name, wanted) == WRITES;
	}
	if (processes) {
		proc_close_directory(processes);
	}
	return processes ? found : otherwise;
}

bool writers_exist(const char *path)
{
	return is_written((struct wanted){path, 0}, false);
}

/* ---- the last one ---- */

/* Numbers of processes rise until they begin again at the lowest. In one era they have not begun
 * again: the machine cannot start as many processes as there are numbers in so short a time. */
#define ERA_SHIFT 32
#define PAUSE_MS  1000

/* With more numbers than this, of which most have no process any more, to look at all processes
 * takes less. */
#define MANY 1000

static uint64_t era, newest;
static int64_t looked_ms;

uint64_t writers_look(void)
{
	char text[128];
	const char *last =
		proc_read("/proc/loadavg", text, sizeof(text)) ? strrchr(text, ' ') : NULL;
	uint64_t pid = last ? strtoul(last, NULL, 10) : 0;
	int64_t now_ms = clock_now_ms();
	if (pid < newest || now_ms - looked_ms > PAUSE_MS) {
		era++;
	}
	newest = pid;
	looked_ms = now_ms;
	return pid > 0 ? era << ERA_SHIFT | pid : 0;
}

/* Whether the processes that were started between the two are known, and few. */
static bool is_near(uint64_t moment, uint64_t now)
{
	return moment > 0 && moment >> ERA_SHIFT == now >> ERA_SHIFT && now - moment <= MANY;
}

/* Whether the number is a process's, and not one of another thread, or nobody's. */
static bool is_process(pid_t pid)
{
	return syscall(SYS_tgkill, pid, pid, 0) == 0 || errno != ESRCH;
}

/* Whether a process that was started after the open has the descriptor. */
static bool has_heir(struct wanted wanted, uint64_t opened, uint64_t now)
{
	for (uint64_t each = opened + 1; each <= now; each++) {
		pid_t heir = (pid_t)(each & UINT32_MAX);
		if (heir != getpid() && is_process(heir) && look_at_pid(heir, wanted) == WRITES) {
			return true;
		}
	}
	return false;
}

bool writers_was_last(pid_t pid, const char *name, struct writers_open *opened)
{
	struct wanted wanted = {name, opened->ino};
	enum sight sight = look_at_pid(pid, wanted);
	if (sight == WRITES || sight == HIDDEN) {
		return false;
	}
	enum sight of_opener = opened->pid == pid ? sight : look_at_pid(opened->pid, wanted);
	if (of_opener == WRITES) {
		return false;
	}
	if (sight == SHARES || of_opener != CLOSED) {
		opened->moment = 0;
	}
	uint64_t now = writers_look();
	return is_near(opened->moment, now) ? !has_heir(wanted, opened->moment, now)
					    : !is_written(wanted, true);
}
