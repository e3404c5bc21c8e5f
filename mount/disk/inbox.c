/* SPDX-License-Identifier: MIT */
#include "mount/disk/inbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is in it ---- */

void inbox_for_each(struct inbox *inbox,
		    void (*visit)(void *context, const char *contact, const char *name,
				  const struct stat *status),
		    void *context)
{
	int fd = openat(inbox->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *contacts = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *contact, *file;
	struct stat status;
	while (contacts && (contact = readdir(contacts))) {
		if (contact->d_name[0] == '.') {
			continue;
		}
		fd = openat(inbox->fd, contact->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
		while (files && (file = readdir(files))) {
			if (fstatat(fd, file->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISREG(status.st_mode)) {
				visit(context, contact->d_name, file->d_name, &status);
			}
		}
		if (files) {
			closedir(files);
		}
	}
	if (contacts) {
		closedir(contacts);
	}
}

static void count(void *context, const char *contact, const char *name, const struct stat *status)
{
	uint64_t *bytes = context;
	(void)contact, (void)name;
	*bytes += (uint64_t)status->st_size;
}

static uint64_t bytes_in(void *inbox)
{
	uint64_t bytes = 0;
	inbox_for_each(inbox, count, &bytes);
	return bytes;
}

struct inbox *inbox_create(const char *directory, uint64_t quota, int *error)
{
	*error = mkdir(directory, 0700) == 0 || errno == EEXIST ? 0 : -errno;
	int fd = *error ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		*error = *error ? *error : -errno;
		return NULL;
	}
	/* An error is reported now, and not with the first file. */
	if (faccessat(fd, ".", W_OK | X_OK, 0)) {
		*error = -errno;
		close(fd);
		return NULL;
	}
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	if (!inbox) {
		*error = -ENOMEM;
		close(fd);
		return NULL;
	}
	inbox->fd = fd;
	atomic_init(&inbox->downloads, 0);
	quota_init(&inbox->quota, quota, bytes_in, inbox);
	return inbox;
}

void inbox_destroy(struct inbox *inbox)
{
	if (inbox) {
		close(inbox->fd);
		free(inbox);
	}
}

/* ---- reading ---- */

int inbox_open(const struct inbox *inbox, const char *path)
{
	int fd = openat(inbox->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status)
{
	return fstatat(inbox->fd, path, status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int inbox_remove(struct inbox *inbox, const char *path)
{
	struct stat status;
	if (fstatat(inbox->fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		quota_remove(&inbox->quota, (uint64_t)status.st_size);
		if (unlinkat(inbox->fd, path, 0) == 0) {
			return 0;
		}
		int error = -errno;
		quota_restore(&inbox->quota, (uint64_t)status.st_size);
		return error;
	}
	return errno == ENOENT ? 0 : -errno;
}
