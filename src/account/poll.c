/* SPDX-License-Identifier: MIT */
#include "account/poll.h"

#include "account/incoming.h"

#include <errno.h>
#include <poll.h>
#include <utlist.h>

static short ready(const struct account *account, struct handle *handle)
{
	const struct stream *stream = handle_stream(handle);
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
		next = incoming_next(account, handle);
		/* A read accepts an offer. */
		return next && (!next->file.stream || stream_can_read(next->file.stream)) ? POLLIN
											  : 0;
	default:
		return POLLIN | POLLOUT; /* no call on it blocks */
	}
}

void poll_cancel(struct account *account, const struct handle *handle)
{
	struct op *op, *next;
	DL_FOREACH_SAFE (account->pollers, op, next) {
		if (op->context == handle) {
			account_complete(account, op, -ECANCELED);
		}
	}
}

short poll_start(struct account *account, struct handle *handle, struct op *op)
{
	short now = ready(account, handle);
	if (op) {
		/* In the kernel, all pollers of an open file are in one queue: a notification wakes
		 * up each of them, and each polls again for its own events. So the last poll stands
		 * for all earlier ones, and one notification is enough. */
		const struct op *earlier;
		DL_FOREACH (account->pollers, earlier) {
			if (earlier->context == handle) {
				op->events |= earlier->events;
			}
		}
		poll_cancel(account, handle);
		op->context = handle;
		op->seen = now;
		op_park(op, &account->pollers);
	}
	return now;
}

void poll_notify(struct account *account)
{
	struct op *op, *next;
	DL_FOREACH_SAFE (account->pollers, op, next) {
		short now = ready(account, op->context);
		short wanted = (short)(op->events | POLLERR | POLLHUP);
		if (now & ~op->seen & wanted) {
			account_complete(account, op, 0);
		} else {
			op->seen &= now; /* an event that is over may come again */
		}
	}
}
