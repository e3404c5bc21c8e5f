/* SPDX-License-Identifier: MIT */
#include "mount/fuse/ops.h"

#include "mount/disk/inbox_ops.h"
#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/fuse/ops_files.h"
#include "mount/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

/* How long attributes hold: sizes change with every stanza, but one system call often asks twice.
 */
#define ATTRIBUTE_TIMEOUT_S 0.005

/* How long a name holds. Each call looks up its path name by name, and cp does so three times
 * before it opens a file: half the cost of a small file. */
static double name_timeout_s(enum tree_pace pace)
{
	switch (pace) {
	case TREE_STANZAS:
		return 0;
	case TREE_CALLS:
		return 0.005;
	case TREE_ROSTER:
		return 1;
	}
	return 0;
}

/* Bounds the memory of a parked write; larger ones are not faster. */
#define MAX_WRITE (128 * 1024)

/* ---- names and attributes ---- */

static void reply_entry(fuse_req_t req, int error, const struct stat *attributes,
			enum tree_pace pace)
{
	struct fuse_entry_param entry = {.entry_timeout = name_timeout_s(pace)};
	if (error == -ENOENT && pace != TREE_STANZAS) {
		fuse_reply_entry(req, &entry); /* ino 0: a negative entry */
		return;
	}
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	entry.ino = attributes->st_ino;
	entry.attr = *attributes;
	entry.attr_timeout = pace == TREE_ROSTER ? entry.entry_timeout : ATTRIBUTE_TIMEOUT_S;
	if (fuse_reply_entry(req, &entry) == -ENOENT) {
		hub_forget(call_hub_of(req), attributes->st_ino, 1);
	}
}

static void op_init_session(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_write = MAX_WRITE;
}

/* The call of a name in a directory, which may wait for the inbox's disk. */
struct name_call {
	struct call call; /* first */
	fuse_ino_t parent;
	char name[NAME_MAX + 1];
};

static struct name_call *name_call_begin(fuse_req_t req, fuse_ino_t parent, const char *name,
					 void (*deliver)(struct request *))
{
	struct call *call = call_begin_sized(req, sizeof(struct name_call), OP_READ, deliver);
	struct name_call *name_call = (struct name_call *)call;
	if (name_call) {
		name_call->parent = parent;
		snprintf(name_call->name, sizeof(name_call->name), "%s", name);
	}
	return name_call;
}

/* Whether it is a complete file of the inbox; *path: of it. */
static bool is_in_inbox(fuse_req_t req, fuse_ino_t parent, const char *name, char path[PATH_MAX])
{
	const struct call_context *context = call_context_of(req);
	return context->inbox &&
	       hub_find_inbox_file(context->hub, parent, name, path, PATH_MAX) > 0;
}

static void reply_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct stat attributes;
	enum tree_pace pace;
	int error = hub_lookup(call_hub_of(req), parent, name, &attributes, &pace);
	reply_entry(req, error, &attributes, pace);
}

/* Whatever the disk says: if nothing, or a signal has come, what is known already is the answer. */
static void deliver_lookup(struct request *request)
{
	struct name_call *name_call = (struct name_call *)request;
	reply_lookup(name_call->call.req, name_call->parent, name_call->name);
	call_end(&name_call->call);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	char path[PATH_MAX];
	if (!is_in_inbox(req, parent, name, path)) {
		reply_lookup(req, parent, name);
		return;
	}
	struct name_call *name_call = name_call_begin(req, parent, name, deliver_lookup);
	if (name_call) {
		struct early_signal early = call_early_signal(&name_call->call);
		inbox_ops_look_up(call_context_of(req)->inbox, call_hub_of(req),
				  &name_call->call.request, parent, name, path);
		call_apply(early);
	}
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	hub_forget(call_hub_of(req), ino, lookups);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attributes;
	(void)info;
	int error = hub_get_attributes(call_hub_of(req), ino, &attributes);
	if (error) {
		fuse_reply_err(req, -error);
	} else {
		fuse_reply_attr(req, &attributes, ATTRIBUTE_TIMEOUT_S);
	}
}

static void reply_changed(fuse_req_t req, fuse_ino_t ino, struct handle *handle,
			  const struct changes *changes)
{
	struct stat attributes;
	int error = hub_set_attributes(call_hub_of(req), ino, handle, changes, &attributes);
	if (error) {
		fuse_reply_err(req, -error);
	} else {
		fuse_reply_attr(req, &attributes, ATTRIBUTE_TIMEOUT_S);
	}
}

struct resize_call {
	struct call call; /* first */
	fuse_ino_t ino;
	struct changes changes; /* the others */
};

static void deliver_resize(struct request *request)
{
	struct resize_call *resize = (struct resize_call *)request;
	struct call *call = &resize->call;
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
	} else {
		reply_changed(call->req, resize->ino, call->handle, &resize->changes);
	}
	call_end(call);
}

static void resize_spooled(fuse_req_t req, fuse_ino_t ino, struct handle *handle,
			   struct changes changes)
{
	struct call *call =
		call_begin_sized(req, sizeof(struct resize_call), OP_WRITE, deliver_resize);
	struct resize_call *resize = (struct resize_call *)call;
	if (call) {
		struct early_signal early = call_early_signal(call);
		changes.size = false;
		call->handle = handle;
		resize->ino = ino;
		resize->changes = changes;
		spool_ops_resize(call->hub, &call_context_of(req)->spool, handle, &call->request,
				 (uint64_t)changes.values.st_size);
		call_apply(early);
	}
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *values, int which,
		       struct fuse_file_info *info)
{
	const struct call_context *context = call_context_of(req);
	struct handle *handle = info ? call_handle_of(info) : NULL;
	struct changes changes = {
		.mode = which & FUSE_SET_ATTR_MODE,
		.uid = which & FUSE_SET_ATTR_UID,
		.gid = which & FUSE_SET_ATTR_GID,
		.size = which & FUSE_SET_ATTR_SIZE,
		.accessed = which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW),
		.modified = which & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW),
		.values = *values,
	};
	if (which & FUSE_SET_ATTR_ATIME_NOW) {
		clock_gettime(CLOCK_REALTIME, &changes.values.st_atim);
	}
	if (which & FUSE_SET_ATTR_MTIME_NOW) {
		clock_gettime(CLOCK_REALTIME, &changes.values.st_mtim);
	}
	/* truncate to 0 does not begin a session */
	if (changes.size && handle && hub_is_spooled(context->hub, handle, values->st_size > 0)) {
		resize_spooled(req, ino, handle, changes);
	} else {
		reply_changed(req, ino, handle, &changes);
	}
}

/* A new node belongs to the caller: only the owner may set its times. */
static struct owner owner_of(fuse_req_t req)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	return (struct owner){.uid = context->uid, .gid = context->gid};
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct stat attributes;
	(void)device;
	int error = hub_mknod(call_hub_of(req), parent, name, mode, owner_of(req), &attributes);
	reply_entry(req, error, &attributes, TREE_STANZAS);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct stat attributes;
	(void)mode;
	int error = hub_mkdir(call_hub_of(req), parent, name, owner_of(req), &attributes);
	if (error == -EOPNOTSUPP) {
		log_warning("%s: the peer accepts no folders; an archive can be sent: tar -c %s",
			    name, name);
	}
	reply_entry(req, error, &attributes, TREE_STANZAS);
}

static void deliver_unlink(struct request *request)
{
	struct name_call *name_call = (struct name_call *)request;
	struct call *call = &name_call->call;
	int error = (int)request->op.result;
	if (!error) {
		error = hub_unlink(call->hub, name_call->parent, name_call->name);
		/* Whoever has looked for the file since has found that it is gone. */
		error = error == -ENOENT ? 0 : error;
	}
	fuse_reply_err(call->req, -error);
	call_end(call);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	char path[PATH_MAX];
	if (!is_in_inbox(req, parent, name, path)) {
		fuse_reply_err(req, -hub_unlink(call_hub_of(req), parent, name));
		return;
	}
	struct name_call *name_call = name_call_begin(req, parent, name, deliver_unlink);
	if (name_call) {
		struct early_signal early = call_early_signal(&name_call->call);
		inbox_ops_remove(call_context_of(req)->inbox, call_hub_of(req),
				 &name_call->call.request, path);
		call_apply(early);
	}
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, -hub_rmdir(call_hub_of(req), parent, name));
}

/* EPERM, not ENOSYS: a tool then fails before it sends anything. */
static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		      const char *new_name, unsigned flags)
{
	(void)parent;
	(void)name;
	(void)new_parent;
	(void)new_name;
	(void)flags;
	fuse_reply_err(req, EPERM);
}

/* There is no disk to fill. A figure of 0 would keep tools from starting. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	struct statvfs figures = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = (fsblkcnt_t)1 << 30,
		.f_bfree = (fsblkcnt_t)1 << 30,
		.f_bavail = (fsblkcnt_t)1 << 30,
		.f_files = 1 << 20,
		.f_ffree = 1 << 20,
		.f_favail = 1 << 20,
		.f_namemax = NAME_MAX,
	};
	fuse_reply_statfs(req, &figures);
}

/* ---- extended attributes ---- */

/* As in getxattr and listxattr, size 0 asks for the length alone. */
static void reply_attribute(fuse_req_t req, const char *value, ssize_t length, size_t size)
{
	if (length < 0) {
		fuse_reply_err(req, (int)-length);
	} else if (size == 0) {
		fuse_reply_xattr(req, (size_t)length);
	} else if ((size_t)length > size) {
		fuse_reply_err(req, ERANGE);
	} else {
		fuse_reply_buf(req, value, (size_t)length);
	}
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char value[ATTRIBUTE_MAX_BYTES];
	ssize_t length = hub_get_attribute(call_hub_of(req), ino, name, value);
	reply_attribute(req, value, length, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char names[ATTRIBUTE_MAX_BYTES];
	ssize_t length = hub_list_attributes(call_hub_of(req), ino, names);
	reply_attribute(req, names, length, size);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	if (flags & XATTR_CREATE) {
		fuse_reply_err(req, EEXIST); /* attributes that can be set always have a value */
		return;
	}
	fuse_reply_err(req, -hub_set_attribute(call_hub_of(req), ino, name, value, size));
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	fuse_reply_err(req, -hub_remove_attribute(call_hub_of(req), ino, name));
}

/* ---- directories ---- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct listing *listing;
	int error = hub_list(call_hub_of(req), ino, &listing);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)listing;
	if (fuse_reply_open(req, info) == -ENOENT) {
		listing_destroy(listing);
	}
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	const struct listing *listing = (const struct listing *)(uintptr_t)info->fh;
	size_t used = 0;
	(void)ino;
	char *buffer = malloc(size);
	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (size_t i = (size_t)offset; i < listing->length; i++) {
		const struct listing_entry *entry = &listing->entries[i];
		struct stat attributes = {.st_ino = entry->ino, .st_mode = entry->mode};
		size_t length = fuse_add_direntry(req, buffer + used, size - used, entry->name,
						  &attributes, (off_t)i + 1);
		if (length > size - used) {
			break;
		}
		used += length;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	listing_destroy((struct listing *)(uintptr_t)info->fh);
	fuse_reply_err(req, 0);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = op_init_session,
	.lookup = op_lookup,
	.forget = op_forget,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.link = op_link,
	.rename = op_rename,
	.open = ops_open,
	.read = ops_read,
	.write = ops_write,
	.flush = ops_flush,
	.release = ops_release,
	.fsync = ops_fsync,
	.poll = ops_poll,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
};
