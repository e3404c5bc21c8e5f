/* SPDX-License-Identifier: MIT */
#include "mount/fuse/closes.h"

#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/process/writers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

void closes_add(struct closes *closes, struct call *call, bool killed)
{
	call->ending = killed ? CLOSE_KILLED : CLOSE_SHARED;
	call->spooled = false;
	DL_APPEND(closes->calls, call);
}

/* ---- which ones are the last ---- */

/* Closes that are judged together. */
struct judged {
	struct call *calls[WRITERS_MOST];
	struct writers_close closes[WRITERS_MOST];
	char names[WRITERS_MOST][NAME_MAX + 1];
	size_t count;
};

static void add(struct judged *judged, struct call *call)
{
	char path[PATH_MAX]; /* in the mount: a contact's directory is in it */
	call->spooled = hub_is_spooled(call->hub, call->handle, false);
	if (!call->spooled && !hub_can_finish(call->hub, call->handle)) {
		return;
	}
	if (hub_path(call->hub, call->handle, path, sizeof(path)) < 0) {
		/* It is removed: other writers cannot be found. */
		call->ending = call->spooled ? CLOSE_LAST : CLOSE_SHARED;
		return;
	}
	char *name = judged->names[judged->count];
	snprintf(name, NAME_MAX + 1, "%s", strrchr(path, '/') + 1);
	judged->calls[judged->count] = call;
	judged->closes[judged->count++] = (struct writers_close){
		.pid = call->pid,
		.table = call->table,
		.opener = call->handle->opener,
		.opened = &call->handle->opened,
		.name = name,
		.ino = call->ino,
		.searches = call->spooled,
	};
}

/* If writers cannot be seen, a stream ends with the release, and no call waits for its end. A
 * spooled file is offered if something was written: a shell begins with two descriptors. */
static bool is_last(const struct call *call, enum writers_left left)
{
	return left == WRITERS_NONE || (left == WRITERS_UNKNOWN && call->handle->spool);
}

static void judge(struct call *calls, size_t count)
{
	struct judged judged = {.count = 0};
	struct call *call = calls;
	for (size_t i = 0; i < count; i++, call = call->next) {
		if (call->ending != CLOSE_KILLED) {
			add(&judged, call);
		}
	}
	writers_judge(judged.closes, judged.count);
	for (size_t i = 0; i < judged.count; i++) {
		if (is_last(judged.calls[i], judged.closes[i].left)) {
			judged.calls[i]->ending = CLOSE_LAST;
		}
	}
}

/* ---- each one ---- */

static void begin(struct call *call)
{
	bool killed = call->ending == CLOSE_KILLED, last = call->ending == CLOSE_LAST;
	if (call->spooled && !last) {
		call->request.op.result = 0;
		call->request.deliver(&call->request);
		return;
	}
	struct early_signal early = call_early_signal(call);
	if (call->spooled) {
		const struct spool_place *place = &call_context_of(call->req)->spool;
		spool_ops_offer(call->hub, place, call->handle, &call->request);
	} else if (last) {
		hub_finish(call->hub, call->handle, &call->request);
	} else {
		hub_flush(call->hub, call->handle, &call->request, killed);
	}
	call_apply(early);
}

void closes_begin(struct closes *closes)
{
	while (closes->calls) {
		struct call *call;
		size_t count = 0;
		DL_FOREACH (closes->calls, call) {
			count += count < WRITERS_MOST;
		}
		judge(closes->calls, count);
		for (; count > 0; count--) {
			call = closes->calls;
			DL_DELETE(closes->calls, call);
			begin(call); /* and it may be over */
		}
	}
}
