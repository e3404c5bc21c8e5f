/* SPDX-License-Identifier: MIT */
#include "account/creation.h"

#include "account/directory.h"
#include "account/entry.h"
#include "account/name.h"
#include "account/routing.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <string.h>

/* Whether presence says which resources the peer of `contact` has. */
static bool is_seen(const struct account *account, const struct node *contact)
{
	const char *jid = contact->directory.jid;
	const struct contact *known = roster_find(&account->roster, jid);
	return (known && (known->resources || (known->listed && jid_has_local(jid)))) ||
	       account_is_own(account, jid);
}

/* Whether mkdir in `parent` makes a folder. */
static bool holds_folders(const struct account *account, const struct node *parent)
{
	const struct node *above = node_above_folders(parent);
	return above && (above->kind == NODE_RESOURCE ||
			 (above->kind == NODE_CONTACT &&
			  (parent->kind == NODE_FOLDER || is_seen(account, above))));
}

static int check_path(const struct node *parent, const char *name)
{
	char path[NAME_FOLDER_SIZE];
	unsigned depth = 1;
	int length = node_folder_path(parent, path, sizeof(path));
	for (; parent->kind == NODE_FOLDER; parent = parent->parent) {
		depth++;
	}
	bool fits = length >= 0 && (size_t)length + 1 + strlen(name) <= NAME_MAX_FOLDER_BYTES &&
		    depth <= NAME_MAX_FOLDER_DEPTH;
	return fits ? 0 : -ENAMETOOLONG;
}

int creation_mkdir(struct account *account, struct node *parent, const char *name, int64_t now_ms,
		   struct node **node)
{
	if (!holds_folders(account, parent) || directory_is_detached(parent)) {
		return entry_mkdir(account, parent, name, node);
	}
	int error = name_check(name);
	if (!error && tree_child(&account->tree, parent, name)) {
		error = -EEXIST;
	}
	error = error ? error : check_path(parent, name);
	error = error ? error : routing_check_folders(account, parent, now_ms);
	if (error) {
		return error;
	}
	*node = tree_add(&account->tree, parent, NODE_FOLDER, name, NULL);
	if (!*node) {
		return -ENOMEM;
	}
	account_expire_folder(account, *node, now_ms);
	return 0;
}
