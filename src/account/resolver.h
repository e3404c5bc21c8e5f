/* SPDX-License-Identifier: MIT */
/*
 * resolver - from a directory to the full JID of a peer.
 *
 * A contact's directory stands for its best resource that is online. Service discovery (disco#info)
 * says whether a resource can take a stream, and whether it is an ibbfs; it is queried when the
 * first stream is opened, and the answer holds while the resource is online.
 *
 * Presence and files travel independently, so a contact that seems offline may just have become
 * available. Before EHOSTDOWN, our own server is pinged, and whatever it sent before the answer
 * counts.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0030 section 3; RFC 6121 section 4.
 */
#ifndef ACCOUNT_RESOLVER_H
#define ACCOUNT_RESOLVER_H

#include "account/handle.h"

/* Finds the peer of the NEW stream of `handle` and opens the stream, now or after queries; or
 * aborts it with -ENETDOWN, -EHOSTDOWN, -ENOMEM, -ETIMEDOUT. */
void resolver_start(struct account *account, struct handle *handle, int64_t now_ms);

/* Continues every resolution, if we are online: something about a contact has changed. */
void resolver_continue(struct account *account, int64_t now_ms);

/* Whether `answer` belongs to a query of the resolver; if so, it is handled. */
bool resolver_answer(struct account *account, const struct msg *answer, int64_t now_ms);

/* Drops all queries; aborts every stream that waits with `error`. */
void resolver_cancel(struct account *account, int error);

/* Drops all queries, as the connection is down. Streams wait, and the next resolver_continue sends
 * queries again. */
void resolver_suspend(struct account *account);

/* A query without an answer in time counts as answered with no features. */
int64_t resolver_deadline(const struct account *account);
void resolver_tick(struct account *account, int64_t now_ms);

#endif
