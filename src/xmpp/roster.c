/* SPDX-License-Identifier: MIT */
/* When memory is short, uthash leaves the entry out of the table (see add_contact). */
#define HASH_NONFATAL_OOM 1

#include "xmpp/roster.h"

#include "ibb/msg.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define STREAM_FEATURES (FEATURE_IBB | FEATURE_SI | FEATURE_JINGLE)

void roster_forget(struct roster *roster, struct contact *contact, struct resource *resource)
{
	roster->pooled -= contact->count > ROSTER_SHARE;
	contact->count--;
	DL_DELETE(contact->resources, resource);
	free(resource);
}

static void drop_resources(struct roster *roster, struct contact *contact)
{
	struct resource *resource, *next;
	DL_FOREACH_SAFE (contact->resources, resource, next) {
		roster_forget(roster, contact, resource);
	}
}

/* Forgets a contact that is neither on the roster nor online. */
static void drop_if_unknown(struct roster *roster, struct contact *contact)
{
	if (!contact->listed && !contact->resources) {
		HASH_DEL(roster->contacts, contact);
		free(contact);
	}
}

/* The contact of the bare JID in `jid`; a new one has nothing. -ENOSPC, -EINVAL, -ENOMEM. */
static int find_or_add(struct roster *roster, const char *jid, struct contact **found)
{
	size_t length = jid_bare_length(jid);
	*found = roster_find(roster, jid);
	if (*found) {
		return 0;
	}
	if (length > JID_MAX) {
		return -EINVAL;
	}
	if (HASH_COUNT(roster->contacts) >= ROSTER_MAX_CONTACTS) {
		return -ENOSPC;
	}
	struct contact *contact = calloc(1, sizeof(*contact) + length + 1);
	if (!contact) {
		return -ENOMEM;
	}
	memcpy(contact->jid, jid, length);
	HASH_ADD_KEYPTR(hh, roster->contacts, contact->jid, length, contact);
	if (!contact->hh.tbl) {
		free(contact);
		return -ENOMEM;
	}
	*found = contact;
	return 0;
}

void roster_finish(struct roster *roster)
{
	struct contact *contact, *next;
	HASH_ITER (hh, roster->contacts, contact, next) {
		drop_resources(roster, contact);
		/* The table is not used after its last entry. */
		/* NOLINTNEXTLINE(clang-analyzer-*) */
		HASH_DEL(roster->contacts, contact);
		free(contact);
	}
}

void roster_reset(struct roster *roster)
{
	struct contact *contact, *next;
	HASH_ITER (hh, roster->contacts, contact, next) {
		contact->stale = true;
		drop_resources(roster, contact);
		drop_if_unknown(roster, contact);
	}
}

void roster_settle(struct roster *roster)
{
	struct contact *contact, *next;
	HASH_ITER (hh, roster->contacts, contact, next) {
		if (contact->stale) {
			contact->stale = false;
			contact->listed = false;
			drop_if_unknown(roster, contact);
		}
	}
}

int roster_item(struct roster *roster, const char *jid, bool removed)
{
	struct contact *contact = roster_find(roster, jid);
	if (removed) {
		if (contact) {
			contact->listed = false;
			drop_if_unknown(roster, contact);
		}
		return 0;
	}
	int error = find_or_add(roster, jid, &contact);
	if (error) {
		return error;
	}
	contact->listed = true;
	contact->stale = false;
	return 0;
}

static struct resource *find_resource(const struct contact *contact, const char *jid)
{
	struct resource *resource;
	DL_FOREACH (contact->resources, resource) {
		if (strcmp(resource->jid, jid) == 0) {
			return resource;
		}
	}
	return NULL;
}

static int add_resource(struct roster *roster, const char *jid, int priority)
{
	size_t size = strlen(jid) + 1;
	struct contact *contact;
	if (size > JID_MAX + 1) {
		return -EINVAL;
	}
	struct resource *resource = calloc(1, sizeof(*resource) + size);
	if (!resource) {
		return -ENOMEM;
	}
	int error = find_or_add(roster, jid, &contact);
	if (error) {
		free(resource);
		return error;
	}
	memcpy(resource->jid, jid, size);
	resource->priority = priority;
	DL_PREPEND(contact->resources, resource);
	contact->count++;
	roster->pooled += contact->count > ROSTER_SHARE;
	return 0;
}

static void learn(struct resource *resource, unsigned features)
{
	if (resource && features == FEATURE_ANNOUNCED) {
		resource->announced = true;
	} else if (resource && features) {
		resource->features_state = FEATURES_KNOWN;
		resource->features = features;
	}
}

static void retry(struct resource *resource)
{
	if (resource->features_state == FEATURES_FAILED) {
		resource->features_state = FEATURES_UNKNOWN;
	}
}

void roster_retry(struct roster *roster, const char *jid, int64_t now_ms)
{
	struct contact *contact = roster_find(roster, jid);
	struct resource *resource;
	if (contact) {
		DL_FOREACH (contact->resources, resource) {
			if (resource->announced ||
			    now_ms - resource->failed_ms >= ROSTER_RETRY_MS) {
				retry(resource);
			}
		}
	}
}

int roster_presence(struct roster *roster, const char *jid, bool available, int priority,
		    unsigned features)
{
	struct contact *contact = roster_find(roster, jid);
	struct resource *resource = roster_find_resource(roster, jid);

	if (available) {
		if (!resource) {
			int error = add_resource(roster, jid, priority);
			learn(roster_find_resource(roster, jid), features);
			return error;
		}
		retry(resource);
		learn(resource, features);
		resource->priority = priority;
		DL_DELETE(contact->resources, resource);
		DL_PREPEND(contact->resources, resource);
		return 0;
	}
	if (resource && jid_resource(jid)) {
		roster_forget(roster, contact, resource);
	} else if (contact && !jid_resource(jid)) {
		drop_resources(roster, contact);
	}
	if (contact) {
		drop_if_unknown(roster, contact);
	}
	return 0;
}

struct contact *roster_find(const struct roster *roster, const char *jid)
{
	struct contact *contact;
	HASH_FIND(hh, roster->contacts, jid, jid_bare_length(jid), contact);
	return contact;
}

struct resource *roster_find_resource(const struct roster *roster, const char *jid)
{
	const struct contact *contact = roster_find(roster, jid);
	return contact ? find_resource(contact, jid) : NULL;
}

/* 0: it has none of the features; 1: not known; 2: it has one. */
static int rank(const struct resource *resource, unsigned features)
{
	enum features_state state = resource->features_state;
	/* Who does not answer has no features, unless its presence says that it is an ibbfs. */
	if (state != FEATURES_KNOWN && (state != FEATURES_FAILED || resource->announced)) {
		return 1;
	}
	return resource->features & features ? 2 : 0;
}

/* Whether `resource` is better for a stream than `other`, whose presence is more recent. */
static bool is_better(const struct resource *resource, const struct resource *other,
		      unsigned features)
{
	int difference = rank(resource, features) - rank(other, features);
	return difference > 0 || (difference == 0 && resource->priority > other->priority);
}

bool roster_is_crowded(const struct roster *roster, const struct contact *contact)
{
	return contact->count > ROSTER_MAX_RESOURCES ||
	       (contact->count > ROSTER_SHARE && roster->pooled > ROSTER_POOL);
}

struct resource *roster_surplus(const struct contact *contact)
{
	struct resource *worst = NULL, *resource;
	DL_FOREACH (contact->resources, resource) {
		if (!resource->used && (!worst || !is_better(resource, worst, STREAM_FEATURES))) {
			worst = resource;
		}
	}
	return worst;
}

struct resource *roster_choose(const struct contact *contact, unsigned features)
{
	struct resource *best = NULL, *resource;
	DL_FOREACH (contact->resources, resource) {
		if (!best || is_better(resource, best, features)) {
			best = resource;
		}
	}
	return best;
}
