/* SPDX-License-Identifier: MIT */
/* When memory is short, uthash leaves the node out of the table (see create). */
#define HASH_NONFATAL_OOM 1

#include "account/tree.h"

#include "account/name.h"
#include "xmpp/jid.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The directory in a key of tree.names, before the name. */
#define NAME_KEY_PREFIX sizeof(uint64_t)

#define MODE_DIRECTORY (S_IFDIR | 0777)
#define MODE_FILE      (S_IFREG | 0666)
#define MODE_READ_ONLY (S_IFREG | 0444)

/* Before the mask. */
static mode_t initial_mode(enum node_kind kind)
{
	switch (kind) {
	case NODE_ROOT:
	case NODE_CONTACT:
	case NODE_RESOURCE:
	case NODE_IN:
	case NODE_FOLDER:
		return MODE_DIRECTORY;
	case NODE_INCOMING:
	case NODE_STATUS:
		return MODE_READ_ONLY;
	case NODE_NEXT:
	case NODE_OUTGOING:
	case NODE_ARRIVED:
		break;
	}
	return MODE_FILE;
}

static void destroy(struct tree *tree, struct node *node)
{
	assert(!node->children && !node->file.stream && !node->file.offer && !node->waiters);
	/* The table is not used after its last entry. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	HASH_DEL(tree->nodes, node);
	tree->folders -= node->directory.of_peer;
	stream_file_finish(&node->file);
	free(node->inbox.path);
	free(node->directory.jid);
	free(node);
}

static struct node *create(struct tree *tree, enum node_kind kind, const char *name,
			   const char *jid)
{
	size_t size = strlen(name) + 1;
	struct node *node = calloc(1, sizeof(*node) + size);
	char *jid_copy = jid ? strdup(jid) : NULL;
	if (!node || (jid && !jid_copy)) {
		free(node);
		free(jid_copy);
		return NULL;
	}
	memcpy(node->name, name, size);
	node->kind = kind;
	node->directory.jid = jid_copy;
	node->ino = tree->last_ino + 1;
	node->file.expires_ms = NODE_NEVER;
	node->mode = initial_mode(kind) & ~tree->mask;
	node->uid = tree->uid;
	node->gid = tree->gid;
	node_touch(node);
	node->accessed = node->modified;
	HASH_ADD(hh, tree->nodes, ino, sizeof(node->ino), node);
	if (!node->hh.tbl) {
		free(jid_copy);
		free(node);
		return NULL;
	}
	tree->last_ino++;
	return node;
}

int tree_init(struct tree *tree, uid_t uid, gid_t gid)
{
	*tree = (struct tree){.uid = uid, .gid = gid, .mask = 077};
	tree->root = create(tree, NODE_ROOT, "", NULL);
	if (!tree->root) {
		return -ENOMEM;
	}
	assert(tree->root->ino == TREE_ROOT_INO);
	tree->incoming = tree_add(tree, tree->root, NODE_INCOMING, "incoming", NULL);
	if (!tree->incoming || !tree_add(tree, tree->root, NODE_STATUS, "status", NULL)) {
		tree_finish(tree);
		return -ENOMEM;
	}
	return 0;
}

void tree_set_umask(struct tree *tree, mode_t mask)
{
	struct node *node, *next;
	tree->mask = mask;
	HASH_ITER (hh, tree->nodes, node, next) {
		node->mode = initial_mode(node->kind) & ~mask;
	}
}

void tree_finish(struct tree *tree)
{
	struct node *node, *next;
	HASH_CLEAR(by_name, tree->names);
	HASH_CLEAR(directory.by_jid, tree->jids);
	HASH_ITER (hh, tree->nodes, node, next) {
		node->children = NULL;
		destroy(tree, node);
	}
	tree->root = NULL;
}

struct node *tree_find(const struct tree *tree, uint64_t ino)
{
	struct node *node;
	HASH_FIND(hh, tree->nodes, &ino, sizeof(ino), node);
	return node;
}

struct node *tree_child(const struct tree *tree, const struct node *parent, const char *name)
{
	struct {
		uint64_t directory;
		char name[NAME_MAX_BYTES];
	} key = {.directory = parent->ino};
	size_t length = strlen(name);
	struct node *node = NULL;
	if (length <= sizeof(key.name)) {
		memcpy(key.name, name, length);
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): memcpy */
		HASH_FIND(by_name, tree->names, &key, NAME_KEY_PREFIX + length, node);
	}
	return node;
}

struct node *tree_contact(const struct tree *tree, const char *jid)
{
	struct node *node;
	HASH_FIND(directory.by_jid, tree->jids, jid, jid_bare_length(jid), node);
	return node;
}

struct node *tree_resource(const struct tree *tree, const char *jid)
{
	struct node *node;
	HASH_FIND(directory.by_jid, tree->jids, jid, strlen(jid), node);
	return node && node->kind == NODE_RESOURCE ? node : NULL;
}

struct node *tree_only(const struct node *parent, enum node_kind kind)
{
	struct node *node;
	DL_FOREACH (parent->children, node) {
		if (node->kind == kind) {
			return node;
		}
	}
	return NULL;
}

static bool is_needed(const struct node *node)
{
	return node->parent || node->kind == NODE_ROOT || node->lookups > 0 || node->handles > 0;
}

static void release(struct tree *tree, struct node *node)
{
	if (!is_needed(node)) {
		destroy(tree, node);
	}
}

struct node *tree_add(struct tree *tree, struct node *parent, enum node_kind kind, const char *name,
		      const char *jid)
{
	struct node *node = create(tree, kind, name, jid);
	if (!node) {
		return NULL;
	}
	node->parent_ino = parent->ino;
	HASH_ADD_KEYPTR(by_name, tree->names, &node->parent_ino, NAME_KEY_PREFIX + strlen(name),
			node);
	if (!node->by_name.tbl) {
		destroy(tree, node);
		return NULL;
	}
	if (jid) {
		HASH_ADD_KEYPTR(directory.by_jid, tree->jids, node->directory.jid, strlen(jid),
				node);
		if (!node->directory.by_jid.tbl) {
			HASH_DELETE(by_name, tree->names, node);
			destroy(tree, node);
			return NULL;
		}
	}
	node->parent = parent;
	DL_APPEND(parent->children, node);
	if (kind == NODE_FOLDER) {
		const struct node *above = node_above_folders(parent);
		node->directory.of_peer = above && above->kind == NODE_IN;
		tree->folders += node->directory.of_peer;
	}
	if (kind == NODE_CONTACT) {
		struct node *in = tree_add(tree, node, NODE_IN, "in", NULL);
		if (!in || !tree_add(tree, in, NODE_NEXT, "next", NULL)) {
			tree_detach(tree, node);
			return NULL;
		}
	}
	node_touch(parent);
	return node;
}

void tree_detach(struct tree *tree, struct node *node)
{
	struct node *child, *next;
	DL_FOREACH_SAFE (node->children, child, next) {
		tree_detach(tree, child);
	}
	if (node->parent) {
		node_touch(node->parent);
		DL_DELETE(node->parent->children, node);
		HASH_DELETE(by_name, tree->names, node);
		if (node->directory.jid) {
			HASH_DELETE(directory.by_jid, tree->jids, node);
		}
		node->parent = NULL;
	}
	release(tree, node);
}

void tree_forget(struct tree *tree, struct node *node, uint64_t count)
{
	node->lookups -= count < node->lookups ? count : node->lookups;
	release(tree, node);
}

void tree_close(struct tree *tree, struct node *node)
{
	assert(node->handles > 0);
	node->handles--;
	release(tree, node);
}

enum tree_pace tree_pace(const struct node *directory, const struct node *node)
{
	if (node && (node->kind == NODE_CONTACT || node->kind == NODE_IN)) {
		return TREE_ROSTER;
	}
	const struct node *above = node_above_folders(directory);
	if (!above || (above->kind != NODE_CONTACT && above->kind != NODE_RESOURCE)) {
		return TREE_STANZAS;
	}
	/* A peer that declines removes the name. */
	bool waits = node && node->file.stream && node->file.stream->state < STREAM_OPEN;
	bool ours = node && (node->kind == NODE_OUTGOING || node->kind == NODE_FOLDER);
	return !node || (ours && !waits) ? TREE_CALLS : TREE_STANZAS;
}
