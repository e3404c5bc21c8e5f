/* SPDX-License-Identifier: MIT */
#include "account/directory.h"

#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

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

bool directory_is_open_below(const struct node *directory)
{
	struct node *child;
	DL_FOREACH (directory->children, child) {
		if (child->handles > 0 || directory_is_open_below(child)) {
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

bool directory_is_detached(const struct node *directory)
{
	return !directory->parent && directory->kind != NODE_ROOT;
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

struct node *directory_add(struct account *account, struct node *parent, enum node_kind kind,
			   const char *name, const char *jid)
{
	struct node *node = tree_add(&account->tree, parent, kind, name, jid);
	const struct preset *preset = preset_find(account->presets, jid);
	if (node && preset) {
		node->directory.defaults = preset->defaults;
	}
	return node;
}

struct node *directory_add_jid(struct account *account, struct node *parent, enum node_kind kind,
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
		return directory_add(account, parent, kind, escaped, jid);
	}
	return directory_add(account, parent, kind, name, jid);
}

void directory_show_resource(struct account *account, struct node *contact, const char *jid)
{
	if (jid_resource(jid) && !tree_resource(&account->tree, jid)) {
		directory_add_jid(account, contact, NODE_RESOURCE, jid_resource(jid), jid);
	}
}

/* Whether a stream in the directory waits for the resource to come back. */
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

/* Aborts the streams below the directory of which nothing was sent yet. */
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

/* With the directories of its resources that are online. */
struct node *directory_show_contact(struct account *account, const char *jid, const char *name)
{
	char bare[JID_MAX + 1];
	size_t length = jid_bare_length(jid);
	struct node *contact = tree_contact(&account->tree, jid);
	if (contact || length > JID_MAX) {
		return contact;
	}
	snprintf(bare, sizeof(bare), "%.*s", (int)length, jid);
	contact = name ? directory_add(account, account->tree.root, NODE_CONTACT, name, bare)
		       : directory_add_jid(account, account->tree.root, NODE_CONTACT, bare, bare);
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
	directory_show_contact(account, account->jid, NULL);
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

bool directory_is_known(const struct account *account, const struct node *contact)
{
	const struct contact *known = roster_find(&account->roster, contact->directory.jid);
	return known && (known->listed ||
			 (known->resources && account_is_own(account, contact->directory.jid)));
}

/* Removes the directory of a contact that neither the roster, mkdir, a file nor an open file needs.
 */
static void hide_unwanted(struct account *account, struct node *contact)
{
	if (!contact->directory.made && !directory_is_known(account, contact) &&
	    !has_made(contact) && !has_files(contact) && !directory_is_open_below(contact)) {
		tree_detach(&account->tree, contact);
	}
}

/* Removes the directory of an unavailable resource whose last stream is gone. */
static void hide_left_over(struct account *account, struct node *resource)
{
	if (!resource->directory.made && !has_files(resource) &&
	    !directory_is_open_below(resource) &&
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
