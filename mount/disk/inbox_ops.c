/* SPDX-License-Identifier: MIT */
#include "mount/disk/inbox_ops.h"

#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

/* How often, and at which interval, an open retries while a file gets its final name. */
#define TRIES	      10
#define BETWEEN_TRIES ((struct timespec){.tv_nsec = 1000000})

/* An open file: what a handle reads. Freed with its last reference. */
struct inbox_reader {
	atomic_uint references;
	struct inbox *inbox;
	struct lane *lane;
	/* Its tasks'. */
	struct task closing;
	int fd;		/* -1: not open yet */
	off_t position; /* where the last read without an offset ended */
};

/* A task of a reader, on behalf of a call. */
struct job {
	struct task task; /* first */
	struct hub *hub;
	struct inbox_reader *reader; /* a reference */
	uint64_t token;
	size_t size;
	off_t offset;
};

/* ---- the reader ---- */

static struct inbox_reader *reader_create(struct inbox *inbox)
{
	struct inbox_reader *reader = calloc(1, sizeof(*reader));
	struct lane *lane = lane_create(inbox->pool);
	if (!reader || !lane) {
		lane_destroy(inbox->pool, lane);
		free(reader);
		return NULL;
	}
	atomic_init(&reader->references, 1);
	reader->inbox = inbox;
	reader->lane = lane;
	reader->fd = -1;
	return reader;
}

static struct inbox_reader *reader_hold(struct inbox_reader *reader)
{
	atomic_fetch_add(&reader->references, 1);
	return reader;
}

static void close_reader(struct task *task)
{
	struct inbox_reader *reader =
		(struct inbox_reader *)((char *)task - offsetof(struct inbox_reader, closing));
	if (reader->fd >= 0) {
		close(reader->fd);
	}
	lane_destroy(reader->inbox->pool, reader->lane);
	free(reader);
}

/* NULL-safe. */
static void reader_release(struct inbox_reader *reader)
{
	if (reader && atomic_fetch_sub(&reader->references, 1) == 1) {
		reader->closing.run = close_reader;
		pool_submit(reader->inbox->pool, reader->lane, &reader->closing);
	}
}

/* A reference to the reader of the handle, which gets one if it has none. NULL when memory is
 * short, or the mount has ended. */
static struct inbox_reader *reader_of(struct inbox *inbox, struct hub *hub, struct handle *handle)
{
	struct inbox_reader *made = reader_create(inbox);
	struct inbox_reader *reader = made ? hub_add_inbox_reader(hub, handle, made) : NULL;
	if (reader && reader != made) {
		reader_release(made);
	}
	if (!reader) {
		reader_release(made);
		return NULL;
	}
	return reader_hold(reader);
}

/* ---- jobs ---- */

/* Parks the request, and submits a job for it; `reader` is a reference, or NULL. */
static void submit(struct hub *hub, struct inbox_reader *reader, struct handle *handle,
		   struct request *request, void (*run)(struct task *task), off_t offset)
{
	struct job *job = reader ? calloc(1, sizeof(*job)) : NULL;
	if (!job) {
		reader_release(reader);
		hub_disk_fail(hub, request, -ENOMEM);
		return;
	}
	*job = (struct job){
		.task.run = run,
		.hub = hub,
		.reader = reader,
		.token = request->op.token,
		.size = request->op.size,
		.offset = offset,
	};
	hub_disk_wait(hub, handle, request);
	pool_submit(reader->inbox->pool, reader->lane, &job->task);
}

static void job_destroy(struct job *job)
{
	reader_release(job->reader);
	free(job);
}

/* Opens the file. 0 or -errno; -EAGAIN: there is none yet; -ECANCELED: nobody waits any more. */
static int open_file(struct job *job)
{
	struct inbox_reader *reader = job->reader;
	char path[PATH_MAX];
	int fd = -ENOENT;
	for (unsigned i = 0; reader->fd < 0 && fd == -ENOENT && i < TRIES; i++) {
		if (i > 0) {
			nanosleep(&BETWEEN_TRIES, NULL);
		}
		int length = hub_inbox_path(job->hub, job->token, path, sizeof(path));
		if (length < 0) {
			return length;
		}
		/* The file has its new name on disk a moment before the hub knows it. */
		fd = inbox_open(reader->inbox, path);
		reader->fd = fd;
	}
	return reader->fd >= 0 ? 0 : fd;
}

static void run_open(struct task *task)
{
	struct job *job = (struct job *)task;
	int error = open_file(job);
	if (error && error != -EAGAIN && error != -ECANCELED) {
		hub_disk_end(job->hub, job->token, error, NULL);
	} else if (!hub_inbox_opened(job->hub, job->token, reader_hold(job->reader))) {
		reader_release(job->reader);
	}
	job_destroy(job);
}

void inbox_ops_open(struct inbox *inbox, struct hub *hub, struct handle *handle,
		    struct request *request)
{
	submit(hub, reader_create(inbox), handle, request, run_open, 0);
}

/* How many of the wanted bytes may be read. */
static size_t readable_size(const struct job *job, off_t offset)
{
	uint64_t end = hub_inbox_readable(job->hub, job->token), begin = (uint64_t)offset;
	uint64_t length = end > begin ? end - begin : 0;
	return length < job->size ? (size_t)length : job->size;
}

static ssize_t read_file(struct job *job, uint8_t *bytes)
{
	const struct inbox_reader *reader = job->reader;
	off_t offset = job->offset < 0 ? reader->position : job->offset;
	int error = open_file(job);
	if (error) {
		return error == -EAGAIN ? 0 : error; /* so far */
	}
	ssize_t length = pread(reader->fd, bytes, readable_size(job, offset), offset);
	if (length != 0) {
		return length < 0 ? -errno : length;
	}
	char path[PATH_MAX];
	int state = hub_inbox_path(job->hub, job->token, path, sizeof(path));
	return state < 0 ? state : 0;
}

static void run_read(struct task *task)
{
	struct job *job = (struct job *)task;
	struct inbox_reader *reader = job->reader;
	if (hub_disk_take(job->hub, job->token, NULL)) {
		uint8_t *bytes = malloc(job->size);
		ssize_t length = bytes ? read_file(job, bytes) : -ENOMEM;
		if (!hub_disk_end(job->hub, job->token, length, bytes)) {
			free(bytes);
		} else if (length > 0 && job->offset < 0) {
			reader->position += length;
		}
	}
	job_destroy(job);
}

void inbox_ops_read(struct inbox *inbox, struct hub *hub, struct handle *handle,
		    struct request *request, off_t offset)
{
	submit(hub, reader_of(inbox, hub, handle), handle, request, run_read, offset);
}

void inbox_ops_drop(struct handle *handle)
{
	reader_release(handle->inbox_reader);
	handle->inbox_reader = NULL;
}

void inbox_ops_close(struct hub *hub, struct handle *handle)
{
	reader_release(hub_take_inbox_reader(hub, handle));
}

/* ---- names ---- */

struct name_job {
	struct task task; /* first */
	struct hub *hub;
	struct inbox *inbox;
	uint64_t token, parent;
	const char *name, *path; /* behind the struct */
};

static void run_look_up(struct task *task)
{
	struct name_job *job = (struct name_job *)task;
	struct stat status;
	int error = inbox_stat(job->inbox, job->path, &status);
	if (hub_disk_take(job->hub, job->token, NULL)) {
		if (error == -ENOENT) {
			hub_forget_inbox_file(job->hub, job->parent, job->name, job->path);
		} else if (!error) {
			hub_refresh_inbox_file(job->hub, job->parent, job->name, job->path,
					       &status);
		}
		hub_disk_end(job->hub, job->token, error, NULL);
	}
	atomic_store(&job->inbox->hangs, false);
	free(job);
}

static void run_remove(struct task *task)
{
	struct name_job *job = (struct name_job *)task;
	if (hub_disk_take(job->hub, job->token, NULL)) {
		int error = inbox_remove(job->inbox, job->path);
		if (!error) {
			hub_forget_inbox_file(job->hub, job->parent, job->name, job->path);
		}
		hub_disk_end(job->hub, job->token, error, NULL);
	}
	atomic_store(&job->inbox->hangs, false);
	free(job);
}

static void drop_first(struct inbox *inbox)
{
	struct inbox_wait *wait = inbox->waits;
	DL_DELETE(inbox->waits, wait);
	free(wait);
}

/* Parks the request, which waits for a moment, and submits `job`. */
static void wait_for(struct name_job *job, struct request *request)
{
	struct inbox *inbox = job->inbox;
	struct hub *hub = job->hub;
	struct inbox_wait *wait = calloc(1, sizeof(*wait));
	/* While the disk hangs, no call waits: otherwise ls would wait for each of many names. */
	if (!wait || atomic_load(&inbox->hangs)) {
		int error = wait ? -ETIMEDOUT : -ENOMEM;
		free(wait);
		free(job);
		hub_disk_fail(hub, request, error);
		return;
	}
	while (inbox->waits && !hub_waits_for_disk(hub, inbox->waits->token)) {
		drop_first(inbox);
	}
	wait->token = request->op.token;
	wait->due_ms = clock_now_ms() + INBOX_OPS_PATIENCE_MS;
	DL_APPEND(inbox->waits, wait);
	hub_disk_wait(hub, NULL, request);
	pool_submit(inbox->pool, NULL, &job->task);
}

/* NULL when memory is short. */
static struct name_job *name_job_create(struct inbox *inbox, struct hub *hub, uint64_t token,
					uint64_t parent, const char *name, const char *path)
{
	size_t name_size = strlen(name) + 1, path_size = strlen(path) + 1;
	struct name_job *job = calloc(1, sizeof(*job) + name_size + path_size);
	if (job) {
		char *at = (char *)(job + 1);
		job->hub = hub;
		job->inbox = inbox;
		job->token = token;
		job->parent = parent;
		job->name = memcpy(at, name, name_size);
		job->path = memcpy(at + name_size, path, path_size);
	}
	return job;
}

void inbox_ops_look_up(struct inbox *inbox, struct hub *hub, struct request *request,
		       uint64_t parent, const char *name, const char *path)
{
	struct name_job *job = name_job_create(inbox, hub, request->op.token, parent, name, path);
	if (!job) {
		hub_disk_fail(hub, request, -ENOMEM);
		return;
	}
	job->task.run = run_look_up;
	wait_for(job, request);
}

void inbox_ops_remove(struct inbox *inbox, struct hub *hub, struct request *request,
		      uint64_t parent, const char *name, const char *path)
{
	struct name_job *job = name_job_create(inbox, hub, request->op.token, parent, name, path);
	if (!job) {
		hub_disk_fail(hub, request, -ENOMEM);
		return;
	}
	job->task.run = run_remove;
	wait_for(job, request);
}

int64_t inbox_ops_deadline(const struct inbox *inbox)
{
	return inbox && inbox->waits ? inbox->waits->due_ms : INT64_MAX;
}

/* Sets `hangs` before it gives the job up: the job, which may end just now, resets it at its end.
 * */
static void give_up(struct inbox *inbox, struct hub *hub, uint64_t token)
{
	if (hub_waits_for_disk(hub, token)) {
		atomic_store(&inbox->hangs, true);
		if (!hub_disk_end(hub, token, -ETIMEDOUT, NULL)) {
			atomic_store(&inbox->hangs, false);
		}
	}
}

void inbox_ops_tick(struct inbox *inbox, struct hub *hub)
{
	int64_t now_ms = clock_now_ms();
	while (inbox && inbox->waits && inbox->waits->due_ms <= now_ms) {
		give_up(inbox, hub, inbox->waits->token);
		drop_first(inbox);
	}
}
