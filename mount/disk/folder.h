/* SPDX-License-Identifier: MIT */
/*
 * folder - directories below a directory, by paths: no name in them may be a symbolic link.
 *
 * Units:   bytes; paths have no '/' at their ends, and no empty names.
 * Errors:  -errno; -ELOOP or -ENOTDIR: a name in the path is no directory.
 * Threads: any.
 */
#ifndef MOUNT_DISK_FOLDER_H
#define MOUNT_DISK_FOLDER_H

#include "mount/disk/directories.h"
#include "mount/disk/quota.h"

#include <stddef.h>

/* A descriptor of the directory at `path` below `top`; "" is `top` itself. */
int folder_open(int top, const char *path);

/* Likewise, of the directory that the last name of `path` is in; *name is that name. */
int folder_open_above(int top, const char *path, const char **name);

/* As folder_open; makes the directories that are missing, with mode 0700. All of
 * the path is durable unless `directories` is NULL, also what another thread or process has made.
 * Each new one counts in `quota` like an empty file. If something else has a name, the directory's
 * name gets a number. Writes the path as it is then to `made`, of `size` bytes; after a failure,
 * the path of what was made. -EDQUOT, -ENAMETOOLONG. */
int folder_make(int top, const char *path, struct directories *directories, struct quota *quota,
		char *made, size_t size);

/* Makes all of the path durable, which must be there. */
int folder_sync(int top, const char *path, struct directories *directories);

/* Removes the directory at `path`, and those above it, if they are empty; never the first one. */
void folder_remove_empty(int top, const char *path, struct quota *quota);

#endif
