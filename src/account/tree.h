/* SPDX-License-Identifier: MIT */
/*
 * tree - the directories and names of the mount, as nodes with numbers.
 *
 *     ROOT / INCOMING, STATUS, CONTACT / RESOURCE / OUTGOING
 *                                      / OUTGOING
 *                                      / IN / NEXT, ARRIVED
 *
 * Only what is where; what a call on a node means is in directory.c and file.c. A node lives until
 * it is detached from its parent, the kernel has forgotten it and no file of it is open.
 *
 * Units:   ms of the caller's monotonic clock; wall-clock times as in stat(2).
 * Errors:  NULL when memory is short.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_TREE_H
#define ACCOUNT_TREE_H

#include "account/format.h"
#include "offer/offer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#define TREE_ROOT_INO 1 /* FUSE_ROOT_ID */
#define TREE_NEVER    INT64_MAX

enum node_kind {
	NODE_ROOT,
	NODE_INCOMING,
	NODE_STATUS,
	NODE_CONTACT,
	NODE_RESOURCE,
	NODE_IN,
	NODE_NEXT,
	NODE_OUTGOING, /* a stream of ours */
	NODE_ARRIVED,  /* a stream of the contact's */
};

/* Whether what arrived is in the inbox (inbox_file.h). */
enum inbox_state {
	INBOX_NONE,
	INBOX_RECEIVING,
	INBOX_COMPLETE,
};

/* What is known of a session when it is over. */
struct summary {
	const char *state; /* static; NULL: there was none */
	char *sid, *peer;  /* NULL where they are not known */
	uint32_t block_size;
	enum carrier carrier;
	uint64_t sent, received; /* bytes acknowledged to us, by us */
	size_t window;
	enum format format;
};

/* What new streams in a directory start with; 0 and false: as the directory above. */
struct defaults {
	uint32_t block_size; /* or STREAM_AUTO_BLOCK */
	bool has_carrier;
	enum carrier carrier;
	bool has_format;
	enum format format;
};

/* A stream's progress when somebody last looked. */
struct sample {
	int64_t taken_ms;
	uint64_t bytes;
	uint64_t rate; /* bytes per second before that */
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

	char *jid; /* CONTACT: bare; RESOURCE: full */
	bool made; /* CONTACT, RESOURCE: by mkdir */

	struct stream *stream;	/* OUTGOING, ARRIVED: owned while it runs, or its end is not seen */
	struct offer *offer;	/* likewise: owned while the file is offered, and moves */
	uint64_t size;		/* of a file without a stream, or that is spooled */
	bool spooled;		/* OUTGOING: what is written is spooled, to be offered as a whole */
	struct sample sample;	/* of its progress, for `status` */
	struct summary summary; /* of the stream that it had */
	struct defaults defaults; /* ROOT, CONTACT, RESOURCE */
	uint64_t arrival;	  /* ARRIVED: 1, 2, 3 ... over all contacts */
	enum inbox_state inbox;	  /* ARRIVED */
	char *path;		  /* ARRIVED: of its file below the inbox; NULL: none yet */
	int error;		  /* ARRIVED: why it could not be received whole, negative; or 0 */
	bool opened;		  /* ARRIVED: by a reader, OUTGOING: by a writer, now or before */
	int64_t expires_ms;	  /* when a finished file goes, or TREE_NEVER */
	struct op *waiters;	  /* NEXT, INCOMING: reads parked until something arrives */

	mode_t mode; /* type and permissions */
	uid_t uid;
	gid_t gid;
	struct timespec accessed, modified, changed;

	/* The key of tree.names. */
	uint64_t directory; /* ino of the parent, also when it is detached */
	char name[];	    /* as in the directory */
};

struct tree {
	struct node *nodes; /* uthash, by ino */
	struct node *names; /* uthash, by directory and name: of all that have a parent */
	struct node *root, *incoming;
	uint64_t last_ino;
	uid_t uid; /* of every new node */
	gid_t gid;
};

/* -ENOMEM. */
int tree_init(struct tree *tree, uid_t uid, gid_t gid);

/* Frees every node; none may have a stream or a waiter. */
void tree_finish(struct tree *tree);

/* NULL for a number that no node has. */
struct node *tree_find(const struct tree *tree, uint64_t ino);

/* The child of that name, or NULL. */
struct node *tree_child(const struct tree *tree, const struct node *parent, const char *name);

/* The child of the root that is the directory of the bare or full JID, or NULL. */
struct node *tree_contact(const struct tree *tree, const char *jid);

/* The child of `parent` of that kind, or NULL; for the kinds of which there is one. */
struct node *tree_only(const struct node *parent, enum node_kind kind);

/* A new child; a directory for ROOT, CONTACT, RESOURCE, IN, else a regular file, with the times
 * of now and with `jid` copied, which may be NULL. A CONTACT comes with its in/ and in/next. */
struct node *tree_add(struct tree *tree, struct node *parent, enum node_kind kind, const char *name,
		      const char *jid);

/* Takes `node` and all below it out of the tree; frees what nobody needs any more. */
void tree_detach(struct tree *tree, struct node *node);

/* The kernel has forgotten `count` lookups. */
void tree_forget(struct tree *tree, struct node *node, uint64_t count);

/* A file of `node` was closed; frees the node if nobody needs it any more. */
void tree_close(struct tree *tree, struct node *node);

/* What can be known now of the session of `node`, as far as there is one; borrows from it. */
struct summary node_summarize(const struct node *node);

/* Keeps that in `node`; short of memory, without the strings. */
void node_keep_summary(struct node *node);

/* Whether it is, or was, a session of its own. */
bool node_has_session(const struct node *node);

bool node_is_directory(const struct node *node);

/* How soon a name may come or go without a call of a process here. */
enum tree_pace {
	TREE_STANZAS, /* with the next stanza */
	TREE_CALLS,   /* hardly ever: when a finished file expires, or is refused the next time */
	TREE_ROSTER,  /* with the roster: directories of contacts */
};

/* That of the name in `directory` that is `node`'s, or nobody's if that is NULL. */
enum tree_pace tree_pace(const struct node *directory, const struct node *node);

void node_attributes(const struct node *node, struct stat *attributes);

/* What chmod, chown and utimens change; other fields of `values` are ignored. */
struct changes {
	bool mode, uid, gid, accessed, modified;
	bool size; /* not the tree's to change: file_truncate */
	struct stat values;
};

/* Remembers the changes. */
void node_change(struct node *node, const struct changes *changes);

/* Sets the time of the last change, and of the last modification, to now. */
void node_touch(struct node *node);

/* Writes the path below the root, "alice@example.org/in/photo.jpg"; returns its length, -1 if it
 * is detached or `size` is too small. */
int node_path(const struct node *node, char *path, size_t size);

#endif
