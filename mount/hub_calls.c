/* SPDX-License-Identifier: MIT */
/*
 * Calls of the file system: each is five lines.
 */
#include "mount/hub_internal.h"

#include "account/creation.h"
#include "account/entry.h"
#include "account/file.h"
#include "account/inbox_entry.h"
#include "account/poll.h"
#include "account/release.h"
#include "account/spool_file.h"

#include <errno.h>

static struct node *find(const struct hub *hub, uint64_t ino)
{
	return tree_find(&hub->account.tree, ino);
}

static void look_up(struct node *node, struct stat *attributes)
{
	node->lookups++;
	node_attributes(node, attributes);
}

int hub_lookup(struct hub *hub, uint64_t parent, const char *name, struct stat *attributes,
	       enum tree_pace *pace)
{
	int64_t now_ms = hub_begin(hub);
	const struct node *directory = find(hub, parent);
	struct node *node = directory ? entry_lookup(&hub->account, directory, name) : NULL;
	*pace = directory ? tree_pace(directory, node) : TREE_STANZAS;
	if (node) {
		look_up(node, attributes);
	}
	hub_end(hub, now_ms);
	return node ? 0 : -ENOENT;
}

int hub_mknod(struct hub *hub, uint64_t parent, const char *name, mode_t mode, struct owner owner,
	      struct stat *attributes)
{
	int64_t now_ms = hub_begin(hub);
	struct node *directory = find(hub, parent), *node;
	int error = directory ? entry_mknod(&hub->account, directory, name, mode, now_ms, &node)
			      : -ENOENT;
	if (!error) {
		node->uid = owner.uid;
		node->gid = owner.gid;
		look_up(node, attributes);
	}
	hub_end(hub, now_ms);
	return error;
}

int hub_mkdir(struct hub *hub, uint64_t parent, const char *name, struct owner owner,
	      struct stat *attributes)
{
	int64_t now_ms = hub_begin(hub);
	struct node *directory = find(hub, parent), *node;
	int error =
		directory ? creation_mkdir(&hub->account, directory, name, now_ms, &node) : -ENOENT;
	if (!error) {
		node->uid = owner.uid;
		node->gid = owner.gid;
		look_up(node, attributes);
	}
	hub_end(hub, now_ms);
	return error;
}

void hub_forget(struct hub *hub, uint64_t ino, uint64_t lookups)
{
	int64_t now_ms = hub_begin(hub);
	struct node *node = find(hub, ino);
	if (node) {
		tree_forget(&hub->account.tree, node, lookups);
	}
	hub_end(hub, now_ms);
}

int hub_get_attributes(struct hub *hub, uint64_t ino, struct stat *attributes)
{
	int64_t now_ms = hub_begin(hub);
	const struct node *node = find(hub, ino);
	if (node) {
		node_attributes(node, attributes);
	}
	hub_end(hub, now_ms);
	return node ? 0 : -ENOENT;
}

int hub_set_attributes(struct hub *hub, uint64_t ino, struct handle *handle,
		       const struct changes *changes, struct stat *attributes)
{
	int64_t now_ms = hub_begin(hub);
	struct node *node = find(hub, ino);
	int error = node ? 0 : -ENOENT;
	if (!error && changes->size) {
		error = file_truncate(&hub->account, node, handle,
				      (uint64_t)changes->values.st_size, now_ms);
	}
	if (!error) {
		node_change(node, changes);
		node_attributes(node, attributes);
	}
	hub_end(hub, now_ms);
	return error;
}

int hub_rmdir(struct hub *hub, uint64_t parent, const char *name)
{
	int64_t now_ms = hub_begin(hub);
	struct node *directory = find(hub, parent);
	int error = directory ? entry_rmdir(&hub->account, directory, name, now_ms) : -ENOENT;
	hub_end(hub, now_ms);
	return error;
}

int hub_unlink(struct hub *hub, uint64_t parent, const char *name)
{
	int64_t now_ms = hub_begin(hub);
	struct node *directory = find(hub, parent);
	int error = directory ? entry_unlink(&hub->account, directory, name, now_ms) : -ENOENT;
	hub_end(hub, now_ms);
	return error;
}

int hub_list(struct hub *hub, uint64_t ino, struct listing **listing)
{
	int64_t now_ms = hub_begin(hub);
	const struct node *node = find(hub, ino);
	*listing = node ? listing_create(node) : NULL;
	hub_end(hub, now_ms);
	return *listing ? 0 : node ? -ENOMEM : -ENOENT;
}

ssize_t hub_get_attribute(struct hub *hub, uint64_t ino, const char *name, char *value)
{
	int64_t now_ms = hub_begin(hub);
	const struct node *node = find(hub, ino);
	ssize_t length = node ? attribute_get(&hub->account, node, name, value) : -ENOENT;
	hub_end(hub, now_ms);
	return length;
}

ssize_t hub_list_attributes(struct hub *hub, uint64_t ino, char *names)
{
	int64_t now_ms = hub_begin(hub);
	const struct node *node = find(hub, ino);
	ssize_t length = node ? attribute_list(node, names) : -ENOENT;
	hub_end(hub, now_ms);
	return length;
}

int hub_set_attribute(struct hub *hub, uint64_t ino, const char *name, const char *value,
		      size_t length)
{
	int64_t now_ms = hub_begin(hub);
	struct node *node = find(hub, ino);
	int error = node ? attribute_set(node, name, value, length) : -ENOENT;
	hub_end(hub, now_ms);
	return error;
}

int hub_remove_attribute(struct hub *hub, uint64_t ino, const char *name)
{
	int64_t now_ms = hub_begin(hub);
	struct node *node = find(hub, ino);
	int error = node ? attribute_remove(node, name) : -ENOENT;
	hub_end(hub, now_ms);
	return error;
}

void hub_open(struct hub *hub, uint64_t ino, int flags, const char *sid, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	struct node *node = find(hub, ino);
	if (node) {
		file_open(&hub->account, node, flags, sid, &request->op, now_ms);
	} else {
		op_complete(&request->op, -ENOENT, &hub->account.ibb.effects.done);
	}
	hub_end_with(hub, request, now_ms);
}

void hub_read(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	file_read(&hub->account, handle, &request->op, now_ms);
	hub_end_with(hub, request, now_ms);
}

bool hub_write(struct hub *hub, struct handle *handle, struct request *request, const void *bytes,
	       uint64_t offset)
{
	int64_t now_ms = hub_begin(hub);
	file_begin(&hub->account, handle, now_ms);
	bool writes = !handle_is_spooled(handle) || request->op.kind == OP_WRITE_SYNC;
	if (writes) {
		file_write(&hub->account, handle, &request->op, bytes, offset, now_ms);
	}
	hub_end_with(hub, request, now_ms);
	return writes;
}

void hub_flush(struct hub *hub, struct handle *handle, struct request *request,
	       enum handle_close close)
{
	int64_t now_ms = hub_begin(hub);
	file_flush(&hub->account, handle, &request->op, close, now_ms);
	hub_end_with(hub, request, now_ms);
}

void hub_sync(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	file_sync(&hub->account, handle, &request->op, now_ms);
	hub_end_with(hub, request, now_ms);
}

bool hub_can_finish(struct hub *hub, const struct handle *handle)
{
	hub_begin(hub);
	bool can = file_can_finish(handle);
	hub_unlock(hub);
	return can;
}

void hub_finish(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	file_finish(&hub->account, handle, &request->op, now_ms);
	hub_end_with(hub, request, now_ms);
}

short hub_poll(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	short now = poll_start(&hub->account, handle, request ? &request->op : NULL);
	hub_end(hub, now_ms);
	return now;
}

void hub_release(struct hub *hub, struct handle *handle)
{
	int64_t now_ms = hub_begin(hub);
	release_handle(&hub->account, handle, now_ms);
	hub_end(hub, now_ms);
}

bool hub_is_spooled(struct hub *hub, struct handle *handle, bool begin)
{
	int64_t now_ms = hub_begin(hub);
	if (begin) {
		file_begin(&hub->account, handle, now_ms);
	}
	bool spools = handle_is_spooled(handle);
	hub_end(hub, now_ms);
	return spools;
}

int hub_spool_error(struct hub *hub, const struct handle *handle)
{
	hub_begin(hub);
	int error = spool_file_error(handle);
	hub_unlock(hub);
	return error;
}

bool hub_is_unoffered(struct hub *hub, struct handle *handle)
{
	hub_begin(hub);
	bool left = spool_file_is_unoffered(handle);
	hub_unlock(hub);
	return left;
}

bool hub_is_complete_inbox_file(struct hub *hub, const struct handle *handle)
{
	hub_begin(hub);
	bool complete = inbox_entry_is_complete(handle);
	hub_unlock(hub);
	return complete;
}

int hub_find_inbox_file(struct hub *hub, uint64_t parent, const char *name, char *path, size_t size)
{
	hub_begin(hub);
	const struct node *directory = find(hub, parent);
	int length = directory ? inbox_entry_find(&hub->account.tree, directory, name, path, size)
			       : -ENOENT;
	hub_unlock(hub);
	return length;
}

void hub_forget_inbox_file(struct hub *hub, uint64_t parent, const char *name, const char *path)
{
	int64_t now_ms = hub_begin(hub);
	struct node *directory = find(hub, parent);
	if (directory) {
		inbox_entry_forget(&hub->account, directory, name, path, now_ms);
	}
	hub_end(hub, now_ms);
}

void hub_refresh_inbox_file(struct hub *hub, uint64_t parent, const char *name, const char *path,
			    const struct stat *status)
{
	hub_begin(hub);
	const struct node *directory = find(hub, parent);
	if (directory) {
		inbox_entry_refresh(&hub->account.tree, directory, name, path, status);
	}
	hub_unlock(hub);
}

int hub_path(struct hub *hub, const struct handle *handle, char *path, size_t size)
{
	hub_begin(hub);
	int length = node_path(handle->node, path, size);
	hub_unlock(hub);
	return length;
}

bool hub_is_parked(struct hub *hub, uint64_t token, uint64_t *note)
{
	struct request *request;
	hub_begin(hub);
	HASH_FIND(hh, hub->parked, &token, sizeof(token), request);
	bool found = request != NULL;
	if (found) {
		*note = request->note;
	}
	hub_unlock(hub);
	return found;
}

void hub_interrupt(struct hub *hub, uint64_t token)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request;
	HASH_FIND(hh, hub->parked, &token, sizeof(token), request);
	if (request && !request->op.list) {
		request->interrupted = true;
	} else if (request) {
		file_interrupt(&hub->account, &request->op);
	}
	hub_end(hub, now_ms);
}
