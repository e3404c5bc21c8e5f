/* SPDX-License-Identifier: MIT */
#include "account/arrival.h"

#include "account/directory.h"
#include "account/folder.h"
#include "account/inbox_file.h"
#include "account/incoming.h"
#include "account/name.h"
#include "xmpp/jid.h"

#include <string.h>

/* A name in in/, or in a folder there, for a stream or an offer of `peer`; NULL when memory is
 * short, its JID is too long, or there are too many folders. */
static struct node *add_arrival(struct account *account, const char *peer, const char *title,
				const char *path, int64_t now_ms)
{
	char wanted[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
	char bare[JID_MAX + 1];
	size_t length = jid_bare_length(peer);
	char folder[NAME_MAX_FOLDER_BYTES + 1] = "";
	struct node *contact = NULL, *place = NULL, *node = NULL;

	if (length <= JID_MAX) {
		memcpy(bare, peer, length);
		bare[length] = '\0';
		contact = directory_show_contact(account, bare, NULL);
	}
	if (contact && name_folder_from_wire(folder, path) == 0) {
		place = folder_place(account, tree_only(contact, NODE_IN), folder, now_ms);
	}
	if (place) {
		name_from_wire(wanted, title);
		if (account->has_inbox) {
			name_avoid_part(wanted);
		}
		strcpy(name, wanted);
		for (unsigned n = 2; folder_is_taken(account, place, name); n++) {
			name_number(name, wanted, n);
		}
		node = tree_add(&account->tree, place, NODE_ARRIVED, name, NULL);
	}
	if (node) {
		node->file.arrival = ++account->last_arrival;
	}
	return node;
}

/* Hands the node to the inbox, if there is one; else to the parked readers. */
static void hand_over(struct account *account, struct node *node, int64_t now_ms)
{
	if (!account->has_inbox || inbox_file_add(account, node)) {
		incoming_announce(account, node, now_ms);
	}
}

void arrival_add_stream(struct account *account, struct stream *stream, int64_t now_ms)
{
	struct node *node =
		add_arrival(account, stream->peer, stream->name ? stream->name : stream->sid,
			    stream->folder ? stream->folder : "", now_ms);
	if (!node) {
		ibb_release(&account->ibb, stream, false, now_ms);
		return;
	}
	node->file.stream = stream;
	node->file.sample.taken_ms = now_ms;
	hand_over(account, node, now_ms);
}

void arrival_add_offer(struct account *account, struct offer *offer, int64_t now_ms)
{
	bool named = offer->name && offer->name[0] != '\0';
	struct node *node =
		add_arrival(account, offer->peer, named ? offer->name : offer->id, "", now_ms);
	if (!node) {
		offer_release(&account->offers, offer, now_ms);
		return;
	}
	node->file.offer = offer;
	offer->context = node;
	node->file.size = offer->size >= 0 ? (uint64_t)offer->size : 0;
	if (offer->date != METADATA_NO_DATE) {
		node->modified = (struct timespec){.tv_sec = offer->date};
	}
	node->file.sample.taken_ms = now_ms;
	hand_over(account, node, now_ms);
}
