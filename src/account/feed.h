/* SPDX-License-Identifier: MIT */
/*
 * feed - what has arrived: told to readers of `incoming`, a line each, and handed to those of
 * `next`.
 *
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_FEED_H
#define ACCOUNT_FEED_H

#include "account/account.h"
#include "account/file.h"

/* A read of `incoming`, the rest of a line or the next one; waits for it, unless op->nonblock. */
void feed_read(struct account *account, struct handle *handle, struct op *op);

/* Whether that would be answered at once. */
bool feed_has_line(const struct account *account, const struct handle *handle);

/* The oldest stream in the directory of `next` that nobody has opened, or NULL. */
struct node *feed_next(const struct node *next);

/* Gives `node`, just arrived or left unread, to whoever waits for it in `next` or `incoming`. */
void feed_arrived(struct account *account, struct node *node, int64_t now_ms);

#endif
