/* SPDX-License-Identifier: MIT */
#include "account/inbox_entry.h"

#include "account/directory.h"
#include "account/folder.h"
#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether it is on disk, and no stream writes it. */
static bool is_stored(const struct node *node)
{
	return node->inbox.state == INBOX_COMPLETE || node->inbox.state == INBOX_PART;
}

/* The JID that a directory in the inbox is named for; the caller's. */
static int parse_contact(const char *contact, char **jid)
{
	char text[NAME_MAX_BYTES + 1];
	*jid = NULL;
	int error = name_to_jid(text, contact);
	if (!error) {
		error = jid_normalize(text, jid);
	}
	if (!error && !jid_resource(*jid)) {
		return 0;
	}
	free(*jid);
	return -EINVAL;
}

int inbox_entry_add(struct account *account, const struct inbox_path *path, const char *file,
		    int64_t now_ms, struct node **node)
{
	char *jid;
	int error = parse_contact(path->contact, &jid);
	if (error) {
		return error;
	}
	struct node *directory = directory_show_contact(account, jid, NULL);
	free(jid);
	struct node *in = directory ? tree_only(directory, NODE_IN) : NULL;
	in = in ? folder_place(account, in, path->folder, now_ms) : NULL;
	if (!in || tree_child(&account->tree, in, path->name)) {
		return in ? -EEXIST : -ENOMEM;
	}
	size_t size = strlen(path->contact) + strlen(path->folder) + strlen(file) + 3;
	char *text = malloc(size);
	*node = text ? tree_add(&account->tree, in, NODE_ARRIVED, path->name, NULL) : NULL;
	if (!*node) {
		free(text);
		return -ENOMEM;
	}
	snprintf(text, size, "%s/%s%s%s", path->contact, path->folder,
		 path->folder[0] != '\0' ? "/" : "", file);
	(*node)->inbox.path = text;
	return 0;
}

int inbox_entry_restore(struct account *account, const struct inbox_path *path, uint64_t size,
			const struct timespec *modified, int64_t now_ms)
{
	struct node *node;
	int error = inbox_entry_add(account, path, path->name, now_ms, &node);
	if (error) {
		return error;
	}
	node->inbox.state = INBOX_COMPLETE;
	node->file.opened = true;
	node->file.size = size;
	node->modified = *modified;
	node->file.summary.state = "finished";
	return 0;
}

bool inbox_entry_next(const struct tree *tree, uint64_t *ino, char *path, size_t size)
{
	/* The table has its nodes in the order of their numbers. */
	const struct node *last = tree_find(tree, *ino);
	const struct node *node = last ? last->hh.next : tree->nodes;
	while (node && (node->ino <= *ino || !node->parent || !is_stored(node))) {
		node = node->hh.next;
	}
	if (!node) {
		return false;
	}
	*ino = node->ino;
	snprintf(path, size, "%s", node->inbox.path);
	return true;
}

static void forget_part(struct account *account, const struct node *node)
{
	if (node->inbox.state == INBOX_PART) {
		parts_remove(&account->parts, node->inbox.path);
	}
}

void inbox_entry_remove(struct account *account, uint64_t ino, int64_t now_ms)
{
	struct node *node = tree_find(&account->tree, ino);
	if (node && node->parent && is_stored(node)) {
		struct node *in = node->parent;
		while (in && in->kind == NODE_FOLDER) {
			in = in->parent; /* folders that become empty go with the file */
		}
		forget_part(account, node);
		account_drop(account, node, now_ms);
		directory_tidy(account, in);
	}
}

/* ---- for the file system ---- */

int inbox_entry_path(const struct handle *handle, char *path, size_t size)
{
	const struct node *node = handle->inbox_file;
	if (!node || node->inbox.error) {
		return node ? node->inbox.error : -ENOENT;
	}
	const struct stream *stream = node->file.stream;
	if (node->inbox.state == INBOX_RECEIVING && stream && stream->state == STREAM_BROKEN) {
		return stream_outcome(stream); /* the download has not heard of it yet */
	}
	return node->inbox.path ? snprintf(path, size, "%s", node->inbox.path) : -EAGAIN;
}

uint64_t inbox_entry_readable(const struct handle *handle)
{
	const struct node *node = handle->inbox_file;
	if (!node) {
		return 0;
	}
	return node->inbox.state == INBOX_COMPLETE ? UINT64_MAX : node->inbox.readable;
}

bool inbox_entry_is_complete(const struct handle *handle)
{
	const struct node *node = handle->inbox_file;
	return node && node->inbox.state == INBOX_COMPLETE;
}

int inbox_entry_find(const struct tree *tree, const struct node *parent, const char *name,
		     char *path, size_t size)
{
	const struct node *node = tree_child(tree, parent, name);
	return node && is_stored(node) ? snprintf(path, size, "%s", node->inbox.path) : -ENOENT;
}

/* The name of the file at `path`, or NULL. */
static struct node *find_name(const struct tree *tree, const struct node *parent, const char *name,
			      const char *path)
{
	struct node *node = tree_child(tree, parent, name);
	return node && is_stored(node) && strcmp(node->inbox.path, path) == 0 ? node : NULL;
}

void inbox_entry_forget(struct account *account, struct node *parent, const char *name,
			const char *path, int64_t now_ms)
{
	struct node *node = find_name(&account->tree, parent, name, path);
	if (node) {
		forget_part(account, node);
		account_remove(account, node, now_ms);
		directory_tidy(account, parent);
	}
}

void inbox_entry_refresh(const struct tree *tree, const struct node *parent, const char *name,
			 const char *path, const struct stat *status)
{
	struct node *node = find_name(tree, parent, name, path);
	uint64_t size = (uint64_t)status->st_size;
	/* While the size is the same, times set by utimens hold. */
	if (node && S_ISREG(status->st_mode) && node->file.size != size) {
		node->file.size = size;
		node->modified = status->st_mtim;
	}
}
