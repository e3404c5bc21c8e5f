/* SPDX-License-Identifier: MIT */
#include "mount/fuse/ops_files.h"

#include "mount/disk/inbox_ops.h"
#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/fuse/closes.h"
#include "mount/process/caller.h"
#include "mount/process/writers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- answers ---- */

static void deliver_read(struct request *request)
{
	struct call *call = call_of(request);
	if (request->op.result == HANDLE_IN_INBOX) {
		inbox_ops_read(call_context_of(call->req)->inbox, call->hub, call->handle, request,
			       call->offset);
		return;
	}
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
	} else {
		fuse_reply_buf(call->req, (const char *)request->op.data,
			       (size_t)request->op.result);
	}
	call_end(call);
}

static void deliver_write(struct request *request)
{
	struct call *call = call_of(request);
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
	} else {
		fuse_reply_write(call->req, (size_t)request->op.result);
	}
	call_end(call);
}

static void release(const struct call_context *context, struct handle *handle)
{
	inbox_ops_close(context->hub, handle);
	spool_ops_release(context->hub, &context->spool, handle);
}

/* A file for writing only is seekable, so that forward gaps and appending work. A file for reading
 * is a stream: else a blocked read would block every write, and sendfile would take the size of 0
 * for the end. A spooled file is on disk. A complete file of the inbox is read through the page
 * cache, which maps and splices it. The page cache would hide the end of a file that grows, and an
 * error there. libfuse has no name for FOPEN_STREAM. */
static uint32_t open_flags(struct hub *hub, const struct handle *handle)
{
	if (handle->is_stream) {
		return FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NONSEEKABLE;
	}
	return hub_is_complete_inbox_file(hub, handle) ? 0 : FOPEN_DIRECT_IO;
}

/* Everything that the open needs is there. */
static void deliver_opened(struct request *request)
{
	struct call *call = call_of(request);
	struct handle *handle = request->op.context;
	if (request->op.result < 0) {
		fuse_reply_err(call->req, (int)-request->op.result);
		call_end(call);
		return;
	}
	handle->opener = call->pid;
	handle->opened = call->opened;
	handle->is_stream = call->reads && !handle_is_spooled(handle) && !handle->inbox_file;
	struct fuse_open_out out = {
		.fh = (uint64_t)(uintptr_t)handle,
		.open_flags = open_flags(call_hub_of(call->req), handle),
	};
	if (fuse_reply_buf(call->req, (const char *)&out, sizeof(out)) == -ENOENT) {
		/* The open was interrupted: the kernel will not release it. */
		release(call_context_of(call->req), handle);
	}
	call_end(call);
}

static void deliver_open(struct request *request)
{
	struct call *call = call_of(request);
	struct handle *handle = request->op.context;
	if (request->op.result == 0 && handle->inbox_file) {
		request->deliver = deliver_opened;
		inbox_ops_open(call_context_of(call->req)->inbox, call->hub, handle, request);
	} else {
		deliver_opened(request);
	}
}

/* ---- files ---- */

/* 128 random bits in hex: a sid must not be guessable. */
static int make_sid(char sid[HANDLE_SID_SIZE])
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

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	char sid[HANDLE_SID_SIZE];
	int error = make_sid(sid);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	struct call *call = call_begin(req, OP_OPEN, 0, false, deliver_open);
	if (call) {
		call->reads = (info->flags & O_ACCMODE) != O_WRONLY;
		call->opened = (info->flags & O_ACCMODE) != O_RDONLY ? writers_look() : 0;
		call->pid = fuse_req_ctx(req)->pid;
		struct early_signal early = call_early_signal(call);
		hub_open(call->hub, ino, info->flags, sid, &call->request);
		call_apply(early);
	}
}

/* The error of a read that no stream can answer. The page cache reads without a lock owner, for a
 * mapping, splice or readahead: pages that it drops are read again, and the bytes after the ones
 * that have come would be zeros. EINVAL is what splice and copy_file_range give for a pipe, and
 * tools read and write then. An offset comes from the kernel's own reads (execve) and io_uring. */
static int check_stream_read(const struct fuse_file_info *info, off_t offset)
{
	if (!call_handle_of(info)->is_stream) {
		return 0;
	}
	if (info->lock_owner == 0) {
		return -EINVAL;
	}
	return offset != 0 ? -ESPIPE : 0;
}

static void read_spooled(fuse_req_t req, size_t size, off_t offset, struct handle *handle)
{
	const struct call_context *context = call_context_of(req);
	struct call *call = call_begin_disk(req, OP_READ, size, deliver_read);
	if (call) {
		struct early_signal early = call_early_signal(call);
		spool_ops_read(call->hub, &context->spool, handle, &call->request,
			       (uint64_t)offset);
		call_apply(early);
	}
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	      struct fuse_file_info *info)
{
	struct handle *handle = call_handle_of(info);
	(void)ino;
	int error = check_stream_read(info, offset);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	if (hub_is_spooled(call_hub_of(req), handle, false)) {
		if (handle->is_stream) {
			fuse_reply_err(req, EACCES); /* as of any stream: it is only sent */
		} else {
			read_spooled(req, size, offset, handle);
		}
		return;
	}
	struct call *call = call_begin(req, OP_READ, size, info->flags & O_NONBLOCK, deliver_read);
	if (call) {
		struct early_signal early = call_early_signal(call);
		bool is_next = handle->node->kind == NODE_NEXT;
		call->handle = handle;
		call->offset = is_next ? -1 : offset;
		if (is_next || handle->inbox_file) {
			interrupts_prepare(call_context_of(req)->interrupts, &call->request);
		}
		hub_read(call->hub, handle, &call->request);
		call_apply(early);
	}
}

static void write_spooled(struct call *call, const char *bytes, off_t offset,
			  const struct fuse_file_info *info)
{
	const struct call_context *context = call_context_of(call->req);
	struct handle *handle = call_handle_of(info);
	struct op *op = &call->request.op;
	op->data = malloc(op->size);
	if (!op->data && op->size > 0) {
		op->result = -ENOMEM;
		deliver_write(&call->request);
		return;
	}
	memcpy(op->data, bytes, op->size);
	interrupts_prepare(context->interrupts, &call->request);
	/* With O_NONBLOCK the format may be known only now: the kernel has no offsets. */
	spool_ops_write(context->hub, &context->spool, handle, &call->request, (uint64_t)offset,
			info->flags & O_APPEND || handle->is_stream);
}

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
	       struct fuse_file_info *info)
{
	/* Of open(2) or pwritev2(2); or the file system is mounted with sync. */
	enum op_kind kind = info->flags & O_DSYNC ? OP_WRITE_SYNC : OP_WRITE;
	(void)ino;
	struct call *call = call_begin(req, kind, size, info->flags & O_NONBLOCK, deliver_write);
	if (call) {
		struct early_signal early = call_early_signal(call);
		if (!hub_write(call->hub, call_handle_of(info), &call->request, bytes,
			       (uint64_t)offset)) {
			write_spooled(call, bytes, offset, info);
		}
		call_apply(early);
	}
}

static void let_close(struct request *request, bool killed)
{
	closes_let(call_of(request), killed);
}

void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct call *call = call_begin(req, OP_FLUSH, 0, false, call_deliver_status);
	if (!call) {
		return;
	}
	call->handle = call_handle_of(info);
	call->pid = fuse_req_ctx(req)->pid;
	call->table = info->lock_owner;
	call->ino = ino;
	call->fate = call->handle->writable ? caller_fate(call->pid) : CALLER_STAYS;
	closes_add(call_context_of(req)->closes, call);
	if (call->fate == CALLER_UNKNOWN) {
		struct early_signal early = call_early_signal(call);
		interrupts_hold(call_context_of(req)->interrupts, &call->request, let_close);
		call_apply(early);
	}
}

void ops_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	(void)ino;
	(void)data_only;
	struct call *call = call_begin(req, OP_FLUSH, 0, false, call_deliver_status);
	if (call) {
		struct early_signal early = call_early_signal(call);
		hub_sync(call->hub, call_handle_of(info), &call->request);
		call_apply(early);
	}
}

/* A poll is answered at once; the kernel is notified later. */
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

void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
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
	short now = hub_poll(call_hub_of(req), call_handle_of(info), call ? &call->request : NULL);
	fuse_reply_poll(req, (unsigned)now);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	release(call_context_of(req), call_handle_of(info));
	fuse_reply_err(req, 0);
}
