/* SPDX-License-Identifier: MIT */
#include "account/shutdown.h"

#include "account/release.h"
#include "account/routing.h"

#include <errno.h>
#include <utlist.h>

/* Whether no process has the file open any more, as far as is known: its release comes next. */
static bool is_closed(const struct handle *handle)
{
	return handle->flushed && !handle->shared;
}

/* Closes every open file. A pending open fails, and so does every call that waits for a disk.
 * Unattended handles stay until their offer is over.
 */
static void close_files(struct account *account, int64_t now_ms)
{
	struct handle *handle, *next;
	op_complete_all(&account->disk_waiters, -ECONNABORTED, &account->ibb.effects.done);
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->attached ? handle->attached->file.stream : NULL;
		if (stream && stream->state < STREAM_OPEN) {
			ibb_abort(&account->ibb, stream, -ECONNABORTED);
		}
	}
	release_failed_opens(account, now_ms);
	DL_FOREACH_SAFE (account->handles, handle, next) {
		if (!handle->unattended) {
			handle->flushed = is_closed(handle);
			release_handle(account, handle, now_ms);
		}
	}
}

void shutdown_break_delivered(struct account *account)
{
	struct handle *handle;
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->attached ? handle->attached->file.stream : NULL;
		if (stream && !is_closed(handle) &&
		    (!handle->writable || stream_is_delivered(stream))) {
			ibb_abort(&account->ibb, stream, -ECONNRESET);
		}
	}
}

/* Completes every poll, and every read that waits for something to arrive. */
static void cancel_waiters(struct account *account)
{
	struct node *node, *next;
	op_complete_all(&account->pollers, 0, &account->ibb.effects.done);
	HASH_ITER (hh, account->tree.nodes, node, next) {
		op_complete_all(&node->waiters, -ECONNABORTED, &account->ibb.effects.done);
	}
}

void shutdown_begin(struct account *account, bool unmounted, int64_t now_ms)
{
	struct node *node, *next;
	struct handle *handle;
	account->stopping = true;
	ibb_hand_over(&account->ibb, false);
	routing_cancel(account, -ECONNABORTED);
	cancel_waiters(account);
	if (unmounted) {
		close_files(account, now_ms);
	}
	DL_FOREACH (account->handles, handle) {
		if (handle->attached && handle->attached->file.stream) {
			stream_push(handle->attached->file.stream);
		}
	}
	shutdown_break_delivered(account);
	offers_stop(&account->offers);
	/* Streams that nobody has opened will not be read. */
	HASH_ITER (hh, account->tree.nodes, node, next) {
		if (node->kind != NODE_ARRIVED || node->handles > 0) {
			continue;
		}
		if (node->file.stream && node->file.stream->incoming.is_journaled) {
			continue; /* nobody has it open, or it is about to end */
		}
		if (node->file.stream) {
			ibb_abort(&account->ibb, node->file.stream, -ECONNRESET);
		} else if (node->file.offer) {
			account_finish_file(account, node, false, now_ms);
		}
	}
}

bool shutdown_is_complete(const struct account *account)
{
	struct handle *handle;
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->attached ? handle->attached->file.stream : NULL;
		/* The stream is being flushed; its release, which sends <close/>, comes next. */
		if (stream && !stream_is_over(stream)) {
			return false;
		}
	}
	return offers_are_drained(&account->offers) && ibb_is_drained(&account->ibb);
}

static bool is_online(const void *context, const char *peer)
{
	const struct account *account = context;
	return roster_find_resource(&account->roster, peer) != NULL;
}

bool shutdown_is_heard(const struct account *account)
{
	return account->online && ibb_verdicts_reach(&account->ibb, is_online, account);
}

void shutdown_abandon(struct account *account, int64_t now_ms)
{
	struct node *node, *next;

	account->stopping = true;
	ibb_hand_over(&account->ibb, true);
	routing_cancel(account, -ECONNABORTED);
	cancel_waiters(account);
	if (account->online) {
		ibb_reset(&account->ibb); /* peers must not wait for us to resume */
	} else {
		ibb_abandon(&account->ibb);
	}
	offers_disconnect(&account->offers);
	offers_settle(&account->offers, now_ms);
	release_delivered(account, now_ms);
	close_files(account, now_ms);
	HASH_ITER (hh, account->tree.nodes, node, next) {
		if (node->file.stream || node->file.offer) {
			account_finish_file(account, node, false, now_ms);
		}
	}
}
