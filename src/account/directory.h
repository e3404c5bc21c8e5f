/* SPDX-License-Identifier: MIT */
/*
 * directory - which directories exist, and what calls on them mean.
 *
 * A contact has a directory while it is on the roster, if mkdir made it, and while it holds a file
 * or a process is in it. So has our own account while another resource of it is online. A resource
 * has one while it is online, or if mkdir made it.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_DIRECTORY_H
#define ACCOUNT_DIRECTORY_H

#include "account/account.h"

/* ---- which there are ---- */

/* The directory of a bare JID. If there is none, it is made under `name`, or under the JID's own
 * name if that is NULL, with a directory for each resource that is online. NULL: memory is short,
 * or no name can hold the JID. */
struct node *directory_show_contact(struct account *account, const char *jid, const char *name);

/* That of our own account. */
void directory_show_own(struct account *account);

/* The resource `jid` has become available, or unavailable. A bare JID, from which the presence of a
 * contact behind a gateway comes, has no directory of its own. */
void directory_show_resource(struct account *account, struct node *contact, const char *jid);
void directory_hide_resource(struct account *account, const char *jid, int64_t now_ms);

/* All resources have become unavailable. */
void directory_hide_resources(struct account *account, int64_t now_ms);

/* Call after something in `directory` (NULL: in none) was removed or closed: removes the contact's
 * directory if nothing needs it. */
void directory_tidy(struct account *account, struct node *directory);
void directory_tidy_all(struct account *account);

/* Whether a stream or an offer below it is not over. */
bool directory_has_sessions(const struct node *directory);

/* Whether the directory was removed while a process is still in it. */
bool directory_is_detached(const struct node *directory);

/* ---- calls on the tree; `node` as found by tree_find ---- */

/* The child of that name. In the root, any spelling of an address finds its directory: the one that
 * has the same normal form; that of a full JID finds the resource's. NULL: there is none. */
struct node *directory_lookup(struct account *account, const struct node *parent, const char *name);

/* -EPERM, -EILSEQ, -ENAMETOOLONG (name_check), -EEXIST, -ENOMEM; -EPERM outside a contact's or a
 * resource's directory and the folders in it; -ENOENT: `parent` has gone. */
int directory_mknod(struct account *account, struct node *parent, const char *name, mode_t mode,
		    int64_t now_ms, struct node **node);

/* A contact or, by a name with "%2F", a resource of one, in the root; a resource in the directory
 * of a contact. Folders are creation.c's. -EINVAL: no JID; -EEXIST; -EPERM elsewhere; -ENOENT:
 * `parent` has gone; -ENOMEM. */
int directory_mkdir(struct account *account, struct node *parent, const char *name,
		    struct node **node);

/* -EBUSY: neither made by mkdir nor a folder; -ENOTEMPTY: streams in it; or, in a folder, folders,
 * or files of the inbox; -ENOENT. */
int directory_rmdir(struct account *account, struct node *parent, const char *name, int64_t now_ms);

/* Declines a waiting stream; aborts a running one at both ends. -ENOENT, -EISDIR, -EPERM. */
int directory_unlink(struct account *account, struct node *parent, const char *name,
		     int64_t now_ms);

#endif
