/* SPDX-License-Identifier: MIT */
/*
 * inbox_ops - file operations on a name in in/ that is a file of the inbox.
 *
 * Each call parks its request, which is delivered when the disk has answered, or a signal has ended
 * the wait; what the disk says then is dropped.
 *
 * A disk that hangs must not hold up `ls`. The kernel locks a directory while a name in it is
 * looked up or removed, so these two calls wait for a moment only (INBOX_OPS_PATIENCE_MS,
 * inbox_ops_tick).
 *
 * Units:   bytes; ms of CLOCK_MONOTONIC.
 * Errors:  of a request: its op.result.
 * Threads: any, without the hub's lock; inbox_ops_look_up, inbox_ops_remove, inbox_ops_deadline and
 *          inbox_ops_tick: the main thread.
 */
#ifndef MOUNT_DISK_INBOX_OPS_H
#define MOUNT_DISK_INBOX_OPS_H

#include "account/handle.h"
#include "mount/disk/inbox.h"
#include "mount/hub.h"

#include <sys/types.h>

/* A disk that is busy answers within that. */
#define INBOX_OPS_PATIENCE_MS 500

/* Opens the file that `handle` reads: then the handle keeps its file, even if the name is removed.
 * Op.result is 0, too, if there is no file yet. */
void inbox_ops_open(struct inbox *inbox, struct hub *hub, struct handle *handle,
		    struct request *request);

/* Reads up to op.size bytes from `offset`; -1: from where the last such read ended. 0 at the end of
 * the bytes received so far. An incomplete file ends in its error. */
void inbox_ops_read(struct inbox *inbox, struct hub *hub, struct handle *handle,
		    struct request *request, off_t offset);

/* The handle is about to be released. */
void inbox_ops_close(struct hub *hub, struct handle *handle);

/* As inbox_ops_close, for a handle that the hub has released. */
void inbox_ops_drop(struct handle *handle);

/* Brings `name` in directory `parent`, which is the file at `path`, up to date: it may have been
 * changed, moved or removed in the directory itself. If the disk does not answer, the request is
 * delivered all the same. */
void inbox_ops_look_up(struct inbox *inbox, struct hub *hub, struct request *request,
		       uint64_t parent, const char *name, const char *path);

/* Takes the file at `path` out, and removes `name` in directory `parent`, if it still stands for
 * that. -ETIMEDOUT: the disk does not answer. */
void inbox_ops_remove(struct inbox *inbox, struct hub *hub, struct request *request,
		      uint64_t parent, const char *name, const char *path);

/* When inbox_ops_tick wants to be called; INT64_MAX: never. NULL-safe. */
int64_t inbox_ops_deadline(const struct inbox *inbox);
void inbox_ops_tick(struct inbox *inbox, struct hub *hub);

#endif
