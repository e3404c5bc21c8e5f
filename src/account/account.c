/* SPDX-License-Identifier: MIT */
#include "account/account.h"

#include "xmpp/jid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int account_init(struct account *account, const struct stream_config *config, unsigned max_streams,
		 enum access accept, const char *jid, uid_t uid, gid_t gid)
{
	*account = (struct account){.accept = accept, .expiry_ms = NODE_NEVER, .announced = 1};
	ibb_init(&account->ibb, config, max_streams);
	offers_init(&account->offers, &account->ibb);
	account->jid = strdup(jid);
	if (!account->jid || tree_init(&account->tree, uid, gid)) {
		free(account->jid);
		return -ENOMEM;
	}
	return 0;
}

void account_number_requests(struct account *account, uint64_t last)
{
	account->ibb.last_number = last;
	account->offers.last_number = last;
	account->offers.last_other = last;
	account->last_query = last;
}

void account_finish(struct account *account)
{
	struct inbox_arrival *arrival, *next;
	DL_FOREACH_SAFE (account->arrivals, arrival, next) {
		free(arrival);
	}
	offers_finish(&account->offers);
	ibb_finish(&account->ibb);
	tree_finish(&account->tree);
	parts_finish(&account->parts);
	roster_finish(&account->roster);
	free(account->reason);
	free(account->jid);
}

/* ---- files that come and go ---- */

void account_expire_at(struct account *account, struct node *node, int64_t when_ms)
{
	node->file.expires_ms = when_ms;
	if (when_ms < account->expiry_ms) {
		account->expiry_ms = when_ms;
	}
}

void account_finish_file(struct account *account, struct node *node, bool good_order,
			 int64_t now_ms)
{
	struct stream *stream = node->file.stream;
	struct offer *offer = node->file.offer;
	if (stream) {
		node->file.size = node->file.spooled ? node->file.size : stream_size(stream);
		stream_close(stream, good_order, now_ms);
	}
	stream_file_keep_summary(&node->file);
	node->file.stream = NULL;
	node->file.offer = NULL;
	node->file.spooled = false;
	if (offer) {
		offer_release(&account->offers, offer, now_ms);
	}
	if (stream) {
		/* An ibbfs still says what has become of the file. */
		bool tells =
			node->kind == NODE_OUTGOING && stream->session.features & FEATURE_IBBFS;
		stream_follow(tells ? stream : NULL, &node->file.ending);
		ibb_release(&account->ibb, stream, good_order, now_ms);
	}
	account_expire_at(account, node, now_ms + ACCOUNT_FINISHED_MS);
	account->finished++;
	if (account->finished > ACCOUNT_MANY_FINISHED &&
	    account->expiry_ms > now_ms + ACCOUNT_EXPIRY_MS) {
		account->expiry_ms = now_ms + ACCOUNT_EXPIRY_MS;
	}
}

int account_accept(struct account *account, struct node *node, int64_t now_ms)
{
	int error = 0;
	if (!node->file.stream && node->file.offer) {
		node->file.stream =
			offer_accept(&account->offers, node->file.offer, &error, now_ms);
	}
	return error;
}

void account_expire_folder(struct account *account, struct node *folder, int64_t now_ms)
{
	const struct node *above = node_above_folders(folder);
	bool received = above && above->kind == NODE_IN;
	account_expire_at(account, folder,
			  now_ms + (received ? ACCOUNT_FINISHED_MS : ACCOUNT_FOLDER_MS));
}

void account_remove(struct account *account, struct node *node, int64_t now_ms)
{
	struct node *parent = node->parent, *child, *next;
	DL_FOREACH_SAFE (node->children, child, next) {
		account_remove(account, child, now_ms);
	}
	if (node->inbox.state == INBOX_RECEIVING) {
		node->inbox.error = -ECONNRESET; /* for its readers */
	}
	/* The last handle releases the stream; that of a file in the inbox belongs to none. */
	if (node->file.stream && node->handles > 0 && !node->inbox.state) {
		ibb_abort(&account->ibb, node->file.stream, -ECONNRESET);
	} else if (node->file.stream || node->file.offer) {
		account_finish_file(account, node, false, now_ms);
	}
	tree_detach(&account->tree, node);
	if (parent && parent->kind == NODE_FOLDER && !parent->children) {
		account_expire_folder(account, parent, now_ms);
	}
}

void account_drop(struct account *account, struct node *node, int64_t now_ms)
{
	struct node *parent = node->parent;
	const struct node *above = node_above_folders(parent);
	bool received = above && above->kind == NODE_IN;
	account_remove(account, node, now_ms);
	while (received && parent->kind == NODE_FOLDER && !parent->children) {
		node = parent;
		parent = node->parent;
		tree_detach(&account->tree, node);
	}
}

/* ---- the connection ---- */

bool account_is_away(const struct account *account)
{
	return !account->online && account->retry_ms != 0 && account->ibb.config.reconnect_ms > 0;
}

bool account_is_server(const struct account *account, const char *jid)
{
	const char *at = strchr(account->jid, '@');
	size_t length = at ? jid_bare_length(at + 1) : 0;
	return at && strlen(jid) == length && strncmp(at + 1, jid, length) == 0;
}

bool account_is_own(const struct account *account, const char *jid)
{
	return jid[0] == '\0' || jid_same_bare(account->jid, jid);
}

void account_login(struct account *account, size_t max_stanza)
{
	ibb_limit_stanzas(&account->ibb, max_stanza);
}

struct msg *account_next(struct account *account, int64_t now_us)
{
	return account->online ? ibb_next(&account->ibb, now_us) : NULL;
}

void account_drained(struct account *account)
{
	ibb_complete_reads(&account->ibb);
}

/* ---- calls that wait ---- */

void account_complete(struct account *account, struct op *op, ssize_t result)
{
	op_complete(op, result, &account->ibb.effects.done);
}
