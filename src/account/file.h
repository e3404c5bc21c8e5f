/* SPDX-License-Identifier: MIT */
/*
 * file - open files: what open, read, write, flush and release mean.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3.
 */
#ifndef ACCOUNT_FILE_H
#define ACCOUNT_FILE_H

#include "account/account.h"
#include "account/resolver.h"

#include <errno.h>
#include <sys/stat.h>

#define FILE_SID_SIZE 33

/* The result of a read of `next`: what it has taken is a file in the inbox. */
#define FILE_IN_INBOX (-EREMOTEIO)

/* An open file description. */
struct handle {
	struct handle *prev, *next; /* account.handles */
	struct node *node;	    /* what was opened */
	struct node *file;	    /* what has the stream; NULL for `next` before it has one */
	bool readable, writable;
	bool append;  /* offsets of writes are ignored */
	bool used;    /* a read or write was called */
	bool disk;    /* was truncated as if on a disk: there is nothing to read back */
	bool refused; /* the last write failed: its writer had more than has been written */
	bool flushed; /* nothing was written since the last flush */
	bool cut;     /* the last flush came from a process that a signal was killing */
	char sid[FILE_SID_SIZE];
	struct resolver resolver;

	/* OUTGOING, spooled (spool_file.h). */
	char *peer;	     /* full JID, to whom it will be offered; else NULL */
	enum format format;  /* FORMAT_SI or FORMAT_JINGLE */
	bool left;	     /* nobody has it open any more: it goes with its offer */
	struct spool *spool; /* the main thread's: what was written; NULL before */
	int spoiled;	     /* likewise: why something was not, negative: it is never offered */

	struct node
		*inbox_file; /* what is read is its file in the inbox (inbox_file.h); else NULL */
	int inbox_fd;	     /* that file, open; -1; ops.c's, under the lock */

	/* STATUS: the whole text. INCOMING: the line that is being read. */
	char *text;
	size_t text_length, text_position;
	uint64_t last_line;  /* INCOMING: arrival that was read last */
	uint64_t first_line; /* INCOMING: older arrivals count only if nobody has opened them */
};

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

/*
 * What poll(2) says of `handle` now, as POLLIN, POLLOUT, POLLERR, POLLHUP. With an `op` (its
 * events are what the caller wants to know), that completes when there is something new; a later
 * one of the same handle takes its place.
 */
short file_poll(struct account *account, struct handle *handle, struct op *op);

/* Completes the polls that have something new to look at. */
void file_notify_pollers(struct account *account);

/* close(2) of a descriptor, or fsync. `killed`: the caller is being killed by a signal; its file
 * is cut short, and nothing is waited for. */
void file_flush(struct account *account, struct handle *handle, struct op *op, bool killed,
		int64_t now_ms);

/* ftruncate, or truncate when `handle` is NULL: 0, -EINVAL, -ESPIPE, -EACCES, -EFBIG. */
int file_truncate(struct account *account, struct node *node, struct handle *handle, uint64_t size,
		  int64_t now_ms);

/* Begins the session of a file that was opened with O_NONBLOCK, as it will be written to. */
void file_begin(struct account *account, struct handle *handle, int64_t now_ms);

/* The last descriptor has gone; frees the handle. */
void file_release(struct account *account, struct handle *handle, int64_t now_ms);

/* As file_release, for a handle whose open completed with an error. */
void file_open_failed(struct account *account, struct handle *handle, int64_t now_ms);

/* Completes `op` with bytes of handle->text, from where the last read ended: there are no offsets.
 */
void file_read_text(struct account *account, struct handle *handle, struct op *op);

#endif
