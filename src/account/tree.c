/* SPDX-License-Identifier: MIT */
/* A table that cannot grow says so, and the node is not in it (see create). */
#define HASH_NONFATAL_OOM 1

#include "account/tree.h"

#include "account/name.h"
#include "xmpp/jid.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

/* The directory in a key of tree.names, before the name. */
#define NAME_KEY_PREFIX sizeof(uint64_t)

#define MODE_DIRECTORY (S_IFDIR | 0700)
#define MODE_FILE      (S_IFREG | 0600)
#define MODE_READ_ONLY (S_IFREG | 0400)

static mode_t initial_mode(enum node_kind kind)
{
	switch (kind) {
	case NODE_ROOT:
	case NODE_CONTACT:
	case NODE_RESOURCE:
	case NODE_IN:
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
	assert(!node->children && !node->stream && !node->offer && !node->waiters);
	/* The table of the last one is not looked at again. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	HASH_DEL(tree->nodes, node);
	free(node->summary.sid);
	free(node->summary.peer);
	free(node->path);
	free(node->jid);
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
	node->jid = jid_copy;
	node->ino = tree->last_ino + 1;
	node->expires_ms = TREE_NEVER;
	node->mode = initial_mode(kind);
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
	*tree = (struct tree){.uid = uid, .gid = gid};
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

void tree_finish(struct tree *tree)
{
	struct node *node, *next;
	HASH_CLEAR(by_name, tree->names);
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
	DL_FOREACH (tree->root->children, node) {
		if (node->kind == NODE_CONTACT && jid_same_bare(node->jid, jid)) {
			return node;
		}
	}
	return NULL;
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
	node->directory = parent->ino;
	HASH_ADD_KEYPTR(by_name, tree->names, &node->directory, NAME_KEY_PREFIX + strlen(name),
			node);
	if (!node->by_name.tbl) {
		destroy(tree, node);
		return NULL;
	}
	node->parent = parent;
	DL_APPEND(parent->children, node);
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

/* NULL: of no offer. */
static enum format format_of(const struct offer *offer)
{
	if (!offer) {
		return FORMAT_RAW;
	}
	return offer->format == OFFER_SI ? FORMAT_SI : FORMAT_JINGLE;
}

static struct summary summarize_offer(const struct offer *offer)
{
	return (struct summary){
		.state = offer_state_name(offer),
		.sid = offer->sid,
		.peer = offer->peer,
		.block_size = offer->block_size,
		.format = format_of(offer),
	};
}

struct summary node_summarize(const struct node *node)
{
	const struct stream *stream = node->stream;
	const struct offer *offer = node->offer;
	if (!stream) {
		return offer ? summarize_offer(offer) : node->summary;
	}
	const char *state = offer ? offer_state_name(offer) : NULL;
	return (struct summary){
		.state = state ? state : stream_state_name(stream),
		.sid = stream->sid,
		.peer = offer ? offer->peer : stream->peer,
		.format = format_of(offer),
		.block_size = stream->block_size,
		.carrier = stream->carrier,
		.sent = stream->sender.acknowledged,
		.received = stream->receiver.received,
		.window = stream->window.size,
	};
}

void node_keep_summary(struct node *node)
{
	struct summary summary = node_summarize(node);
	if (!node->offer && node->stream && node->stream->state == STREAM_CLOSING) {
		/* Everything is delivered; that <close/> is not answered yet changes nothing. */
		summary.state = "finished";
	}
	summary.sid = summary.sid ? strdup(summary.sid) : NULL;
	summary.peer = summary.peer ? strdup(summary.peer) : NULL;
	free(node->summary.sid);
	free(node->summary.peer);
	node->summary = summary;
}

bool node_has_session(const struct node *node)
{
	return node->stream || node->offer || node->summary.state;
}

enum tree_pace tree_pace(const struct node *directory, const struct node *node)
{
	if (node && (node->kind == NODE_CONTACT || node->kind == NODE_IN)) {
		return TREE_ROSTER;
	}
	if (directory->kind != NODE_CONTACT && directory->kind != NODE_RESOURCE) {
		return TREE_STANZAS;
	}
	/* The name goes if the peer does not want the stream. */
	bool waits = node && node->stream && node->stream->state < STREAM_OPEN;
	return !node || (node->kind == NODE_OUTGOING && !waits) ? TREE_CALLS : TREE_STANZAS;
}

bool node_is_directory(const struct node *node)
{
	return S_ISDIR(node->mode);
}

void node_attributes(const struct node *node, struct stat *attributes)
{
	const struct stream *stream = node->stream;
	uint64_t size = node->size;
	if (node->spooled || node->inbox) {
		/* What was written so far: to a file that will be offered, or is in the inbox. */
	} else if (stream && stream->announced >= 0) {
		size = (uint64_t)stream->announced;
	} else if (stream && stream->incoming && stream->state != STREAM_CLOSED) {
		/* Not that of the bytes so far: wc and rsync would take them for the whole file. */
		size = 0;
	} else if (stream) {
		size = stream_size(stream);
	}
	*attributes = (struct stat){
		.st_ino = node->ino,
		.st_mode = node->mode,
		.st_nlink = node_is_directory(node) ? 2 : 1,
		.st_uid = node->uid,
		.st_gid = node->gid,
		.st_size = (off_t)size,
		.st_blocks = (blkcnt_t)(size / 512 + (size % 512 != 0)),
		.st_blksize = 128L * 1024,
		.st_atim = node->accessed,
		.st_mtim = node->modified,
		.st_ctim = node->changed,
	};
}

void node_change(struct node *node, const struct changes *changes)
{
	const struct stat *values = &changes->values;
	if (changes->mode) {
		node->mode = (node->mode & S_IFMT) | (values->st_mode & 07777);
	}
	if (changes->uid) {
		node->uid = values->st_uid;
	}
	if (changes->gid) {
		node->gid = values->st_gid;
	}
	if (changes->accessed) {
		node->accessed = values->st_atim;
	}
	if (changes->modified) {
		node->modified = values->st_mtim;
	}
	clock_gettime(CLOCK_REALTIME, &node->changed);
}

void node_touch(struct node *node)
{
	clock_gettime(CLOCK_REALTIME, &node->modified);
	node->changed = node->modified;
}

int node_path(const struct node *node, char *path, size_t size)
{
	if (node->kind == NODE_ROOT) {
		return 0;
	}
	if (!node->parent) {
		return -1;
	}
	int above = node_path(node->parent, path, size);
	if (above < 0) {
		return -1;
	}
	int length = snprintf(path + above, size - (size_t)above, "%s%s", above > 0 ? "/" : "",
			      node->name);
	return length < 0 || (size_t)above + (size_t)length >= size ? -1 : above + length;
}
