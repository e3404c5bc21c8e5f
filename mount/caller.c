/* SPDX-License-Identifier: MIT */
#include "mount/caller.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* include/linux/sched.h: "Killed by a signal". */
#define PF_SIGNALED 0x00000400

/* ---- descriptors ---- */

/* Three: /proc and a directory below it are open while a file there is read. -1: is in use, or
 * could not be had. */
static int reserve[3] = {-1, -1, -1};
static bool has_reserve;

static void refill_reserve(void)
{
	for (size_t i = 0; has_reserve && i < sizeof(reserve) / sizeof(reserve[0]); i++) {
		if (reserve[i] < 0) {
			reserve[i] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
	}
}

static bool spend_reserve(void)
{
	for (size_t i = 0; i < sizeof(reserve) / sizeof(reserve[0]); i++) {
		if (reserve[i] >= 0) {
			close(reserve[i]);
			reserve[i] = -1;
			return true;
		}
	}
	return false;
}

void caller_start(void)
{
	has_reserve = true;
	refill_reserve();
}

void caller_stop(void)
{
	has_reserve = false;
	while (spend_reserve()) {
	}
}

static int open_proc(const char *path, int flags)
{
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	while (fd < 0 && (errno == EMFILE || errno == ENFILE) && spend_reserve()) {
		fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

/* Closes what open_proc has opened. */
static void close_proc(int fd)
{
	close(fd);
	refill_reserve();
}

/* The beginning of a small file; false if there is none. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open_proc(path, 0);
	if (fd < 0) {
		return false;
	}
	ssize_t length = read(fd, text, size - 1);
	close_proc(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static bool read_of_process(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return pid > 0 && read_text(path, text, size);
}

/* ---- signals ---- */

/* Field `number` of /proc/PID/stat, from the third on; 0 if there is none. The second field is a
 * name in parentheses that may hold anything. */
static unsigned long long field_of(const char *stat, int number)
{
	const char *rest = strrchr(stat, ')');
	for (int i = 2; rest && i < number; i++) {
		rest = strchr(rest + 1, ' ');
	}
	return rest ? strtoull(rest, NULL, 10) : 0;
}

/* /proc/PID/stat shows an exit code of 0 to whoever may not trace the process. The same right is
 * needed for this link, which exists as long as the process closes its files. */
static bool shows_exit_code(pid_t pid)
{
	char path[64], target[2];
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return readlink(path, target, sizeof(target)) >= 0;
}

enum caller_fate caller_fate(pid_t pid)
{
	char text[1024];
	if (!read_of_process(pid, "stat", text, sizeof(text))) {
		return CALLER_UNKNOWN;
	}
	if (!(field_of(text, 9) & PF_SIGNALED)) {
		return CALLER_STAYS;
	}
	/* The threads that end because another one has called exit_group have that flag, too. Their
	 * exit code tells, as in wait(2). */
	unsigned long long code = field_of(text, 52);
	bool is_exit = code != 0 ? (code & 0x7f) == 0 : shows_exit_code(pid);
	return is_exit ? CALLER_STAYS : CALLER_ENDS;
}

static uint64_t bit(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

/* The hexadecimal field `name` of /proc/PID/status. */
static uint64_t mask_of(const char *status, const char *name)
{
	const char *found = strstr(status, name);
	return found ? strtoull(found + strlen(name), NULL, 16) : 0;
}

enum caller_fate caller_judge(const char *status)
{
	const uint64_t of_users = bit(SIGHUP) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM);
	/* By default these stop a process, or do nothing. */
	uint64_t harmless = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) |
			    bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
	if (!strstr(status, "\nSigPnd:") || !strstr(status, "\nSigCgt:")) {
		return CALLER_UNKNOWN;
	}
	if (mask_of(status, "\nTracerPid:") != 0) {
		harmless |= bit(SIGTRAP); /* is for the tracer */
	}
	uint64_t pending = (mask_of(status, "\nSigPnd:") | mask_of(status, "\nShdPnd:")) &
			   ~mask_of(status, "\nSigBlk:") & ~mask_of(status, "\nSigIgn:");
	uint64_t caught = mask_of(status, "\nSigCgt:");
	return pending & ((caught & of_users) | (~caught & ~harmless)) ? CALLER_ENDS : CALLER_STAYS;
}

enum caller_fate caller_pending(pid_t pid)
{
	static char text[64 * 1024]; /* a process may have many groups */
	return read_of_process(pid, "status", text, sizeof(text)) ? caller_judge(text)
								  : CALLER_UNKNOWN;
}

/* ---- open files ---- */

static DIR *open_directory(const char *path)
{
	int fd = open_proc(path, O_DIRECTORY);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (fd >= 0 && !directory) {
		close_proc(fd);
	}
	return directory;
}

static void close_directory(DIR *directory)
{
	closedir(directory);
	refill_reserve();
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
	DIR *directory = open_directory(path);
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
	close_directory(directory);
	return found;
}

bool caller_may_write(pid_t pid, const char *name)
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
	DIR *processes = open_directory("/proc");

	while (processes && !found && (entry = readdir(processes))) {
		long pid = strtol(entry->d_name, NULL, 10); /* 0: it is none */
		found = pid > 0 && pid != (long)getpid() &&
			process_writes(entry->d_name, wanted, false);
	}
	if (processes) {
		close_directory(processes);
	}
	return processes ? found : otherwise;
}

bool caller_is_written(const char *path)
{
	return is_written(path, false);
}

bool caller_is_last_writer(pid_t pid, const char *name)
{
	return !caller_may_write(pid, name) && !is_written(name, true);
}
