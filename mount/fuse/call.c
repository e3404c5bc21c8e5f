/* SPDX-License-Identifier: MIT */
#include "mount/fuse/call.h"

#include <errno.h>
#include <stdlib.h>

const struct call_context *call_context_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct hub *call_hub_of(fuse_req_t req)
{
	return call_context_of(req)->hub;
}

struct handle *call_handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* No tool repeats such a call when it was interrupted. */
static bool is_barrier(enum op_kind kind)
{
	return kind == OP_OPEN || kind == OP_FLUSH || kind == OP_WRITE_SYNC;
}

/* A call that waits for a disk is not repeated either: other file systems do not interrupt it. */
static void interrupt(const struct call_context *context, bool barrier, uint64_t token, pid_t pid)
{
	if (barrier || hub_waits_for_disk(context->hub, token)) {
		interrupts_add(context->interrupts, token, pid);
	} else {
		hub_interrupt(context->hub, token);
	}
}

/* The call may be over and freed: its token says so, a pointer could not. */
static void on_interrupt(fuse_req_t req, void *data)
{
	interrupt(call_context_of(req), false, (uint64_t)(uintptr_t)data, fuse_req_ctx(req)->pid);
}

static void on_interrupt_of_barrier(fuse_req_t req, void *data)
{
	interrupt(call_context_of(req), true, (uint64_t)(uintptr_t)data, fuse_req_ctx(req)->pid);
}

static struct call *begin(fuse_req_t req, size_t bytes, enum op_kind kind, size_t size,
			  bool nonblock, void (*deliver)(struct request *))
{
	static uint64_t last_token; /* main thread */
	struct call *call = calloc(1, bytes);
	if (!call) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	uint64_t token = ++last_token;
	op_init(&call->request.op, kind, token, size, nonblock);
	call->request.deliver = deliver;
	call->req = req;
	call->hub = call_hub_of(req);
	/* Called before the hub knows the call, and never under the hub's lock: libfuse holds a
	 * lock of the request around the callback. */
	fuse_req_interrupt_func(req, is_barrier(kind) ? on_interrupt_of_barrier : on_interrupt,
				(void *)(uintptr_t)token);
	return call;
}

static void prepare(struct call *call)
{
	interrupts_prepare(call_context_of(call->req)->interrupts, &call->request);
}

struct call *call_begin(fuse_req_t req, enum op_kind kind, size_t size, bool nonblock,
			void (*deliver)(struct request *))
{
	struct call *call = begin(req, sizeof(*call), kind, size, nonblock, deliver);
	if (call && is_barrier(kind)) {
		prepare(call);
	}
	return call;
}

struct call *call_begin_disk(fuse_req_t req, enum op_kind kind, size_t size,
			     void (*deliver)(struct request *))
{
	struct call *call = begin(req, sizeof(*call), kind, size, false, deliver);
	if (call) {
		prepare(call);
	}
	return call;
}

struct call *call_begin_sized(fuse_req_t req, size_t bytes, enum op_kind kind,
			      void (*deliver)(struct request *))
{
	struct call *call = begin(req, bytes, kind, 0, false, deliver);
	if (call) {
		prepare(call);
	}
	return call;
}

struct early_signal call_early_signal(const struct call *call)
{
	return (struct early_signal){
		.context = call_context_of(call->req),
		.kind = call->request.op.kind,
		.token = call->request.op.token,
		.pid = fuse_req_ctx(call->req)->pid,
		.came = fuse_req_interrupted(call->req),
	};
}

void call_apply(struct early_signal early)
{
	if (early.came) {
		interrupt(early.context, is_barrier(early.kind), early.token, early.pid);
	}
}

void call_end(struct call *call)
{
	op_finish(&call->request.op);
	free(call);
}

struct call *call_of(struct request *request)
{
	return (struct call *)request;
}

void call_deliver_status(struct request *request)
{
	struct call *call = call_of(request);
	fuse_reply_err(call->req, (int)-request->op.result);
	call_end(call);
}
