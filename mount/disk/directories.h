/* SPDX-License-Identifier: MIT */
/*
 * directories - which directories of an inbox have names that are not durable, and makes them so.
 *
 * A directory may have been made by another process, which was killed before it had synced the
 * name: so at first the names in a directory are not durable. A directory whose sync has failed
 * once is not synced again, as a sync that succeeds later would not tell about the names that were
 * lost.
 *
 * Errors:  0 or -errno.
 * Threads: any.
 * Source:  fsync(2): of a directory, the names in it.
 */
#ifndef MOUNT_DISK_DIRECTORIES_H
#define MOUNT_DISK_DIRECTORIES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The most that are remembered. One that is forgotten is synced once more. */
#define DIRECTORIES_KNOWN 64

struct directory_names {
	dev_t device;
	ino_t inode;
	/* When a directory was last made in it, and what was made before its last sync: by
	 * directories.made. */
	uint64_t made, durable;
	struct timespec modified; /* as it was at its last sync */
	int error;		  /* of its sync, if that has failed */
};

struct directories {
	pthread_mutex_t mutex;
	/* Under it: */
	struct directory_names known[DIRECTORIES_KNOWN];
	unsigned next;	 /* which of them is forgotten next */
	unsigned failed; /* how many of them have failed: these are not forgotten */
	uint64_t made;	 /* how many directories were made so far */
	unsigned making; /* how many are being made */
	int error;	 /* of all directories */
};

void directories_init(struct directories *directories);
void directories_finish(struct directories *directories);

/* Makes the directory `name` in `fd`, with mode 0700. Others may see it at once. -EEXIST. */
int directories_make(struct directories *directories, int fd, const char *name);

/* Whether the names of all directories in `fd` are durable, also of those that others have made:
 * nothing in `fd` has changed since its last sync. */
bool directories_are_as_synced(struct directories *directories, int fd);

/* Makes all names in `fd` durable. After a failure, which is logged, it fails for ever. */
int directories_sync(struct directories *directories, int fd);

/* From now on, every sync fails with `error`, negative. */
void directories_fail(struct directories *directories, int error);

#endif
