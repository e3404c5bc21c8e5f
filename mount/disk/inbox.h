/* SPDX-License-Identifier: MIT */
/*
 * inbox - a directory on disk that receives everything: DIR/CONTACT/NAME, DIR/CONTACT/FOLDER/NAME.
 *
 * Nothing outside DIR is written: names come from the tree, so each is one directory entry, and
 * symbolic links are not followed below DIR. Files are received by download.c.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: the pool's and the syncer's, without the hub's lock; inbox_create before they start,
 *          inbox_destroy after they end.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_INBOX_H
#define MOUNT_DISK_INBOX_H

#include "mount/disk/directories.h"
#include "mount/disk/journal.h"
#include "mount/disk/pool.h"
#include "mount/disk/quota.h"
#include "mount/disk/slots.h"
#include "mount/disk/worker.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

/* The most files and directories in it, unless another number is given. Each name costs memory,
 * too. */
#define INBOX_MAX_FILES 16384

/* A call that waits for a moment only. */
struct inbox_wait {
	struct inbox_wait *prev, *next; /* inbox.waits, oldest first */
	uint64_t token;
	int64_t due_ms;
};

struct inbox {
	int fd; /* the directory */
	struct quota quota;
	struct journals journals;
	struct pool *pool;	    /* does all that touches the disk, but for the syncs */
	struct worker *syncer;	    /* makes them durable; NULL: nobody does */
	struct slots slots;	    /* files that are being received */
	atomic_uint checked_counts; /* of quota_counts: names without a file were removed then */
	struct directories directories; /* this one, and those in it */
	struct inbox_wait *waits;	/* main thread */
	atomic_bool hangs;		/* a call has waited for too long */
	atomic_bool unheard;		/* a verdict could not be told: the next process has to */
	struct task tidying;		/* the pool's */
	char *told;			/* as of inbox_tidy, until that is done */
};

/* `directory`, absolute, is made with mode 0700 if it is not there. `limit`: of quota_init.
 * `syncs`: a file is durable before it has its name. NULL and *error. */
struct inbox *inbox_create(const char *directory, struct usage limit, bool syncs, int *error);

/* After hub_abandon: waits until every file has come to its end, and every call. False, at
 * `until_ms` of CLOCK_MONOTONIC: the disk does not answer, and the inbox must not be destroyed;
 * *files: how many have not come to their end. NULL-safe. */
bool inbox_drain(struct inbox *inbox, int64_t until_ms, unsigned *files);

/* After inbox_drain: removes what the next process does not need; `told`, taken over, is the JID to
 * which no peer has a question left, or NULL. False, at `until_ms`: as above. NULL-safe. */
bool inbox_tidy(struct inbox *inbox, char *told, int64_t until_ms);

/* Every file must have come to its end. After inbox_tidy, it makes no call of the disk. NULL-safe.
 */
void inbox_destroy(struct inbox *inbox);

/* Calls `visit` for each regular file and each folder below the directory of each contact; `folder`
 * is the path of the one that it is in, or "". Also for the directory itself, where `name` is NULL.
 */
void inbox_for_each(struct inbox *inbox,
		    void (*visit)(void *context, const char *contact, const char *folder,
				  const char *name, const struct stat *status),
		    void *context);

/* For reading; `path` is below the directory. A descriptor, or -errno. */
int inbox_open(const struct inbox *inbox, const char *path);

/* The status of the file at `path`: 0 or -errno. */
int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status);

/* Takes a file out, and its folder if that is empty then. */
int inbox_remove(struct inbox *inbox, const char *path);

#endif
