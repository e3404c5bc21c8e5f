/* SPDX-License-Identifier: MIT */
#include "mount/disk/folder.h"

#include "account/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int enter(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

int folder_open(int top, const char *path)
{
	char name[NAME_MAX_BYTES + 1];
	int fd = enter(top, ".");
	while (fd >= 0 && name_take_component(&path, name)) {
		int next = enter(fd, name);
		close(fd);
		fd = next;
	}
	return fd;
}

int folder_open_above(int top, const char *path, const char **name)
{
	char above[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length >= sizeof(above)) {
		return -ENAMETOOLONG;
	}
	memcpy(above, path, length);
	above[length] = '\0';
	*name = slash ? slash + 1 : path;
	return folder_open(top, above);
}

/* False: it is not empty, or not there. */
static bool remove_one(int directory, const char *name, struct quota *quota)
{
	struct usage usage = quota_file(quota, 0);
	quota_begin_change(quota, usage);
	bool removed = unlinkat(directory, name, AT_REMOVEDIR) == 0;
	quota_end_change(quota, usage, removed ? usage : (struct usage){0});
	return removed;
}

static int make_name(int directory, const char *name, struct directories *directories)
{
	if (directories) {
		return directories_make(directories, directory, name);
	}
	return mkdirat(directory, name, 0700) == 0 ? 0 : -errno;
}

/* A new directory; -EEXIST. */
static int make_one(int directory, const char *name, struct directories *directories,
		    struct quota *quota)
{
	if (!quota_reserve(quota, quota_file(quota, 0))) {
		return -EDQUOT;
	}
	int error = make_name(directory, name, directories);
	if (error) {
		quota_cancel(quota, quota_file(quota, 0));
		return error;
	}
	quota_write(quota, quota_file(quota, 0));
	error = directories ? directories_sync(directories, directory) : 0;
	if (error) {
		remove_one(directory, name, quota);
	}
	return error;
}

/* A directory that is there: its name is durable, or made so. A descriptor, or -errno. */
static int enter_synced(int directory, const char *name, struct directories *directories)
{
	int fd = enter(directory, name);
	bool syncs = fd >= 0 && directories && !directories_are_as_synced(directories, directory);
	int error = syncs ? directories_sync(directories, directory) : 0;
	if (error) {
		close(fd);
	}
	return error ? error : fd;
}

/* The directory `wanted`, or the first of "WANTED (2)" ... that can be one; writes its name. */
static int make_numbered(int directory, const char *wanted, struct directories *directories,
			 struct quota *quota, char name[NAME_MAX_BYTES + 1])
{
	strcpy(name, wanted);
	for (unsigned n = 2; n < 10000; n++) {
		int fd = enter_synced(directory, name, directories);
		if (fd == -ENOENT) {
			int error = make_one(directory, name, directories, quota);
			fd = error && error != -EEXIST ? error
						       : enter_synced(directory, name, directories);
		}
		if (fd != -ENOTDIR && fd != -ELOOP) {
			return fd;
		}
		name_number(name, wanted, n);
	}
	return -EEXIST;
}

int folder_sync(int top, const char *path, struct directories *directories)
{
	char name[NAME_MAX_BYTES + 1];
	int fd = enter(top, ".");
	while (fd >= 0 && name_take_component(&path, name)) {
		int next = enter_synced(fd, name, directories);
		close(fd);
		fd = next;
	}
	if (fd < 0) {
		return fd;
	}
	close(fd);
	return 0;
}

/* Adds a name to a path. -ENAMETOOLONG. */
static int append(char *path, size_t size, const char *name)
{
	size_t used = strlen(path);
	if (used + 1 + strlen(name) >= size) {
		return -ENAMETOOLONG;
	}
	snprintf(path + used, size - used, "%s%s", used > 0 ? "/" : "", name);
	return 0;
}

int folder_make(int top, const char *path, struct directories *directories, struct quota *quota,
		char *made, size_t size)
{
	char wanted[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
	int fd = enter(top, ".");
	made[0] = '\0';
	while (fd >= 0 && name_take_component(&path, wanted)) {
		int next = make_numbered(fd, wanted, directories, quota, name);
		close(fd);
		fd = next;
		int error = fd >= 0 ? append(made, size, name) : 0;
		if (error) {
			close(fd);
			fd = error;
		}
	}
	return fd;
}

void folder_remove_empty(int top, const char *path, struct quota *quota)
{
	char left[PATH_MAX];
	char *slash;
	snprintf(left, sizeof(left), "%s", path);
	while ((slash = strrchr(left, '/'))) {
		const char *name;
		int fd = folder_open_above(top, left, &name);
		bool removed = fd >= 0 && remove_one(fd, name, quota);
		if (fd >= 0) {
			close(fd);
		}
		if (!removed) {
			break;
		}
		*slash = '\0';
	}
}
