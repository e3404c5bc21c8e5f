/* SPDX-License-Identifier: MIT */
#include "account/query.h"

#include "xmpp/jid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A peer that does not answer in time counts as one without service discovery, this time. */
#define QUERY_TIMEOUT_MS 10000

static int send_query(struct account *account, enum msg_kind kind, const char *jid, int64_t now_ms)
{
	size_t size = strlen(jid) + 1;
	struct query *query = malloc(sizeof(*query) + size);
	char id[32];
	if (!query) {
		return -ENOMEM;
	}
	/* The stream needs some of its timeout itself. */
	int64_t timeout_ms = account->ibb.config.timeout_ms / 2;
	memcpy(query->jid, jid, size);
	query->number = ++account->last_query;
	query->deadline_ms =
		now_ms + (timeout_ms < QUERY_TIMEOUT_MS ? timeout_ms : QUERY_TIMEOUT_MS);
	snprintf(id, sizeof(id), "q%" PRIx64, query->number);
	struct msg request = {.kind = kind, .peer = jid, .id = id};
	int error = effects_send(&account->ibb.effects, &request);
	if (error) {
		free(query);
		return error;
	}
	DL_APPEND(account->queries, query);
	return 0;
}

int query_peer(struct account *account, const char *jid, int64_t now_ms)
{
	return send_query(account, MSG_INFO, jid, now_ms);
}

int query_resource(struct account *account, struct resource *resource, int64_t now_ms)
{
	if (resource->features_state != FEATURES_UNKNOWN) {
		return 0;
	}
	int error = query_peer(account, resource->jid, now_ms);
	if (!error) {
		resource->features_state = FEATURES_ASKED;
	}
	return error;
}

int query_server(struct account *account, int64_t now_ms)
{
	return send_query(account, MSG_PING, "", now_ms);
}

bool query_is_pending(const struct account *account, const char *jid)
{
	const struct query *query;
	DL_FOREACH (account->queries, query) {
		if (strcmp(query->jid, jid) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- answers ---- */

bool query_has_id(const struct msg *answer)
{
	return answer->id[0] == 'q';
}

/* Our server answers from its own JID, from that of our account, or without 'from'. */
static bool is_from_server(const struct account *account, const struct msg *answer)
{
	return answer->peer[0] == '\0' || jid_same_bare(answer->peer, account->jid) ||
	       account_is_server(account, answer->peer);
}

struct query *query_find(const struct account *account, const struct msg *answer)
{
	struct query *query;
	uint64_t number = strtoull(answer->id + 1, NULL, 16);
	DL_SEARCH_SCALAR(account->queries, query, number, number);
	if (!query) {
		return NULL;
	}
	bool is_server = query->jid[0] == '\0' && is_from_server(account, answer);
	return is_server || strcmp(query->jid, answer->peer) == 0 ? query : NULL;
}

unsigned query_features(const struct msg *answer)
{
	if (answer->kind == MSG_RESULT) {
		return answer->features | FEATURE_TOLD;
	}
	/* From a client without service discovery, or from the server of a client that is offline.
	 */
	return answer->condition == CONDITION_SERVICE_UNAVAILABLE ? FEATURE_SILENT : 0;
}

int query_error(const struct msg *answer)
{
	bool says_none = answer->condition == CONDITION_SERVICE_UNAVAILABLE ||
			 answer->condition == CONDITION_FEATURE_NOT_IMPLEMENTED ||
			 answer->condition == CONDITION_ITEM_NOT_FOUND;
	return answer->kind == MSG_RESULT || says_none ? 0
						       : condition_open_error(answer->condition);
}

void query_end(struct account *account, struct query *query, unsigned features, int error,
	       int64_t now_ms)
{
	struct resource *resource = roster_find_resource(&account->roster, query->jid);
	if (resource) {
		resource->features_state = error ? FEATURES_FAILED : FEATURES_KNOWN;
		resource->failure = error;
		resource->failed_ms = now_ms;
		/* The resource is online, whatever the answer says. */
		resource->features = features & ~(unsigned)FEATURE_SILENT;
	}
	if (query->jid[0] == '\0') {
		account->present = true;
	}
	DL_DELETE(account->queries, query);
	free(query);
}

void query_cancel(struct account *account, const char *jid)
{
	struct query *query, *next;
	DL_FOREACH_SAFE (account->queries, query, next) {
		if (strcmp(query->jid, jid) == 0) {
			DL_DELETE(account->queries, query);
			free(query);
		}
	}
}

void query_cancel_all(struct account *account)
{
	struct query *query, *next;
	account->present = false;
	DL_FOREACH_SAFE (account->queries, query, next) {
		DL_DELETE(account->queries, query);
		free(query);
	}
}

int64_t query_deadline(const struct account *account)
{
	/* All queries have the same timeout, so the oldest is due first. */
	return account->queries ? account->queries->deadline_ms : STREAM_NO_DEADLINE;
}
