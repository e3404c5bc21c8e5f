/* SPDX-License-Identifier: MIT */
#include "account/handle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct handle *handle_create(struct account *account, struct node *node, int flags, const char *sid)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle) {
		return NULL;
	}
	int access = flags & O_ACCMODE;
	handle->node = node;
	handle->readable = access != O_WRONLY;
	handle->writable = access != O_RDONLY;
	/* In both directions there are no offsets (FOPEN_STREAM). */
	handle->append = (flags & O_APPEND) != 0 || access == O_RDWR;
	snprintf(handle->sid, sizeof(handle->sid), "%s", sid);
	DL_APPEND(account->handles, handle);
	node->handles++;
	return handle;
}

void handle_destroy(struct account *account, struct handle *handle)
{
	DL_DELETE(account->handles, handle);
	account->unattended -= handle->unattended;
	free(handle->peer);
	free(handle->text);
	if (handle->spool || handle->inbox_reader) {
		/* Their owners close them at the end (hub_take_orphans). */
		DL_APPEND(account->orphans, handle);
	} else {
		free(handle);
	}
}

struct stream *handle_stream(const struct handle *handle)
{
	return handle->attached ? handle->attached->file.stream : NULL;
}

int handle_refusal(const struct handle *handle)
{
	bool may_repeat = handle->refused == -EAGAIN || handle->refused == -EINTR;
	return may_repeat ? -EIO : handle->refused;
}

bool handle_hides_bytes(const struct handle *handle, uint64_t end, uint64_t offset)
{
	return offset > end && end < handle->earlier;
}

bool handle_is_spooled(const struct handle *handle)
{
	return handle->peer != NULL;
}

void handle_attach(struct handle *handle, struct node *node)
{
	handle->attached = node;
	node->file.opened = true;
	if (node != handle->node) {
		node->handles++;
	}
}

void handle_attach_inbox_file(struct handle *handle, struct node *node)
{
	handle->inbox_file = node;
	node->file.opened = true;
	if (node != handle->node) {
		node->handles++;
	}
}

bool handle_read(struct account *account, struct handle *handle, struct op *op)
{
	struct stream *stream = handle_stream(handle);
	if (handle->inbox_file) {
		account_complete(account, op, HANDLE_IN_INBOX);
	} else if (stream) {
		handle->used = true;
		stream_read(stream, op);
	} else {
		return false;
	}
	return true;
}

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

void handle_read_text(struct account *account, struct handle *handle, struct op *op)
{
	size_t length = handle->text_length - handle->text_position;
	length = length < op->size ? length : op->size;
	complete_with(account, op, handle->text + handle->text_position, length);
	if (op->result > 0) {
		handle->text_position += length;
	}
}
