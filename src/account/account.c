/* SPDX-License-Identifier: MIT */
#include "account/account.h"

#include "account/directory.h"
#include "account/file.h"
#include "account/inbox_file.h"
#include "account/incoming.h"
#include "account/name.h"
#include "account/resolver.h"
#include "account/spool_file.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int account_init(struct account *account, const struct stream_config *config, unsigned max_streams,
		 enum accept accept, const char *jid, uid_t uid, gid_t gid)
{
	*account = (struct account){.accept = accept, .expiry_ms = TREE_NEVER};
	ibb_init(&account->ibb, config, max_streams);
	offers_init(&account->offers, &account->ibb);
	account->jid = strdup(jid);
	if (!account->jid || tree_init(&account->tree, uid, gid)) {
		free(account->jid);
		return -ENOMEM;
	}
	return 0;
}

void account_finish(struct account *account)
{
	struct arrival *arrival, *next;
	DL_FOREACH_SAFE (account->arrivals, arrival, next) {
		free(arrival);
	}
	offers_finish(&account->offers);
	ibb_finish(&account->ibb);
	tree_finish(&account->tree);
	roster_finish(&account->roster);
	free(account->reason);
	free(account->jid);
}

/* ---- files that come and go ---- */

void account_expire_at(struct account *account, struct node *node, int64_t when_ms)
{
	node->expires_ms = when_ms;
	if (when_ms < account->expiry_ms) {
		account->expiry_ms = when_ms;
	}
}

void account_finish_file(struct account *account, struct node *node, bool good_order,
			 int64_t now_ms)
{
	struct stream *stream = node->stream;
	struct offer *offer = node->offer;
	if (stream) {
		node->size = node->spooled ? node->size : stream_size(stream);
		stream_close(stream, good_order, now_ms);
	}
	node_keep_summary(node);
	node->stream = NULL;
	node->offer = NULL;
	node->spooled = false;
	if (offer) {
		offer_release(&account->offers, offer, now_ms);
	}
	if (stream) {
		ibb_release(&account->ibb, stream, good_order, now_ms);
	}
	account_expire_at(account, node, now_ms + ACCOUNT_FINISHED_MS);
}

int account_accept(struct account *account, struct node *node, int64_t now_ms)
{
	int error = 0;
	if (!node->stream && node->offer) {
		node->stream = offer_accept(&account->offers, node->offer, &error, now_ms);
	}
	return error;
}

void account_drop(struct account *account, struct node *node, int64_t now_ms)
{
	if (node->stream && node->handles > 0) {
		ibb_abort(&account->ibb, node->stream, -ECONNRESET);
	} else if (node->stream || node->offer) {
		account_finish_file(account, node, false, now_ms);
	}
	tree_detach(&account->tree, node);
}

/* ---- from the wire ---- */

void account_login(struct account *account, size_t max_stanza)
{
	ibb_limit_stanzas(&account->ibb, max_stanza);
}

void account_online(struct account *account, const char *full_jid, int64_t now_ms)
{
	char *copy = strdup(full_jid);
	if (jid_resource(account->jid) && strcmp(account->jid, full_jid) != 0) {
		/* The server has given us another name: under this one no peer knows us. */
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
	resolver_continue(account, now_ms);
}

bool account_is_away(const struct account *account)
{
	return !account->online && account->retry_ms != 0 && account->ibb.config.reconnect_ms > 0;
}

void account_offline(struct account *account, const char *reason, int64_t retry_ms, int64_t now_ms)
{
	free(account->reason);
	account->reason = strdup(reason); /* short of memory, status says less */
	account->online = false;
	account->retry_ms = retry_ms;
	if (account_is_away(account)) {
		resolver_suspend(account);
	} else {
		resolver_cancel(account, -ENETDOWN);
	}
	ibb_disconnect(&account->ibb, now_ms);
	offers_disconnect(&account->offers);
	roster_reset(&account->roster);
	directory_hide_resources(account, now_ms);
}

void account_roster_reset(struct account *account, int64_t now_ms)
{
	roster_reset(&account->roster);
	directory_hide_resources(account, now_ms);
}

void account_roster_item(struct account *account, const char *jid, bool removed)
{
	/* Short of memory, a contact is missing until the next connection. */
	if (roster_item(&account->roster, jid, removed)) {
		return;
	}
	if (!removed) {
		directory_show_contact(account, jid, NULL);
		return;
	}
	struct node *contact = tree_contact(&account->tree, jid);
	if (contact) {
		directory_tidy(account, contact);
	}
}

static void resource_gone(struct account *account, const char *jid, int64_t now_ms)
{
	struct node *contact = tree_contact(&account->tree, jid);
	ibb_peer_gone(&account->ibb, jid, now_ms);
	offers_peer_gone(&account->offers, jid);
	if (contact) {
		directory_hide_resource(account, contact, jid, now_ms);
		directory_tidy(account, contact);
	}
}

/* Our own account, under whatever resource, or the server that speaks for it. */
static bool is_own(const struct account *account, const char *jid)
{
	return jid[0] == '\0' || jid_same_bare(account->jid, jid);
}

void account_presence(struct account *account, const char *jid, bool available, int priority,
		      unsigned features, int64_t now_ms)
{
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
	if (available && !(known && known->listed) && !(contact && contact->made) &&
	    !is_own(account, jid)) {
		return; /* a stranger's costs us nothing */
	}
	if (roster_presence(&account->roster, jid, available, priority, features)) {
		return;
	}
	if (available && contact && jid_resource(jid)) {
		directory_show_resource(account, contact, jid);
	}
	if (available) {
		ibb_peer_back(&account->ibb, jid, now_ms);
	}
	resolver_continue(account, now_ms);
}

bool account_is_server(const struct account *account, const char *jid)
{
	const char *at = strchr(account->jid, '@');
	size_t length = at ? jid_bare_length(at + 1) : 0;
	return at && strlen(jid) == length && strncmp(at + 1, jid, length) == 0;
}

/* DESIGN section 4: to anyone else it looks as if nobody were there. */
static bool is_allowed(const struct account *account, const struct msg *msg)
{
	if (is_own(account, msg->peer) ||
	    (msg->kind != MSG_OPEN && msg->kind != MSG_SI && msg->kind != MSG_JINGLE &&
	     account_is_server(account, msg->peer))) {
		return true;
	}
	/* To whom we opened a stream, we are there: it asks whether we still are. */
	if ((msg->kind == MSG_PING || msg->kind == MSG_INFO) &&
	    ibb_has_peer(&account->ibb, msg->peer)) {
		return true;
	}
	if (account->accept == ACCEPT_CONTACTS) {
		const struct contact *contact = roster_find(&account->roster, msg->peer);
		if (contact && contact->listed) {
			return true;
		}
		const struct node *node = tree_contact(&account->tree, msg->peer);
		return node && node->made;
	}
	return account->accept == ACCEPT_ANYONE;
}

/* Somebody to whom we offer a file answers by a request: its session. */
static bool is_partner(const struct account *account, const struct msg *msg)
{
	return msg->kind == MSG_JINGLE && offers_have(&account->offers, msg->peer, msg->sid);
}

/* Whether a new stream must find another name. What was read to its end leaves its name to the
 * next one: what a stream is called must not depend on how long ago that was. */
static bool is_taken(struct account *account, const struct node *in, const char *name)
{
	struct node *node = tree_child(&account->tree, in, name);
	if (node && node->kind == NODE_ARRIVED && !node->stream && !node->offer && !node->inbox &&
	    node->handles == 0) {
		tree_detach(&account->tree, node);
		node = NULL;
	}
	return node != NULL;
}

/* A name in in/ for what `peer` sends; NULL when memory is short, or its JID is too long. */
static struct node *add_arrival(struct account *account, const char *peer, const char *title)
{
	char wanted[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
	char bare[JID_MAX + 1];
	size_t length = jid_bare_length(peer);
	struct node *contact = NULL, *node = NULL;

	if (length <= JID_MAX) {
		memcpy(bare, peer, length);
		bare[length] = '\0';
		contact = directory_show_contact(account, bare, NULL);
	}
	if (contact) {
		struct node *in = tree_only(contact, NODE_IN);
		name_from_wire(wanted, title);
		strcpy(name, wanted);
		for (unsigned n = 2; is_taken(account, in, name); n++) {
			name_number(name, wanted, n);
		}
		node = tree_add(&account->tree, in, NODE_ARRIVED, name, NULL);
	}
	if (node) {
		node->arrival = ++account->last_arrival;
	}
	return node;
}

/* To the inbox, or to who waits for something to arrive. */
static void hand_over(struct account *account, struct node *node, int64_t now_ms)
{
	if (!account->has_inbox || inbox_file_add(account, node)) {
		incoming_announce(account, node, now_ms);
	}
}

static void place_stream(struct account *account, struct stream *stream, int64_t now_ms)
{
	struct node *node =
		add_arrival(account, stream->peer, stream->name ? stream->name : stream->sid);
	if (!node) {
		ibb_release(&account->ibb, stream, false, now_ms);
		return;
	}
	node->stream = stream;
	node->sample.taken_ms = now_ms;
	hand_over(account, node, now_ms);
}

static void place_offer(struct account *account, struct offer *offer, int64_t now_ms)
{
	bool named = offer->name && offer->name[0] != '\0';
	struct node *node = add_arrival(account, offer->peer, named ? offer->name : offer->id);
	if (!node) {
		offer_release(&account->offers, offer, now_ms);
		return;
	}
	node->offer = offer;
	offer->context = node;
	node->size = offer->size >= 0 ? (uint64_t)offer->size : 0;
	if (offer->date != TERMS_NO_DATE) {
		node->modified = (struct timespec){.tv_sec = offer->date};
	}
	node->sample.taken_ms = now_ms;
	hand_over(account, node, now_ms);
}

/* Takes out of in/ what was offered, and is not any more. */
static void drop_withdrawn(struct account *account, int64_t now_ms)
{
	struct offer *offer, *next;
	DL_FOREACH_SAFE (account->offers.all, offer, next) {
		if (offer->incoming && offer->owned && !offer->stream && offer_is_over(offer)) {
			account_drop(account, offer->context, now_ms);
		}
	}
}

/* Whether `msg` begins something: a stream, or a file that is offered. */
static bool begins(const struct msg *msg)
{
	return msg->kind == MSG_OPEN || msg->kind == MSG_SI ||
	       (msg->kind == MSG_JINGLE && msg->terms->action == JINGLE_SESSION_INITIATE);
}

void account_receive(struct account *account, const struct msg *msg, int64_t now_us)
{
	int64_t now_ms = now_us / 1000;
	bool allowed = is_allowed(account, msg);

	if ((msg->kind == MSG_RESULT || msg->kind == MSG_ERROR) &&
	    (resolver_answer(account, msg, now_ms) ||
	     offers_answer(&account->offers, msg, now_ms))) {
		return;
	}
	if (msg->kind == MSG_INFO && allowed) {
		if (ibb_is_flooded(&account->ibb, allowed) || ibb_is_mute(&account->ibb, now_ms)) {
			return;
		}
		/* Short of memory, the peer asks again. */
		effects_send(&account->ibb.effects, &(struct msg){.kind = MSG_RESULT,
								  .peer = msg->peer,
								  .id = msg->id,
								  .node = msg->node,
								  .answers_info = true});
		return;
	}
	bool offered = msg->kind == MSG_SI || msg->kind == MSG_JINGLE;
	if (account->stopping && begins(msg)) {
		allowed = false;
	}
	if (offered && (allowed || is_partner(account, msg))) {
		if (!ibb_is_flooded(&account->ibb, allowed)) {
			offers_receive(&account->offers, msg, now_ms);
		}
	} else if (msg->kind != MSG_CLOSE || !offers_receive_close(&account->offers, msg)) {
		ibb_receive(&account->ibb, msg, allowed, now_us);
	}
	struct stream *stream;
	while ((stream = ibb_take_arrived(&account->ibb))) {
		place_stream(account, stream, now_ms);
	}
	struct offer *offer;
	while ((offer = offers_take_arrived(&account->offers))) {
		place_offer(account, offer, now_ms);
	}
}

void account_drained(struct account *account)
{
	ibb_serve_readers(&account->ibb);
}

struct msg *account_next(struct account *account, int64_t now_us)
{
	return account->online ? ibb_next(&account->ibb, now_us) : NULL;
}

/* ---- for whoever holds the lock ---- */

static void close_failed_opens(struct account *account, int64_t now_ms)
{
	struct op *op;
	/* Releasing a file may complete further ops; the loop meets them too. */
	DL_FOREACH (account->ibb.effects.done, op) {
		if (op->kind == OP_OPEN && op->result < 0 && op->context) {
			file_open_failed(account, op->context, now_ms);
			op->context = NULL;
		}
	}
}

/* Closes every open file. An open that still waits has failed, and its handle goes with it. What
 * nobody has open any more goes with its offer. */
static void close_files(struct account *account, int64_t now_ms)
{
	struct handle *handle, *next;
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->file ? handle->file->stream : NULL;
		if (stream && stream->state < STREAM_OPEN) {
			ibb_abort(&account->ibb, stream, -ECONNABORTED);
		}
	}
	close_failed_opens(account, now_ms);
	DL_FOREACH_SAFE (account->handles, handle, next) {
		if (!handle->left) {
			file_release(account, handle, now_ms);
		}
	}
}

/* While the mount ends: streams whose user has not closed them break once they have delivered what
 * was written. A file that was flushed is about to be closed. */
static void break_delivered(struct account *account)
{
	struct handle *handle;
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->file ? handle->file->stream : NULL;
		if (stream && !handle->flushed &&
		    (!handle->writable || stream_is_delivered(stream))) {
			ibb_abort(&account->ibb, stream, -ECONNRESET);
		}
	}
}

void account_complete(struct account *account, struct op *op, ssize_t result)
{
	op_complete(op, result, &account->ibb.effects.done);
}

struct op *account_take_done(struct account *account, int64_t now_ms)
{
	offers_settle(&account->offers, now_ms);
	drop_withdrawn(account, now_ms);
	spool_file_tidy(account, now_ms);
	file_notify_pollers(account);
	if (account->stopping) {
		break_delivered(account);
	}
	close_failed_opens(account, now_ms);
	return effects_take_done(&account->ibb.effects);
}

int64_t account_deadline(const struct account *account)
{
	int64_t deadline = ibb_deadline(&account->ibb);
	if (account->offers.deadline_ms < deadline) {
		deadline = account->offers.deadline_ms;
	}
	if (resolver_deadline(account) < deadline) {
		deadline = resolver_deadline(account);
	}
	return account->expiry_ms < deadline ? account->expiry_ms : deadline;
}

/* Takes out the names below `directory` whose time has come. */
static void expire(struct account *account, struct node *directory, int64_t now_ms)
{
	struct node *child, *next;
	DL_FOREACH_SAFE (directory->children, child, next) {
		if (child->expires_ms <= now_ms) {
			account_drop(account, child, now_ms);
		} else if (child->expires_ms < account->expiry_ms) {
			account->expiry_ms = child->expires_ms;
		} else {
			expire(account, child, now_ms);
		}
	}
}

void account_tick(struct account *account, int64_t now_ms)
{
	ibb_tick(&account->ibb, now_ms);
	offers_tick(&account->offers, now_ms);
	resolver_tick(account, now_ms);
	if (now_ms >= account->expiry_ms) {
		account->expiry_ms = TREE_NEVER;
		expire(account, account->tree.root, now_ms);
		if (account->expiry_ms < now_ms + ACCOUNT_EXPIRY_MS) {
			account->expiry_ms = now_ms + ACCOUNT_EXPIRY_MS;
		}
		directory_tidy_all(account);
	}
}

/* Ends every read that waits for a stream to arrive. */
static void dismiss_waiters(struct account *account)
{
	struct node *node, *next;
	op_complete_all(&account->pollers, 0, &account->ibb.effects.done);
	HASH_ITER (hh, account->tree.nodes, node, next) {
		op_complete_all(&node->waiters, -ECONNABORTED, &account->ibb.effects.done);
	}
}

void account_stop(struct account *account, bool unmounted, int64_t now_ms)
{
	struct node *node, *next;
	struct handle *handle;
	account->stopping = true;
	resolver_cancel(account, -ECONNABORTED);
	dismiss_waiters(account);
	if (unmounted) {
		close_files(account, now_ms);
	}
	DL_FOREACH (account->handles, handle) {
		if (handle->file && handle->file->stream) {
			stream_push(handle->file->stream);
		}
	}
	break_delivered(account);
	offers_stop(&account->offers);
	/* What nobody has opened will not be read. */
	HASH_ITER (hh, account->tree.nodes, node, next) {
		if (node->kind != NODE_ARRIVED || node->handles > 0) {
			continue;
		}
		if (node->stream) {
			ibb_abort(&account->ibb, node->stream, -ECONNRESET);
		} else if (node->offer) {
			account_finish_file(account, node, false, now_ms);
		}
	}
}

bool account_is_drained(const struct account *account)
{
	struct handle *handle;
	DL_FOREACH (account->handles, handle) {
		struct stream *stream = handle->file ? handle->file->stream : NULL;
		/* It was being flushed; its release, and with it <close/>, comes next. */
		if (stream && !stream_is_over(stream)) {
			return false;
		}
	}
	return offers_are_drained(&account->offers) && ibb_is_drained(&account->ibb);
}

void account_abandon(struct account *account, int64_t now_ms)
{
	struct node *node, *next;

	account->stopping = true;
	resolver_cancel(account, -ECONNABORTED);
	dismiss_waiters(account);
	if (account->online) {
		ibb_reset(&account->ibb); /* or peers would wait for us to come back */
	} else {
		ibb_abandon(&account->ibb);
	}
	offers_disconnect(&account->offers);
	offers_settle(&account->offers, now_ms);
	spool_file_tidy(account, now_ms);
	close_files(account, now_ms);
	HASH_ITER (hh, account->tree.nodes, node, next) {
		if (node->stream || node->offer) {
			account_finish_file(account, node, false, now_ms);
		}
	}
}
