/* SPDX-License-Identifier: MIT */
#include "account/inbox_part.h"

#include "account/inbox_entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name that stands for the part, or NULL. */
static struct node *find_name(const struct account *account, const struct part *part)
{
	struct node *node = part ? tree_find(&account->tree, part->ino) : NULL;
	return node && node->parent && node->inbox.state == INBOX_PART ? node : NULL;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void measure(struct part *part, const struct stat *status)
{
	part->size = (uint64_t)status->st_size;
	part->modified = status->st_mtim;
}

/* ---- names ---- */

static void stand_for(struct node *node, struct part *part)
{
	part->ino = node->ino;
	node->inbox.state = INBOX_PART;
	node->inbox.error = node->inbox.error ? node->inbox.error : -ECONNRESET;
	node->file.opened = true;
	node->file.size = part->size;
	node->file.expires_ms = NODE_NEVER;
	node->modified = part->modified;
}

bool inbox_part_rest(struct account *account, struct node *node, const char *path)
{
	struct part *part = parts_find(account->parts, path);
	char *copy = part && !part->in_use ? strdup(path) : NULL;
	if (!copy) {
		return false;
	}
	free(node->inbox.path);
	node->inbox.path = copy;
	stand_for(node, part);
	return true;
}

/* Adds the name `name` for it. */
static int add_name(struct account *account, struct part *part, const char *name, int64_t now_ms)
{
	char contact[INBOX_PART_PATH_SIZE];
	struct node *node;
	snprintf(contact, sizeof(contact), "%s", part->path);
	char *folder = strchr(contact, '/');
	char *file = strrchr(contact, '/');
	if (!folder || file[1] == '\0') {
		return -EINVAL;
	}
	*file = '\0';
	*folder = '\0';
	const struct inbox_path path = {contact, folder < file ? folder + 1 : "", name};
	int error = inbox_entry_add(account, &path, file + 1, now_ms, &node);
	if (!error) {
		stand_for(node, part);
		node->file.summary.state = "broken";
		node->file.summary.received = part->size;
	}
	return error;
}

static int add_any_name(struct account *account, struct part *part, int64_t now_ms)
{
	char name[NAME_MAX_BYTES + 1];
	const char *file = last_name(part->path);
	size_t length = strlen(file) - strlen(NAME_PART_SUFFIX);
	snprintf(name, sizeof(name), "%.*s", (int)length, file);
	int error = add_name(account, part, name, now_ms);
	return error == -EEXIST ? add_name(account, part, file, now_ms) : error;
}

void inbox_part_show(struct account *account, const char *path, int64_t now_ms)
{
	struct part *part = parts_find(account->parts, path);
	if (part && !part->in_use && !find_name(account, part)) {
		add_any_name(account, part, now_ms);
	}
}

bool inbox_part_path(const struct node *node, char path[INBOX_PART_PATH_SIZE])
{
	char folder[NAME_FOLDER_SIZE], part[NAME_MAX_BYTES + 1];
	const struct node *in = node_above_folders(node->parent);
	if (!in || node_folder_path(node->parent, folder, sizeof(folder)) < 0) {
		return false;
	}
	parts_name(part, node->name);
	snprintf(path, INBOX_PART_PATH_SIZE, "%s/%s%s%s", in->parent->name, folder,
		 folder[0] != '\0' ? "/" : "", part);
	return true;
}

bool inbox_part_is_of(const struct node *node, const char *name)
{
	char part[NAME_MAX_BYTES + 1];
	parts_name(part, name);
	return node && node->inbox.state == INBOX_PART &&
	       strcmp(last_name(node->inbox.path), part) == 0;
}

void inbox_part_hide(struct account *account, struct node *node)
{
	node->inbox.state = INBOX_NONE;
	tree_detach(&account->tree, node);
}

void inbox_part_forget(struct account *account, const struct node *node)
{
	if (node->inbox.state == INBOX_PART) {
		parts_remove(&account->parts, node->inbox.path);
	}
}

/* ---- for the inbox ---- */

void inbox_part_restore(struct account *account, const char *path, const struct stat *status,
			int64_t now_ms)
{
	if (parts_find(account->parts, path)) {
		return;
	}
	struct part *part = parts_add(&account->parts, path);
	if (part) {
		measure(part, status);
		if (add_any_name(account, part, now_ms)) {
			parts_remove(&account->parts, path);
		}
	}
}

void inbox_part_use(struct account *account, const char *path, int64_t now_ms)
{
	struct part *part = parts_add(&account->parts, path);
	struct node *node = find_name(account, part);
	if (part) {
		part->in_use = true;
	}
	if (node) {
		account_drop(account, node, now_ms);
	}
}

void inbox_part_leave(struct account *account, const char *path, const struct stat *status)
{
	/* When memory is short, all of it comes again. */
	struct part *part = parts_add(&account->parts, path);
	if (part) {
		part->in_use = false;
		measure(part, status);
	}
}

void inbox_part_remove(struct account *account, const char *path, int64_t now_ms)
{
	struct node *node = find_name(account, parts_find(account->parts, path));
	if (node) {
		node->inbox.state = INBOX_NONE;
		account->announced++;
		account_expire_at(account, node, now_ms + ACCOUNT_FINISHED_MS);
	}
	parts_remove(&account->parts, path);
}

bool inbox_part_take_oldest(struct account *account, char *path, size_t size, int64_t now_ms)
{
	const struct part *part = parts_oldest(account->parts);
	if (!part) {
		return false;
	}
	const struct node *node = find_name(account, part);
	snprintf(path, size, "%s", part->path);
	if (node) {
		inbox_entry_remove(account, node->ino, now_ms);
	}
	parts_remove(&account->parts, path);
	return true;
}
