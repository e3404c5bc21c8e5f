/* SPDX-License-Identifier: MIT */
#include "account/file.h"

#include "account/attribute.h"
#include "account/directory.h"
#include "account/incoming.h"
#include "account/name.h"
#include "account/spool_file.h"
#include "account/status.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A gap that is larger is a mistake, not a file. */
#define MAX_GAP ((uint64_t)64 * 1024 * 1024 * 1024)

static struct stream *stream_of(const struct handle *handle)
{
	return handle->file ? handle->file->stream : NULL;
}

/* ---- open ---- */

static struct handle *create_handle(struct account *account, struct node *node, int flags,
				    const char *sid)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle) {
		return NULL;
	}
	int access = flags & O_ACCMODE;
	handle->node = node;
	handle->inbox_fd = -1;
	handle->readable = access != O_WRONLY;
	handle->writable = access != O_RDONLY;
	/* In both directions there are no offsets (FOPEN_STREAM). */
	handle->append = (flags & O_APPEND) != 0 || access == O_RDWR;
	snprintf(handle->sid, sizeof(handle->sid), "%s", sid);
	DL_APPEND(account->handles, handle);
	node->handles++;
	return handle;
}

/* A new session for a name of ours. */
static int begin_session(struct account *account, struct handle *handle, int64_t now_ms)
{
	struct node *node = handle->node;
	int error = 0;
	struct stream *stream = ibb_create_stream(&account->ibb, handle->sid, &error);
	if (!stream) {
		return error;
	}
	stream->reading = handle->readable;
	stream_set_block_size(stream, attribute_block_size(account, node->parent));
	stream->carrier = attribute_carrier(account, node->parent);
	node->stream = stream;
	node->size = 0;
	node->expires_ms = TREE_NEVER;
	node->opened = true;
	node->sample = (struct sample){.taken_ms = now_ms};
	handle->file = node;
	node_touch(node);
	return 0;
}

static void open_outgoing(struct account *account, struct handle *handle, int flags, struct op *op,
			  int64_t now_ms)
{
	if (!handle->writable) {
		account_complete(account, op, 0); /* to look at, or for chmod */
		return;
	}
	int error = begin_session(account, handle, now_ms);
	if (error) {
		account_complete(account, op, error);
		return;
	}
	if (flags & O_NONBLOCK) {
		account_complete(account, op, 0); /* touch, truncate: begun by the first write */
		return;
	}
	struct stream *stream = handle->node->stream;
	resolver_start(account, handle, now_ms);
	if (handle_is_spooled(handle)) {
		account_complete(account, op, 0); /* what the peer can do was known */
	} else {
		stream_wait_open(stream, op);
	}
}

/* Gives `handle` the stream that arrived as `node`. */
static void attach(struct handle *handle, struct node *node)
{
	handle->file = node;
	node->opened = true;
	if (node != handle->node) {
		node->handles++;
	}
}

/* Gives `handle` a file of the inbox. */
static void attach_inbox_file(struct handle *handle, struct node *node)
{
	handle->inbox_file = node;
	node->opened = true;
	if (node != handle->node) {
		node->handles++;
	}
}

/* A file that is offered is accepted by that, and is open once its bytes can come. */
static void open_arrived(struct account *account, struct handle *handle, int flags, struct op *op,
			 int64_t now_ms)
{
	struct node *node = handle->node;
	if (node->inbox) {
		attach_inbox_file(handle, node);
		account_complete(account, op, 0);
		return;
	}
	int error = account_accept(account, node, now_ms);
	if (error) {
		account_complete(account, op, error);
		return;
	}
	attach(handle, node);
	if (flags & O_NONBLOCK || node->stream->state >= STREAM_OPEN) {
		account_complete(account, op, 0);
	} else {
		stream_wait_open(node->stream, op);
	}
}

/* Whether the name went, but not its directory: a process has looked it up a moment ago. */
static bool is_stale(const struct account *account, const struct node *node)
{
	const struct node *directory = tree_find(&account->tree, node->directory);
	return !node->parent && directory && directory->parent;
}

static int check_open(const struct account *account, const struct node *node,
		      const struct handle *handle, int flags)
{
	switch (node->kind) {
	case NODE_OUTGOING:
		if (handle->writable && is_stale(account, node)) {
			return -ESTALE; /* the kernel looks it up once more, and makes it */
		}
		return handle->writable && node->stream ? -EBUSY : 0;
	case NODE_ARRIVED:
		if (!handle->readable || (flags & O_TRUNC)) {
			return -EACCES;
		}
		if (node->inbox) {
			return handle->writable ? -EACCES : 0;
		}
		if (node->error) {
			return node->error;
		}
		if (!node->stream && !node->offer) {
			return -ENODATA; /* it was read to its end before */
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
	struct handle *handle = create_handle(account, node, flags, sid);
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

/* Completes `op` with a copy of `length` bytes. */
static void complete_with(struct account *account, struct op *op, const char *bytes, size_t length)
{
	if (length > 0) {
		op->data = malloc(length);
		if (!op->data) {
			account_complete(account, op, -ENOMEM);
			return;
		}
		memcpy(op->data, bytes, length);
	}
	account_complete(account, op, (ssize_t)length);
}

void file_read_text(struct account *account, struct handle *handle, struct op *op)
{
	size_t length = handle->text_length - handle->text_position;
	length = length < op->size ? length : op->size;
	complete_with(account, op, handle->text + handle->text_position, length);
	if (op->result > 0) {
		handle->text_position += length;
	}
}

static void read_next(struct account *account, struct handle *handle, struct op *op, int64_t now_ms)
{
	struct node *node = incoming_next(handle->node);
	int error = node ? account_accept(account, node, now_ms) : 0;
	if (node && node->inbox) {
		attach_inbox_file(handle, node);
		account_complete(account, op, FILE_IN_INBOX);
		return;
	}
	/* Who does not wait has not taken it before there is something to read. */
	if (error) {
		node->opened = true; /* not the one that is taken next time */
		account_complete(account, op, error);
	} else if (node && (!op->nonblock || stream_can_read(node->stream))) {
		attach(handle, node);
		handle->used = true;
		stream_read(node->stream, op);
	} else if (op->nonblock) {
		account_complete(account, op, -EAGAIN);
	} else {
		op_park(op, &handle->node->waiters);
	}
}

void file_read(struct account *account, struct handle *handle, struct op *op, int64_t now_ms)
{
	op->context = handle;
	if (!handle->readable) {
		account_complete(account, op, -EBADF);
	} else if (handle->node->kind == NODE_STATUS) {
		file_read_text(account, handle, op);
	} else if (handle->node->kind == NODE_INCOMING) {
		incoming_read(account, handle, op);
	} else if (handle->inbox_file) {
		account_complete(account, op, FILE_IN_INBOX);
	} else if (handle->node->kind == NODE_NEXT && !handle->file) {
		read_next(account, handle, op, now_ms);
	} else if (handle->disk) {
		account_complete(account, op, 0); /* dd seek= reads its way to where it writes */
	} else if (stream_of(handle)) {
		handle->used = true;
		stream_read(stream_of(handle), op);
	} else {
		account_complete(account, op, -EACCES); /* what we send is not stored */
	}
}

/* ---- poll ---- */

static short ready(const struct account *account, const struct handle *handle)
{
	const struct stream *stream = stream_of(handle);
	if (stream && !handle_is_spooled(handle)) {
		bool end = handle->readable && stream_is_at_end(stream);
		int now = (handle->readable && stream_can_read(stream) ? POLLIN : 0) |
			  (handle->writable && stream_can_write(stream) ? POLLOUT : 0) |
			  (end ? POLLHUP : 0) |
			  (stream->state == STREAM_BROKEN && (end || !handle->readable) ? POLLERR
											: 0);
		return (short)now;
	}
	const struct node *next;
	if (handle->inbox_file) {
		return POLLIN;
	}
	switch (handle->node->kind) {
	case NODE_INCOMING:
		return incoming_has_line(account, handle) ? POLLIN : 0;
	case NODE_NEXT:
		next = incoming_next(handle->node);
		/* One that is offered: a read accepts it. */
		return next && (!next->stream || stream_can_read(next->stream)) ? POLLIN : 0;
	default:
		return POLLIN | POLLOUT; /* whatever is called does not wait */
	}
}

short file_poll(struct account *account, struct handle *handle, struct op *op)
{
	short now = ready(account, handle);
	struct op *other, *next;
	if (op) {
		/* The kernel must not be woken by its own question, or it asks for ever. */
		DL_FOREACH_SAFE (account->pollers, other, next) {
			if (other->context == handle) {
				account_complete(account, other, -ECANCELED);
			}
		}
		op->context = handle;
		op->seen = now;
		op_park(op, &account->pollers);
	}
	return now;
}

void file_notify_pollers(struct account *account)
{
	struct op *op, *next;
	DL_FOREACH_SAFE (account->pollers, op, next) {
		short now = ready(account, op->context);
		short wanted = (short)(op->events | POLLERR | POLLHUP);
		if (now & ~op->seen & wanted) {
			account_complete(account, op, 0);
		} else {
			op->seen &= now; /* what has ended may begin again */
		}
	}
}

/* ---- write ---- */

/* Fails the session of a tool that writes as if it had a disk. */
static int fail_session(struct account *account, struct stream *stream, int error)
{
	ibb_abort(&account->ibb, stream, error);
	return error;
}

/* Brings the stream to `offset` by zeros, if it is behind. */
static int seek_to(struct account *account, struct stream *stream, uint64_t offset, int64_t now_ms)
{
	uint64_t end = stream_written(stream);
	if (stream_is_over(stream)) {
		return stream_outcome(stream);
	}
	if (offset < end) {
		return fail_session(account, stream, -ESPIPE);
	}
	if (offset - end > MAX_GAP) {
		return fail_session(account, stream, -EFBIG);
	}
	return offset > end ? stream_write_zeros(stream, offset - end, now_ms) : 0;
}

void file_begin(struct account *account, struct handle *handle, int64_t now_ms)
{
	const struct node *node = handle->node;
	if (handle->file == node && node->kind == NODE_OUTGOING && node->stream &&
	    node->stream->state == STREAM_NEW && !handle->resolver.active &&
	    !handle_is_spooled(handle)) {
		resolver_start(account, handle, now_ms);
	}
}

void file_write(struct account *account, struct handle *handle, struct op *op, const void *bytes,
		uint64_t offset, int64_t now_ms)
{
	struct stream *stream = stream_of(handle);
	op->context = handle;
	if (!handle->writable) {
		account_complete(account, op, -EBADF);
		return;
	}
	if (!stream) {
		account_complete(account, op, -EAGAIN); /* `next` before something has arrived */
		return;
	}
	if (account->stopping) {
		handle->refused = true;
		account_complete(account, op, -ECONNRESET);
		return;
	}
	file_begin(account, handle, now_ms);
	int error = handle->append ? 0 : seek_to(account, stream, offset, now_ms);
	if (error) {
		account_complete(account, op, error);
		return;
	}
	node_touch(handle->file);
	handle->used = true;
	handle->flushed = false;
	stream_write(stream, op, bytes, now_ms);
	handle->refused = op->result < 0;
}

int file_truncate(struct account *account, struct node *node, struct handle *handle, uint64_t size,
		  int64_t now_ms)
{
	struct stream *stream = node->stream;
	if (node->kind != NODE_OUTGOING) {
		return -EACCES;
	}
	if (!stream) {
		if (size == 0) {
			node->size = 0;
		}
		return size == node->size ? 0 : -EINVAL;
	}
	uint64_t end = node->spooled ? node->size : stream_written(stream);
	if (size == end) {
		return 0;
	}
	if (size < end || node->spooled) {
		return -EINVAL;
	}
	if (handle && handle->writable && handle->readable) {
		handle->disk = true;
		return -ESPIPE; /* dd seek= writes the zeros itself then */
	}
	if (!handle || !handle->writable) {
		return -ESPIPE;
	}
	file_begin(account, handle, now_ms);
	return seek_to(account, stream, size, now_ms);
}

/* ---- flush, release ---- */

void file_flush(struct account *account, struct handle *handle, struct op *op, bool killed,
		int64_t now_ms)
{
	struct stream *stream = stream_of(handle);
	op->context = handle;
	if (!handle->writable || !stream) {
		account_complete(account, op, 0);
		return;
	}
	/* Of several processes that share the file, the last one to go decides. */
	handle->cut = killed;
	handle->flushed = !killed;
	if (killed) {
		account_complete(account, op, -EINTR);
	} else {
		stream_flush(stream, op, now_ms);
	}
}

/* Whether the stream ends as it should when `handle` goes. */
static bool ends_well(const struct handle *handle, const struct stream *stream)
{
	if (stream_is_over(stream)) {
		return true;
	}
	if (handle->writable && (handle->cut || handle->refused || !stream_is_delivered(stream))) {
		return false;
	}
	/* A reader that leaves before the end has not got the file; in a dialogue either side may
	 * have the last word, but it must have been heard. */
	return handle->writable ? !handle->readable || stream->receiver.in.length == 0 : false;
}

static void leave_stream(struct account *account, struct handle *handle, int64_t now_ms)
{
	struct node *file = handle->file;
	struct stream *stream = file->stream;

	if (!stream) {
		return;
	}
	if (handle->node->kind != NODE_OUTGOING && !handle->used && file->parent &&
	    !account->stopping) {
		/* Opened and closed again, by `file` or a shell's test: it still waits. */
		file->opened = false;
		return;
	}
	if (handle_is_spooled(handle) && !file->offer) {
		ibb_abort(&account->ibb, stream, -ECONNRESET); /* nobody has heard of it */
	}
	account_finish_file(account, file, ends_well(handle, stream), now_ms);
}

static void close_handle(struct account *account, struct handle *handle, bool drop_name,
			 int64_t now_ms)
{
	struct node *node = handle->node, *file = handle->file, *directory = node->parent;
	struct op *op, *next;

	DL_FOREACH_SAFE (account->pollers, op, next) {
		if (op->context == handle) {
			account_complete(account, op, -ECANCELED);
		}
	}
	if (file) {
		leave_stream(account, handle, now_ms);
	}
	bool left_unread = file && file->kind == NODE_ARRIVED && !file->opened;
	DL_DELETE(account->handles, handle);
	account->left -= handle->left;
	if (file && file != node) {
		tree_close(&account->tree, file);
	}
	if (handle->inbox_file && handle->inbox_file != node) {
		tree_close(&account->tree, handle->inbox_file);
	}
	if (drop_name && node->parent) {
		tree_detach(&account->tree, node);
	}
	tree_close(&account->tree, node);
	free(handle->peer);
	free(handle->text);
	if (handle->spool || handle->inbox_fd >= 0) {
		/* Whoever opened these had no time to close them. */
		DL_APPEND(account->orphans, handle);
	} else {
		free(handle);
	}
	if (left_unread) {
		incoming_announce(account, file, now_ms);
	}
	directory_tidy(account, directory);
}

void file_release(struct account *account, struct handle *handle, int64_t now_ms)
{
	close_handle(account, handle, false, now_ms);
}

void file_open_failed(struct account *account, struct handle *handle, int64_t now_ms)
{
	const struct node *node = handle->node;
	/* A session that never came about leaves no name behind. */
	bool began = handle->file || !node->opened;
	close_handle(account, handle, node->kind == NODE_OUTGOING && handle->writable && began,
		     now_ms);
}
