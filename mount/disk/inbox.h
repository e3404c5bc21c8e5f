/* SPDX-License-Identifier: MIT */
/*
 * inbox - a directory on disk that receives everything: DIR/CONTACT/NAME.
 *
 * Nothing outside DIR is written: names come from the tree, so each is one directory entry, and
 * symbolic links are not followed below DIR. Files are received by download.c.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: any, without the hub's lock; inbox_create before they start, inbox_destroy after they
 *          end.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_INBOX_H
#define MOUNT_DISK_INBOX_H

#include "mount/disk/quota.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

struct inbox {
	int fd; /* the directory */
	struct quota quota;
	atomic_uint downloads; /* files that are being received */
};

/* `directory`, absolute, is made with mode 0700 if it is not there. `quota`: most bytes in it; 0:
 * no limit. NULL and *error. */
struct inbox *inbox_create(const char *directory, uint64_t quota, int *error);

/* Every file must have come to its end (hub_abandon). NULL-safe. */
void inbox_destroy(struct inbox *inbox);

/* Calls `visit` for each regular file of each directory in the inbox. */
void inbox_for_each(struct inbox *inbox,
		    void (*visit)(void *context, const char *contact, const char *name,
				  const struct stat *status),
		    void *context);

/* For reading; `path` is below the directory. A descriptor, or -errno. */
int inbox_open(const struct inbox *inbox, const char *path);

/* The status of the file at `path`: 0 or -errno. */
int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status);

/* Takes a file out. */
int inbox_remove(struct inbox *inbox, const char *path);

#endif
