/* SPDX-License-Identifier: MIT */
#include "account/release.h"

#include "account/directory.h"
#include "account/incoming.h"
#include "account/poll.h"
#include "account/spool_file.h"

#include <errno.h>
#include <utlist.h>

/* Whether the stream is closed in good order when `handle` is released. */
static bool ends_well(const struct handle *handle, const struct stream *stream)
{
	if (stream_is_over(stream)) {
		return true;
	}
	if (handle->writable &&
	    (handle->killed || handle->refused || !stream_is_delivered(stream))) {
		return false;
	}
	/* Without a close the file is still open: the mount was forced away. */
	if (handle->writable && !handle->flushed) {
		return false;
	}
	/* A reader that closes before the end has not received the file. With both directions in
	 * use, either side may send last, but everything must have been read. */
	return handle->writable ? !handle->readable || stream->incoming.receiver.in.length == 0
				: false;
}

/* The calls that wait go on without the handle. */
static void forget_handle(struct op *calls, const struct handle *handle)
{
	struct op *op;
	DL_FOREACH (calls, op) {
		op->context = op->context == handle ? NULL : op->context;
	}
}

static void leave_stream(struct account *account, struct handle *handle, int64_t now_ms)
{
	struct node *file = handle->attached;
	struct stream *stream = file->file.stream;

	if (!stream) {
		return;
	}
	/* If the mount was forced away, the file may be released in the middle of its close. */
	forget_handle(stream->outgoing.flushers, handle);
	forget_handle(stream->session.finishers, handle);
	if (handle->node->kind != NODE_OUTGOING && !handle->used && file->parent &&
	    !account->stopping) {
		/* Opened and closed without a read, as by file(1) or a shell's test: it is still
		 * unopened. */
		file->file.opened = false;
		return;
	}
	if (handle_is_spooled(handle) && !file->file.offer) {
		ibb_abort(&account->ibb, stream, -ECONNRESET); /* the peer does not know of it */
	}
	account_finish_file(account, file, ends_well(handle, stream), now_ms);
}

static void close_handle(struct account *account, struct handle *handle, bool drop_name,
			 int64_t now_ms)
{
	struct node *node = handle->node, *file = handle->attached, *directory = node->parent;

	poll_cancel(account, handle);
	if (file) {
		leave_stream(account, handle, now_ms);
	}
	bool left_unread = file && file->kind == NODE_ARRIVED && !file->file.opened;
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
	handle_destroy(account, handle);
	if (left_unread) {
		incoming_announce(account, file, now_ms);
	}
	directory_tidy(account, directory);
}

void release_handle(struct account *account, struct handle *handle, int64_t now_ms)
{
	close_handle(account, handle, false, now_ms);
}

/* ---- opens that failed ---- */

static void release_failed_open(struct account *account, struct handle *handle, int64_t now_ms)
{
	const struct node *node = handle->node;
	/* A session that was not accepted leaves no name. */
	bool began = handle->attached || !node->file.opened;
	close_handle(account, handle, node->kind == NODE_OUTGOING && handle->writable && began,
		     now_ms);
}

void release_failed_opens(struct account *account, int64_t now_ms)
{
	struct op *op;
	/* Releasing a file may append to this list; the loop sees the new entries too. */
	DL_FOREACH (account->ibb.effects.done, op) {
		if (op->kind == OP_OPEN && op->result < 0 && op->context) {
			release_failed_open(account, op->context, now_ms);
			op->context = NULL;
		}
	}
}

/* ---- spooled files that nobody has open ---- */

uint64_t release_unattended(struct account *account, struct handle *handle, uint64_t size,
			    const struct digest *md5, int64_t now_ms)
{
	handle->flushed = true;
	if (spool_file_make_offer(account, handle, size, md5, now_ms)) {
		release_handle(account, handle, now_ms);
		return 0;
	}
	handle->unattended = true;
	account->unattended++;
	handle->node->file.offer->session.unattended = true;
	return handle->node->file.offer->number;
}

void release_delivered(struct account *account, int64_t now_ms)
{
	struct handle *handle, *next;
	if (account->unattended == 0) {
		return; /* this is called for every stanza and every call */
	}
	DL_FOREACH_SAFE (account->handles, handle, next) {
		const struct offer *given = handle->unattended ? handle->node->file.offer : NULL;
		if (handle->unattended && (!given || offer_is_over(given))) {
			release_handle(account, handle, now_ms);
		}
	}
}
