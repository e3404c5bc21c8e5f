/* SPDX-License-Identifier: MIT */
/*
 * routing - which resource of a contact a stream goes to: from a directory to a full JID.
 *
 * A contact's directory stands for its best resource that is online. Service discovery (disco#info)
 * says whether a resource can take a stream, and whether it is an ibbfs. A resource is queried
 * (query.h) when the first stream is opened; the number of queries for one stream is bounded.
 *
 * Presence and files travel independently, so a contact that seems offline may just have become
 * available. Before EHOSTDOWN, our own server is pinged; presence that it sent before its answer
 * counts.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0030 section 3; RFC 6121 sections 4 (presence) and 8 (routing to resources).
 */
#ifndef ACCOUNT_ROUTING_H
#define ACCOUNT_ROUTING_H

#include "account/handle.h"

/* Finds the peer of the NEW stream of `handle` and opens the stream, now or after queries; or
 * aborts it with -ENETDOWN, -EHOSTDOWN, -ENOMEM, -ETIMEDOUT; or, if an ibbfs has answered a query
 * with an error, with condition_open_error of that. */
void routing_start(struct account *account, struct handle *handle, int64_t now_ms);

/* Chooses again for every stream that waits, if we are online: a contact has changed. */
void routing_continue(struct account *account, int64_t now_ms);

/* Whether `answer` has the id of a query; if so, it is handled. */
bool routing_answer(struct account *account, const struct msg *answer, int64_t now_ms);

/* `resource` is about to be forgotten, and so is the query for its features. */
void routing_forget(struct account *account, const struct resource *resource);

/* Drops all queries; aborts every stream that waits with `error`. */
void routing_cancel(struct account *account, int error);

/* The connection is down: drops all queries. Streams wait, and the next routing_continue sends the
 * queries again. */
void routing_suspend(struct account *account);

/* A query that has timed out counts as answered, with no features, for the streams that wait
 * (query_deadline). */
void routing_tick(struct account *account, int64_t now_ms);

#endif
