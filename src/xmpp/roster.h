/* SPDX-License-Identifier: MIT */
/*
 * roster - contacts, their online resources, and the features of each resource.
 *
 * Plain data: the XMPP thread reports, the user's side asks. A contact is on the roster
 * (`listed`), or known by presence only, or both.
 *
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  RFC 6121 section 2 (roster), section 4 (presence); XEP-0030 (features).
 */
#ifndef XMPP_ROSTER_H
#define XMPP_ROSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

enum features_state {
	FEATURES_UNKNOWN,
	FEATURES_ASKED, /* a disco#info request was sent */
	FEATURES_KNOWN, /* or the answer did not come in time: features are 0 then */
};

struct resource {
	struct resource *prev, *next; /* contact.resources, most recent presence first */
	int priority;
	enum features_state features_state;
	unsigned features; /* enum feature */
	bool announced;	   /* FEATURE_ANNOUNCED was in a presence */
	char jid[];	   /* full; bare if presence comes from the bare JID, as behind a gateway */
};

struct contact {
	UT_hash_handle hh; /* roster.contacts */
	bool listed;
	bool stale; /* not confirmed since roster_reset */
	struct resource *resources;
	char jid[]; /* bare */
};

/* Zeroed memory is empty. */
struct roster {
	struct contact *contacts; /* uthash, in order of arrival */
};

void roster_finish(struct roster *roster);

/* roster_reset: the list begins anew, and all resources are removed. roster_settle: the list is
 * complete, and contacts that roster_item has not named since are no longer listed. */
void roster_reset(struct roster *roster);
void roster_settle(struct roster *roster);

/* -ENOMEM. */
int roster_item(struct roster *roster, const char *jid, bool removed);

/* Presence. A JID came online, changed its priority or went offline; if a bare JID goes offline,
 * all its resources do. `features`: of the capabilities in the presence; 0 or
 * FEATURE_ANNOUNCED: a disco#info request is needed. Known features are kept until the resource
 * goes offline. -ENOMEM. */
int roster_presence(struct roster *roster, const char *jid, bool available, int priority,
		    unsigned features);

/* `jid` may be full or bare; NULL if unknown. Borrowed until the next change. */
struct contact *roster_find(const struct roster *roster, const char *jid);

/* The resource with exactly that JID; NULL if it is not online. Borrowed until the next change. */
struct resource *roster_find_resource(const struct roster *roster, const char *jid);

/*
 * The best resource of `contact` for a stream: first by `features` (enum feature): it has one of
 * them, its features are not known yet, it has none of them; then by the highest priority; then by
 * the most recent presence. NULL when none is online. Borrowed until the next change.
 */
struct resource *roster_choose(const struct contact *contact, unsigned features);

#endif
