/* SPDX-License-Identifier: MIT */
/*
 * file - open files: what open, read, write and flush mean (release.h has the rest).
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3.
 */
#ifndef ACCOUNT_FILE_H
#define ACCOUNT_FILE_H

#include "account/handle.h"

/*
 * Opens `node` with the flags of open(2); `sid` is random. The handle is op->context when the op
 * completes with 0; with an error there is none.
 */
void file_open(struct account *account, struct node *node, int flags, const char *sid,
	       struct op *op, int64_t now_ms);

/* Files are read as streams: there is no offset. In `next` it may accept one that is offered. */
void file_read(struct account *account, struct handle *handle, struct op *op, int64_t now_ms);

void file_write(struct account *account, struct handle *handle, struct op *op, const void *bytes,
		uint64_t offset, int64_t now_ms);

/* close(2) of a descriptor, or fsync. `killed`: the caller is being killed by a signal; its file
 * is cut short, and nothing is waited for. */
void file_flush(struct account *account, struct handle *handle, struct op *op, bool killed,
		int64_t now_ms);

/* ftruncate, or truncate when `handle` is NULL: 0, -EINVAL, -ESPIPE, -EACCES, -EFBIG. */
int file_truncate(struct account *account, struct node *node, struct handle *handle, uint64_t size,
		  int64_t now_ms);

/* Begins the session of a file that was opened with O_NONBLOCK, as it will be written to. */
void file_begin(struct account *account, struct handle *handle, int64_t now_ms);

#endif
