/* SPDX-License-Identifier: MIT */
#include "account/access.h"

bool access_is_allowed(const struct account *account, const struct msg *msg)
{
	if (account_is_own(account, msg->peer) ||
	    (msg->kind != MSG_OPEN && msg->kind != MSG_SI && msg->kind != MSG_JINGLE &&
	     account_is_server(account, msg->peer))) {
		return true;
	}
	/* A peer to which we have opened a stream may ping us. */
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
		return node && node->directory.made;
	}
	return account->accept == ACCEPT_ANYONE;
}

bool access_is_partner(const struct account *account, const struct msg *msg)
{
	return msg->kind == MSG_JINGLE && offers_have(&account->offers, msg->peer, msg->sid);
}
