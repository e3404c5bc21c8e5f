/* SPDX-License-Identifier: MIT */
/*
 * inbox_file - what arrives and is received into a file of the inbox: which, and its progress.
 *
 *     arrives      arrival.c: inbox_file_add. The inbox (inbox.c, outside the lock) takes it from
 *                  inbox_file_take_arrivals and makes a file for it, or inbox_file_decline
 *     bytes        its transfer: inbox_file_begin, then inbox_file_read again and again; what the
 * read before gave is in the file, and is acknowledged, when the next one comes the end
 * inbox_file_end: from then on the name in in/ is that file
 *
 * Who reads the name in in/ meanwhile reads the file, as far as it is.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_INBOX_FILE_H
#define ACCOUNT_INBOX_FILE_H

#include "account/handle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* `node`, which has just arrived, goes into the inbox. -ENOMEM: it is an ordinary one. */
int inbox_file_add(struct account *account, struct node *node);

/* What has arrived since, oldest first: a list, the caller's; each to be freed. */
struct inbox_arrival *inbox_file_take_arrivals(struct account *account);

/* ---- for the inbox; a node that has gone is -ENOENT ---- */

/* There is no room for it: it is declined, or broken. */
void inbox_file_decline(struct account *account, uint64_t ino, int64_t now_ms);

/* It is being written to the file at `path` below the inbox (copied). Completes `op` with 0 once
 * its bytes can come. */
void inbox_file_begin(struct account *account, uint64_t ino, const char *path, struct op *op,
		      int64_t now_ms);

/* As stream_read; what the one before gave is in the file. */
void inbox_file_read(struct account *account, uint64_t ino, struct op *op);

/* It is complete, at `path` (copied); or nothing more of it can be stored: `error`, negative. */
int inbox_file_end(struct account *account, uint64_t ino, const char *path, int error,
		   int64_t now_ms);

/* A file that was in the inbox before we started: the directory `contact` and the name, as they are
 * there. -EINVAL: that is no name of an address; -EEXIST, -ENOMEM. */
int inbox_file_restore(struct account *account, const char *contact, const char *name,
		       uint64_t size, const struct timespec *modified);

/* ---- for the file system ---- */

/* The file in the inbox that `handle` reads; its length as snprintf has it. -ENOENT: it reads none;
 * -EAGAIN: there is none yet; or why it has not become whole. */
int inbox_file_path(const struct handle *handle, char *path, size_t size);

/* Likewise, of the name in a directory, if nothing is being written to it any more. */
int inbox_file_find(const struct tree *tree, const struct node *parent, const char *name,
		    char *path, size_t size);

/* That file was looked at: it may have been written to since it was received. */
void inbox_file_refresh(const struct tree *tree, const struct node *parent, const char *name,
			const struct stat *status);

#endif
