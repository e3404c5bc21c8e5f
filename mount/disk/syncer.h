/* SPDX-License-Identifier: MIT */
/*
 * syncer - makes files durable, with their names: a group commit.
 *
 *     a batch     start the write-back of every file; fdatasync each; name each; fsync each
 *                 directory, once
 *
 * All files that wait are one batch, so that they share the commits of the file system's journal. A
 * file has its name only after its bytes are durable, so no crash leaves a part of it under that
 * name. What fails is never synced again, be it a file or a directory: the kernel has dropped the
 * pages.
 *
 * Errors:  sync.result.
 * Threads: the calls of a sync are made in the syncer's thread.
 * Source:  fsync(2); jbd2 commits every open transaction at once.
 */
#ifndef MOUNT_DISK_SYNCER_H
#define MOUNT_DISK_SYNCER_H

#include "mount/disk/directories.h"
#include "mount/disk/worker.h"

#include <stdbool.h>
#include <sys/types.h>

struct sync {
	struct task task; /* first; the syncer's */
	struct directories *directories;
	int fd;	       /* the file's; or -1 */
	int directory; /* that it is in */
	int above;     /* the directory above, in which that one may be new; or -1 */
	/* Gives the file its name, once its bytes are durable; 0 or -errno. NULL: it keeps the one
	 * that it has. */
	int (*name)(struct sync *sync);
	/* Set when bytes could not be made durable: the kernel still shows them, but has dropped
	 * them, so no later sync writes them. By `name`, too. */
	bool lost;
	/* The file and its name are durable, or sync.result, negative, says why not. The sync is
	 * its owner's again. */
	void (*done)(struct sync *sync);
	int result;

	/* The syncer's: which directory, and whether it was synced for this file. */
	dev_t device;
	ino_t inode;
	bool leads;
};

/* NULL when memory is short or there is no thread. Ended by worker_destroy. */
struct worker *syncer_create(void);

void syncer_submit(struct worker *syncer, struct sync *sync);

/* Makes the names in a directory durable, before a sync that is submitted later is done. Takes `fd`
 * over. `done` is called in the syncer's thread, with 0 or -errno; also at once, when memory is
 * short. */
void syncer_submit_directory(struct worker *syncer, struct directories *directories, int fd,
			     void (*done)(void *context, int result), void *context);

#endif
