/* SPDX-License-Identifier: MIT */
/*
 * resolver - from a directory to the full JID that a stream goes to.
 *
 * A contact's directory stands for the best of its resources that are online. Whether a
 * resource can take a stream, and whether it is an ibbfs that takes names, its disco#info says;
 * that is asked for when the first stream is opened, and holds while the resource is online.
 *
 * Presence travels beside files, so a contact that seems offline may just have come: before
 * EHOSTDOWN, our own server is pinged, and whatever it sent before the answer counts.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0030 section 3; RFC 6121 section 4.
 */
#ifndef ACCOUNT_RESOLVER_H
#define ACCOUNT_RESOLVER_H

#include "account/handle.h"

/* Finds a peer for the NEW stream of `handle`, now or later, and opens; or breaks the stream with
 * -ENETDOWN, -EHOSTDOWN, -ENOMEM, -ETIMEDOUT. */
void resolver_start(struct account *account, struct handle *handle, int64_t now_ms);

/* Goes on with every stream that waits, while we are online: something was learnt about a contact.
 */
void resolver_continue(struct account *account, int64_t now_ms);

/* Whether `answer` answers a query of the resolver's; if so it is dealt with. */
bool resolver_answer(struct account *account, const struct msg *answer, int64_t now_ms);

/* Forgets what was asked; everything that waits breaks with `error`. */
void resolver_cancel(struct account *account, int error);

/* Forgets what was asked: the connection is gone, but waited for. What waits goes on, and asks
 * again, with the next resolver_continue. */
void resolver_suspend(struct account *account);

/* Questions that were not answered in time count as answered with nothing. */
int64_t resolver_deadline(const struct account *account);
void resolver_tick(struct account *account, int64_t now_ms);

#endif
