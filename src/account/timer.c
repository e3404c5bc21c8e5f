/* SPDX-License-Identifier: MIT */
#include "account/timer.h"

#include "account/directory.h"
#include "account/query.h"
#include "account/routing.h"

#include <utlist.h>

int64_t timer_deadline(const struct account *account)
{
	int64_t deadline = ibb_deadline(&account->ibb);
	if (account->offers.deadline_ms < deadline) {
		deadline = account->offers.deadline_ms;
	}
	if (query_deadline(account) < deadline) {
		deadline = query_deadline(account);
	}
	return account->expiry_ms < deadline ? account->expiry_ms : deadline;
}

/* Whether the folder does not expire: it holds something, or is ours and something is being sent to
 * the contact. */
static bool is_needed(const struct node *folder)
{
	const struct node *above = node_above_folders(folder);
	return folder->children || (above->kind != NODE_IN && directory_has_sessions(above));
}

/* `hurry`: a name of a finished file expires early. */
static bool is_expired(const struct node *node, bool hurry, int64_t now_ms)
{
	bool early = hurry && node->file.summary.state;
	return node->file.expires_ms <=
	       now_ms + (early ? ACCOUNT_FINISHED_MS - ACCOUNT_HURRY_MS : 0);
}

/* Removes the names below `directory` that have expired. */
static void expire(struct account *account, struct node *directory, bool hurry, int64_t now_ms)
{
	struct node *child, *next;
	DL_FOREACH_SAFE (directory->children, child, next) {
		if (child->kind == NODE_FOLDER && is_needed(child)) {
			account_expire_folder(account, child, now_ms);
			expire(account, child, hurry, now_ms); /* which may remove it */
		} else if (is_expired(child, hurry, now_ms)) {
			account_drop(account, child, now_ms);
		} else if (child->file.expires_ms < account->expiry_ms) {
			account->expiry_ms = child->file.expires_ms;
		} else {
			expire(account, child, hurry, now_ms);
		}
	}
}

void timer_tick(struct account *account, int64_t now_ms)
{
	ibb_tick(&account->ibb, now_ms);
	offers_tick(&account->offers, now_ms);
	routing_tick(account, now_ms);
	if (now_ms >= account->expiry_ms) {
		bool hurry = account->finished > ACCOUNT_MANY_FINISHED;
		account->expiry_ms = NODE_NEVER;
		account->finished = 0;
		expire(account, account->tree.root, hurry, now_ms);
		if (account->expiry_ms < now_ms + ACCOUNT_EXPIRY_MS) {
			account->expiry_ms = now_ms + ACCOUNT_EXPIRY_MS;
		}
		directory_tidy_all(account);
	}
}
