/* SPDX-License-Identifier: MIT */
/*
 * handle - an open file description: what was opened, and what it is attached to.
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

/* The result of a read: what is read is a file in the inbox. */
#define HANDLE_IN_INBOX (-EREMOTEIO)

/* How far the choice of a peer is (resolver.h). */
struct resolution {
	bool active;
	uint64_t server_query; /* the ping to our server; 0: not asked */
	bool server_answered;
	bool peer_asked, peer_answered; /* a peer whose presence we do not see */
	unsigned features;		/* its */
};

/* An open file description. */
struct handle {
	struct handle *prev, *next; /* account.handles */
	struct node *node;	    /* what was opened */
	struct node *attached;	    /* what has the stream; NULL for `next` before it has one */
	bool readable, writable;
	bool append;  /* offsets of writes are ignored */
	bool used;    /* a read or write was called */
	bool disk;    /* was truncated as if on a disk: there is nothing to read back */
	bool refused; /* the last write failed: its writer had more than has been written */
	bool flushed; /* nothing was written since the last flush */
	bool cut;     /* the last flush came from a process that a signal was killing */
	char sid[HANDLE_SID_SIZE];
	struct resolution resolution;

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

/* Opens `node` with the flags of open(2); `sid` is copied. NULL when memory is short. */
struct handle *handle_create(struct account *account, struct node *node, int flags,
			     const char *sid);

/* Takes it from the list of open files, and frees it unless it holds something that the account
 * cannot close: then it is in account->orphans. */
void handle_destroy(struct account *account, struct handle *handle);

/* The stream that it reads or writes, or NULL. */
struct stream *handle_stream(const struct handle *handle);

/* Whether what is written through it is spooled, to be offered as a whole. */
bool handle_is_spooled(const struct handle *handle);

/* Gives it the stream that arrived as `node`. */
void handle_attach(struct handle *handle, struct node *node);

/* Gives it a file of the inbox. */
void handle_attach_inbox_file(struct handle *handle, struct node *node);

/* A read of what it is attached to. False: it is attached to nothing, and `op` is as it was. */
bool handle_read(struct account *account, struct handle *handle, struct op *op);

/* Completes `op` with bytes of handle->text, from where the last read ended: there are no offsets.
 */
void handle_read_text(struct account *account, struct handle *handle, struct op *op);

#endif
