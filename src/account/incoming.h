/* SPDX-License-Identifier: MIT */
/*
 * incoming - what has arrived: told to readers of `incoming`, a line each, and handed to those of
 * `next`.
 *
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_INCOMING_H
#define ACCOUNT_INCOMING_H

#include "account/handle.h"

/* A read of `incoming`, the rest of a line or the next one; waits for it, unless op->nonblock. */
void incoming_read(struct account *account, struct handle *handle, struct op *op);

/* Whether that would be answered at once. */
bool incoming_has_line(const struct account *account, const struct handle *handle);

/* A read of `next`: of what its handle has taken, or it takes the oldest stream, and may accept one
 * that is offered; waits for it, unless op->nonblock. */
void incoming_read_next(struct account *account, struct handle *handle, struct op *op,
			int64_t now_ms);

/* The oldest stream in the directory of `next` that nobody has opened, or NULL. */
struct node *incoming_next(const struct node *next);

/* Gives `node`, just arrived or left unread, to whoever waits for it in `next` or `incoming`. */
void incoming_announce(struct account *account, struct node *node, int64_t now_ms);

#endif
