/* SPDX-License-Identifier: MIT */
#include "account/entry.h"

#include "account/directory.h"
#include "account/inbox_part.h"
#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- lookup ---- */

/* The JID that `name` stands for; the caller's. -EINVAL, -ENAMETOOLONG, -ENOMEM. */
static int parse_address(const char *name, char **jid)
{
	char text[NAME_MAX_BYTES + 1];
	int error = name_to_jid(text, name);
	if (!error) {
		error = jid_normalize(text, jid);
	}
	return error;
}

struct node *entry_lookup(struct account *account, const struct node *parent, const char *name)
{
	struct node *node = tree_child(&account->tree, parent, name);
	char *jid;
	if (!node && parent->kind == NODE_ROOT && parse_address(name, &jid) == 0) {
		node = tree_contact(&account->tree, jid);
		if (node && jid_resource(jid)) {
			node = tree_resource(&account->tree, jid);
		}
		free(jid);
	}
	return node;
}

/* ---- mknod ---- */

int entry_mknod(struct account *account, struct node *parent, const char *name, mode_t mode,
		int64_t now_ms, struct node **node)
{
	int error = name_check(name);
	if (error) {
		return error;
	}
	if (directory_is_detached(parent)) {
		return -ENOENT;
	}
	const struct node *above = node_above_folders(parent);
	if (!above) {
		return -ENOENT;
	}
	if (!S_ISREG(mode) || (above->kind != NODE_CONTACT && above->kind != NODE_RESOURCE)) {
		return -EPERM;
	}
	if (tree_child(&account->tree, parent, name)) {
		return -EEXIST;
	}
	*node = tree_add(&account->tree, parent, NODE_OUTGOING, name, NULL);
	if (!*node) {
		return -ENOMEM;
	}
	/* Writable by its owner, or the kernel could refuse the open that follows. */
	(*node)->mode = S_IFREG | S_IRUSR | S_IWUSR | (mode & 07777);
	account_expire_at(account, *node, now_ms + ACCOUNT_UNOPENED_MS);
	return 0;
}

/* ---- mkdir ---- */

/* Makes the directory of a full JID, and that of its contact if there is none. */
static int make_full(struct account *account, const char *jid, struct node **node)
{
	struct node *contact = tree_contact(&account->tree, jid);
	if (tree_resource(&account->tree, jid)) {
		return -EEXIST;
	}
	if (!contact) {
		contact = directory_show_contact(account, jid, NULL);
		if (!contact) {
			return -ENOMEM;
		}
		contact->directory.made = true;
	}
	*node = directory_add_jid(account, contact, NODE_RESOURCE, jid_resource(jid), jid);
	return *node ? 0 : -ENOMEM;
}

static int make_address(struct account *account, const char *name, struct node **node)
{
	char *jid;
	int error = parse_address(name, &jid);
	if (error) {
		return error;
	}
	if (jid_resource(jid)) {
		error = make_full(account, jid, node);
	} else if (tree_contact(&account->tree, jid)) {
		error = -EEXIST;
	} else {
		*node = directory_show_contact(account, jid, name);
		error = *node ? 0 : -ENOMEM;
	}
	free(jid);
	return error;
}

static int make_resource(struct account *account, struct node *contact, const char *name,
			 struct node **node)
{
	char resource[NAME_MAX_BYTES + 1];
	char text[JID_MAX + 1];
	char *jid;
	int error = name_to_jid(resource, name);
	if (error) {
		return error;
	}
	if (strlen(contact->directory.jid) + 1 + strlen(resource) > JID_MAX) {
		return -EINVAL;
	}
	strcpy(text, contact->directory.jid);
	strcat(text, "/");
	strcat(text, resource);
	error = jid_normalize(text, &jid);
	if (error) {
		return error;
	}
	if (tree_resource(&account->tree, jid)) {
		error = -EEXIST;
	} else {
		*node = directory_add(account, contact, NODE_RESOURCE, name, jid);
		error = *node ? 0 : -ENOMEM;
	}
	free(jid);
	return error;
}

int entry_mkdir(struct account *account, struct node *parent, const char *name, struct node **node)
{
	int error = name_check(name);
	if (error) {
		return error;
	}
	if (directory_is_detached(parent)) {
		return -ENOENT;
	}
	if (tree_child(&account->tree, parent, name)) {
		return -EEXIST;
	}
	switch (parent->kind) {
	case NODE_ROOT:
		error = make_address(account, name, node);
		break;
	case NODE_CONTACT:
		error = make_resource(account, parent, name, node);
		break;
	default:
		return -EPERM;
	}
	if (!error) {
		(*node)->directory.made = true;
	}
	return error;
}

/* ---- rmdir, unlink ---- */

/* Whether something is in a folder that does not expire by itself soon. */
static bool has_stored(const struct node *folder)
{
	const struct node *child;
	DL_FOREACH (folder->children, child) {
		if (child->kind == NODE_FOLDER || child->inbox.state) {
			return true;
		}
	}
	return false;
}

int entry_rmdir(struct account *account, struct node *parent, const char *name, int64_t now_ms)
{
	struct node *node = entry_lookup(account, parent, name);
	if (!node) {
		return -ENOENT;
	}
	if (!node_is_directory(node)) {
		return -ENOTDIR;
	}
	bool made = node->kind == NODE_FOLDER || node->directory.made;
	if (!made || (node->kind == NODE_CONTACT && directory_is_known(account, node))) {
		return -EBUSY;
	}
	if (directory_is_open_below(node) || directory_has_sessions(node) ||
	    (node->kind == NODE_FOLDER && has_stored(node))) {
		return -ENOTEMPTY;
	}
	parent = node->parent; /* which a name with "%2F" is not in */
	node->directory.made = false;
	if (node->kind == NODE_RESOURCE &&
	    roster_find_resource(&account->roster, node->directory.jid)) {
		return 0; /* the resource is online */
	}
	account_remove(account, node, now_ms);
	directory_tidy(account, parent);
	return 0;
}

int entry_unlink(struct account *account, struct node *parent, const char *name, int64_t now_ms)
{
	struct node *node = tree_child(&account->tree, parent, name);
	if (!node) {
		return -ENOENT;
	}
	if (node_is_directory(node)) {
		return -EISDIR;
	}
	if (node->kind != NODE_OUTGOING && node->kind != NODE_ARRIVED) {
		return -EPERM;
	}
	inbox_part_forget(account, node);
	account_remove(account, node, now_ms);
	directory_tidy(account, parent);
	return 0;
}
