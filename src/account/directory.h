/* SPDX-License-Identifier: MIT */
/*
 * directory - which directories exist.
 *
 * A contact has a directory while it is on the roster, if mkdir made it, and while it holds a file
 * or a process is in it. So has our own account while another resource of it is online. A resource
 * has one while it is online, or if mkdir made it.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  NULL.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_DIRECTORY_H
#define ACCOUNT_DIRECTORY_H

#include "account/account.h"

/* The directory of the bare or full JID's contact. If there is none, it is made under `name`, or
 * under the bare JID's own name if that is NULL, with a directory for each resource that is online.
 * NULL: memory is short, or no name can hold the JID. */
struct node *directory_show_contact(struct account *account, const char *jid, const char *name);

/* That of our own account. */
void directory_show_own(struct account *account);

/* The resource `jid` has become available, or unavailable. A bare JID, from which the presence of a
 * contact behind a gateway comes, has no directory of its own. */
void directory_show_resource(struct account *account, struct node *contact, const char *jid);
void directory_hide_resource(struct account *account, const char *jid, int64_t now_ms);

/* All resources have become unavailable. */
void directory_hide_resources(struct account *account, int64_t now_ms);

/* Call after something in `directory` (NULL: in none) was removed or closed: removes the contact's
 * directory if nothing needs it. */
void directory_tidy(struct account *account, struct node *directory);
void directory_tidy_all(struct account *account);

/* A new directory, with the defaults that its preset has. NULL: memory is short. */
struct node *directory_add(struct account *account, struct node *parent, enum node_kind kind,
			   const char *name, const char *jid);

/* Likewise, called by `text`, the JID or its resource. If that name is taken ("in" as a resource,
 * "status" as a domain), the first character is escaped. NULL, too: no name can hold it. */
struct node *directory_add_jid(struct account *account, struct node *parent, enum node_kind kind,
			       const char *text, const char *jid);

/* Whether the roster says that the directory of a contact is there: the contact is on it, or is our
 * own account, under another resource that is online. */
bool directory_is_known(const struct account *account, const struct node *contact);

/* Whether a stream or an offer below it is not over. */
bool directory_has_sessions(const struct node *directory);

/* Whether a process has something below it open. */
bool directory_is_open_below(const struct node *directory);

/* Whether the directory was removed while a process is still in it. */
bool directory_is_detached(const struct node *directory);

#endif
