/* SPDX-License-Identifier: MIT */
#include "mount/disk/spool_ops.h"

#include "account/handle.h"
#include "mount/disk/upload.h"
#include "mount/log.h"
#include "mount/writers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int need_spool(const char *directory, struct handle *handle)
{
	int error = 0;
	if (!handle->spool) {
		handle->spool = spool_create(directory, &error);
		if (error) {
			log_error("%s: %s", directory, strerror(-error));
		}
	}
	return error;
}

/* Half a file must not look like a whole one. */
static int note(struct handle *handle, int error)
{
	handle->spool_error = error ? error : handle->spool_error;
	return error;
}

int spool_ops_write(struct hub *hub, const char *directory, struct handle *handle,
		    const void *bytes, size_t length, uint64_t offset, bool append)
{
	int error = need_spool(directory, handle);
	if (!error) {
		uint64_t at = append ? spool_size(handle->spool) : offset;
		error = hub_resize_spooled(hub, handle, spool_size(handle->spool));
		error = error ? error : spool_write(handle->spool, bytes, length, at);
	}
	return note(handle,
		    error ? error : hub_resize_spooled(hub, handle, spool_size(handle->spool)));
}

int spool_ops_resize(struct hub *hub, const char *directory, struct handle *handle, uint64_t size)
{
	int error = need_spool(directory, handle);
	if (!error && size != spool_size(handle->spool)) {
		error = hub_resize_spooled(hub, handle, spool_size(handle->spool));
		error = error ? error : spool_resize(handle->spool, size);
	}
	return note(handle, error ? error : hub_resize_spooled(hub, handle, size));
}

ssize_t spool_ops_read(const struct handle *handle, void *bytes, size_t length, uint64_t offset)
{
	return handle->spool ? spool_read(handle->spool, bytes, length, offset) : 0;
}

bool spool_ops_is_still_open(struct hub *hub, const char *mountpoint, const struct handle *handle,
			     pid_t pid)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/", mountpoint);
	if (length < 0 || (size_t)length >= sizeof(path) ||
	    hub_path(hub, handle, path + length, sizeof(path) - (size_t)length) < 0) {
		return false; /* removed: other writers cannot be found */
	}
	return writers_exist(path) ||
	       (!handle->spool && writers_include(pid, strrchr(path, '/') + 1));
}

/* Uploads `spool` to the peer of offer `number`. */
static void upload(struct hub *hub, uint64_t number, struct spool *spool)
{
	int error = number > 0 ? upload_start(hub, number, spool) : 0;
	if (error) {
		hub_upload_end(hub, number, error);
	}
}

void spool_ops_offer(struct hub *hub, const char *directory, struct handle *handle,
		     struct request *request)
{
	int error = handle->spool_error ? handle->spool_error : need_spool(directory, handle);
	if (error) {
		request->op.result = error;
		request->deliver(request);
		return;
	}
	struct spool *spool = spool_hold(handle->spool); /* the handle may go with the request */
	upload(hub, hub_offer(hub, handle, request, spool_size(spool), spool_md5(spool)), spool);
	spool_release(spool);
}

void spool_ops_close(struct handle *handle)
{
	spool_release(handle->spool);
	handle->spool = NULL;
}

void spool_ops_release(struct hub *hub, const char *directory, struct handle *handle)
{
	bool left = !handle->spool_error && hub_is_unoffered(hub, handle) &&
		    need_spool(directory, handle) == 0;
	struct spool *spool = handle->spool;
	handle->spool = NULL;
	if (left) {
		upload(hub, hub_offer_unattended(hub, handle, spool_size(spool), spool_md5(spool)),
		       spool);
	} else {
		hub_release(hub, handle);
	}
	spool_release(spool);
}
