/* SPDX-License-Identifier: MIT */
/*
 * incoming - the files `incoming`, which lists arrivals, a line each, and `next`, which hands them
 * out.
 *
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_INCOMING_H
#define ACCOUNT_INCOMING_H

#include "account/handle.h"

/* A read of `incoming`: the rest of the current line, or the next line. It parks while there is
 * none, unless op->nonblock. */
void incoming_read(struct account *account, struct handle *handle, struct op *op);

/* Whether such a read would complete at once. Cheap while nothing is announced. */
bool incoming_has_line(const struct account *account, struct handle *handle);

/* A read of `next`: of the attached stream. If there is none, it attaches the oldest one, which may
 * accept an offer; or parks, unless op->nonblock. */
void incoming_read_next(struct account *account, struct handle *handle, struct op *op,
			int64_t now_ms);

/* The stream that a read of `next` would attach, or NULL: the oldest one in its directory that
 * nobody has opened. Likewise. */
struct node *incoming_next(const struct account *account, struct handle *handle);

/* Hands `node` to the reads that are parked in `next` and `incoming`. It has just arrived, or was
 * released unread. */
void incoming_announce(struct account *account, struct node *node, int64_t now_ms);

#endif
