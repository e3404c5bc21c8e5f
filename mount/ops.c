/* SPDX-License-Identifier: MIT */
#include "mount/ops.h"

#include "mount/caller.h"
#include "mount/collected.h"
#include "mount/file.h"
#include "mount/gather.h"
#include "mount/hub.h"
#include "mount/inbox.h"
#include "mount/keptfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

/* Every name and size may change with the next stanza. */
#define TIMEOUT_S 0.0

/* A path is looked up name by name in every call: for directories of contacts that is half of what
 * a small file costs. */
#define STEADY_TIMEOUT_S 1.0

/* Bounds what a parked write holds; a larger one gains nothing at the speed of a server. */
#define MAX_WRITE (128 * 1024)

static const struct ops_context *context_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct hub *hub_of(fuse_req_t req)
{
	return context_of(req)->hub;
}

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* ---- requests that may wait ---- */

struct call {
	struct request request; /* first */
	fuse_req_t req;
	struct hub *hub;
	bool reads;   /* open */
	off_t offset; /* read */
};

static void on_interrupt(fuse_req_t req, void *data)
{
	/* The call may be over and freed: its token says so, a pointer could not. */
	hub_interrupt(hub_of(req), (uint64_t)(uintptr_t)data);
}

/* NULL after an answer of ENOMEM. */
static struct call *begin(fuse_req_t req, enum op_kind kind, size_t size, bool nonblock,
			  void (*deliver)(struct request *))
{
	static uint64_t last_token; /* main thread */
	struct call *call = calloc(1, sizeof(*call));
	if (!call) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	uint64_t token = ++last_token;
	op_init(&call->request.op, kind, token, size, nonblock);
	call->request.deliver = deliver;
	call->req = req;
	call->hub = hub_of(req);
	/* Before the hub knows the call, never under its lock: libfuse holds a lock of the
	 * request around the callback. */
	fuse_req_interrupt_func(req, on_interrupt, (void *)(uintptr_t)token);
	return call;
}

/*
 * A signal may have come before the request itself; then libfuse has called on_interrupt in
 * begin(), when the hub did not know the token. The call may be gone once it is submitted, so
 * what is needed afterwards is noted before.
 */
struct early_signal {
	struct hub *hub;
	uint64_t token;
	bool came;
};

static struct early_signal early_signal(const struct call *call)
{
	return (struct early_signal){
		.hub = call->hub,
		.token = call->request.op.token,
		.came = fuse_req_interrupted(call->req),
	};
}

static void apply(struct early_signal early)
{
	if (early.came) {
		hub_interrupt(early.hub, early.token);
	}
}

static void end(struct call *call)
{
	op_finish(&call->request.op);
	free(call);
}

static struct call *call_of(struct request *request)
{
	return (struct call *)request;
}

static void deliver_status(struct request *request)
{
	struct call *call = call_of(request);
	fuse_reply_err(call->req, (int)-request->op.result);
	end(call);
}

static void reply_bytes(fuse_req_t req, char *bytes, ssize_t length)
{
	if (length < 0) {
		fuse_reply_err(req, (int)-length);
	} else {
		fuse_reply_buf(req, bytes, (size_t)length);
	}
	free(bytes);
}

static void reply_kept(fuse_req_t req, struct handle *handle, size_t size, off_t offset)
{
	const struct ops_context *context = context_of(req);
	char *bytes = malloc(size);
	reply_bytes(req, bytes,
		    bytes ? keptfile_read(context->inbox, context->hub, handle, bytes, size, offset)
			  : -ENOMEM);
}

static void deliver_read(struct request *request)
{
	struct call *call = call_of(request);
	if (request->op.result == FILE_IN_INBOX) {
		reply_kept(call->req, request->op.context, request->op.size, call->offset);
	} else if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
	} else {
		fuse_reply_buf(call->req, (const char *)request->op.data,
			       (size_t)request->op.result);
	}
	end(call);
}

static void deliver_write(struct request *request)
{
	struct call *call = call_of(request);
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
	} else {
		fuse_reply_write(call->req, (size_t)request->op.result);
	}
	end(call);
}

static void release(const struct ops_context *context, struct handle *handle)
{
	keptfile_close(context->hub, handle);
	gather_release(context->hub, context->spool, handle);
}

static void deliver_open(struct request *request)
{
	struct call *call = call_of(request);
	struct handle *handle = request->op.context;
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
		end(call);
		return;
	}
	const struct ops_context *context = context_of(call->req);
	int error = handle->kept ? keptfile_open(context->inbox, context->hub, handle) : 0;
	if (error) {
		/* Somebody has taken it out of the inbox. */
		fuse_reply_err(call->req, -error);
		release(context, handle);
		end(call);
		return;
	}
	/* What only writes is seekable, so that forward gaps and appending work; what reads is a
	 * stream, or a blocked read would block every write, and sendfile would take the size of
	 * 0 for the end. What is collected is on disk. libfuse has no name for FOPEN_STREAM. */
	bool is_kept = handle->kept != NULL;
	bool is_stream = call->reads && !collected_is(handle) && !is_kept;
	struct fuse_open_out out = {
		.fh = (uint64_t)(uintptr_t)handle,
		.open_flags = FOPEN_DIRECT_IO | (is_stream ? FOPEN_STREAM | FOPEN_NONSEEKABLE : 0),
	};
	if (fuse_reply_buf(call->req, (const char *)&out, sizeof(out)) == -ENOENT) {
		/* The open was interrupted: nobody will release it. */
		release(context, handle);
	}
	end(call);
}

/* ---- names and attributes ---- */

static void reply_entry(fuse_req_t req, int error, const struct stat *attributes, bool steady)
{
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	struct fuse_entry_param entry = {
		.ino = attributes->st_ino,
		.attr = *attributes,
		.attr_timeout = steady ? STEADY_TIMEOUT_S : TIMEOUT_S,
		.entry_timeout = steady ? STEADY_TIMEOUT_S : TIMEOUT_S,
	};
	if (fuse_reply_entry(req, &entry) == -ENOENT) {
		hub_forget(hub_of(req), attributes->st_ino, 1);
	}
}

static void op_init_session(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_write = MAX_WRITE;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct stat attributes;
	bool steady;
	int error = hub_lookup(hub_of(req), parent, name, &attributes, &steady);
	reply_entry(req, error, &attributes, steady);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	hub_forget(hub_of(req), ino, lookups);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attributes;
	(void)info;
	int error = hub_get_attributes(hub_of(req), ino, &attributes);
	if (error) {
		fuse_reply_err(req, -error);
	} else {
		fuse_reply_attr(req, &attributes, TIMEOUT_S);
	}
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *values, int which,
		       struct fuse_file_info *info)
{
	const struct ops_context *context = context_of(req);
	struct stat attributes;
	struct handle *handle = info ? handle_of(info) : NULL;
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
	int error = 0;
	if (changes.size && handle && hub_collects(context->hub, handle, true)) {
		changes.size = false;
		error = gather_resize(context->hub, context->spool, handle,
				      (uint64_t)values->st_size);
	}
	error = error ? error
		      : hub_set_attributes(context->hub, ino, handle, &changes, &attributes);
	if (error) {
		fuse_reply_err(req, -error);
	} else {
		fuse_reply_attr(req, &attributes, TIMEOUT_S);
	}
}

/* What somebody makes is theirs, or they could not set its times. */
static struct owner owner_of(fuse_req_t req)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	return (struct owner){.uid = context->uid, .gid = context->gid};
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct stat attributes;
	(void)device;
	int error = hub_mknod(hub_of(req), parent, name, mode, owner_of(req), &attributes);
	reply_entry(req, error, &attributes, false);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct stat attributes;
	(void)mode;
	int error = hub_mkdir(hub_of(req), parent, name, owner_of(req), &attributes);
	reply_entry(req, error, &attributes, false);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct ops_context *context = context_of(req);
	char path[PATH_MAX];
	int error = 0;
	if (context->inbox && hub_finished(context->hub, parent, name, path, sizeof(path)) > 0) {
		error = inbox_remove(context->inbox, path);
	}
	fuse_reply_err(req, -(error ? error : hub_unlink(context->hub, parent, name)));
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, -hub_rmdir(hub_of(req), parent, name));
}

/* Not what a stream can be: EPERM, not ENOSYS, says so before anything was sent. */
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

/* There is no disk to fill: what is sent is limited by the window alone. A figure of 0 would make
 * tools refuse to begin. */
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

/* Answers as getxattr and listxattr do: with the length alone when that is what was asked for. */
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
	ssize_t length = hub_get_attribute(hub_of(req), ino, name, value);
	reply_attribute(req, value, length, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char names[ATTRIBUTE_MAX_BYTES];
	ssize_t length = hub_list_attributes(hub_of(req), ino, names);
	reply_attribute(req, names, length, size);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	if (flags & XATTR_CREATE) {
		fuse_reply_err(req, EEXIST); /* what can be set always has a value */
		return;
	}
	fuse_reply_err(req, -hub_set_attribute(hub_of(req), ino, name, value, size));
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	fuse_reply_err(req, -hub_remove_attribute(hub_of(req), ino, name));
}

/* ---- directories ---- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct listing *listing;
	int error = hub_list(hub_of(req), ino, &listing);
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

/* ---- files ---- */

/* 128 random bits in hex: what names a session must not be guessed. */
static int make_sid(char sid[FILE_SID_SIZE])
{
	unsigned char bytes[16];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		return -EIO;
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		snprintf(sid + 2 * i, 3, "%02x", bytes[i]);
	}
	return 0;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	char sid[FILE_SID_SIZE];
	int error = make_sid(sid);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	struct call *call = begin(req, OP_OPEN, 0, false, deliver_open);
	if (call) {
		call->reads = (info->flags & O_ACCMODE) != O_WRONLY;
		struct early_signal early = early_signal(call);
		hub_open(call->hub, ino, info->flags, sid, &call->request);
		apply(early);
	}
}

static void read_collected(fuse_req_t req, size_t size, off_t offset,
			   const struct fuse_file_info *info)
{
	char *bytes = malloc(size);
	reply_bytes(req, bytes,
		    bytes ? gather_read(handle_of(info), bytes, size, (uint64_t)offset) : -ENOMEM);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	(void)ino;
	if (hub_collects(hub_of(req), handle_of(info), false)) {
		read_collected(req, size, offset, info);
		return;
	}
	struct call *call = begin(req, OP_READ, size, info->flags & O_NONBLOCK, deliver_read);
	if (call) {
		struct early_signal early = early_signal(call);
		call->offset = offset;
		hub_read(call->hub, handle_of(info), &call->request);
		apply(early);
	}
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
		     struct fuse_file_info *info)
{
	const struct ops_context *context = context_of(req);
	(void)ino;
	if (hub_collects(context->hub, handle_of(info), true)) {
		int error = gather_write(context->hub, context->spool, handle_of(info), bytes, size,
					 (uint64_t)offset, info->flags & O_APPEND);
		if (error) {
			fuse_reply_err(req, -error);
		} else {
			fuse_reply_write(req, size);
		}
		return;
	}
	struct call *call = begin(req, OP_WRITE, size, info->flags & O_NONBLOCK, deliver_write);
	if (call) {
		struct early_signal early = early_signal(call);
		hub_write(call->hub, handle_of(info), &call->request, bytes, (uint64_t)offset);
		apply(early);
	}
}

static void flush(fuse_req_t req, struct fuse_file_info *info, bool killed)
{
	struct call *call = begin(req, OP_FLUSH, 0, false, deliver_status);
	if (call) {
		struct early_signal early = early_signal(call);
		hub_flush(call->hub, handle_of(info), &call->request, killed);
		apply(early);
	}
}

/* The close that may be the last offers what was collected. */
static void flush_collected(fuse_req_t req, const struct fuse_file_info *info)
{
	const struct ops_context *context = context_of(req);
	if (gather_goes_on(context->hub, context->mountpoint, handle_of(info))) {
		fuse_reply_err(req, 0);
		return;
	}
	struct call *call = begin(req, OP_FLUSH, 0, false, deliver_status);
	if (call) {
		struct early_signal early = early_signal(call);
		gather_offer(call->hub, context->spool, handle_of(info), &call->request);
		apply(early);
	}
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	bool killed = caller_is_killed(fuse_req_ctx(req)->pid);
	if (!killed && hub_collects(hub_of(req), handle_of(info), false)) {
		flush_collected(req, info);
	} else {
		flush(req, info, killed);
	}
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	(void)ino;
	(void)data_only;
	if (hub_collects(hub_of(req), handle_of(info), false)) {
		fuse_reply_err(req, 0); /* the close is what offers it */
	} else {
		flush(req, info, false);
	}
}

/* A poll is answered at once; the kernel is told later that there is something new. */
struct poll_call {
	struct request request; /* first */
	struct fuse_pollhandle *handle;
};

static void deliver_poll(struct request *request)
{
	struct poll_call *call = (struct poll_call *)request;
	if (request->op.result == 0) {
		fuse_lowlevel_notify_poll(call->handle);
	}
	fuse_pollhandle_destroy(call->handle);
	free(call);
}

static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
		    struct fuse_pollhandle *handle)
{
	struct poll_call *call = NULL;
	(void)ino;
	if (handle) {
		call = calloc(1, sizeof(*call));
		if (!call) {
			fuse_pollhandle_destroy(handle);
			fuse_reply_err(req, ENOMEM);
			return;
		}
		op_init(&call->request.op, OP_POLL, 0, 0, false);
		call->request.op.events = (short)info->poll_events;
		call->request.deliver = deliver_poll;
		call->handle = handle;
	}
	short now = hub_poll(hub_of(req), handle_of(info), call ? &call->request : NULL);
	fuse_reply_poll(req, (unsigned)now);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	release(context_of(req), handle_of(info));
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
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.poll = op_poll,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
};
