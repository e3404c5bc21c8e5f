/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sync_file_range */

#include "mount/disk/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

static struct sync *sync_of(struct task *task)
{
	return (struct sync *)task;
}

/* The earlier file of the batch for which this file's directory was synced, or NULL. */
static const struct sync *leader_of(struct task *tasks, const struct sync *sync)
{
	struct task *task;
	DL_FOREACH (tasks, task) {
		const struct sync *other = sync_of(task);
		if (other == sync) {
			break;
		}
		if (other->leads && other->device == sync->device && other->inode == sync->inode) {
			return other;
		}
	}
	return NULL;
}

/* Syncs the directories of the batch's files, each directory once. If that fails, all its files
 * fail. */
static void sync_directories(struct task *tasks, int (*directory_of)(const struct sync *sync))
{
	struct task *task;
	DL_FOREACH (tasks, task) {
		struct sync *sync = sync_of(task);
		struct stat status;
		int fd = directory_of(sync);
		sync->leads = false;
		if (sync->result || fd < 0) {
			continue;
		}
		if (fstat(fd, &status)) {
			sync->result = -errno;
			continue;
		}
		sync->device = status.st_dev;
		sync->inode = status.st_ino;
		const struct sync *leader = leader_of(tasks, sync);
		sync->leads = !leader;
		sync->result = leader ? leader->result : directories_sync(sync->directories, fd);
	}
}

static int own_directory(const struct sync *sync)
{
	return sync->directory;
}

static int directory_above(const struct sync *sync)
{
	return sync->above;
}

static void work(struct task *tasks)
{
	struct task *task, *next;
	DL_FOREACH (tasks, task) {
		/* Only starts the write-back, so that all files are in one transaction. fdatasync
		 * reports errors. */
		if (sync_of(task)->fd >= 0) {
			sync_file_range(sync_of(task)->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		}
	}
	DL_FOREACH (tasks, task) {
		struct sync *sync = sync_of(task);
		sync->result = sync->fd < 0 || fdatasync(sync->fd) == 0 ? 0 : -errno;
		sync->lost = sync->result < 0;
	}
	sync_directories(tasks, directory_above);
	DL_FOREACH (tasks, task) {
		struct sync *sync = sync_of(task);
		if (!sync->result && sync->name) {
			sync->result = sync->name(sync);
		}
	}
	sync_directories(tasks, own_directory);
	DL_FOREACH_SAFE (tasks, task, next) {
		sync_of(task)->done(sync_of(task));
	}
}

struct worker *syncer_create(void)
{
	return worker_create(work);
}

void syncer_submit(struct worker *syncer, struct sync *sync)
{
	sync->result = 0;
	worker_submit(syncer, &sync->task);
}

struct directory_sync {
	struct sync sync; /* first */
	void (*done)(void *context, int result);
	void *context;
};

static void end_directory(struct sync *sync)
{
	struct directory_sync *directory = (struct directory_sync *)sync;
	directory->done(directory->context, sync->result);
	close(sync->directory);
	free(directory);
}

void syncer_submit_directory(struct worker *syncer, struct directories *directories, int fd,
			     void (*done)(void *context, int result), void *context)
{
	struct directory_sync *directory = calloc(1, sizeof(*directory));
	if (!directory) {
		close(fd);
		done(context, -ENOMEM);
		return;
	}
	directory->sync.directories = directories;
	directory->sync.directory = fd;
	directory->sync.fd = directory->sync.above = -1;
	directory->sync.done = end_directory;
	directory->done = done;
	directory->context = context;
	syncer_submit(syncer, &directory->sync);
	/* cppcheck-suppress memleak ; the syncer's */
}
