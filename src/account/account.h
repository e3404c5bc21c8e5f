/* SPDX-License-Identifier: MIT */
/*
 * account - one XMPP account as a file system: its tree, its streams, its contacts.
 *
 * All other files of src/account are above this one. Events off the wire enter at the top, in
 * dispatch.c. Pure: no lock, no thread, no I/O, neither libfuse nor libstrophe. The results of a
 * call are in account->ibb.effects.
 *
 * Units:   ms of the caller's monotonic clock, or microseconds (now_us).
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN sections 2 and 3.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "account/parts.h"
#include "account/tree.h"
#include "ibb/ibb.h"
#include "offer/offers.h"
#include "xmpp/roster.h"

#include <stdbool.h>
#include <stdint.h>

/* The peers that may open a stream to us. */
enum access {
	ACCEPT_CONTACTS, /* the roster, and directories made with mkdir */
	ACCEPT_ANYONE,
	ACCEPT_NONE,
};

/* A stream or an offer that goes into the inbox (inbox_file.h). The strings are behind the struct.
 */
struct inbox_arrival {
	struct inbox_arrival *prev, *next; /* account.arrivals */
	uint64_t ino;
	int64_t size;		    /* as offered, or -1 */
	int64_t date;		    /* likewise, or METADATA_NO_DATE */
	enum hash_algorithm digest; /* of an offer of which a part may be asked for; else HASH_NONE
				     */
	bool has_part;		    /* a stream: it completes NAME.part, if that is there */
	const char *contact, *folder, *name; /* as in the tree; of no folder: "" */
	/* Of a stream that has begun; else NULL. `own`: our full JID. */
	const char *own, *peer, *sid;
	bool resumable;	     /* the stream, after a restart, with: */
	uint32_t block_size; /* (stream_facts) */
};

struct handle;
struct query;

struct account {
	struct ibb ibb;
	struct offers offers;
	struct tree tree;
	struct roster roster;
	bool is_roster_full; /* the user was told so */
	enum access accept;
	const struct preset *presets; /* of directories, the caller's; or NULL */
	char *jid;		      /* ours: normal form; full once we were online */
	bool online;
	char *reason;		 /* why not, for `status`; or NULL */
	int64_t retry_ms;	 /* when the next attempt to connect is made; 0: never */
	bool stopping;		 /* no new session is begun */
	struct handle *handles;	 /* open files */
	unsigned unattended;	 /* how many of them are unattended (release.h) */
	struct handle *orphans;	 /* released by shutdown_abandon, with a spool or a reader of
				    the inbox that is still open */
	struct op *pollers;	 /* OP_POLL, parked; context: the handle */
	struct op *disk_waiters; /* calls that wait for a disk, parked; context: the handle or NULL
				  */
	struct query *queries;	 /* that have no answer yet (query.h) */
	bool has_inbox;		 /* arrivals go into the inbox (inbox_file.h) */
	bool inbox_syncs;	 /* what is acknowledged as the end is durable there */
	struct part *parts;	 /* incomplete files in the inbox: uthash */
	struct inbox_arrival *arrivals; /* that the hub has not handed over yet */
	bool present;			/* presence that the server had at our login has come */
	uint64_t last_query, last_arrival;
	uint64_t announced; /* changes when something may have come for `incoming` or `next` */
	int64_t expiry_ms;  /* no name expires before this */
	unsigned finished;  /* files, since all names were checked */
};

/* How long a name stays: that of a finished file, because install, mc and gio use it again; and
 * that of a file that was made and never opened. */
#define ACCOUNT_FINISHED_MS 60000
#define ACCOUNT_UNOPENED_MS 10000

/* How long a folder of ours stays that is empty while nothing is sent to its contact: tar and rsync
 * set the times of a folder at their end. */
#define ACCOUNT_FOLDER_MS 3600000

/* If so many files have finished since the names were last checked, none stays longer than this:
 * peers that send many files must not fill our memory with their names. */
#define ACCOUNT_MANY_FINISHED 4096
#define ACCOUNT_HURRY_MS      2000

/* All names are checked at once, so a name may stay this much longer. */
#define ACCOUNT_EXPIRY_MS 1000

/* -ENOMEM. `jid` is copied. */
int account_init(struct account *account, const struct stream_config *config, unsigned max_streams,
		 enum access accept, const char *jid, uid_t uid, gid_t gid);

/* Before the first request: their ids have numbers above `last`. It should be random: an earlier
 * process may have had our full JID, and the answers to its requests come to us. */
void account_number_requests(struct account *account, uint64_t last);

/* Frees everything; dispatch_take_done must have been called after shutdown_abandon. */
void account_finish(struct account *account);

/* ---- the connection ---- */

/* `max_stanza`: bytes, as ibb_limit_stanzas takes it. */
void account_login(struct account *account, size_t max_stanza);

/* The next stanza to send, the caller's, or NULL. */
struct msg *account_next(struct account *account, int64_t now_us);

/* The socket is drained: parked reads get the bytes that have arrived. */
void account_drained(struct account *account);

/* Whether the connection is down, and streams wait for the next one (-o reconnect=). */
bool account_is_away(const struct account *account);

/* Whether `jid` is that of our own server. */
bool account_is_server(const struct account *account, const char *jid);

/* Whether `jid` is our own account, under whatever resource, or the server that speaks for it. */
bool account_is_own(const struct account *account, const char *jid);

/* ---- files that come and go ---- */

/* Accepts the offer that arrived as `node`, if it is one: `node` has a stream then. */
int account_accept(struct account *account, struct node *node, int64_t now_ms);

/* Ends the session of `node`; its name stays for ACCOUNT_FINISHED_MS, or ACCOUNT_HURRY_MS. */
void account_finish_file(struct account *account, struct node *node, bool good_order,
			 int64_t now_ms);

/* Removes a name from the tree, with all below it; streams are aborted. A folder that is empty then
 * stays for a while: ACCOUNT_FOLDER_MS, or ACCOUNT_FINISHED_MS in in/. */
void account_remove(struct account *account, struct node *node, int64_t now_ms);

/* As account_remove, but a folder in in/ that is empty then is removed, too. */
void account_drop(struct account *account, struct node *node, int64_t now_ms);

/* Begins the time after which `folder` expires, if it is empty then. */
void account_expire_folder(struct account *account, struct node *folder, int64_t now_ms);

/* The name of `node` expires at `when_ms`. */
void account_expire_at(struct account *account, struct node *node, int64_t when_ms);

/* ---- calls that wait ---- */

/* Completes `op`; dispatch_take_done returns it. */
void account_complete(struct account *account, struct op *op, ssize_t result);

#endif
