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

void part_file_init(struct part_file *file, const char *name)
{
	*file = (struct part_file){.directory = -1, .fd = -1, .lock = -1};
	snprintf(file->name, sizeof(file->name), "%s", name);
}

void part_file_abandon(struct part_file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
	}
	file->fd = -1;
}

void part_file_finish(struct part_file *file)
{
	part_file_abandon(file);
	if (file->lock >= 0) {
		close(file->lock);
	}
	if (file->directory >= 0) {
		close(file->directory);
	}
}

static bool is_there(int directory, const char *name)
{
	struct stat status;
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

int part_file_create(struct part_file *file, const char *name)
{
	for (unsigned n = 1; n < 10000; n++) {
		if (n == 1) {
			strcpy(file->name, name);
		} else {
			name_number(file->name, name, n);
		}
		if (is_there(file->directory, file->name)) {
			continue;
		}
		parts_name(file->part_name, file->name);
		file->fd = openat(file->directory, file->part_name,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (file->fd >= 0) {
			/* part_file_reopen heeds this lock. Some file systems have no locks. */
			if (flock(file->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
				return 0;
			}
			part_file_abandon(file); /* another process has reopened it already */
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	return -EEXIST;
}

/* The status of the open file, if it is the one that is called `part_name`. 0 or -errno. */
static int stat_named(const struct part_file *file, int fd, struct stat *status)
{
	struct stat named;
	if (fstat(fd, status) ||
	    fstatat(file->directory, file->part_name, &named, AT_SYMLINK_NOFOLLOW)) {
		return -errno;
	}
	return named.st_ino == status->st_ino && named.st_dev == status->st_dev ? 0 : -ENOENT;
}

/* The size of the open file, if it may be written to: it is the regular file `part_name`, and
 * nobody else writes to it. Or -errno. */
static int64_t lock_part(const struct part_file *file, int fd)
{
	struct stat status;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		return -errno;
	}
	/* Before it was locked, it may have got its name. */
	bool same = stat_named(file, fd, &status) == 0;
	return same && S_ISREG(status.st_mode) && status.st_nlink == 1 ? status.st_size : -ENOENT;
}

/* A descriptor of the file; -1: none. */
static int any_descriptor(const struct part_file *file)
{
	return file->fd >= 0 ? file->fd : file->lock;
}

void part_file_unlock(const struct part_file *file)
{
	flock(any_descriptor(file), LOCK_UN);
}

bool part_file_relock(const struct part_file *file)
{
	int fd = any_descriptor(file);
	int64_t size = fd >= 0 ? lock_part(file, fd) : 0;
	return size != -EWOULDBLOCK && size != -ENOENT;
}

/* Opens and locks the file `part_name`: its size, or -errno. */
static int64_t open_part(struct part_file *file)
{
	int fd = openat(file->directory, file->part_name,
			O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	int64_t size = lock_part(file, fd);
	if (size < 0) {
		close(fd);
		return size;
	}
	file->fd = fd;
	return size;
}

/* A process may have been killed while a sync of the file failed. The page cache still has the
 * bytes that the disk has refused, as if they were written, and the error was reported already: no
 * later sync would tell. So its bytes are read from the disk. Bytes that are still to be written
 * stay: a sync reports what becomes of them. */
static void distrust_cache(int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int64_t part_file_reopen(struct part_file *file, const char *name)
{
	if (is_there(file->directory, name)) {
		return -ENOENT;
	}
	parts_name(file->part_name, name);
	int64_t size = open_part(file);
	if (size >= 0) {
		distrust_cache(file->fd);
		memmove(file->name, name, strlen(name) + 1); /* it may be there already */
	}
	return size;
}

int part_file_lock(struct part_file *file, const char *part_name)
{
	snprintf(file->part_name, sizeof(file->part_name), "%s", part_name);
	int64_t size = open_part(file);
	return size < 0 ? (int)size : 0;
}

int part_file_cut(const struct part_file *file, uint64_t size)
{
	return ftruncate(any_descriptor(file), (off_t)size) == 0 ? 0 : -errno;
}

int part_file_stat(const struct part_file *file, struct stat *status)
{
	return fstat(any_descriptor(file), status) == 0 ? 0 : -errno;
}

int64_t part_file_size(const struct part_file *file)
{
	struct stat status;
	int error = stat_named(file, any_descriptor(file), &status);
	return error ? error : status.st_size;
}

/* Never replaces another file. 0 or -errno. */
static int rename_free(int directory, const char *from, const char *to)
{
	if (renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return -errno;
	}
	/* A file system without RENAME_NOREPLACE: link does not replace either. */
	if (linkat(directory, from, directory, to, 0) == 0) {
		unlinkat(directory, from, 0);
		return 0;
	}
	if (errno == EEXIST || is_there(directory, to)) {
		return -EEXIST;
	}
	/* Some network file systems have no links either. */
	return renameat(directory, from, directory, to) == 0 ? 0 : -errno;
}

int part_file_rename(struct part_file *file)
{
	char wanted[NAME_MAX_BYTES + 1];
	strcpy(wanted, file->name);
	for (unsigned n = 2; n < 10000; n++) {
		int error = rename_free(file->directory, file->part_name, file->name);
		if (error != -EEXIST) {
			file->named = !error;
			return error;
		}
		name_number(file->name, wanted, n);
	}
	return -EEXIST;
}

int part_file_close(struct part_file *file)
{
	int fd = file->fd;
	/* The file stays locked until it has its name. */
	file->lock = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	file->fd = -1;
	/* EINTR: Linux has closed it. */
	return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

int part_file_unname(struct part_file *file)
{
	bool was_named = file->named;
	file->named = false;
	return was_named ? rename_free(file->directory, file->name, file->part_name) : 0;
}
