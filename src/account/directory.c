/* SPDX-License-Identifier: MIT */
#include "account/directory.h"

#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- which there are ---- */

static bool has_files(const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		if (child->kind == NODE_OUTGOING || child->kind == NODE_ARRIVED ||
		    has_files(child)) {
			return true;
		}
	}
	return false;
}

static bool is_open_below(const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		if (child->handles > 0 || is_open_below(child)) {
			return true;
		}
	}
	return false;
}

bool directory_has_sessions(const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		if (child->file.stream || child->file.offer || directory_has_sessions(child)) {
			return true;
		}
	}
	return false;
}

/* Writes `name` with its first character escaped, byte by byte. */
static void escape_first(char escaped[NAME_MAX_BYTES + 3 * 4 + 1], const char *name)
{
	static const char digits[] = "0123456789ABCDEF";
	do {
		unsigned char byte = (unsigned char)*name++;
		*escaped++ = '%';
		*escaped++ = digits[byte >> 4];
		*escaped++ = digits[byte & 15];
	} while (((unsigned char)*name & 0xc0) == 0x80); /* the rest of a UTF-8 character */
	strcpy(escaped, name);
}

/* A new directory, with the defaults that its preset has. */
static struct node *place(struct account *account, struct node *parent, enum node_kind kind,
			  const char *name, const char *jid)
{
	struct node *node = tree_add(&account->tree, parent, kind, name, jid);
	const struct preset *preset = preset_find(account->presets, jid);
	if (node && preset) {
		node->directory.defaults = preset->defaults;
	}
	return node;
}

/* Adds a directory for `jid`. If its name is taken ("in" as a resource, "status" as a domain), the
 * first character is escaped. NULL: no name can hold it. */
static struct node *add_directory(struct account *account, struct node *parent, enum node_kind kind,
				  const char *text, const char *jid)
{
	char name[NAME_MAX_BYTES + 1];
	if (!name_from_jid(name, text)) {
		return NULL;
	}
	if (tree_child(&account->tree, parent, name)) {
		char escaped[NAME_MAX_BYTES + 3 * 4 + 1];
		escape_first(escaped, name);
		if (strlen(escaped) > NAME_MAX_BYTES ||
		    tree_child(&account->tree, parent, escaped)) {
			return NULL;
		}
		return place(account, parent, kind, escaped, jid);
	}
	return place(account, parent, kind, name, jid);
}

void directory_show_resource(struct account *account, struct node *contact, const char *jid)
{
	if (jid_resource(jid) && !tree_resource(&account->tree, jid)) {
		add_directory(account, contact, NODE_RESOURCE, jid_resource(jid), jid);
	}
}

/* Whether a stream in it waits for the resource to come back. */
static bool is_waited_for(const struct account *account, const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		const struct stream *stream = child->file.stream;
		bool unrouted = stream && stream->state == STREAM_NEW && account_is_away(account);
		if (unrouted || (stream && stream->resumption.suspended) ||
		    is_waited_for(account, child)) {
			return true;
		}
	}
	return false;
}

/* Aborts the streams below it of which nothing was sent yet. */
static void abort_unsent(struct account *account, const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		if (child->file.stream && child->file.stream->state == STREAM_NEW) {
			ibb_abort(&account->ibb, child->file.stream, -EHOSTDOWN);
		}
		abort_unsent(account, child);
	}
}

/* The directory of a resource that has become unavailable is removed, unless mkdir made it or a
 * stream in it waits. */
void directory_hide_resource(struct account *account, const char *jid, int64_t now_ms)
{
	struct node *node = tree_resource(&account->tree, jid);
	if (node && !node->directory.made && !is_waited_for(account, node)) {
		abort_unsent(account, node);
		account_drop(account, node, now_ms);
	}
}

/* The directory of a bare JID, with those of its resources that are online. */
struct node *directory_show_contact(struct account *account, const char *jid, const char *name)
{
	struct node *contact = tree_contact(&account->tree, jid);
	if (contact) {
		return contact;
	}
	contact = name ? place(account, account->tree.root, NODE_CONTACT, name, jid)
		       : add_directory(account, account->tree.root, NODE_CONTACT, jid, jid);
	const struct contact *known = roster_find(&account->roster, jid);
	struct resource *resource;
	if (contact && known) {
		DL_FOREACH (known->resources, resource) {
			directory_show_resource(account, contact, resource->jid);
		}
	}
	return contact;
}

void directory_show_own(struct account *account)
{
	char jid[JID_MAX + 1];
	snprintf(jid, sizeof(jid), "%.*s", (int)jid_bare_length(account->jid), account->jid);
	directory_show_contact(account, jid, NULL);
}

static bool has_made(const struct node *contact)
{
	struct node *child;
	DL_FOREACH (contact->children, child) {
		if (child->directory.made) {
			return true;
		}
	}
	return false;
}

/* Whether the roster says that the directory of a contact is there: the contact is on it, or is our
 * own account, under another resource that is online. */
static bool is_known(const struct account *account, const struct node *contact)
{
	const struct contact *known = roster_find(&account->roster, contact->directory.jid);
	return known && (known->listed ||
			 (known->resources && account_is_own(account, contact->directory.jid)));
}

/* Removes the directory of a contact that neither the roster, mkdir, a file nor an open file needs.
 */
static void hide_unwanted(struct account *account, struct node *contact)
{
	if (!contact->directory.made && !is_known(account, contact) && !has_made(contact) &&
	    !has_files(contact) && !is_open_below(contact)) {
		tree_detach(&account->tree, contact);
	}
}

/* Removes the directory of an unavailable resource whose last stream is gone. */
static void hide_left_over(struct account *account, struct node *resource)
{
	if (!resource->directory.made && !has_files(resource) && !is_open_below(resource) &&
	    !roster_find_resource(&account->roster, resource->directory.jid)) {
		tree_detach(&account->tree, resource);
	}
}

void directory_tidy(struct account *account, struct node *directory)
{
	struct node *contact = directory, *resource = NULL;
	while (contact && contact->kind != NODE_CONTACT) {
		resource = contact->kind == NODE_RESOURCE ? contact : resource;
		contact = contact->parent;
	}
	if (!contact) {
		return;
	}
	if (resource) {
		hide_left_over(account, resource);
	}
	hide_unwanted(account, contact);
}

void directory_tidy_all(struct account *account)
{
	struct node *contact, *next, *node, *next_node;
	DL_FOREACH_SAFE (account->tree.root->children, contact, next) {
		if (contact->kind != NODE_CONTACT) {
			continue;
		}
		DL_FOREACH_SAFE (contact->children, node, next_node) {
			if (node->kind == NODE_RESOURCE) {
				hide_left_over(account, node);
			}
		}
		hide_unwanted(account, contact);
	}
}

void directory_hide_resources(struct account *account, int64_t now_ms)
{
	struct node *contact, *node, *next;
	DL_FOREACH (account->tree.root->children, contact) {
		DL_FOREACH_SAFE (contact->children, node, next) {
			if (node->kind == NODE_RESOURCE) {
				directory_hide_resource(account, node->directory.jid, now_ms);
			}
		}
	}
}

/* ---- calls on the tree ---- */

bool directory_is_detached(const struct node *directory)
{
	return !directory->parent && directory->kind != NODE_ROOT;
}

int directory_mknod(struct account *account, struct node *parent, const char *name, mode_t mode,
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

struct node *directory_lookup(struct account *account, const struct node *parent, const char *name)
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

/* Makes the directory of a full JID, and that of its contact if there is none. */
static int make_full(struct account *account, const char *jid, struct node **node)
{
	char bare[JID_MAX + 1];
	snprintf(bare, sizeof(bare), "%.*s", (int)jid_bare_length(jid), jid);
	struct node *contact = tree_contact(&account->tree, bare);
	if (tree_resource(&account->tree, jid)) {
		return -EEXIST;
	}
	if (!contact) {
		contact = directory_show_contact(account, bare, NULL);
		if (!contact) {
			return -ENOMEM;
		}
		contact->directory.made = true;
	}
	*node = add_directory(account, contact, NODE_RESOURCE, jid_resource(jid), jid);
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
		*node = place(account, contact, NODE_RESOURCE, name, jid);
		error = *node ? 0 : -ENOMEM;
	}
	free(jid);
	return error;
}

int directory_mkdir(struct account *account, struct node *parent, const char *name,
		    struct node **node)
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

int directory_rmdir(struct account *account, struct node *parent, const char *name, int64_t now_ms)
{
	struct node *node = directory_lookup(account, parent, name);
	if (!node) {
		return -ENOENT;
	}
	if (!node_is_directory(node)) {
		return -ENOTDIR;
	}
	bool made = node->kind == NODE_FOLDER || node->directory.made;
	if (!made || (node->kind == NODE_CONTACT && is_known(account, node))) {
		return -EBUSY;
	}
	if (is_open_below(node) || directory_has_sessions(node) ||
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

int directory_unlink(struct account *account, struct node *parent, const char *name, int64_t now_ms)
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
	account_remove(account, node, now_ms);
	directory_tidy(account, parent);
	return 0;
}
