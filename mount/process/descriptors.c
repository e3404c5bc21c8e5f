/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* syscall */

#include "mount/process/descriptors.h"

#include "mount/process/device.h"
#include "mount/process/proc.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- what is looked for ---- */

/* The first file whose name is not lower. */
static size_t find(const struct wanted *wanted, const char *name)
{
	size_t low = 0, high = wanted->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(wanted->files[middle].name, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

void descriptors_want(struct wanted *wanted, const char *name, uint64_t ino, uint64_t bit)
{
	assert(wanted->count < DESCRIPTORS_MOST);
	size_t at = find(wanted, name);
	struct wanted_file *place = &wanted->files[at];
	memmove(place + 1, place, (wanted->count - at) * sizeof(*place));
	*place = (struct wanted_file){name, ino, bit};
	wanted->count++;
	wanted->all |= bit;
}

/* ---- a descriptor ---- */

/* Linux tells the inode since 5.14. */
static bool has_inode(const char *fdinfo, uint64_t ino)
{
	const char *line = strstr(fdinfo, "\nino:");
	return ino == 0 || !line || strtoull(line + 5, NULL, 10) == ino;
}

/* Linux tells the mount since 3.15. */
static bool is_in_our_mount(pid_t pid, const char *fdinfo)
{
	const char *line = strstr(fdinfo, "\nmnt_id:");
	return !line || device_is_ours(pid, strtoul(line + 8, NULL, 10));
}

static bool is_for_writing(const char *fdinfo)
{
	unsigned flags;
	const char *line = strstr(fdinfo, "flags:");
	return line && sscanf(line, "flags: %o", &flags) == 1 && (flags & O_ACCMODE) != O_RDONLY;
}

/* The bits of the files that descriptor `fd` of process `pid`, an open file with that path, writes
 * to. What is no file has no slash, as "anon_inode:[eventpoll]": the kernel keeps an epoll locked
 * while it asks us whether a file is ready, and the information about it has to wait then. */
static uint64_t match(const struct wanted *wanted, pid_t pid, const char *fd, const char *path)
{
	char info_path[64], info[512];
	const char *slash = strrchr(path, '/');
	if (!slash) {
		return 0;
	}
	const char *name = slash + 1;
	size_t at = find(wanted, name);
	uint64_t bits = 0;

	if (at == wanted->count || strcmp(wanted->files[at].name, name) != 0) {
		return 0;
	}
	snprintf(info_path, sizeof(info_path), "/proc/%d/fdinfo/%.16s", (int)pid, fd);
	if (!proc_read(info_path, info, sizeof(info)) || !is_for_writing(info)) {
		return 0;
	}
	for (; at < wanted->count && strcmp(wanted->files[at].name, name) == 0; at++) {
		bits |= has_inode(info, wanted->files[at].ino) ? wanted->files[at].bit : 0;
	}
	return bits && is_in_our_mount(pid, info) ? bits : 0;
}

/* ---- a process ---- */

static void note_look(const struct wanted *wanted)
{
	if (wanted->looked) {
		atomic_fetch_add(wanted->looked, 1);
	}
}

/* Of one thread. *has_any: it has descriptors.
 * Links in /proc are read, not followed: they may lead into our own mount, and only the main thread
 * could answer. */
static struct sight look_at_thread(pid_t pid, const struct wanted *wanted, bool *has_any)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct sight sight = {0};

	*has_any = false;
	note_look(wanted);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *directory = proc_open_directory(path);
	if (!directory) {
		return sight;
	}
	sight.visible = true;
	while (sight.writes != wanted->all && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.') {
			continue;
		}
		*has_any = true;
		note_look(wanted);
		ssize_t length =
			/* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): a real dirfd */
			readlinkat(dirfd(directory), entry->d_name, path, sizeof(path) - 1);
		if (length <= 0) {
			continue;
		}
		path[length] = '\0';
		sight.writes |= match(wanted, pid, entry->d_name, path);
		sight.shares = sight.shares || strncmp(path, "socket:", 7) == 0;
	}
	proc_close_directory(directory);
	return sight;
}

/* A thread that has ended has no descriptors, and is not visible for users. If it was the main
 * thread, it stands for the process all the same, whose other threads may still write. */
struct sight descriptors_look(pid_t pid, const struct wanted *wanted)
{
	char path[64];
	const struct dirent *entry;
	bool has_any;
	struct sight sight = look_at_thread(pid, wanted, &has_any);
	if (has_any) {
		return sight;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *threads = proc_open_directory(path);
	while (threads && !has_any && (entry = readdir(threads))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10); /* 0: it is none */
		if (thread <= 0 || thread == pid) {
			continue;
		}
		struct sight other = look_at_thread(thread, wanted, &has_any);
		if (!other.visible) {
			break;
		}
		sight = other;
	}
	if (threads) {
		proc_close_directory(threads);
	}
	return sight;
}

static bool are_of_one_process(pid_t thread, pid_t other)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)thread, (int)other);
	return access(path, F_OK) == 0;
}

/* kcmp waits while either process is in execve. That of `pid` is not: execve ends all threads of
 * its process first. */
bool descriptors_are_shared(pid_t pid, pid_t other)
{
	return pid == other || (are_of_one_process(pid, other) &&
				syscall(SYS_kcmp, pid, other, KCMP_FILES, 0, 0) == 0);
}
