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

static void drop_resources(struct contact *contact)
{
	struct resource *resource, *next;
	DL_FOREACH_SAFE (contact->resources, resource, next) {
		DL_DELETE(contact->resources, resource);
		free(resource);
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

/* A contact without anything, for the bare JID in `jid`. NULL when memory is short. */
static struct contact *add_contact(struct roster *roster, const char *jid)
{
	size_t length = jid_bare_length(jid);
	struct contact *contact = calloc(1, sizeof(*contact) + length + 1);
	if (!contact) {
		return NULL;
	}
	memcpy(contact->jid, jid, length);
	HASH_ADD_KEYPTR(hh, roster->contacts, contact->jid, length, contact);
	if (!contact->hh.tbl) {
		free(contact);
		return NULL;
	}
	return contact;
}

void roster_finish(struct roster *roster)
{
	struct contact *contact, *next;
	HASH_ITER (hh, roster->contacts, contact, next) {
		drop_resources(contact);
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
		drop_resources(contact);
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
	if (!contact) {
		contact = add_contact(roster, jid);
	}
	if (!contact) {
		return -ENOMEM;
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
	struct resource *resource = calloc(1, sizeof(*resource) + size);
	if (!resource) {
		return -ENOMEM;
	}
	struct contact *contact = roster_find(roster, jid);
	if (!contact) {
		contact = add_contact(roster, jid);
	}
	if (!contact) {
		free(resource);
		return -ENOMEM;
	}
	memcpy(resource->jid, jid, size);
	resource->priority = priority;
	DL_PREPEND(contact->resources, resource);
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
		learn(resource, features);
		resource->priority = priority;
		DL_DELETE(contact->resources, resource);
		DL_PREPEND(contact->resources, resource);
		return 0;
	}
	if (resource && jid_resource(jid)) {
		DL_DELETE(contact->resources, resource);
		free(resource);
	} else if (contact && !jid_resource(jid)) {
		drop_resources(contact);
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
	if (resource->features_state != FEATURES_KNOWN) {
		return 1;
	}
	return resource->features & features ? 2 : 0;
}

struct resource *roster_choose(const struct contact *contact, unsigned features)
{
	struct resource *best = NULL, *resource;
	DL_FOREACH (contact->resources, resource) {
		int difference = best ? rank(resource, features) - rank(best, features) : 1;
		if (difference > 0 || (difference == 0 && resource->priority > best->priority)) {
			best = resource;
		}
	}
	return best;
}
