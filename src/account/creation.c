/* SPDX-License-Identifier: MIT */
#include "account/creation.h"

#include "account/attribute.h"
#include "account/directory.h"
#include "account/entry.h"
#include "account/name.h"
#include "account/query.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

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

/* ---- whether a peer takes folders; an answer to a query of it would come later ---- */

/* Before our server has answered a ping, presence may still be in flight. */
static int check_offline(struct account *account, int64_t now_ms)
{
	if (account->present) {
		return -EHOSTDOWN;
	}
	return query_is_pending(account, "") ? 0 : query_server(account, now_ms);
}

/* Whether the resource takes folders or, while it is queried, may. */
static bool may_take_folders(struct account *account, struct resource *resource, int64_t now_ms,
			     int *error)
{
	if (resource->features_state != FEATURES_KNOWN && !resource->announced) {
		return false; /* every ibbfs says in its presence that it is one */
	}
	int failed = query_resource(account, resource, now_ms);
	*error = *error ? *error : failed;
	return resource->features_state != FEATURES_KNOWN || resource->features & FEATURE_FOLDERS;
}

static int check_contact(struct account *account, const char *jid, int64_t now_ms)
{
	const struct contact *contact = roster_find(&account->roster, jid);
	struct resource *resource;
	bool found = false;
	int error = 0;
	if (!contact || !contact->resources) {
		return check_offline(account, now_ms);
	}
	DL_FOREACH (contact->resources, resource) {
		found = may_take_folders(account, resource, now_ms, &error) || found;
	}
	return found ? error : -EOPNOTSUPP;
}

static int check_resource(struct account *account, const char *jid, int64_t now_ms)
{
	struct resource *resource = roster_find_resource(&account->roster, jid);
	int error = 0;
	if (!resource) {
		return -EPERM;
	}
	return may_take_folders(account, resource, now_ms, &error) ? error : -EOPNOTSUPP;
}

/* Whether files in folders of `parent` can be sent. 0: they can or, while an ibbfs of another
 * version is queried, may. */
static int check_peer(struct account *account, const struct node *parent, int64_t now_ms)
{
	const struct node *above = node_above_folders(parent);
	enum format format = attribute_format(parent);
	if (!account->online || account->stopping) {
		return -ENETDOWN;
	}
	if (format != FORMAT_AUTO && format != FORMAT_RAW) {
		return -EOPNOTSUPP;
	}
	return above->kind == NODE_RESOURCE ? check_resource(account, above->directory.jid, now_ms)
					    : check_contact(account, above->directory.jid, now_ms);
}

/* ---- mkdir ---- */

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
	error = error ? error : check_peer(account, parent, now_ms);
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
