/* SPDX-License-Identifier: MIT */
#include "mount/fuse/ops.h"

#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/fuse/ops_directories.h"
#include "mount/fuse/ops_files.h"
#include "mount/fuse/ops_names.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

/* Bounds the memory of a parked write; larger ones are not faster. */
#define MAX_WRITE (128 * 1024)

/* ---- inodes and their attributes ---- */

static void op_init_session(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_write = MAX_WRITE;
}

static void op_end_session(void *userdata)
{
	ops_close_directories(userdata);
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
		fuse_reply_attr(req, &attributes, OPS_ATTRIBUTE_TIMEOUT_S);
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
		fuse_reply_attr(req, &attributes, OPS_ATTRIBUTE_TIMEOUT_S);
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

const struct fuse_lowlevel_ops ops_table = {
	.init = op_init_session,
	.destroy = op_end_session,
	.lookup = ops_lookup,
	.forget = op_forget,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = ops_mknod,
	.mkdir = ops_mkdir,
	.unlink = ops_unlink,
	.rmdir = ops_rmdir,
	.symlink = ops_symlink,
	.link = ops_link,
	.rename = ops_rename,
	.open = ops_open,
	.read = ops_read,
	.write = ops_write,
	.flush = ops_flush,
	.release = ops_release,
	.fsync = ops_fsync,
	.poll = ops_poll,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.releasedir = ops_releasedir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
};
