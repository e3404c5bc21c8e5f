/* SPDX-License-Identifier: MIT */
/*
 * verdicts - what is answered to the <close/> of streams that are gone.
 *
 * The answer may be lost with a connection, and <close/> comes again; or the stream was broken
 * before the first one came. A receiver that had forgotten its answer could not tell the sender
 * whether the file is stored.
 *
 * Each of n bare JIDs has at least 1/n of the places, so none of them takes those of another.
 *
 * Threads: none; the caller serialises.
 * Source:  docs/wire.md.
 */
#ifndef IBB_VERDICTS_H
#define IBB_VERDICTS_H

#include "ibb/condition.h"

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

/* Of one stream. */
struct verdict {
	UT_hash_handle hh;	     /* verdicts.by_key */
	struct verdict *prev, *next; /* verdict_peer.verdicts */
	struct verdict_peer *peer;
	enum condition condition; /* CONDITION_NONE: a result */
	bool is_unasked;	  /* restored, and nobody has asked for it since */
	char key[];
};

/* All of a bare JID. */
struct verdict_peer {
	UT_hash_handle hh;	  /* verdicts.peers */
	struct verdict *verdicts; /* oldest first; never empty */
	size_t length;		  /* of that */
	char bare[];
};

struct verdicts {
	struct verdict *by_key;	    /* uthash */
	struct verdict_peer *peers; /* uthash */
	size_t most;		    /* so many are remembered, the latest */
	size_t unasked;		    /* so many of them are restored, and nobody has asked */
};

void verdicts_init(struct verdicts *verdicts, size_t most);
void verdicts_finish(struct verdicts *verdicts);

/* `key` (copied): the peer's full JID, a newline, and the sid. When memory is short, nothing is
 * remembered of it. */
void verdicts_note(struct verdicts *verdicts, const char *key, enum condition condition);

/* Likewise, one that an earlier process has noted: its peer may not have heard of it. */
void verdicts_restore(struct verdicts *verdicts, const char *key, enum condition condition);

/* Another stream begins that has the key: nothing is known any more. */
void verdicts_forget(struct verdicts *verdicts, const char *key);

/* The peer asks for it. False: nothing is known. */
bool verdicts_find(struct verdicts *verdicts, const char *key, enum condition *condition);

/* Whether is_online(context, peer) is true for the full JID of each. When memory is short, false.
 */
bool verdicts_reach(const struct verdicts *verdicts,
		    bool (*is_online)(const void *context, const char *peer), const void *context);

#endif
