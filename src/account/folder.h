/* SPDX-License-Identifier: MIT */
/*
 * folder - the folders in in/ of files that a peer has sent.
 *
 * Files with the same path are in the same folder. If a name in the path is that of a file, the
 * folder's gets a number, as that of a file does.
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_FOLDER_H
#define ACCOUNT_FOLDER_H

#include "account/account.h"

/* The most folders of peers in the tree at once. Finished names stay for a minute, and without this
 * limit a peer's folders would need far more memory than its files. An inbox has more: there,
 * folders of files that have failed stay. */
#define FOLDER_MAX_COUNT	  4096
#define FOLDER_MAX_COUNT_OF_INBOX 16384

/* The folder at `path`, as name_folder_from_wire writes it, below `in`; made where it is missing.
 * "" is `in` itself. NULL: there are too many, or memory is short. */
struct node *folder_place(struct account *account, struct node *in, const char *path,
			  int64_t now_ms);

/* Whether a new file or folder called `name` must get another name in `parent`. The name of a
 * stream that was read to its end, and of a folder that is empty, is free at once: names must not
 * depend on time. */
bool folder_is_taken(struct account *account, const struct node *parent, const char *name);

#endif
