/* SPDX-License-Identifier: MIT */
/*
 * access - who may reach us.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 4.
 */
#ifndef ACCOUNT_ACCESS_H
#define ACCOUNT_ACCESS_H

#include "account/account.h"

/* Whether -o accept= lets the sender of `msg` in. To anyone else it looks as if nobody were there.
 */
bool access_is_allowed(const struct account *account, const struct msg *msg);

/* Whether the sender of `msg`, a request, was offered a file by us: it answers by that. */
bool access_is_partner(const struct account *account, const struct msg *msg);

#endif
