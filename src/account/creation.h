/* SPDX-License-Identifier: MIT */
/*
 * creation - what mkdir makes: a contact, a resource, or a folder that is sent.
 *
 * In the directory of a peer whose presence we see, mkdir makes a folder. The path of the files in
 * it goes to the peer with their names. In that of a peer whose presence we do not see, it names a
 * resource.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2; mkdir(2).
 */
#ifndef ACCOUNT_CREATION_H
#define ACCOUNT_CREATION_H

#include "account/account.h"

/* As entry_mkdir. For a folder likewise -EPERM (also: the presence of the resource is not seen),
 * -EILSEQ, -ENAMETOOLONG (also of the whole path), -EEXIST, -ENOENT, -ENOMEM; -EOPNOTSUPP: no peer
 * that is online takes folders; -EHOSTDOWN: no peer is online; -ENETDOWN. */
int creation_mkdir(struct account *account, struct node *parent, const char *name, int64_t now_ms,
		   struct node **node);

#endif
