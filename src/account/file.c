/* SPDX-License-Identifier: MIT */
#include "account/file.h"

#include "account/attribute.h"
#include "account/incoming.h"
#include "account/routing.h"
#include "account/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A larger gap is a mistake of the writer. */
#define MAX_GAP ((uint64_t)64 * 1024 * 1024 * 1024)

/* ---- open ---- */

/* A new session for an outgoing file. */
static int begin_session(struct account *account, struct handle *handle, int64_t now_ms)
{
	struct node *node = handle->node;
	int error = 0;
	struct stream *stream = ibb_create_stream(&account->ibb, handle->sid, &error);
	if (!stream) {
		return error;
	}
	stream->incoming.has_reader = handle->readable;
	stream_set_block_size(stream, attribute_block_size(account, node->parent));
	stream->session.stanza = attribute_stanza(account, node->parent);
	node->file.stream = stream;
	node->file.size = 0;
	node->file.expires_ms = NODE_NEVER;
	node->file.opened = true;
	node->file.sample = (struct sample){.taken_ms = now_ms};
	handle->attached = node;
	node_touch(node);
	return 0;
}

static void open_outgoing(struct account *account, struct handle *handle, int flags, struct op *op,
			  int64_t now_ms)
{
	if (!handle->writable) {
		account_complete(account, op, 0); /* stat, chmod */
		return;
	}
	handle->earlier = flags & O_TRUNC ? 0 : handle->node->file.size;
	int error = begin_session(account, handle, now_ms);
	if (error) {
		account_complete(account, op, error);
		return;
	}
	if (flags & O_NONBLOCK) {
		account_complete(account, op,
				 0); /* touch, truncate: the first write begins the session */
		return;
	}
	struct stream *stream = handle->node->file.stream;
	routing_start(account, handle, now_ms);
	if (handle_is_spooled(handle)) {
		account_complete(account, op, 0); /* the peer's features were known already */
	} else {
		stream_wait_open(stream, op);
	}
}

/* Opening an offer accepts it; the open completes when its bytes can come. */
static void open_arrived(struct account *account, struct handle *handle, int flags, struct op *op,
			 int64_t now_ms)
{
	struct node *node = handle->node;
	if (node->inbox.state) {
		handle_attach_inbox_file(handle, node);
		account_complete(account, op, 0);
		return;
	}
	int error = account_accept(account, node, now_ms);
	if (error) {
		account_complete(account, op, error);
		return;
	}
	handle_attach(handle, node);
	if (flags & O_NONBLOCK || node->file.stream->state >= STREAM_OPEN) {
		account_complete(account, op, 0);
	} else {
		stream_wait_open(node->file.stream, op);
	}
}

/* Whether the name was removed after a process had looked it up, and its directory exists. */
static bool is_stale(const struct account *account, const struct node *node)
{
	const struct node *directory = tree_find(&account->tree, node->parent_ino);
	return !node->parent && directory && directory->parent;
}

static int check_open(const struct account *account, const struct node *node,
		      const struct handle *handle, int flags)
{
	switch (node->kind) {
	case NODE_OUTGOING:
		if (handle->writable && is_stale(account, node)) {
			return -ESTALE; /* the kernel repeats lookup and mknod */
		}
		return handle->writable && node->file.stream ? -EBUSY : 0;
	case NODE_ARRIVED:
		if (!handle->readable || (flags & O_TRUNC)) {
			return -EACCES;
		}
		if (node->inbox.error) {
			return node->inbox.error;
		}
		if (node->inbox.state) {
			return handle->writable ? -EACCES : 0;
		}
		if (!node->file.stream && !node->file.offer) {
			return -ENODATA; /* a finished stream has no data any more */
		}
		return node->handles > 1 ? -EBUSY : 0;
	case NODE_NEXT:
		return !handle->readable || (flags & O_TRUNC) ? -EACCES : 0;
	case NODE_STATUS:
	case NODE_INCOMING:
		return handle->writable ? -EACCES : 0;
	default:
		return -EISDIR;
	}
}

void file_open(struct account *account, struct node *node, int flags, const char *sid,
	       struct op *op, int64_t now_ms)
{
	struct handle *handle = handle_create(account, node, flags, sid);
	op->context = handle;
	if (!handle) {
		account_complete(account, op, -ENOMEM);
		return;
	}
	int error = check_open(account, node, handle, flags);
	if (!error && node->kind == NODE_STATUS) {
		error = status_text(account, now_ms, &handle->text, &handle->text_length);
	}
	if (error) {
		account_complete(account, op, error);
		return;
	}
	if (node->kind == NODE_OUTGOING) {
		open_outgoing(account, handle, flags, op, now_ms);
		return;
	}
	handle->first_line = account->last_arrival;
	if (node->kind == NODE_ARRIVED) {
		open_arrived(account, handle, flags, op, now_ms);
	} else {
		account_complete(account, op, 0);
	}
}

/* ---- read ---- */

void file_read(struct account *account, struct handle *handle, struct op *op, int64_t now_ms)
{
	op->context = handle;
	if (!handle->readable) {
		account_complete(account, op, -EBADF);
	} else if (handle->node->kind == NODE_STATUS) {
		handle_read_text(account, handle, op);
	} else if (handle->node->kind == NODE_INCOMING) {
		incoming_read(account, handle, op);
	} else if (handle->node->kind == NODE_NEXT) {
		incoming_read_next(account, handle, op, now_ms);
	} else if (handle->disk) {
		account_complete(account, op, 0); /* dd seek= reads up to where it writes */
	} else if (!handle_read(account, handle, op)) {
		account_complete(account, op, -EACCES); /* sent bytes are not stored */
	}
}

/* ---- write ---- */

/* Aborts the session of a tool that writes as if to a disk. */
static int fail_session(struct account *account, struct stream *stream, int error)
{
	ibb_abort(&account->ibb, stream, error);
	return error;
}

/* The length of the gap before `offset`; or a negative errno. */
static int64_t gap_before(struct account *account, const struct handle *handle,
			  struct stream *stream, uint64_t offset)
{
	uint64_t end = stream_written(stream);
	if (stream_is_over(stream)) {
		return stream_outcome(stream);
	}
	if (offset < end || handle_hides_bytes(handle, end, offset)) {
		return fail_session(account, stream, -ESPIPE);
	}
	if (offset - end > MAX_GAP) {
		return fail_session(account, stream, -EFBIG);
	}
	return (int64_t)(offset - end);
}

void file_begin(struct account *account, struct handle *handle, int64_t now_ms)
{
	const struct node *node = handle->node;
	if (handle->attached == node && node->kind == NODE_OUTGOING && node->file.stream &&
	    node->file.stream->state == STREAM_NEW && !handle->routing.active &&
	    !handle_is_spooled(handle)) {
		routing_start(account, handle, now_ms);
	}
}

void file_write(struct account *account, struct handle *handle, struct op *op, const void *bytes,
		uint64_t offset, int64_t now_ms)
{
	struct stream *stream = handle_stream(handle);
	op->context = handle;
	if (!handle->writable) {
		account_complete(account, op, -EBADF);
		return;
	}
	if (!stream) {
		account_complete(account, op, -EAGAIN); /* `next`, before something has arrived */
		return;
	}
	if (account->stopping) {
		handle->refused = -ECONNRESET;
		account_complete(account, op, -ECONNRESET);
		return;
	}
	if (handle_is_spooled(handle)) {
		account_complete(account, op, fail_session(account, stream, -EINVAL));
		return;
	}
	file_begin(account, handle, now_ms);
	int64_t gap = handle->append ? 0 : gap_before(account, handle, stream, offset);
	if (gap < 0) {
		handle->refused = (int)gap;
		account_complete(account, op, gap);
		return;
	}
	node_touch(handle->attached);
	handle->used = true;
	handle->flushed = false;
	stream_write_behind(stream, op, (uint64_t)gap, bytes, now_ms);
	handle->refused = op->result < 0 ? (int)op->result : 0;
}

int file_truncate(struct account *account, struct node *node, struct handle *handle, uint64_t size,
		  int64_t now_ms)
{
	struct stream *stream = node->file.stream;
	if (node->kind != NODE_OUTGOING) {
		return -EACCES;
	}
	if (!stream) {
		if (size == 0) {
			node->file.size = 0;
		}
		return size == node->file.size ? 0 : -EINVAL;
	}
	uint64_t end = node->file.spooled ? node->file.size : stream_written(stream);
	if (size == end) {
		if (handle && size == 0) {
			handle->earlier = 0;
		}
		return 0;
	}
	if (size < end || node->file.spooled) {
		return -EINVAL;
	}
	if (handle && handle->writable && handle->readable) {
		handle->disk = true;
		return -ESPIPE; /* then dd seek= writes the zeros itself */
	}
	if (!handle || !handle->writable) {
		return -ESPIPE;
	}
	file_begin(account, handle, now_ms);
	int64_t gap = gap_before(account, handle, stream, size);
	int error = gap > 0 ? stream_write_zeros(stream, (uint64_t)gap, now_ms) : (int)gap;
	handle->used = true;
	handle->flushed = false;
	handle->refused = error;
	return error;
}

/* ---- flush ---- */

/* If several processes share the file, the last close counts. */
static void note_flush(struct handle *handle, const struct op *op, enum handle_close close)
{
	handle->killed = close == HANDLE_CLOSE_KILLED;
	handle->shared = close == HANDLE_CLOSE_SHARED;
	handle->last_flush = op->token;
	handle->flushed = !handle->killed;
}

void file_flush(struct account *account, struct handle *handle, struct op *op,
		enum handle_close close, int64_t now_ms)
{
	struct stream *stream = handle_stream(handle);
	op->context = handle;
	if (!handle->writable || !stream) {
		account_complete(account, op, 0);
		return;
	}
	note_flush(handle, op, close);
	if (handle->killed) {
		account_complete(account, op, -EINTR);
	} else if (handle->refused && stream->state != STREAM_BROKEN) {
		/* A release now would end the stream as a broken one, or the peer has closed it
		 * before everything was written. */
		account_complete(account, op, handle_refusal(handle));
	} else {
		stream_flush(stream, op, now_ms);
	}
}

/* The call goes on without the handle, which may be another one than the writer's. */
void file_sync(struct account *account, const struct handle *handle, struct op *op, int64_t now_ms)
{
	const struct node *node = handle->attached ? handle->attached : handle->node;
	struct stream *stream = node->file.stream;
	bool is_sent = node->kind == NODE_OUTGOING;
	if (is_sent && !stream) {
		stream = node->file.ending.stream;
	}
	if (node->file.spooled) {
		account_complete(account, op, -EINVAL); /* nothing is sent before its close */
	} else if (stream && (is_sent || handle->writable)) {
		stream_flush(stream, op, now_ms);
	} else {
		account_complete(account, op,
				 is_sent ? stream_file_summarize(&node->file).error : 0);
	}
}

bool file_can_finish(const struct handle *handle)
{
	const struct stream *stream = handle_stream(handle);
	if (!handle->writable || handle_is_spooled(handle) || handle->node->kind != NODE_OUTGOING ||
	    !stream || handle->refused) {
		return false;
	}
	if (stream->state == STREAM_NEW) {
		return !stream_is_delivered(stream); /* its peer may be an ibbfs */
	}
	return (stream->state == STREAM_OPEN || stream->state == STREAM_OPENING) &&
	       stream->session.features & FEATURE_IBBFS;
}

void file_finish(struct account *account, struct handle *handle, struct op *op, int64_t now_ms)
{
	if (!file_can_finish(handle)) {
		file_flush(account, handle, op, HANDLE_CLOSE, now_ms);
		return;
	}
	op->context = handle;
	note_flush(handle, op, HANDLE_CLOSE);
	stream_finish_writing(handle_stream(handle), op, now_ms);
}

void file_interrupt(struct account *account, struct op *op)
{
	struct handle *handle = op->context;
	if (op->kind == OP_FLUSH && handle && handle->last_flush == op->token) {
		handle->killed = true;
	}
	bool writes = op->kind == OP_WRITE || op->kind == OP_WRITE_SYNC;
	struct stream *stream = handle ? handle_stream(handle) : NULL;
	bool is_queued = stream && op->list == &stream->outgoing.flushers;
	if (op->list == &account->disk_waiters) {
		account_complete(account, op, -EINTR); /* nothing has happened yet */
	} else {
		op_interrupt(op, &account->ibb.effects.done);
	}
	if (handle && writes && op->result == -EINTR) {
		handle->refused = -EINTR;
	}
	if (op->kind == OP_WRITE_SYNC && is_queued) {
		/* Its bytes may arrive, and would arrive twice if it were repeated. */
		ibb_abort(&account->ibb, stream, -ECONNRESET);
	}
}
