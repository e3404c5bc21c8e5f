/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait for a disk: each is five lines. The token stands for the call, as a signal may
 * end it while the disk is at work; what the disk says then is dropped.
 */
#include "mount/hub_internal.h"

#include "account/inbox_entry.h"
#include "account/release.h"
#include "account/spool_file.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

/* The call with that token, if it still waits for a disk. */
static struct request *find_locked(const struct hub *hub, uint64_t token)
{
	struct request *request;
	HASH_FIND(hh, hub->parked, &token, sizeof(token), request);
	return request && request->op.list == &hub->account.disk_waiters ? request : NULL;
}

static struct handle *handle_of(const struct request *request)
{
	return request->op.context;
}

void hub_disk_wait(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	struct account *account = &hub->account;
	request->op.context = handle;
	if (request->op.kind == OP_FLUSH && handle) {
		handle->last_flush = request->op.token; /* one that a signal ends does not count */
	}
	if (hub->abandoned || request->interrupted) {
		account_complete(account, &request->op, hub->abandoned ? -ECONNABORTED : -EINTR);
	} else {
		op_park(&request->op, &account->disk_waiters);
	}
	hub_end_with(hub, request, now_ms);
}

void hub_disk_fail(struct hub *hub, struct request *request, int error)
{
	int64_t now_ms = hub_begin(hub);
	account_complete(&hub->account, &request->op, error);
	hub_end(hub, now_ms);
}

bool hub_waits_for_disk(struct hub *hub, uint64_t token)
{
	hub_begin(hub);
	bool waits = find_locked(hub, token) != NULL;
	hub_unlock(hub);
	return waits;
}

bool hub_disk_take(struct hub *hub, uint64_t token, uint8_t **bytes)
{
	hub_begin(hub);
	struct request *request = find_locked(hub, token);
	if (request && bytes) {
		*bytes = request->op.data;
		request->op.data = NULL;
	}
	hub_unlock(hub);
	return request != NULL;
}

bool hub_disk_end(struct hub *hub, uint64_t token, ssize_t result, uint8_t *bytes)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request = find_locked(hub, token);
	if (request) {
		request->op.data = bytes;
		account_complete(&hub->account, &request->op, result);
	}
	hub_end(hub, now_ms);
	return request != NULL;
}

/* ---- the spool ---- */

int hub_spool_begin(struct hub *hub, uint64_t token, uint64_t size, uint64_t offset,
		    uint8_t **bytes)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request = find_locked(hub, token);
	int error = request ? spool_file_begin_write(handle_of(request), size, offset) : -ECANCELED;
	if (!error) {
		*bytes = request->op.data;
		request->op.data = NULL;
	}
	hub_end(hub, now_ms);
	return error;
}

bool hub_spool_end(struct hub *hub, uint64_t token, ssize_t result, uint64_t size)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request = find_locked(hub, token);
	if (request) {
		struct handle *handle = handle_of(request);
		int error = result < 0 ? 0 : spool_file_resize(handle, size);
		handle->refused = result < 0 ? (int)result : handle->refused;
		account_complete(&hub->account, &request->op, error ? error : result);
	}
	hub_end(hub, now_ms);
	return request != NULL;
}

uint64_t hub_offer(struct hub *hub, uint64_t token, uint64_t size, const struct digest *md5)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request = find_locked(hub, token);
	uint64_t number = 0;
	if (request) {
		DL_DELETE(hub->account.disk_waiters, &request->op);
		request->op.list = NULL;
		/* It stays parked: a signal ends this wait, too. */
		number = spool_file_offer(&hub->account, handle_of(request), &request->op, size,
					  md5, now_ms);
	}
	hub_end(hub, now_ms);
	return number;
}

static struct handle *find_left_locked(const struct hub *hub, const char *sid)
{
	struct handle *handle;
	DL_FOREACH (hub->account.handles, handle) {
		if (strcmp(handle->sid, sid) == 0) {
			break;
		}
	}
	return handle;
}

uint64_t hub_offer_left(struct hub *hub, const char *sid, uint64_t size, const struct digest *md5)
{
	int64_t now_ms = hub_begin(hub);
	struct handle *handle = find_left_locked(hub, sid);
	uint64_t number = handle ? release_unattended(&hub->account, handle, size, md5, now_ms) : 0;
	hub_end(hub, now_ms);
	return number;
}

void hub_release_left(struct hub *hub, const char *sid)
{
	int64_t now_ms = hub_begin(hub);
	struct handle *handle = find_left_locked(hub, sid);
	if (handle) {
		release_handle(&hub->account, handle, now_ms);
	}
	hub_end(hub, now_ms);
}

/* ---- the inbox ---- */

int hub_inbox_path(struct hub *hub, uint64_t token, char *path, size_t size)
{
	hub_begin(hub);
	const struct request *request = find_locked(hub, token);
	int length = request ? inbox_entry_path(handle_of(request), path, size) : -ECANCELED;
	hub_unlock(hub);
	return length;
}

uint64_t hub_inbox_readable(struct hub *hub, uint64_t token)
{
	hub_begin(hub);
	const struct request *request = find_locked(hub, token);
	uint64_t readable = request ? inbox_entry_readable(handle_of(request)) : 0;
	hub_unlock(hub);
	return readable;
}

bool hub_inbox_opened(struct hub *hub, uint64_t token, struct inbox_reader *reader)
{
	int64_t now_ms = hub_begin(hub);
	struct request *request = find_locked(hub, token);
	if (request) {
		handle_of(request)->inbox_reader = reader;
		account_complete(&hub->account, &request->op, 0);
	}
	hub_end(hub, now_ms);
	return request != NULL;
}

struct inbox_reader *hub_add_inbox_reader(struct hub *hub, struct handle *handle,
					  struct inbox_reader *reader)
{
	hub_begin(hub);
	struct inbox_reader *current = NULL;
	if (!hub->abandoned) {
		handle->inbox_reader = handle->inbox_reader ? handle->inbox_reader : reader;
		current = handle->inbox_reader;
	}
	hub_unlock(hub);
	return current;
}

struct inbox_reader *hub_take_inbox_reader(struct hub *hub, struct handle *handle)
{
	hub_begin(hub);
	struct inbox_reader *reader = handle->inbox_reader;
	handle->inbox_reader = NULL;
	hub_unlock(hub);
	return reader;
}
