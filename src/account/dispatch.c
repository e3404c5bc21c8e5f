/* SPDX-License-Identifier: MIT */
#include "account/dispatch.h"

#include "account/access.h"
#include "account/arrival.h"
#include "account/directory.h"
#include "account/name.h"
#include "account/poll.h"
#include "account/release.h"
#include "account/routing.h"
#include "account/shutdown.h"
#include "account/surplus.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- the connection ---- */

void dispatch_online(struct account *account, const char *full_jid, int64_t now_ms)
{
	char *copy = strdup(full_jid);
	if (jid_resource(account->jid) && strcmp(account->jid, full_jid) != 0) {
		/* The server has bound another resource, which no peer knows. */
		ibb_abandon(&account->ibb);
		offers_disconnect(&account->offers);
	}
	if (copy) {
		free(account->jid);
		account->jid = copy;
	}
	account->online = true;
	account->retry_ms = 0;
	free(account->reason);
	account->reason = NULL;
	roster_settle(&account->roster);
	directory_tidy_all(account);
	ibb_connect(&account->ibb, now_ms);
	routing_continue(account, now_ms);
}

void dispatch_offline(struct account *account, const char *reason, int64_t retry_ms, int64_t now_ms)
{
	free(account->reason);
	account->reason = strdup(reason); /* NULL when memory is short: `status` says less */
	account->online = false;
	account->retry_ms = retry_ms;
	if (account_is_away(account)) {
		routing_suspend(account);
	} else {
		routing_cancel(account, -ENETDOWN);
	}
	ibb_disconnect(&account->ibb, now_ms);
	offers_disconnect(&account->offers);
	roster_reset(&account->roster);
	directory_hide_resources(account, now_ms);
}

/* ---- roster and presence ---- */

void dispatch_roster_reset(struct account *account, int64_t now_ms)
{
	roster_reset(&account->roster);
	directory_hide_resources(account, now_ms);
}

bool dispatch_roster_item(struct account *account, const char *jid, bool removed)
{
	/* When memory is short, a contact is missing until the next connection. */
	int error = roster_item(&account->roster, jid, removed);
	if (error) {
		bool first = error == -ENOSPC && !account->is_roster_full;
		account->is_roster_full |= first;
		return first;
	}
	/* Some gateways are on the roster under a full JID. */
	if (!removed) {
		directory_show_contact(account, jid, NULL);
		return false;
	}
	struct node *contact = tree_contact(&account->tree, jid);
	if (contact) {
		directory_tidy(account, contact);
	}
	return false;
}

static void resource_gone(struct account *account, const char *jid, int64_t now_ms)
{
	struct node *contact = tree_contact(&account->tree, jid);
	ibb_peer_gone(&account->ibb, jid, now_ms);
	offers_peer_gone(&account->offers, jid);
	const struct resource *resource = roster_find_resource(&account->roster, jid);
	if (resource) {
		routing_forget(account, resource);
	}
	if (contact) {
		directory_hide_resource(account, jid, now_ms);
		directory_tidy(account, contact);
	}
}

bool dispatch_presence(struct account *account, const char *jid, bool available, int priority,
		       unsigned features, int64_t now_ms)
{
	if (strcmp(jid, account->jid) == 0) {
		return false; /* ours: no file is sent from here to here */
	}
	struct node *contact = tree_contact(&account->tree, jid);

	if (!available && !jid_resource(jid)) {
		struct contact *known = roster_find(&account->roster, jid);
		struct resource *resource;
		if (known) {
			DL_FOREACH (known->resources, resource) {
				resource_gone(account, resource->jid, now_ms);
			}
		}
	} else if (!available) {
		resource_gone(account, jid, now_ms);
	}
	const struct contact *known = roster_find(&account->roster, jid);
	if (available && !(known && known->listed) && !(contact && contact->directory.made) &&
	    !account_is_own(account, jid)) {
		return false; /* presence of strangers is not stored */
	}
	if (roster_presence(&account->roster, jid, available, priority, features)) {
		return false;
	}
	bool surplus =
		available && surplus_forget(account, roster_find(&account->roster, jid), now_ms);
	if (available && !contact && jid_resource(jid) && account_is_own(account, jid)) {
		directory_show_own(account);
	} else if (available && contact && roster_find_resource(&account->roster, jid)) {
		directory_show_resource(account, contact, jid);
	} else if (!available) {
		directory_tidy(account, tree_contact(&account->tree, jid));
	}
	if (available) {
		ibb_peer_back(&account->ibb, jid, now_ms);
	}
	routing_continue(account, now_ms);
	return surplus;
}

/* ---- stanzas ---- */

/* Whether `msg` initiates a stream or offers a file. */
static bool begins(const struct msg *msg)
{
	return msg->kind == MSG_OPEN || msg->kind == MSG_SI ||
	       (msg->kind == MSG_JINGLE && msg->metadata->action == JINGLE_SESSION_INITIATE);
}

static void answer_info(struct account *account, const struct msg *msg, int64_t now_ms)
{
	if (ibb_is_overloaded(&account->ibb, true) || ibb_is_mute(&account->ibb, now_ms)) {
		return;
	}
	struct msg answer = {
		.kind = MSG_RESULT,
		.peer = msg->peer,
		.id = msg->id,
		.node = msg->node,
		.answers_info = true,
	};
	effects_send(&account->ibb.effects, &answer); /* no memory: the peer sends it again */
}

/* What is received instead of an <open/> in a folder whose path cannot be. */
static struct msg refuse_folder(const struct msg *open)
{
	return (struct msg){
		.kind = MSG_UNKNOWN,
		.peer = open->peer,
		.id = open->id,
		.size = -1,
		.condition = CONDITION_BAD_REQUEST,
		.error_type = condition_type(CONDITION_BAD_REQUEST),
	};
}

/* An <open/> whose sender can skip what is in the inbox already. True: it was answered. False:
 * open->pieces says whether the inbox has something of the file. */
static bool find_part(struct account *account, struct msg *open, int64_t now_ms)
{
	if (ibb_has_stream(&account->ibb, open->peer, open->sid)) {
		return false; /* a retransmission */
	}
	enum arrival_part part = arrival_find_part(account, open, now_ms);
	open->pieces = part == ARRIVAL_PART;
	if (part != ARRIVAL_LATER) {
		return false;
	}
	if (!ibb_is_overloaded(&account->ibb, true)) {
		effects_send_wait(&account->ibb.effects, open->peer, open->id);
	}
	return true;
}

/* To the offers, or to the streams. */
static void receive_for_session(struct account *account, const struct msg *msg, bool allowed,
				int64_t now_us)
{
	bool offered = msg->kind == MSG_SI || msg->kind == MSG_JINGLE;
	if (offered && (allowed || access_is_partner(account, msg))) {
		if (!ibb_is_overloaded(&account->ibb, allowed)) {
			offers_receive(&account->offers, msg, now_us / 1000);
		}
	} else if (msg->kind != MSG_CLOSE || !offers_receive_close(&account->offers, msg)) {
		ibb_receive(&account->ibb, msg, allowed, now_us);
	}
}

static void take_arrivals(struct account *account, int64_t now_ms)
{
	struct stream *stream;
	while ((stream = ibb_take_arrived(&account->ibb))) {
		arrival_add_stream(account, stream, now_ms);
	}
	struct offer *offer;
	while ((offer = offers_take_arrived(&account->offers))) {
		arrival_add_offer(account, offer, now_ms);
	}
}

void dispatch_receive(struct account *account, const struct msg *msg, int64_t now_us)
{
	struct msg open;
	char folder[NAME_MAX_FOLDER_BYTES + 1];
	struct msg refused;
	if (msg->kind == MSG_OPEN && msg->folder && name_folder_from_wire(folder, msg->folder)) {
		refused = refuse_folder(msg);
		msg = &refused;
	}
	int64_t now_ms = now_us / 1000;
	bool allowed = access_is_allowed(account, msg);

	if ((msg->kind == MSG_RESULT || msg->kind == MSG_ERROR) &&
	    (routing_answer(account, msg, now_ms) ||
	     offers_answer(&account->offers, msg, now_ms))) {
		return;
	}
	if (msg->kind == MSG_INFO && allowed) {
		answer_info(account, msg, now_ms);
		return;
	}
	if (msg->kind == MSG_OPEN && msg->pieces && allowed && !account->stopping) {
		open = *msg;
		msg = &open;
		if (find_part(account, &open, now_ms)) {
			return;
		}
	}
	bool refuses = account->stopping && begins(msg);
	receive_for_session(account, msg, allowed && !refuses, now_us);
	take_arrivals(account, now_ms);
}

/* ---- calls that are over ---- */

/* Removes offers from in/ that were cancelled before they were accepted. */
static void drop_withdrawn(struct account *account, int64_t now_ms)
{
	struct offer *offer, *next;
	DL_FOREACH_SAFE (account->offers.all, offer, next) {
		if (offer->is_incoming && offer->owned && !offer->stream && offer_is_over(offer)) {
			account_drop(account, offer->context, now_ms);
		}
	}
}

struct op *dispatch_take_done(struct account *account, int64_t now_ms)
{
	offers_settle(&account->offers, now_ms);
	drop_withdrawn(account, now_ms);
	release_delivered(account, now_ms);
	poll_notify(account);
	if (account->stopping) {
		shutdown_break_delivered(account);
	}
	release_failed_opens(account, now_ms);
	return effects_take_done(&account->ibb.effects);
}
