/* SPDX-License-Identifier: MIT */
/*
 * dispatch - events off the wire, demultiplexed; and the calls that they complete.
 *
 * The top of the account: all other files of src/account are below.
 *
 * Units:   ms of the caller's monotonic clock, or microseconds (now_us).
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_DISPATCH_H
#define ACCOUNT_DISPATCH_H

#include "account/account.h"

void dispatch_online(struct account *account, const char *full_jid, int64_t now_ms);

/* `retry_ms`: when another attempt is made to connect; 0: none. */
void dispatch_offline(struct account *account, const char *reason, int64_t retry_ms,
		      int64_t now_ms);

void dispatch_roster_reset(struct account *account, int64_t now_ms);

/* Returns whether this is the first contact for which the roster has no room. */
bool dispatch_roster_item(struct account *account, const char *jid, bool removed);

/* Returns whether the contact has more resources than are kept, for the first time. */
bool dispatch_presence(struct account *account, const char *jid, bool available, int priority,
		       unsigned features, int64_t now_ms);

void dispatch_receive(struct account *account, const struct msg *msg, int64_t now_us);

/* The ops completed since the last call, oldest first. An open that failed leaves nothing. */
struct op *dispatch_take_done(struct account *account, int64_t now_ms);

#endif
