/* SPDX-License-Identifier: MIT */
#include "account/surplus.h"

#include "account/directory.h"
#include "account/routing.h"
#include "xmpp/jid.h"

#include <utlist.h>

static void mark(const struct account *account, const char *jid)
{
	struct resource *resource = roster_find_resource(&account->roster, jid);
	if (resource) {
		resource->used = true;
	}
}

/* Sessions are few beside resources, and one contact may have a quarter of them. */
static void mark_used(const struct account *account, struct contact *contact)
{
	struct resource *resource;
	const struct stream *stream, *next;
	const struct offer *offer;
	const struct node *directory = tree_contact(&account->tree, contact->jid);
	const struct node *node = directory ? directory->children : NULL;
	DL_FOREACH (contact->resources, resource) {
		resource->used = false;
	}
	HASH_ITER (links.by_key, account->ibb.by_key, stream, next) {
		if (jid_same_bare(stream->peer, contact->jid)) {
			mark(account, stream->peer);
		}
	}
	DL_FOREACH (account->offers.all, offer) {
		if (!offer_is_over(offer) && jid_same_bare(offer->peer, contact->jid)) {
			mark(account, offer->peer);
		}
	}
	for (; node; node = node->next) {
		if (node->kind == NODE_RESOURCE && (node->directory.made || node->children)) {
			mark(account, node->directory.jid);
		}
	}
}

bool surplus_forget(struct account *account, struct contact *contact, int64_t now_ms)
{
	if (!roster_is_crowded(&account->roster, contact)) {
		return false;
	}
	mark_used(account, contact);
	struct resource *resource = roster_surplus(contact);
	if (!resource) {
		return false;
	}
	directory_hide_resource(account, resource->jid, now_ms);
	routing_forget(account, resource);
	roster_forget(&account->roster, contact, resource);
	bool first = !contact->crowded;
	contact->crowded = true;
	return first;
}
