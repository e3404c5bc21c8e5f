/* SPDX-License-Identifier: MIT */
/*
 * file - open, read, write, truncate and flush of a file (release.h has the rest).
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

/* Reads the next bytes: there are no offsets. A read of `next` may accept an offer. */
void file_read(struct account *account, struct handle *handle, struct op *op, int64_t now_ms);

/* Of a spooled file: fails with -EINVAL, and the file with it. An OP_WRITE goes to the spool, and
 * an OP_WRITE_SYNC cannot do what it promises, as the peer gets nothing before its close. */
void file_write(struct account *account, struct handle *handle, struct op *op, const void *bytes,
		uint64_t offset, int64_t now_ms);

/* close(2) of a descriptor. HANDLE_CLOSE_KILLED does not wait. */
void file_flush(struct account *account, struct handle *handle, struct op *op,
		enum handle_close close, int64_t now_ms);

/*
 * fsync: waits as file_flush does, but says nothing of the file's end. It is about the file,
 * whatever `handle` was opened for; if its session is over, about that. -EINVAL, as of a pipe: the
 * file is spooled, so the peer gets nothing before its close, which fsync cannot wait for. An offer
 * now would be one of half a file.
 */
void file_sync(struct account *account, const struct handle *handle, struct op *op, int64_t now_ms);

/* A signal ends the wait of `op`, which is parked. An interrupted flush counts as none. An
 * OP_WRITE_SYNC that has queued its bytes fails, and the stream with it. */
void file_interrupt(struct account *account, struct op *op);

/* As file_flush with HANDLE_CLOSE, by the last process that can write: the stream ends. */
void file_finish(struct account *account, struct handle *handle, struct op *op, int64_t now_ms);

/* Whether file_finish does more than file_flush. */
bool file_can_finish(const struct handle *handle);

/* ftruncate, or truncate when `handle` is NULL: 0, -EINVAL, -ESPIPE, -EACCES, -EFBIG. */
int file_truncate(struct account *account, struct node *node, struct handle *handle, uint64_t size,
		  int64_t now_ms);

/* Begins the session of a file that was opened with O_NONBLOCK and is now written to. */
void file_begin(struct account *account, struct handle *handle, int64_t now_ms);

#endif
