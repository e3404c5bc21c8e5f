/* SPDX-License-Identifier: MIT */
/*
 * entry - directory entries: what calls find, make and remove by name.
 *
 * `parent` is as found by tree_find.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_ENTRY_H
#define ACCOUNT_ENTRY_H

#include "account/account.h"

/* The child of that name. In the root, any spelling of an address finds its directory: the one that
 * has the same normal form; that of a full JID finds the resource's. NULL: there is none. */
struct node *entry_lookup(struct account *account, const struct node *parent, const char *name);

/* -EPERM, -EILSEQ, -ENAMETOOLONG (name_check), -EEXIST, -ENOMEM; -EPERM outside a contact's or a
 * resource's directory and the folders in it; -ENOENT: `parent` has gone. */
int entry_mknod(struct account *account, struct node *parent, const char *name, mode_t mode,
		int64_t now_ms, struct node **node);

/* A contact or, by a name with "%2F", a resource of one, in the root; a resource in the directory
 * of a contact. Folders are creation.c's. -EINVAL: no JID; -EEXIST; -EPERM elsewhere; -ENOENT:
 * `parent` has gone; -ENOMEM. */
int entry_mkdir(struct account *account, struct node *parent, const char *name, struct node **node);

/* -EBUSY: neither made by mkdir nor a folder; -ENOTEMPTY: streams in it; or, in a folder, folders,
 * or files of the inbox; -ENOENT. */
int entry_rmdir(struct account *account, struct node *parent, const char *name, int64_t now_ms);

/* Declines a waiting stream; aborts a running one at both ends. -ENOENT, -EISDIR, -EPERM. */
int entry_unlink(struct account *account, struct node *parent, const char *name, int64_t now_ms);

#endif
