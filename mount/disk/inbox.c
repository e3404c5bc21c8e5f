/* SPDX-License-Identifier: MIT */
#include "mount/disk/inbox.h"

#include "account/name.h"
#include "clock.h"
#include "mount/disk/folder.h"
#include "mount/disk/syncer.h"
#include "mount/disk/verdict_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utlist.h>

#define MAX_BLOCK   65536
#define USUAL_BLOCK 4096

/* ---- what is in it ---- */

/* A directory that is being read. */
struct place {
	const char *contact;
	char path[NAME_FOLDER_SIZE]; /* of the folder, below that of the contact */
	unsigned depth;
};

struct visitor {
	void (*visit)(void *context, const char *contact, const char *folder, const char *name,
		      const struct stat *status);
	void *context;
};

static void visit_below(int fd, struct place *place, const struct visitor *visitor);

static void visit_folder(int above, struct place *place, const char *name,
			 const struct visitor *visitor)
{
	size_t length = strlen(place->path);
	if (name[0] == '.' || place->depth == NAME_MAX_FOLDER_DEPTH ||
	    length + 1 + strlen(name) >= sizeof(place->path)) {
		return;
	}
	snprintf(place->path + length, sizeof(place->path) - length, "%s%s", length > 0 ? "/" : "",
		 name);
	place->depth++;
	visit_below(openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), place,
		    visitor);
	place->depth--;
	place->path[length] = '\0';
}

/* Closes `fd`, which may be negative. */
static void visit_below(int fd, struct place *place, const struct visitor *visitor)
{
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *file;
	struct stat status;
	if (!directory) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	while ((file = readdir(directory))) {
		if (fstatat(fd, file->d_name, &status, AT_SYMLINK_NOFOLLOW)) {
			continue;
		}
		bool is_folder = S_ISDIR(status.st_mode) && file->d_name[0] != '.';
		if (is_folder || S_ISREG(status.st_mode)) {
			visitor->visit(visitor->context, place->contact, place->path, file->d_name,
				       &status);
		}
		if (is_folder) {
			visit_folder(fd, place, file->d_name, visitor);
		}
	}
	closedir(directory);
}

void inbox_for_each(struct inbox *inbox,
		    void (*visit)(void *context, const char *contact, const char *folder,
				  const char *name, const struct stat *status),
		    void *context)
{
	const struct visitor visitor = {.visit = visit, .context = context};
	int fd = openat(inbox->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *contacts = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *contact;
	struct stat status;
	while (contacts && (contact = readdir(contacts))) {
		if (contact->d_name[0] == '.') {
			continue;
		}
		struct place place = {.contact = contact->d_name};
		fd = openat(inbox->fd, contact->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &status) == 0) {
			visit(context, contact->d_name, "", NULL, &status);
		}
		visit_below(fd, &place, &visitor);
	}
	if (contacts) {
		closedir(contacts);
	}
}

/* A count of what the inbox spends. */
struct counting {
	const struct quota *quota;
	struct usage *found;
};

static void count(void *context, const char *contact, const char *folder, const char *name,
		  const struct stat *status)
{
	const struct counting *counting = context;
	bool is_directory = S_ISDIR(status->st_mode);
	struct usage usage =
		quota_file(counting->quota, is_directory ? 0 : (uint64_t)status->st_size);
	(void)contact, (void)folder, (void)name;
	counting->found->files += usage.files;
	counting->found->bytes += usage.bytes;
}

static void usage_of(void *context, struct usage *found)
{
	struct inbox *inbox = context;
	inbox_for_each(inbox, count, &(struct counting){&inbox->quota, found});
}

/* The blocks of the file system. Network file systems name the size of a transfer, which may be a
 * MiB. */
static uint64_t block_of(int fd)
{
	struct statvfs status;
	bool is_known =
		fstatvfs(fd, &status) == 0 && status.f_frsize > 0 && status.f_frsize <= MAX_BLOCK;
	return is_known ? status.f_frsize : USUAL_BLOCK;
}

/* Makes the directory. A descriptor or -errno. */
static int open_directory(const char *directory)
{
	if (mkdir(directory, 0700) && errno != EEXIST) {
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
	return fd;
}

/* Whatever is in it might be lost with its name. */
static void end_sync(void *context, int result)
{
	struct inbox *inbox = context;
	if (result) {
		directories_fail(&inbox->directories, result);
	}
}

/* The directory's own name is durable before the first file is; a process that was killed may have
 * made it. A disk that works may take long for that, so nobody waits for it. */
static void sync_name(struct inbox *inbox)
{
	struct stat status, status_above;
	int above = openat(inbox->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0) {
		return; /* what cannot be read cannot be synced */
	}
	/* Otherwise it is where a file system is mounted, and has no name. */
	if (fstat(inbox->fd, &status) == 0 && fstat(above, &status_above) == 0 &&
	    status.st_dev == status_above.st_dev) {
		syncer_submit_directory(inbox->syncer, &inbox->directories, above, end_sync, inbox);
	} else {
		close(above);
	}
}

struct inbox *inbox_create(const char *directory, struct usage limit, bool syncs, int *error)
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
	quota_init(&inbox->quota, limit, block_of(fd), usage_of, inbox);
	slots_init(&inbox->slots);
	journals_init(&inbox->journals, fd);
	directories_init(&inbox->directories);
	inbox->pool = pool_create();
	inbox->syncer = syncs ? syncer_create() : NULL;
	if (!inbox->pool || (syncs && !inbox->syncer)) {
		*error = -EAGAIN;
		inbox_destroy(inbox);
		return NULL;
	}
	atomic_init(&inbox->checked_counts, 0);
	atomic_init(&inbox->hangs, false);
	atomic_init(&inbox->unheard, false);
	if (inbox->syncer) {
		sync_name(inbox);
	}
	*error = 0;
	return inbox;
}

bool inbox_drain(struct inbox *inbox, int64_t until_ms, unsigned *files)
{
	*files = 0;
	if (!inbox) {
		return true;
	}
	/* The pool gives to the syncer, and the syncer to the pool. */
	do {
		bool hangs = pool_drain(inbox->pool, until_ms) > 0 ||
			     (inbox->syncer && !worker_drain(inbox->syncer, until_ms));
		*files = slots_count(&inbox->slots);
		if (hangs || (*files > 0 && clock_now_ms() >= until_ms)) {
			return false;
		}
	} while (*files > 0);
	return true;
}

static void tidy(struct task *task)
{
	struct inbox *inbox = (struct inbox *)((char *)task - offsetof(struct inbox, tidying));
	if (inbox->told && !atomic_load(&inbox->unheard)) {
		verdict_file_remove(&inbox->journals, inbox->told);
	}
	journals_close(&inbox->journals);
	close(inbox->fd);
	inbox->fd = -1;
}

bool inbox_tidy(struct inbox *inbox, char *told, int64_t until_ms)
{
	if (!inbox) {
		free(told);
		return true;
	}
	inbox->told = told;
	inbox->tidying.run = tidy;
	pool_submit(inbox->pool, NULL, &inbox->tidying);
	return pool_drain(inbox->pool, until_ms) == 0;
}

void inbox_destroy(struct inbox *inbox)
{
	if (inbox) {
		worker_destroy(inbox->syncer);
		pool_destroy(inbox->pool);
		quota_finish(&inbox->quota);
		slots_finish(&inbox->slots);
		journals_finish(&inbox->journals);
		directories_finish(&inbox->directories);
		while (inbox->waits) {
			struct inbox_wait *wait = inbox->waits;
			DL_DELETE(inbox->waits, wait);
			free(wait);
		}
		if (inbox->fd >= 0) {
			close(inbox->fd);
		}
		free(inbox->told);
		free(inbox);
	}
}

/* ---- reading ---- */

int inbox_open(const struct inbox *inbox, const char *path)
{
	const char *name;
	int above = folder_open_above(inbox->fd, path, &name);
	if (above < 0) {
		return above;
	}
	int fd = openat(above, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int result = fd >= 0 ? fd : -errno;
	close(above);
	return result;
}

/* The status of `name` in `above`, which is closed; a negative one is the error. */
static int stat_in(int above, const char *name, struct stat *status)
{
	if (above < 0) {
		return above;
	}
	int result = fstatat(above, name, status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
	close(above);
	return result;
}

int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status)
{
	const char *name;
	int above = folder_open_above(inbox->fd, path, &name);
	int error = stat_in(above, name, status);
	/* A link in place of a directory: the file is not there. */
	return error == -ELOOP || error == -ENOTDIR ? -ENOENT : error;
}

static int unlink_file(int above, const char *name, struct quota *quota)
{
	struct stat status;
	if (fstatat(above, name, &status, AT_SYMLINK_NOFOLLOW)) {
		return errno == ENOENT ? 0 : -errno;
	}
	struct usage usage = quota_file(quota, (uint64_t)status.st_size);
	quota_begin_change(quota, usage);
	int error = unlinkat(above, name, 0) == 0 ? 0 : -errno;
	quota_end_change(quota, usage, error == 0 ? usage : (struct usage){0});
	return error;
}

int inbox_remove(struct inbox *inbox, const char *path)
{
	char folder[PATH_MAX];
	const char *name;
	int above = folder_open_above(inbox->fd, path, &name);
	if (above == -ENOENT || above == -ENOTDIR || above == -ELOOP) {
		return 0; /* it is not there */
	}
	if (above < 0) {
		return above;
	}
	int error = unlink_file(above, name, &inbox->quota);
	close(above);
	snprintf(folder, sizeof(folder), "%.*s", (int)(name - path) - 1, path);
	folder_remove_empty(inbox->fd, folder, &inbox->quota);
	return error;
}
