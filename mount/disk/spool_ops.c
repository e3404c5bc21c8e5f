/* SPDX-License-Identifier: MIT */
#include "mount/disk/spool_ops.h"

#include "account/handle.h"
#include "mount/disk/spool.h"
#include "mount/disk/upload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A task of a spool, on behalf of a call. */
struct job {
	struct task task; /* first */
	struct hub *hub;
	struct spool *spool; /* a reference */
	uint64_t token;	     /* of the call */
	size_t length;
	uint64_t offset; /* or size */
	bool append;
	char sid[HANDLE_SID_SIZE]; /* of a handle that no process has any more */
};

/* `run` as of a task; takes `spool`, a reference, over. NULL when memory is short. */
static struct job *job_create(struct hub *hub, struct spool *spool, void (*run)(struct task *task))
{
	struct job *job = spool ? calloc(1, sizeof(*job)) : NULL;
	if (!job) {
		spool_release(spool);
		return NULL;
	}
	job->task.run = run;
	job->hub = hub;
	job->spool = spool;
	return job;
}

static void job_destroy(struct job *job)
{
	spool_release(job->spool);
	free(job);
}

static void submit(struct job *job)
{
	struct spool *spool = spool_hold(job->spool); /* the job may be over at once */
	spool_submit(spool, &job->task);
	spool_release(spool);
}

/* The spool of a handle that is written, which is made if there is none. A reference, or NULL. */
static struct spool *spool_of(const struct spool_place *place, struct handle *handle)
{
	if (!handle->spool) {
		handle->spool = spool_create(place->pool, place->directory);
	}
	return handle->spool ? spool_hold(handle->spool) : NULL;
}

static void fail(struct request *request, int error)
{
	request->op.result = error;
	request->deliver(request);
}

/* Parks the request, and submits the job for it. */
static void wait_for(struct job *job, struct handle *handle, struct request *request)
{
	if (!job) {
		fail(request, -ENOMEM);
		return;
	}
	job->token = request->op.token;
	hub_disk_wait(job->hub, handle, request);
	submit(job);
}

/* ---- write ---- */

/* The end of a call that has changed the spool, which had `before` bytes. */
static void end_write(struct job *job, int error, ssize_t result, uint64_t before)
{
	struct spool *spool = job->spool;
	if (error) {
		spool_fail(spool, error);
	}
	if (!hub_spool_end(job->hub, job->token, error ? error : result, spool_size(spool)) &&
	    !error && spool_size(spool) != before) {
		/* A signal has ended the call, which may be repeated: its effect is undone. */
		error = spool_resize(spool, before);
		if (error) {
			spool_fail(spool, error);
		}
	}
}

static void run_write(struct task *task)
{
	struct job *job = (struct job *)task;
	struct spool *spool = job->spool;
	uint8_t *bytes = NULL;
	uint64_t before = spool_size(spool), at = job->append ? before : job->offset;
	int error = hub_spool_begin(job->hub, job->token, before, at, &bytes);
	if (error != -ECANCELED) {
		error = error ? error : spool_write(spool, bytes, job->length, at);
		end_write(job, error, (ssize_t)job->length, before);
	}
	free(bytes);
	job_destroy(job);
}

void spool_ops_write(struct hub *hub, const struct spool_place *place, struct handle *handle,
		     struct request *request, uint64_t offset, bool append)
{
	struct job *job = job_create(hub, spool_of(place, handle), run_write);
	if (job) {
		job->length = request->op.size;
		job->offset = offset;
		job->append = append;
	}
	wait_for(job, handle, request);
}

static void run_resize(struct task *task)
{
	struct job *job = (struct job *)task;
	struct spool *spool = job->spool;
	uint8_t *bytes = NULL;
	uint64_t before = spool_size(spool);
	int error = hub_spool_begin(job->hub, job->token, before, job->offset, &bytes);
	if (error != -ECANCELED) {
		error = error ? error : spool_resize(spool, job->offset);
		/* Bytes that a smaller size has cut off cannot come back. */
		end_write(job, error, 0, job->offset < before ? job->offset : before);
	}
	job_destroy(job);
}

void spool_ops_resize(struct hub *hub, const struct spool_place *place, struct handle *handle,
		      struct request *request, uint64_t size)
{
	struct job *job = job_create(hub, spool_of(place, handle), run_resize);
	if (job) {
		job->offset = size;
	}
	wait_for(job, handle, request);
}

/* ---- read ---- */

static void run_read(struct task *task)
{
	struct job *job = (struct job *)task;
	if (hub_disk_take(job->hub, job->token, NULL)) {
		uint8_t *bytes = malloc(job->length);
		ssize_t length =
			bytes ? spool_read(job->spool, bytes, job->length, job->offset) : -ENOMEM;
		if (!hub_disk_end(job->hub, job->token, length, bytes)) {
			free(bytes);
		}
	}
	job_destroy(job);
}

void spool_ops_read(struct hub *hub, const struct spool_place *place, struct handle *handle,
		    struct request *request, uint64_t offset)
{
	struct job *job = job_create(hub, spool_of(place, handle), run_read);
	if (job) {
		job->length = request->op.size;
		job->offset = offset;
	}
	wait_for(job, handle, request);
}

/* ---- close ---- */

/* Uploads `spool` to the peer of offer `number`. */
static void upload(struct hub *hub, uint64_t number, struct spool *spool)
{
	int error = number > 0 ? upload_start(hub, number, spool) : 0;
	if (error) {
		hub_upload_end(hub, number, error);
	}
}

static void run_offer(struct task *task)
{
	struct job *job = (struct job *)task;
	struct spool *spool = job->spool;
	if (hub_disk_take(job->hub, job->token, NULL)) {
		int error = spool_error(spool) ? spool_error(spool) : spool_open(spool);
		if (error) {
			hub_disk_end(job->hub, job->token, error, NULL);
		} else {
			upload(job->hub,
			       hub_offer(job->hub, job->token, spool_size(spool), spool_md5(spool)),
			       spool);
		}
	}
	job_destroy(job);
}

void spool_ops_offer(struct hub *hub, const struct spool_place *place, struct handle *handle,
		     struct request *request)
{
	wait_for(job_create(hub, spool_of(place, handle), run_offer), handle, request);
}

void spool_ops_close(struct handle *handle)
{
	spool_release(handle->spool);
	handle->spool = NULL;
}

static void run_leave(struct task *task)
{
	struct job *job = (struct job *)task;
	struct spool *spool = job->spool;
	if (spool_error(spool) || spool_open(spool)) {
		hub_release_left(job->hub, job->sid);
	} else {
		upload(job->hub,
		       hub_offer_left(job->hub, job->sid, spool_size(spool), spool_md5(spool)),
		       spool);
	}
	job_destroy(job);
}

void spool_ops_release(struct hub *hub, const struct spool_place *place, struct handle *handle)
{
	struct job *job = hub_is_unoffered(hub, handle)
				  ? job_create(hub, spool_of(place, handle), run_leave)
				  : NULL;
	spool_ops_close(handle);
	if (job) {
		snprintf(job->sid, sizeof(job->sid), "%s", handle->sid);
		submit(job);
	} else {
		hub_release(hub, handle);
	}
}
