/* SPDX-License-Identifier: MIT */
/*
 * query - requests of ours that are not answered yet: disco#info of a peer, and pings of our own
 * server.
 *
 * The answer to disco#info says what the peer supports. It is valid while the resource is online,
 * so each resource that the roster has is queried once. If the answer does not come, or is a
 * temporary error, the next stream queries again. The answer to a ping comes after all presence
 * that the server had for us before.
 *
 * An answer belongs to a query by its sender and its id.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0030 section 3, XEP-0199.
 */
#ifndef ACCOUNT_QUERY_H
#define ACCOUNT_QUERY_H

#include "account/account.h"

struct query {
	struct query *prev, *next; /* account.queries, oldest first */
	uint64_t number;	   /* that of the newest is account.last_query */
	int64_t deadline_ms;	   /* for the answer */
	char jid[];		   /* of the peer; "": our server */
};

/* Queries the features of a peer that the roster does not have. -ENOMEM. */
int query_peer(struct account *account, const char *jid, int64_t now_ms);

/* Queries the features of `resource`, unless they are known or were queried. -ENOMEM. */
int query_resource(struct account *account, struct resource *resource, int64_t now_ms);

/* Pings our server. -ENOMEM. */
int query_server(struct account *account, int64_t now_ms);

/* Whether a query of `jid`, or of our server (""), has no answer yet. */
bool query_is_pending(const struct account *account, const char *jid);

/* Whether `answer` has the id of a query, pending or not. */
bool query_has_id(const struct msg *answer);

/* The query that `answer` belongs to, or NULL. */
struct query *query_find(const struct account *account, const struct msg *answer);

/* What `answer` says of the peer's features (enum feature). */
unsigned query_features(const struct msg *answer);

/* 0: it says them, or that there are none; or -errno: another answer may say them later. */
int query_error(const struct msg *answer);

/* Ends and frees `query`: the resource has these features, the server has answered, or there was no
 * answer that says it: `error`. */
void query_end(struct account *account, struct query *query, unsigned features, int error,
	       int64_t now_ms);

/* Ends the queries of `jid` without an answer. */
void query_cancel(struct account *account, const char *jid);

/* The connection is down: ends all queries without an answer. */
void query_cancel_all(struct account *account);

/* When the first query times out, or STREAM_NO_DEADLINE. */
int64_t query_deadline(const struct account *account);

#endif
