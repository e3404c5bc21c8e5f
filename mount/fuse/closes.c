/* SPDX-License-Identifier: MIT */
#include "mount/fuse/closes.h"

#include "clock.h"
#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/process/writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void closes_init(struct closes *closes, struct hub *hub)
{
	*closes = (struct closes){.look_ms = INT64_MAX};
	searcher_init(&closes->searcher, hub);
}

bool closes_finish(struct closes *closes)
{
	return searcher_finish(&closes->searcher);
}

void closes_add(struct closes *closes, struct call *call)
{
	call->ending = call->fate == CALLER_ENDS ? CLOSE_KILLED : CLOSE_SHARED;
	call->held = call->fate == CALLER_UNKNOWN;
	call->spooled = false;
	DL_APPEND(closes->calls, call);
}

void closes_let(struct call *call, bool killed)
{
	call->held = false;
	call->ending = killed ? CLOSE_KILLED : CLOSE_SHARED;
}

/* ---- each one ---- */

static void begin(struct call *call)
{
	bool last = call->ending == CLOSE_LAST;
	if (call->spooled && !last) {
		call->request.op.result = hub_spool_error(call->hub, call->handle);
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
		bool shares = call->has_writers || call->fate == CALLER_EXECUTES;
		hub_flush(call->hub, call->handle, &call->request,
			  call->ending == CLOSE_KILLED ? HANDLE_CLOSE_KILLED
			  : shares		       ? HANDLE_CLOSE_SHARED
						       : HANDLE_CLOSE);
	}
	call_apply(early);
}

/* Whether it has to be known who else has the file open. */
static bool is_judged(struct call *call)
{
	char path[PATH_MAX]; /* in the mount: a contact's directory is in it */
	if (call->ending != CLOSE_SHARED) {
		return false;
	}
	call->spooled = hub_is_spooled(call->hub, call->handle, false);
	if (call->fate == CALLER_EXECUTES) {
		return false; /* execve drops the result: the release ends the stream, or offers */
	}
	if (!call->spooled && !hub_can_finish(call->hub, call->handle)) {
		return false;
	}
	if (hub_path(call->hub, call->handle, path, sizeof(path)) < 0) {
		/* It is removed: other writers cannot be found. */
		call->ending = call->spooled ? CLOSE_LAST : CLOSE_SHARED;
		return false;
	}
	return true;
}

static bool has_handle(const struct call *from, const struct call *end, const struct handle *handle)
{
	while (from && from != end && from->handle != handle) {
		from = from->next;
	}
	return from && from != end;
}

/* Whether a close of the same file that came before `call` waits. */
static bool is_behind(const struct closes *closes, const struct call *call)
{
	return has_handle(closes->judged, NULL, call->handle) ||
	       has_handle(closes->calls, call, call->handle);
}

/* Begins those that are neither held nor judged. One whose caller is in execve does not wait for
 * one before it, which may be judged only when execve goes on. */
static void begin_others(struct closes *closes)
{
	struct call *call, *next;
	DL_FOREACH_SAFE (closes->calls, call, next) {
		if (!call->held && !is_judged(call) &&
		    (call->fate == CALLER_EXECUTES || !is_behind(closes, call))) {
			DL_DELETE(closes->calls, call);
			begin(call); /* and it may be over */
		}
	}
}

/* ---- which ones are the last ---- */

/* When the file of close `at` was opened. What one of its closes tells counts for all of them.
 * `before`: the calls of the closes before it. */
static uint64_t *copy_opened(struct search *search, size_t at, const struct call *before,
			     const struct handle *handle)
{
	for (size_t i = 0; i < at; i++, before = before->next) {
		if (before->handle == handle) {
			return search->closes[i].opened;
		}
	}
	search->opened[at] = handle->opened;
	return &search->opened[at];
}

/* `before`: the calls that were added, oldest first. */
static void add(struct search *search, const struct call *before, struct call *call)
{
	size_t at = call->at = search->count++;
	char path[PATH_MAX], *name = search->names[at];
	if (hub_path(call->hub, call->handle, path, sizeof(path)) < 0) {
		strcpy(path, "/"); /* it was there just now */
	}
	snprintf(name, NAME_MAX + 1, "%s", strrchr(path, '/') + 1);
	search->closes[at] = (struct writers_close){
		.pid = call->pid,
		.table = call->table,
		.opener = call->handle->opener,
		.opened = copy_opened(search, at, before, call->handle),
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

static bool has_killed(const struct call *calls, const struct handle *handle)
{
	const struct call *call;
	DL_FOREACH (calls, call) {
		if (call->handle == handle && (call->ending == CLOSE_KILLED || call->held)) {
			return true;
		}
	}
	return false;
}

/* The descriptor of a later close has gone, too, so no search has found its process. If that is
 * being killed, or may be, the stream must not end in good order before. */
static void begin_judged(const struct closes *closes, struct call *call, enum writers_left left)
{
	if (has_killed(closes->judged, call->handle) || has_killed(closes->calls, call->handle)) {
		left = WRITERS_SOME;
	}
	if (call->ending == CLOSE_SHARED && is_last(call, left)) {
		call->ending = CLOSE_LAST;
	}
	call->has_writers = left == WRITERS_SOME;
	begin(call);
}

/* Begins closes->judged; NULL: there is no result. */
static void begin_all_judged(struct closes *closes, const struct search *search)
{
	while (closes->judged) {
		struct call *call = closes->judged;
		const struct writers_close *close = search ? &search->closes[call->at] : NULL;
		DL_DELETE(closes->judged, call);
		/* Without a result, it may have passed the file on through a socket. */
		call->handle->opened = close ? *close->opened : 0;
		begin_judged(closes, call, close ? close->left : WRITERS_UNKNOWN);
	}
}

/* After begin_others: those that are left are judged, unless they are held, or behind one that is
 * left. Judges the oldest ones. False: there are none. */
static bool judge(struct closes *closes)
{
	struct search *search = calloc(1, sizeof(*search));
	bool seen = true;
	struct call *call, *next;
	DL_FOREACH_SAFE (closes->calls, call, next) {
		if (call->held || (search && search->count == WRITERS_MOST) ||
		    has_handle(closes->calls, call, call->handle)) {
			continue;
		}
		DL_DELETE(closes->calls, call);
		DL_APPEND(closes->judged, call);
		seen = seen && call->fate != CALLER_UNKNOWN;
		if (search) {
			add(search, closes->judged, call);
		}
	}
	bool any = closes->judged != NULL;
	bool known = search && seen && writers_judge_callers(search->closes, search->count);
	if (known || !search || !searcher_submit(&closes->searcher, search)) {
		begin_all_judged(closes, known ? search : NULL);
		free(search);
	}
	return any;
}

/* Begins those that are judged, with the result if there is one. */
static void end_search(struct closes *closes)
{
	if (closes->searcher.search) {
		struct search *search = searcher_take(&closes->searcher);
		begin_all_judged(closes, search);
		free(search);
	}
}

/* ---- signals ---- */

/* As interrupts.h has it of a call that is begun. */
static void look_for_signals(struct closes *closes, struct call *calls, int64_t now_ms)
{
	struct call *call;
	DL_FOREACH (calls, call) {
		if (call->held || call->ending != CLOSE_SHARED ||
		    !fuse_req_interrupted(call->req)) {
			continue;
		}
		if (caller_pending(call->pid) == CALLER_STAYS) {
			closes->look_ms = now_ms + INTERRUPTS_CHECK_MS;
		} else {
			call->ending = CLOSE_KILLED;
			call->spooled = false;
		}
	}
}

/* Ends closes whose callers a signal ends: a search may take long. */
static void end_interrupted(struct closes *closes, int64_t now_ms)
{
	struct call *call, *next;
	closes->look_ms = INT64_MAX;
	look_for_signals(closes, closes->calls, now_ms); /* begin_others begins them */
	look_for_signals(closes, closes->judged, now_ms);
	DL_FOREACH_SAFE (closes->judged, call, next) {
		if (call->ending == CLOSE_KILLED &&
		    !has_handle(closes->judged, call, call->handle)) {
			DL_DELETE(closes->judged, call);
			begin(call);
		}
	}
}

/* ---- all of them ---- */

int64_t closes_deadline(const struct closes *closes)
{
	int64_t deadline_ms = searcher_deadline(&closes->searcher);
	return deadline_ms < closes->look_ms ? deadline_ms : closes->look_ms;
}

void closes_begin(struct closes *closes)
{
	int64_t now_ms = clock_now_ms();
	if (searcher_is_over(&closes->searcher, now_ms)) {
		end_search(closes);
	}
	end_interrupted(closes, now_ms);
	begin_others(closes);
	while (closes->calls && !closes->searcher.search && judge(closes)) {
		begin_others(closes);
	}
}

void closes_end(struct closes *closes)
{
	end_search(closes);
	while (closes->calls) {
		struct call *call = closes->calls;
		DL_DELETE(closes->calls, call);
		if (is_judged(call)) {
			begin_judged(closes, call, WRITERS_UNKNOWN);
		} else {
			begin(call);
		}
	}
}
