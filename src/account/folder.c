/* SPDX-License-Identifier: MIT */
#include "account/folder.h"

#include "account/name.h"

#include <string.h>

static bool is_over(const struct node *node)
{
	if (node->kind == NODE_FOLDER) {
		return !node->children;
	}
	return node->kind == NODE_ARRIVED && !node->file.stream && !node->file.offer &&
	       !node->inbox.state && node->handles == 0;
}

bool folder_is_taken(struct account *account, const struct node *parent, const char *name)
{
	struct node *node = tree_child(&account->tree, parent, name);
	if (node && is_over(node)) {
		tree_detach(&account->tree, node);
		node = NULL;
	}
	return node != NULL;
}

/* The folder `wanted` in `parent`, made if there is none. */
static struct node *enter(struct account *account, struct node *parent, const char *wanted,
			  int64_t now_ms)
{
	char name[NAME_MAX_BYTES + 1];
	strcpy(name, wanted);
	for (unsigned n = 2;; n++) {
		struct node *node = tree_child(&account->tree, parent, name);
		if (node && node->kind == NODE_FOLDER) {
			return node;
		}
		if (!folder_is_taken(account, parent, name)) {
			break;
		}
		name_number(name, wanted, n);
	}
	size_t most = account->has_inbox ? FOLDER_MAX_COUNT_OF_INBOX : FOLDER_MAX_COUNT;
	if (account->tree.folders >= most) {
		return NULL;
	}
	struct node *folder = tree_add(&account->tree, parent, NODE_FOLDER, name, NULL);
	if (folder) {
		account_expire_folder(account, folder, now_ms);
	}
	return folder;
}

struct node *folder_place(struct account *account, struct node *in, const char *path,
			  int64_t now_ms)
{
	char name[NAME_MAX_BYTES + 1];
	struct node *folder = in;
	while (folder && name_take_component(&path, name)) {
		folder = enter(account, folder, name, now_ms);
	}
	return folder;
}
