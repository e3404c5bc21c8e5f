/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2 */

#include "mount/disk/part_file.h"

#include "account/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void partial_init(struct partial *partial, const char *name)
{
	*partial = (struct partial){.directory = -1, .fd = -1, .lock = -1};
	snprintf(partial->name, sizeof(partial->name), "%s", name);
}

void partial_abandon(struct partial *partial)
{
	if (partial->fd >= 0) {
		close(partial->fd);
	}
	partial->fd = -1;
}

void partial_finish(struct partial *partial)
{
	partial_abandon(partial);
	if (partial->lock >= 0) {
		close(partial->lock);
	}
	if (partial->directory >= 0) {
		close(partial->directory);
	}
}

static bool is_there(int directory, const char *name)
{
	struct stat status;
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

int partial_create(struct partial *partial, const char *name)
{
	for (unsigned n = 1; n < 10000; n++) {
		if (n == 1) {
			strcpy(partial->name, name);
		} else {
			name_number(partial->name, name, n);
		}
		if (is_there(partial->directory, partial->name)) {
			continue;
		}
		parts_name(partial->part, partial->name);
		partial->fd = openat(partial->directory, partial->part,
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (partial->fd >= 0) {
			/* partial_reopen heeds it, unless nobody can lock here. */
			if (flock(partial->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
				return 0;
			}
			partial_abandon(partial); /* another process has reopened it already */
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	return -EEXIST;
}

/* The size of the open file, if it may be written to: it is the regular file `part`, and nobody
 * else writes to it. Or -errno. */
static int64_t lock_part(const struct partial *partial, int fd)
{
	struct stat status, named;
	if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &status)) {
		return -errno;
	}
	/* Before it was locked, it may have got its name. */
	bool same = fstatat(partial->directory, partial->part, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    named.st_ino == status.st_ino && named.st_dev == status.st_dev;
	return same && S_ISREG(status.st_mode) && status.st_nlink == 1 ? status.st_size : -ENOENT;
}

/* A descriptor of the file; -1: none. */
static int any_descriptor(const struct partial *partial)
{
	return partial->fd >= 0 ? partial->fd : partial->lock;
}

void partial_unlock(const struct partial *partial)
{
	flock(any_descriptor(partial), LOCK_UN);
}

bool partial_relock(const struct partial *partial)
{
	int fd = any_descriptor(partial);
	int64_t size = fd >= 0 ? lock_part(partial, fd) : 0;
	return size != -EWOULDBLOCK && size != -ENOENT;
}

int64_t partial_reopen(struct partial *partial, const char *name)
{
	if (is_there(partial->directory, name)) {
		return -ENOENT;
	}
	parts_name(partial->part, name);
	int fd = openat(partial->directory, partial->part,
			O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	int64_t size = lock_part(partial, fd);
	if (size < 0) {
		close(fd);
		return size;
	}
	memmove(partial->name, name, strlen(name) + 1); /* it may be there already */
	partial->fd = fd;
	return size;
}

/* Never replaces another file. 0 or -errno. */
static int rename_to(const struct partial *partial, const char *name)
{
	int directory = partial->directory;
	if (renameat2(directory, partial->part, directory, name, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return -errno;
	}
	/* A file system without RENAME_NOREPLACE: link does not replace either. */
	if (linkat(directory, partial->part, directory, name, 0) == 0) {
		unlinkat(directory, partial->part, 0);
		return 0;
	}
	if (errno == EEXIST || is_there(directory, name)) {
		return -EEXIST;
	}
	/* Some network file systems have no links either. */
	return renameat(directory, partial->part, directory, name) == 0 ? 0 : -errno;
}

int partial_rename(struct partial *partial)
{
	char wanted[NAME_MAX_BYTES + 1];
	strcpy(wanted, partial->name);
	for (unsigned n = 2; n < 10000; n++) {
		int error = rename_to(partial, partial->name);
		if (error != -EEXIST) {
			partial->named = !error;
			return error;
		}
		name_number(partial->name, wanted, n);
	}
	return -EEXIST;
}

int partial_close(struct partial *partial)
{
	int fd = partial->fd;
	/* The file stays locked until it has its name. */
	partial->lock = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	partial->fd = -1;
	/* EINTR: Linux has closed it. */
	return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

int partial_unname(struct partial *partial)
{
	int directory = partial->directory;
	bool was_named = partial->named;
	partial->named = false;
	return !was_named || renameat2(directory, partial->name, directory, partial->part,
				       RENAME_NOREPLACE) == 0
		       ? 0
		       : -errno;
}
