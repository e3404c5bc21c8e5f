/* SPDX-License-Identifier: MIT */
/*
 * inbox - a directory on disk that receives everything: DIR/CONTACT/NAME.
 *
 * A file is written as NAME.part, and gets its name when it is complete and what is known of its
 * digest is right; never that of a file that is there. What broke off stays as NAME.part. Nothing
 * outside DIR is written: names come from the tree, where they are those of one directory entry,
 * and symbolic links are not followed below DIR.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: any, without the hub's lock; the rest before they start
 *          or after they end.
 * Source:  DESIGN section 2.
 */
#ifndef MOUNT_DISK_INBOX_H
#define MOUNT_DISK_INBOX_H

#include "account/inbox_file.h"
#include "mount/hub.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct inbox;

/* `directory`, absolute, is made with mode 0700 if it is not there. `quota`: most bytes in it; 0:
 * no limit. NULL and *error. */
struct inbox *inbox_create(const char *directory, uint64_t quota, int *error);

/* Every file must have come to its end (hub_abandon). NULL-safe. */
void inbox_destroy(struct inbox *inbox);

/* Tells the hub of the files that are in it; from now on it receives what arrives. Before
 * client_start. */
void inbox_attach(struct inbox *inbox, struct hub *hub);

/* For reading; `path` is below the directory. A descriptor, or -errno. */
int inbox_open(const struct inbox *inbox, const char *path);

/* What is there at `path`: 0 or -errno. */
int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status);

/* Takes a file out. */
int inbox_remove(struct inbox *inbox, const char *path);

#endif
