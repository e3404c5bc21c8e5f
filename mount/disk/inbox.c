/* SPDX-License-Identifier: MIT */
#include "mount/disk/inbox.h"

#include "mount/disk/syncer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

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

/* Makes the directory; its own name is durable. A descriptor or -errno. */
static int open_directory(const char *directory)
{
	bool is_new = mkdir(directory, 0700) == 0;
	if (!is_new && errno != EEXIST) {
		return -errno;
	}
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	/* An error is reported now, and not with the first file. */
	if (faccessat(fd, ".", W_OK | X_OK, 0)) {
		int error = -errno;
		close(fd);
		return error;
	}
	int above = is_new ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (above >= 0) {
		fsync(above); /* if it fails, so will the sync of the first file */
		close(above);
	}
	return fd;
}

struct inbox *inbox_create(const char *directory, uint64_t quota, bool syncs, int *error)
{
	int fd = open_directory(directory);
	if (fd < 0) {
		*error = fd;
		return NULL;
	}
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	if (!inbox) {
		*error = -ENOMEM;
		close(fd);
		return NULL;
	}
	inbox->fd = fd;
	inbox->pool = pool_create();
	inbox->syncer = syncs ? syncer_create() : NULL;
	if (!inbox->pool || (syncs && !inbox->syncer)) {
		*error = -EAGAIN;
		inbox_destroy(inbox);
		return NULL;
	}
	atomic_init(&inbox->downloads, 0);
	atomic_init(&inbox->made, 1);
	atomic_init(&inbox->durable, 0);
	atomic_init(&inbox->hangs, false);
	quota_init(&inbox->quota, quota, bytes_in, inbox);
	*error = 0;
	return inbox;
}

bool inbox_drain(struct inbox *inbox, int64_t until_ms, unsigned *files)
{
	*files = 0;
	/* The pool gives to the syncer, and the syncer to the pool. */
	do {
		if (inbox && (pool_drain(inbox->pool, until_ms) > 0 ||
			      (inbox->syncer && !worker_drain(inbox->syncer, until_ms)))) {
			*files = atomic_load(&inbox->downloads);
			return false;
		}
	} while (inbox && atomic_load(&inbox->downloads) > 0);
	return true;
}

void inbox_destroy(struct inbox *inbox)
{
	if (inbox) {
		worker_destroy(inbox->syncer);
		pool_destroy(inbox->pool);
		while (inbox->waits) {
			struct inbox_wait *wait = inbox->waits;
			DL_DELETE(inbox->waits, wait);
			free(wait);
		}
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
