/* SPDX-License-Identifier: MIT */
/*
 * directory - which directories there are, and what calls on them mean.
 *
 * A contact has a directory while the roster, mkdir, a file in it or somebody inside wants it; a
 * resource while it is online, or if mkdir made it.
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

/* The directory of a bare JID, made with those of its resources that are online if need be; under
 * `name`, or the JID's own if that is NULL. NULL: memory is short, or no name can hold it. */
struct node *directory_show_contact(struct account *account, const char *jid, const char *name);

/* The resource `jid` came, or went. */
void directory_show_resource(struct account *account, struct node *contact, const char *jid);
void directory_hide_resource(struct account *account, struct node *contact, const char *jid,
			     int64_t now_ms);

/* All resources went. */
void directory_hide_resources(struct account *account, int64_t now_ms);

/* Something has gone from `directory` (NULL: from none), or nobody needs it as much as before: the
 * contact's goes, if nobody wants it any more. */
void directory_tidy(struct account *account, struct node *directory);
void directory_tidy_all(struct account *account);

/* ---- calls on the tree; `node` as found by tree_find ---- */

/* -EPERM, -EILSEQ, -ENAMETOOLONG (name_check), -EEXIST, -ENOMEM; -EPERM outside a contact's or a
 * resource's directory; -ENOENT: `parent` has gone. */
int directory_mknod(struct account *account, struct node *parent, const char *name, mode_t mode,
		    int64_t now_ms, struct node **node);

/* -EINVAL: no JID; -EEXIST; -EPERM below a resource or in/; -ENOENT: `parent` has gone; -ENOMEM. */
int directory_mkdir(struct account *account, struct node *parent, const char *name,
		    struct node **node);

/* -EBUSY: not made by mkdir; -ENOTEMPTY: streams in it; -ENOENT. */
int directory_rmdir(struct account *account, struct node *parent, const char *name, int64_t now_ms);

/* Refuses a waiting stream, ends a running one at both ends. -ENOENT, -EISDIR, -EPERM. */
int directory_unlink(struct account *account, struct node *parent, const char *name,
		     int64_t now_ms);

#endif
