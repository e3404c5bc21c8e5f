/* SPDX-License-Identifier: MIT */
/*
 * tree - the directories and names of the mount, as nodes with numbers.
 *
 *     ROOT / INCOMING, STATUS, CONTACT / RESOURCE / OUTGOING
 *                                      / OUTGOING
 *                                      / IN / NEXT, ARRIVED
 *
 * FOLDERs, in each other, may be between a CONTACT or a RESOURCE and an OUTGOING, and between IN
 * and an ARRIVED.
 *
 * The tree only knows places; directory.c and file.c have the calls. A node lives until it is
 * detached from its parent, the kernel has forgotten it and no file of it is open.
 *
 * Units:   ms of the caller's monotonic clock; wall-clock times as in stat(2).
 * Errors:  NULL when memory is short.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_TREE_H
#define ACCOUNT_TREE_H

#include "account/node.h"

#include <stdbool.h>
#include <stdint.h>

#define TREE_ROOT_INO 1 /* FUSE_ROOT_ID */

struct tree {
	struct node *nodes; /* uthash, by ino */
	struct node *names; /* uthash, by directory and name: of all that have a parent */
	struct node *jids;  /* uthash, by directory.jid: of CONTACT and RESOURCE likewise */
	struct node *root, *incoming;
	uint64_t last_ino;
	size_t folders; /* nodes that are FOLDERs below an IN */
	uid_t uid;	/* of every new node */
	gid_t gid;
	mode_t mask;
};

/* -ENOMEM. */
int tree_init(struct tree *tree, uid_t uid, gid_t gid);

/* The permissions that nodes do not have, as umask(2); 077 until then. */
void tree_set_umask(struct tree *tree, mode_t mask);

/* Frees every node; none may have a stream or a waiter. */
void tree_finish(struct tree *tree);

/* NULL for a number that no node has. */
struct node *tree_find(const struct tree *tree, uint64_t ino);

/* The child of that name, or NULL. */
struct node *tree_child(const struct tree *tree, const struct node *parent, const char *name);

/* The child of the root that is the directory of the bare or full JID, or NULL. */
struct node *tree_contact(const struct tree *tree, const char *jid);

/* The directory of exactly that full JID, or NULL. */
struct node *tree_resource(const struct tree *tree, const char *jid);

/* The child of `parent` of that kind, or NULL; for the kinds of which there is one. */
struct node *tree_only(const struct node *parent, enum node_kind kind);

/* A new child; a directory for ROOT, CONTACT, RESOURCE, IN, FOLDER, else a regular file, with the
 * times of now and with `jid` copied, which may be NULL. A CONTACT comes with its in/ and in/next.
 */
struct node *tree_add(struct tree *tree, struct node *parent, enum node_kind kind, const char *name,
		      const char *jid);

/* Removes `node` and all below it from the tree; frees each unless the kernel or an open file still
 * refers to it. */
void tree_detach(struct tree *tree, struct node *node);

/* The kernel has forgotten `count` lookups. */
void tree_forget(struct tree *tree, struct node *node, uint64_t count);

/* An open file of `node` was closed; frees the node if nothing refers to it. */
void tree_close(struct tree *tree, struct node *node);

/* How long the kernel may cache a name: how often it may change without a call from this
 * machine. */
enum tree_pace {
	TREE_STANZAS, /* with any stanza */
	TREE_CALLS,   /* hardly ever: when a finished file expires, or a peer declines */
	TREE_ROSTER,  /* with the roster: directories of contacts */
};

/* For the name of `node` in `directory`; NULL: for a name that is not there. */
enum tree_pace tree_pace(const struct node *directory, const struct node *node);

#endif
