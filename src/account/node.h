/* SPDX-License-Identifier: MIT */
/*
 * node - a directory or a file of the mount: its place, and the fields of its kind.
 *
 * Units:   wall-clock times as in stat(2).
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_NODE_H
#define ACCOUNT_NODE_H

#include "account/defaults.h"
#include "account/stream_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#define NODE_NEVER INT64_MAX

enum node_kind {
	NODE_ROOT,
	NODE_INCOMING,
	NODE_STATUS,
	NODE_CONTACT,
	NODE_RESOURCE,
	NODE_IN,
	NODE_FOLDER, /* below a CONTACT or RESOURCE: of ours; below IN: of the contact's */
	NODE_NEXT,
	NODE_OUTGOING, /* a stream of ours */
	NODE_ARRIVED,  /* a stream of the contact's */
};

/* The fields of directories. */
struct directory {
	UT_hash_handle by_jid; /* tree.jids; not while it is detached */
	char *jid;	       /* CONTACT: bare; RESOURCE: full */
	bool made;	       /* CONTACT, RESOURCE: by mkdir */
	bool of_peer;	       /* FOLDER: it is below an IN */
	struct defaults defaults;
};

/* Whether the arrival is in the inbox (inbox_file.h). */
enum inbox_state {
	INBOX_NONE,
	INBOX_RECEIVING,
	INBOX_COMPLETE,
	INBOX_PART, /* its stream has broken, and a part of it is there (inbox_part.h) */
};

struct inbox_entry {
	enum inbox_state state;
	char *path;	   /* of its file below the inbox; NULL: none yet */
	uint64_t readable; /* bytes that have come; until it is complete */
	int error;	   /* why it could not be received whole, negative; or 0 */
};

struct node {
	UT_hash_handle hh;	  /* tree.nodes */
	UT_hash_handle by_name;	  /* tree.names; not while it is detached */
	struct node *prev, *next; /* parent->children */
	struct node *parent;	  /* NULL: the root, or detached */
	struct node *children;	  /* in order of arrival */

	enum node_kind kind;
	uint64_t ino;
	uint64_t lookups; /* that the kernel has not forgotten */
	unsigned handles; /* open files */

	struct directory directory; /* ROOT, CONTACT, RESOURCE, FOLDER */
	struct stream_file file;    /* OUTGOING, ARRIVED; expires_ms: FOLDER, too */
	struct inbox_entry inbox;   /* ARRIVED */
	struct op *waiters;	    /* NEXT, INCOMING: reads parked until something arrives */

	mode_t mode; /* type and permissions */
	uid_t uid;
	gid_t gid;
	struct timespec accessed, modified, changed;

	/* The key of tree.names. */
	uint64_t parent_ino; /* also when it is detached */
	char name[];	     /* as in the directory */
};

bool node_is_directory(const struct node *node);

void node_attributes(const struct node *node, struct stat *attributes);

/* The changes of chmod, chown and utimens; other fields of `values` are ignored. */
struct changes {
	bool mode, uid, gid, accessed, modified;
	bool size; /* not the tree's to change: file_truncate */
	struct stat values;
};

/* Remembers the changes. */
void node_change(struct node *node, const struct changes *changes);

/* Sets the time of the last change, and of the last modification, to now. */
void node_touch(struct node *node);

/* The nearest directory, from `directory` on upwards, that is no folder. NULL: a folder below that
 * one is detached. */
const struct node *node_above_folders(const struct node *directory);

/* Writes the path of the folder `directory`, below the nearest directory that is no folder; "" if
 * `directory` is no folder. -1 as node_path. */
int node_folder_path(const struct node *directory, char *path, size_t size);

/* Writes the path below the root, "alice@example.org/in/photo.jpg"; returns its length, -1 if it
 * is detached or `size` is too small. */
int node_path(const struct node *node, char *path, size_t size);

#endif
