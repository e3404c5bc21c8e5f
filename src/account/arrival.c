/* SPDX-License-Identifier: MIT */
#include "account/arrival.h"

#include "account/directory.h"
#include "account/folder.h"
#include "account/inbox_file.h"
#include "account/inbox_part.h"
#include "account/incoming.h"
#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Whether the file of `open` will get the name of `node`, whose own file is being received from a
 * sender that may be gone. */
static bool takes_over(struct account *account, const struct node *node, const struct msg *open,
		       int64_t now_ms)
{
	struct stream *stream = node->inbox.state == INBOX_RECEIVING ? node->file.stream : NULL;
	enum stream_sender sender =
		stream ? stream_check_sender(stream, open->peer, now_ms) : STREAM_SENDER_THERE;
	if (sender == STREAM_SENDER_GONE) {
		ibb_abort(&account->ibb, stream, -ECONNRESET);
	}
	return sender != STREAM_SENDER_THERE;
}

/* `goes_on`: the file may go on with its part. Then it may have the name of the part. */
static bool is_taken(struct account *account, const struct node *place, const char *name,
		     bool goes_on)
{
	bool is_part = inbox_part_is_of(tree_child(&account->tree, place, name), name);
	return !(goes_on && is_part) && folder_is_taken(account, place, name);
}

/* The name in `place` (NULL: nothing is there) for a file that its sender calls `title`. False: the
 * file of `open` is to have the name of a file whose sender seems to be gone. Without `open`:
 * never.
 */
static bool choose_name(struct account *account, struct node *place, const char *title,
			const struct msg *open, bool goes_on, char name[NAME_MAX_BYTES + 1],
			int64_t now_ms)
{
	char wanted[NAME_MAX_BYTES + 1];
	name_from_wire(wanted, title);
	if (account->has_inbox) {
		name_avoid_part(wanted);
	}
	strcpy(name, wanted);
	for (unsigned n = 2; place && is_taken(account, place, name, goes_on); n++) {
		if (open &&
		    takes_over(account, tree_child(&account->tree, place, name), open, now_ms)) {
			return false;
		}
		name_number(name, wanted, n);
	}
	return true;
}

/* Adds the file to `place`. If it goes on with a part, the name of the part is removed. */
static struct node *add_name(struct account *account, struct node *place, const char *title,
			     bool goes_on, int64_t now_ms)
{
	char name[NAME_MAX_BYTES + 1];
	choose_name(account, place, title, NULL, goes_on, name, now_ms);
	struct node *part = tree_child(&account->tree, place, name);
	if (part) {
		inbox_part_hide(account, part);
	}
	return tree_add(&account->tree, place, NODE_ARRIVED, name, NULL);
}

/* A name in in/, or in a folder there, for a stream or an offer of `peer`; NULL when memory is
 * short, its JID is too long, or there are too many folders. */
static struct node *add_arrival(struct account *account, const char *peer, const char *title,
				const char *path, bool goes_on, int64_t now_ms)
{
	char folder[NAME_MAX_FOLDER_BYTES + 1] = "";
	struct node *contact = directory_show_contact(account, peer, NULL);
	struct node *place = NULL, *node = NULL;

	if (contact && name_folder_from_wire(folder, path) == 0) {
		place = folder_place(account, tree_only(contact, NODE_IN), folder, now_ms);
	}
	if (place) {
		node = add_name(account, place, title, goes_on && account->has_inbox, now_ms);
	}
	if (node) {
		node->file.arrival = ++account->last_arrival;
	}
	return node;
}

/* The place in in/ for a file of `contact`, if it is there; NULL: nothing has come there yet. */
static struct node *find_place(const struct account *account, const struct node *contact,
			       const char *folder)
{
	char component[NAME_MAX_BYTES + 1];
	struct node *place = contact ? tree_only(contact, NODE_IN) : NULL;
	while (place && name_take_component(&folder, component)) {
		place = tree_child(&account->tree, place, component);
	}
	return place && node_is_directory(place) ? place : NULL;
}

enum arrival_part arrival_find_part(struct account *account, const struct msg *open, int64_t now_ms)
{
	char bare[JID_MAX + 1], directory[NAME_MAX_BYTES + 1];
	char folder[NAME_MAX_FOLDER_BYTES + 1] = "";
	char name[NAME_MAX_BYTES + 1], part[NAME_MAX_BYTES + 1];
	char path[2 * NAME_MAX_BYTES + NAME_MAX_FOLDER_BYTES + 3];
	size_t length = jid_bare_length(open->peer);
	if (!account->has_inbox || !open->name || length > JID_MAX ||
	    (open->folder && name_folder_from_wire(folder, open->folder))) {
		return ARRIVAL_NEW;
	}
	snprintf(bare, sizeof(bare), "%.*s", (int)length, open->peer);
	const struct node *contact = tree_contact(&account->tree, bare);
	if (!choose_name(account, find_place(account, contact, folder), open->name, open, true,
			 name, now_ms)) {
		return ARRIVAL_LATER;
	}
	if (!contact && !name_from_jid(directory, bare)) {
		return ARRIVAL_NEW;
	}
	parts_name(part, name);
	snprintf(path, sizeof(path), "%s/%s%s%s", contact ? contact->name : directory, folder,
		 folder[0] != '\0' ? "/" : "", part);
	return parts_have(account->parts, path) ? ARRIVAL_PART : ARRIVAL_NEW;
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
	bool named = stream->name != NULL;
	struct node *node = add_arrival(account, stream->peer, named ? stream->name : stream->sid,
					stream->folder ? stream->folder : "", named, now_ms);
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
	struct node *node = add_arrival(account, offer->peer, named ? offer->name : offer->id, "",
					inbox_file_digest_of_rest(offer) != HASH_NONE, now_ms);
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
