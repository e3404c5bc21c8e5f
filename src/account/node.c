/* SPDX-License-Identifier: MIT */
#include "account/node.h"

#include <stdio.h>
#include <time.h>

bool node_is_directory(const struct node *node)
{
	return S_ISDIR(node->mode);
}

void node_attributes(const struct node *node, struct stat *attributes)
{
	uint64_t size = node->inbox.state ? node->file.size : stream_file_size(&node->file);
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

const struct node *node_above_folders(const struct node *directory)
{
	while (directory && directory->kind == NODE_FOLDER) {
		directory = directory->parent;
	}
	return directory;
}

/* Of `node` below `top`. */
static int path_below(const struct node *top, const struct node *node, char *path, size_t size)
{
	if (node == top) {
		path[0] = '\0';
		return 0;
	}
	if (!node->parent) {
		return -1;
	}
	int above = path_below(top, node->parent, path, size);
	if (above < 0) {
		return -1;
	}
	int length = snprintf(path + above, size - (size_t)above, "%s%s", above > 0 ? "/" : "",
			      node->name);
	return length < 0 || (size_t)above + (size_t)length >= size ? -1 : above + length;
}

int node_path(const struct node *node, char *path, size_t size)
{
	const struct node *root = node;
	while (root->parent) {
		root = root->parent;
	}
	return root->kind == NODE_ROOT ? path_below(root, node, path, size) : -1;
}

int node_folder_path(const struct node *directory, char *path, size_t size)
{
	const struct node *top = node_above_folders(directory);
	return top ? path_below(top, directory, path, size) : -1;
}
