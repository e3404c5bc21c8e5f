/* SPDX-License-Identifier: MIT */
/*
 * handle - an open file description: the node that was opened, and the stream or file that it is
 * attached to.
 *
 * Units:   bytes.
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3; open(2).
 */
#ifndef ACCOUNT_HANDLE_H
#define ACCOUNT_HANDLE_H

#include "account/account.h"

#include <errno.h>

#define HANDLE_SID_SIZE 33

/* The result of a read: the caller reads the file in the inbox. */
#define HANDLE_IN_INBOX (-EREMOTEIO)

/* The state of routing.c: which peer the stream goes to. */
struct routing {
	bool active;
	uint64_t server_query; /* the ping to our own server; 0: none yet */
	bool server_answered;
	bool peer_asked; /* what it supports, as its presence is not seen */
	bool peer_answered;
	unsigned features; /* of that peer */
	unsigned asked;	   /* how many resources of the contact were queried */
};

/* A close(2) of a descriptor. */
enum handle_close {
	HANDLE_CLOSE,	     /* whether others have the file open is not known, or nobody has */
	HANDLE_CLOSE_SHARED, /* another process has the file open for writing; or it may have, and
				nobody hears the result of this close */
	HANDLE_CLOSE_KILLED, /* a signal is killing the caller: the file is incomplete */
};

/* An open file description. */
struct handle {
	struct handle *prev, *next; /* account.handles */
	struct node *node;	    /* what was opened */
	struct node *attached;	    /* has the stream; `next`: NULL before it has one */
	bool readable, writable;
	bool is_stream; /* immutable after open: the kernel reads and writes without offsets */
	bool append;	/* offsets of writes are ignored */
	bool used;	/* there was a read or a write */
	bool disk;	/* truncated beyond its end: the writer takes it for a disk file */
	int refused;	/* why the last write failed, so that not everything was written; or 0 */
	bool flushed;	/* a descriptor was closed, and there was no write since */
	bool shared;	/* the last close was a HANDLE_CLOSE_SHARED */
	bool killed;	/* a signal ended the last close, or was killing the process that sent it */
	uint64_t last_flush; /* the token of the last close */
	pid_t opener;	     /* main thread, and */
	uint64_t opened;     /* likewise: of the open(2), for mount/process/writers */
	/* The size of the name's last stream, unless the open has truncated it: the writer may
	 * believe that these bytes are still there. */
	uint64_t earlier;
	char sid[HANDLE_SID_SIZE];
	struct routing routing;

	/* OUTGOING, spooled (spool_file.h). */
	char *peer;	     /* full JID to which it will be offered; else NULL */
	bool peer_seen;	     /* its presence, when the file was opened */
	enum format format;  /* FORMAT_SI or FORMAT_JINGLE */
	bool unattended;     /* no process has it open: released when its offer is over */
	struct spool *spool; /* main thread: what was written; NULL: nothing yet */

	/* ARRIVED, NEXT: a file in the inbox (inbox_file.h). */
	struct node *inbox_file;	   /* or NULL */
	struct inbox_reader *inbox_reader; /* inbox_ops.c's, under the lock; or NULL */

	/* STATUS: the whole text. INCOMING: the current line. */
	char *text;
	size_t text_length, text_position;
	uint64_t last_line;  /* INCOMING: the arrival that was listed last */
	uint64_t first_line; /* INCOMING: older arrivals are listed only if they are unopened */
	uint64_t quiet;	     /* INCOMING, NEXT: account.announced when there was nothing for it */
};

/* Opens `node` with the flags of open(2); `sid` is copied. NULL when memory is short. */
struct handle *handle_create(struct account *account, struct node *node, int flags,
			     const char *sid);

/* Frees the handle. If it has a spool or a reader, which only the disk's part can close, it goes
 * to account->orphans instead. */
void handle_destroy(struct account *account, struct handle *handle);

/* The stream that it reads or writes, or NULL. */
struct stream *handle_stream(const struct handle *handle);

/* What a close returns because of handle->refused: an error that nobody takes for success, or for a
 * reason to repeat it. 0: there is none. */
int handle_refusal(const struct handle *handle);

/* Whether a write at `offset` would fill a gap from `end` on with zeros where its writer believes
 * that earlier bytes are. */
bool handle_hides_bytes(const struct handle *handle, uint64_t end, uint64_t offset);

/* Whether writes through it go to a spool, to be offered as a whole. */
bool handle_is_spooled(const struct handle *handle);

/* Attaches the stream that arrived as `node`. */
void handle_attach(struct handle *handle, struct node *node);

/* Attaches a file of the inbox. */
void handle_attach_inbox_file(struct handle *handle, struct node *node);

/* Reads the attached stream or file. False: there is none, and `op` is unchanged. */
bool handle_read(struct account *account, struct handle *handle, struct op *op);

/* Completes `op` with the next bytes of handle->text. */
void handle_read_text(struct account *account, struct handle *handle, struct op *op);

#endif
