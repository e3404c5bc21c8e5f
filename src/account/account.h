/* SPDX-License-Identifier: MIT */
/*
 * account - one XMPP account as a file system: its tree, its streams, its contacts.
 *
 * What comes off the wire becomes directories and files here. Directories are directory.c's, open
 * files file.c's, the choice of a peer is resolver.c's. Pure: no lock, no
 * thread, no I/O, neither libfuse nor libstrophe. What a call has produced is in
 * account->ibb.effects.
 *
 * Units:   ms of the caller's monotonic clock, or microseconds (now_us).
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN sections 2 and 3.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "account/tree.h"
#include "ibb/ibb.h"
#include "offer/offer.h"
#include "xmpp/roster.h"

#include <stdbool.h>
#include <stdint.h>

/* Who may open a stream to us. */
enum accept {
	ACCEPT_CONTACTS, /* the roster, and directories made with mkdir */
	ACCEPT_ANYONE,
	ACCEPT_NONE,
};

struct arrival;
struct handle;
struct query;

struct account {
	struct ibb ibb;
	struct offers offers;
	struct tree tree;
	struct roster roster;
	enum accept accept;
	char *jid; /* ours: normal form; full once we were online */
	bool online;
	char *reason;		  /* why not, for `status`; or NULL */
	int64_t retry_ms;	  /* when another attempt is made to be; 0: none */
	bool stopping;		  /* no new session is begun */
	struct handle *handles;	  /* open files */
	unsigned left;		  /* of those, the ones of spool_file_leave */
	struct handle *orphans;	  /* closed by account_abandon, with something that is not ours */
	struct op *pollers;	  /* OP_POLL, parked; context: the handle */
	struct query *queries;	  /* of resolver.c */
	bool has_inbox;		  /* what arrives goes into the inbox (inbox_file.h) */
	struct arrival *arrivals; /* that the inbox has not taken */
	uint64_t last_query, last_arrival;
	int64_t expiry_ms; /* no finished name goes before this */
};

/* How long the name of a finished file stays (install, mc and gio come back to it), and how long
 * one that was made and never opened. */
#define ACCOUNT_FINISHED_MS 60000
#define ACCOUNT_UNOPENED_MS 10000

/* They may stay longer by that: all names are looked at for one that goes. */
#define ACCOUNT_EXPIRY_MS 1000

/* -ENOMEM. `jid` is copied. */
int account_init(struct account *account, const struct stream_config *config, unsigned max_streams,
		 enum accept accept, const char *jid, uid_t uid, gid_t gid);

/* Frees everything; account_take_done must have been called after account_abandon. */
void account_finish(struct account *account);

/* ---- from the wire ---- */

/* `max_stanza`: bytes, as ibb_limit_stanzas takes it. */
void account_login(struct account *account, size_t max_stanza);
void account_online(struct account *account, const char *full_jid, int64_t now_ms);
/* `retry_ms`: when another attempt is made to connect; 0: none. */
void account_offline(struct account *account, const char *reason, int64_t retry_ms, int64_t now_ms);
void account_roster_reset(struct account *account, int64_t now_ms);
void account_roster_item(struct account *account, const char *jid, bool removed);
void account_presence(struct account *account, const char *jid, bool available, int priority,
		      unsigned features, int64_t now_ms);
void account_receive(struct account *account, const struct msg *msg, int64_t now_us);

/* Nothing more has come for now: reads get what has. */
void account_drained(struct account *account);

/* The next stanza to send, the caller's, or NULL. */
struct msg *account_next(struct account *account, int64_t now_us);

/* ---- for whoever holds the lock ---- */

/* The ops completed since the last call, oldest first. An open that failed leaves nothing. */
struct op *account_take_done(struct account *account, int64_t now_ms);

/* When account_tick wants to be called, or STREAM_NO_DEADLINE. */
int64_t account_deadline(const struct account *account);
void account_tick(struct account *account, int64_t now_ms);

/*
 * The mount is ending: no new session. With `unmounted`, every file is closed as its user left it.
 * Otherwise streams with an open file, or that nobody has opened, break, as their end will not
 * be seen, but not before what was written to them is delivered; those that are being flushed,
 * and those that are closed, go on. That may take until account_is_drained.
 */
void account_stop(struct account *account, bool unmounted, int64_t now_ms);
bool account_is_drained(const struct account *account);

/* Every open file is closed, every stream breaks, every op is completed. */
void account_abandon(struct account *account, int64_t now_ms);

/* ---- for the other parts of the account ---- */

/* Whether the connection is down, but waited for. */
bool account_is_away(const struct account *account);

/* Whether `jid` is that of our own server. */
bool account_is_server(const struct account *account, const char *jid);

/* The file that arrived as `node` is wanted: it has a stream now, if it was only offered. */
int account_accept(struct account *account, struct node *node, int64_t now_ms);

/* The stream of `node` has no user any more; the name stays for ACCOUNT_FINISHED_MS. */
void account_finish_file(struct account *account, struct node *node, bool good_order,
			 int64_t now_ms);

/* `op` is over, and goes to whoever calls account_take_done. */
void account_complete(struct account *account, struct op *op, ssize_t result);

/* Takes a name out of the tree; a stream that it has ends in bad order. */
void account_drop(struct account *account, struct node *node, int64_t now_ms);

/* `node` goes at `when_ms`. */
void account_expire_at(struct account *account, struct node *node, int64_t when_ms);

#endif
