/* SPDX-License-Identifier: MIT */
/*
 * surplus - the resources that a contact has too many of, and that are forgotten.
 *
 * A resource that is forgotten has no directory, and streams by the contact's name do not go to it.
 * Nothing else changes: it may open streams to us, and its sessions run on.
 *
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_SURPLUS_H
#define ACCOUNT_SURPLUS_H

#include "account/account.h"

/* After a presence of `contact`: forgets one resource if it has too many (roster.h). A resource is
 * kept if it has a session, if there is a file or an open file in its directory, or if mkdir made
 * the directory. Returns whether this is the first one of the contact that is forgotten. */
bool surplus_forget(struct account *account, struct contact *contact, int64_t now_ms);

#endif
