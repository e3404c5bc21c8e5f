/* SPDX-License-Identifier: MIT */
#include "mount/disk/directories.h"

#include "mount/log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void directories_init(struct directories *directories)
{
	memset(directories, 0, sizeof(*directories));
	pthread_mutex_init(&directories->mutex, NULL);
}

void directories_finish(struct directories *directories)
{
	pthread_mutex_destroy(&directories->mutex);
}

/* The place of one that is forgotten. */
static struct directory_names *next_locked(struct directories *directories)
{
	struct directory_names *directory;
	do {
		directory = &directories->known[directories->next];
		directories->next = (directories->next + 1) % DIRECTORIES_KNOWN;
	} while (directory->error);
	return directory;
}

static struct directory_names *find_locked(struct directories *directories,
					   const struct stat *status)
{
	for (size_t i = 0; i < DIRECTORIES_KNOWN; i++) {
		struct directory_names *directory = &directories->known[i];
		if (directory->made > 0 && directory->device == status->st_dev &&
		    directory->inode == status->st_ino) {
			return directory;
		}
	}
	struct directory_names *directory = next_locked(directories);
	*directory = (struct directory_names){
		.device = status->st_dev,
		.inode = status->st_ino,
		.made = ++directories->made,
	};
	return directory;
}

static void begin_make(struct directories *directories)
{
	pthread_mutex_lock(&directories->mutex);
	directories->making++;
	pthread_mutex_unlock(&directories->mutex);
}

static void end_make(struct directories *directories, int fd, bool made)
{
	struct stat status;
	bool is_known = fstat(fd, &status) == 0;
	pthread_mutex_lock(&directories->mutex);
	directories->making--;
	if (made && is_known) {
		find_locked(directories, &status)->made = ++directories->made;
	}
	pthread_mutex_unlock(&directories->mutex);
}

int directories_make(struct directories *directories, int fd, const char *name)
{
	begin_make(directories);
	int error = mkdirat(fd, name, 0700) == 0 ? 0 : -errno;
	end_make(directories, fd, error == 0);
	return error;
}

static bool are_durable_locked(const struct directories *directories,
			       const struct directory_names *directory)
{
	/* One that is being made may be seen before end_make. */
	return directories->making == 0 && !directories->error && !directory->error &&
	       directory->durable >= directory->made;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool directories_are_as_synced(struct directories *directories, int fd)
{
	struct stat status;
	if (fstat(fd, &status)) {
		return false;
	}
	pthread_mutex_lock(&directories->mutex);
	const struct directory_names *directory = find_locked(directories, &status);
	bool same = are_durable_locked(directories, directory) &&
		    is_same_time(&directory->modified, &status.st_mtim);
	pthread_mutex_unlock(&directories->mutex);
	return same;
}

/* The error of an earlier sync, or 0 and what has been made before this one. */
static int begin(struct directories *directories, const struct stat *status, uint64_t *made)
{
	pthread_mutex_lock(&directories->mutex);
	const struct directory_names *directory = find_locked(directories, status);
	int error = directories->error ? directories->error : directory->error;
	*made = directory->made;
	pthread_mutex_unlock(&directories->mutex);
	return error;
}

static void fail_locked(struct directories *directories, struct directory_names *directory,
			int error)
{
	directories->failed += !directory->error;
	directory->error = error;
	if (directories->failed > DIRECTORIES_KNOWN / 2) {
		directories->error = error;
	}
}

/* A sync was made; `status` and `made` are those before it. Its error, or that of another one
 * meanwhile, which may have been told of the names of both. */
static int end(struct directories *directories, const struct stat *status, uint64_t made, int error)
{
	pthread_mutex_lock(&directories->mutex);
	struct directory_names *directory = find_locked(directories, status);
	if (error) {
		fail_locked(directories, directory, error);
	} else if (directory->durable <= made) {
		directory->durable = made;
		directory->modified = status->st_mtim;
	}
	error = directory->error;
	pthread_mutex_unlock(&directories->mutex);
	return error;
}

int directories_sync(struct directories *directories, int fd)
{
	struct stat status;
	uint64_t made;
	if (fstat(fd, &status)) {
		return -errno;
	}
	int error = begin(directories, &status, &made);
	if (error) {
		return error;
	}
	/* EINVAL: a file system that cannot sync directories, and needs no such call. */
	error = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
	if (error) {
		log_warning("inbox: a directory cannot be synced: %s: it takes no files before "
			    "the next start",
			    strerror(-error));
	}
	return end(directories, &status, made, error);
}

void directories_fail(struct directories *directories, int error)
{
	pthread_mutex_lock(&directories->mutex);
	directories->error = error;
	pthread_mutex_unlock(&directories->mutex);
}
