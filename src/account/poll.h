/* SPDX-License-Identifier: MIT */
/*
 * poll - what poll(2) says of an open file, and who is told when there is something new.
 *
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  poll(2); DESIGN section 3.
 */
#ifndef ACCOUNT_POLL_H
#define ACCOUNT_POLL_H

#include "account/handle.h"

/*
 * What poll(2) says of `handle` now, as POLLIN, POLLOUT, POLLERR, POLLHUP. With an `op` (its
 * events are what the caller wants to know), that completes when there is something new; a later
 * one of the same handle takes its place.
 */
short poll_start(struct account *account, struct handle *handle, struct op *op);

/* Completes the polls that have something new to look at. */
void poll_notify(struct account *account);

/* `handle` goes: its polls complete with -ECANCELED. */
void poll_cancel(struct account *account, const struct handle *handle);

#endif
