/* SPDX-License-Identifier: MIT */
/*
 * access - which peers are let in.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 4.
 */
#ifndef ACCOUNT_ACCESS_H
#define ACCOUNT_ACCESS_H

#include "account/account.h"

/* Whether -o accept= lets the sender of `msg` in. Everybody else gets the answers of an account
 * that is offline. */
bool access_is_allowed(const struct account *account, const struct msg *msg);

/* Whether `msg` is of a Jingle session that we initiated: its responder sends requests too. */
bool access_is_partner(const struct account *account, const struct msg *msg);

#endif
