/* SPDX-License-Identifier: MIT */
/*
 * inbox_entry - a name in in/ that stands for a file in the inbox.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_INBOX_ENTRY_H
#define ACCOUNT_INBOX_ENTRY_H

#include "account/handle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* The names of its directory and its own, and the path of its folder ("": none). */
struct inbox_path {
	const char *contact, *folder, *name;
};

/* The name path->name for the file `file`, which is beside it on disk. -EINVAL: the directory is no
 * JID; -EEXIST, -ENOMEM. */
int inbox_entry_add(struct account *account, const struct inbox_path *path, const char *file,
		    int64_t now_ms, struct node **node);

/* Likewise, a complete file that was there before we started. */
int inbox_entry_restore(struct account *account, const struct inbox_path *path, uint64_t size,
			const struct timespec *modified, int64_t now_ms);

/* The path of the complete file, or the part, with the lowest number above *ino, which is set to
 * it. False: there is none. */
bool inbox_entry_next(const struct tree *tree, uint64_t *ino, char *path, size_t size);

/* A complete file, or a part, is not on disk any more: its name is removed. */
void inbox_entry_remove(struct account *account, uint64_t ino, int64_t now_ms);

/* ---- for the file system ---- */

/* The path of the file that `handle` reads; returns its length as snprintf does. -ENOENT: it reads
 * no such file; -EAGAIN: there is none yet; or why it could not be received whole. */
int inbox_entry_path(const struct handle *handle, char *path, size_t size);

/* How many bytes at the beginning of the file on disk are those of the file that `handle` reads.
 * Behind them is what an earlier stream has left. */
uint64_t inbox_entry_readable(const struct handle *handle);

/* Whether the file that `handle` has open is complete and verified. */
bool inbox_entry_is_complete(const struct handle *handle);

/* As inbox_entry_path, for a name in a directory; only of a complete file, or of a part. */
int inbox_entry_find(const struct tree *tree, const struct node *parent, const char *name,
		     char *path, size_t size);

/* ---- after a look at the disk: no effect if the name stands for another file than `path` by now,
 * such as one that arrives ---- */

/* It is not there any more: its name is removed, and a folder that becomes empty stays for a while,
 * as with entry_unlink. */
void inbox_entry_forget(struct account *account, struct node *parent, const char *name,
			const char *path, int64_t now_ms);

/* Copies its size and time; it may have been written to since. */
void inbox_entry_refresh(const struct tree *tree, const struct node *parent, const char *name,
			 const char *path, const struct stat *status);

#endif
