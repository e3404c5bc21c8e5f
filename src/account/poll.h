/* SPDX-License-Identifier: MIT */
/*
 * poll - the state of an open file for poll(2), and its notifications.
 *
 * Errors:  in op->result.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  poll(2); DESIGN section 3.
 */
#ifndef ACCOUNT_POLL_H
#define ACCOUNT_POLL_H

#include "account/handle.h"

/* The events of `handle` now: POLLIN, POLLOUT, POLLERR, POLLHUP. `op`, if it is not NULL, completes
 * when one of op->events is new. It takes the place of an earlier one of the same handle, whose
 * events are added to its own. */
short poll_start(struct account *account, struct handle *handle, struct op *op);

/* Completes the polls whose events have come. */
void poll_notify(struct account *account);

/* Completes the polls of `handle` with -ECANCELED. */
void poll_cancel(struct account *account, const struct handle *handle);

#endif
