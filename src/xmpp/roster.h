/* SPDX-License-Identifier: MIT */
/*
 * roster - contacts, their online resources, and the features of each resource.
 *
 * Plain data: the XMPP thread reports, the user's side asks. A contact is on the roster
 * (`listed`), or known by presence only, or both.
 *
 * Memory is bounded, whatever the server and the contacts say. Every contact has a share of
 * resources of its own. What it has beyond that is taken from a pool of all contacts, so one
 * contact with many resources takes nothing from the others.
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

/* The most contacts; and the most resources of one of them. */
#define ROSTER_MAX_CONTACTS  32768
#define ROSTER_MAX_RESOURCES 256

/* Resources that each contact may have, and those that all contacts may have beyond. */
#define ROSTER_SHARE 8
#define ROSTER_POOL  8192

enum features_state {
	FEATURES_UNKNOWN,
	FEATURES_ASKED, /* a disco#info request was sent */
	FEATURES_KNOWN,
	FEATURES_FAILED, /* the answer did not come, or did not say them */
};

struct resource {
	struct resource *prev, *next; /* contact.resources, most recent presence first */
	int priority;
	enum features_state features_state;
	unsigned features; /* enum feature; 0: none, or they are not known */
	int failure;	   /* FAILED: why, negative */
	int64_t failed_ms; /* and when */
	bool announced;	   /* FEATURE_ANNOUNCED was in a presence */
	bool used;	   /* see roster_surplus */
	char jid[];	   /* full; bare if presence comes from the bare JID, as behind a gateway */
};

struct contact {
	UT_hash_handle hh; /* roster.contacts */
	bool listed;
	bool stale;   /* not confirmed since roster_reset */
	bool crowded; /* the user was told that it has too many resources */
	unsigned count;
	struct resource *resources;
	char jid[]; /* bare */
};

/* Zeroed memory is empty. */
struct roster {
	struct contact *contacts; /* uthash, in order of arrival */
	unsigned pooled;	  /* resources beyond the contacts' shares */
};

void roster_finish(struct roster *roster);

/* roster_reset: the list begins anew, and all resources are removed. roster_settle: the list is
 * complete, and contacts that roster_item has not named since are no longer listed. */
void roster_reset(struct roster *roster);
void roster_settle(struct roster *roster);

/* -ENOSPC: there are ROSTER_MAX_CONTACTS; -EINVAL: longer than a JID can be; -ENOMEM. */
int roster_item(struct roster *roster, const char *jid, bool removed);

/* Presence. A JID came online, changed its priority or went offline; if a bare JID goes offline,
 * all its resources do. `features`: of the capabilities in the presence; 0 or
 * FEATURE_ANNOUNCED: a disco#info request is needed. Known features are kept until the resource
 * goes offline; a query that has failed is forgotten. A contact may have one resource too many then
 * (roster_is_crowded). -ENOSPC, -EINVAL, -ENOMEM as above. */
int roster_presence(struct roster *roster, const char *jid, bool available, int priority,
		    unsigned features);

/* The features of each resource of `jid`, full or bare, of which a query has failed are to be
 * queried again: at once if the resource was announced, otherwise after ROSTER_RETRY_MS. */
#define ROSTER_RETRY_MS 60000
void roster_retry(struct roster *roster, const char *jid, int64_t now_ms);

/* Whether `contact` has more resources than it may have. */
bool roster_is_crowded(const struct roster *roster, const struct contact *contact);

/*
 * The resource that a crowded contact can spare, of those whose `used` the caller has not set: one
 * that cannot take a stream before one whose features are not known, and this before one that can;
 * then the one with the lowest priority; then the one with the oldest presence. NULL: all are used.
 */
struct resource *roster_surplus(const struct contact *contact);

/* Forgets a resource of `contact`, which stays. */
void roster_forget(struct roster *roster, struct contact *contact, struct resource *resource);

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
