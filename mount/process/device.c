/* SPDX-License-Identifier: MIT */
#include "mount/process/device.h"

#include "mount/process/proc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 32

static char ours[NUMBER_SIZE]; /* "MAJOR:MINOR", or empty */

/* What a line of mountinfo says. */
struct mount {
	unsigned long id;
	char device[NUMBER_SIZE];
	char path[PATH_MAX];
};

/* Undoes the escapes of mountinfo: three octal digits. */
static void unescape(char *path)
{
	char *to = path;
	for (const char *from = path; *from; to++) {
		unsigned code;
		if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
			*to = (char)code;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool parse(const char *line, struct mount *mount)
{
	_Static_assert(PATH_MAX == 4096 && NUMBER_SIZE == 32, "as below");
	char *end;
	mount->id = strtoul(line, &end, 10);
	if (sscanf(end, "%*u %31s %*s %4095s", mount->device, mount->path) != 2) {
		return false;
	}
	unescape(mount->path);
	return true;
}

/* ---- where ours is ---- */

/* A later mount hides an earlier one. */
static bool note_mount(void *mountpoint, const char *line)
{
	struct mount mount;
	if (parse(line, &mount) && strcmp(mount.path, mountpoint) == 0) {
		strcpy(ours, mount.device);
	}
	return false;
}

void device_set(const char *mountpoint)
{
	ours[0] = '\0';
	proc_find_line("/proc/self/mountinfo", note_mount, (void *)mountpoint);
}

static bool is_ours_at(void *mountpoint, const char *line)
{
	struct mount mount;
	return parse(line, &mount) && strcmp(mount.path, mountpoint) == 0 &&
	       strcmp(mount.device, ours) == 0;
}

bool device_is_mounted(const char *mountpoint)
{
	return proc_find_line("/proc/self/mountinfo", is_ours_at, (void *)mountpoint);
}

/* ---- where another one is ---- */

struct question {
	unsigned long id;
	bool sees_ours, is_other;
};

static bool answer(void *context, const char *line)
{
	struct question *question = context;
	struct mount mount;
	if (!parse(line, &mount)) {
		return false;
	}
	bool is_ours = strcmp(mount.device, ours) == 0;
	question->sees_ours = question->sees_ours || is_ours;
	question->is_other = mount.id == question->id && !is_ours;
	return mount.id == question->id;
}

bool device_is_ours(pid_t pid, unsigned long mount_id)
{
	char path[64];
	struct question question = {.id = mount_id};
	if (!ours[0]) {
		return true;
	}
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	if (proc_find_line(path, answer, &question)) {
		return !question.is_other;
	}
	/* It was unmounted while the file was open, or belongs to another name space. */
	return !question.sees_ours;
}
