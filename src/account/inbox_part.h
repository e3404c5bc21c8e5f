/* SPDX-License-Identifier: MIT */
/*
 * inbox_part - a file in the inbox that did not come whole, and its name in in/.
 *
 *     a stream breaks     inbox_part_leave; with inbox_file_end, the name of the file stands for
 *                         its part
 *     a stream goes on    the arriving file gets that name, and its old node goes
 *                         (inbox_part_hide); inbox_part_use, when it has the part
 *     or does not         inbox_part_show: the part has a name again
 *
 * The name of "a.jpg.part" is "a.jpg" or, while another file has that, "a.jpg.part". It can be
 * looked at and removed. It cannot be opened: a tool that reads as many bytes as stat says, such as
 * tar, would take them for all.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  docs/wire.md, "Pieces that the receiver has already".
 */
#ifndef ACCOUNT_INBOX_PART_H
#define ACCOUNT_INBOX_PART_H

#include "account/account.h"
#include "account/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* "CONTACT/FOLDER/NAME.part", and NUL. */
#define INBOX_PART_PATH_SIZE (2 * NAME_MAX_BYTES + NAME_FOLDER_SIZE + 3)

/* The path of the part that the file `node` has, if it is received under its own name. False: a
 * folder above it is detached. */
bool inbox_part_path(const struct node *node, char path[INBOX_PART_PATH_SIZE]);

/* ---- for the inbox; `path` is that of the part, below it ---- */

/* An earlier process has left it. No effect if it is known, or its directory is that of no JID. */
void inbox_part_restore(struct account *account, const char *path, const struct stat *status,
			int64_t now_ms);

/* A stream writes it from now on. */
void inbox_part_use(struct account *account, const char *path, int64_t now_ms);

/* No stream writes it any more. */
void inbox_part_leave(struct account *account, const char *path, const struct stat *status);

/* Gives it a name, if it has none and no stream writes it. */
void inbox_part_show(struct account *account, const char *path, int64_t now_ms);

/* It is not there any more. Its name goes as that of a file that is finished. */
void inbox_part_remove(struct account *account, const char *path, int64_t now_ms);

/* Removes the name of the part that was written the longest ago, so that the part can be removed.
 * Parts that a stream writes are left out. False: there is no other. */
bool inbox_part_take_oldest(struct account *account, char *path, size_t size, int64_t now_ms);

/* ---- for the tree ---- */

/* Whether the name `node` (or NULL) stands for the part that a file called `name` would have. */
bool inbox_part_is_of(const struct node *node, const char *name);

/* Removes that name: an arriving file gets it. */
void inbox_part_hide(struct account *account, struct node *node);

/* The name `node`, of a file whose stream has broken, stands for its part at `path` from now on.
 * False: there is no such part. */
bool inbox_part_rest(struct account *account, struct node *node, const char *path);

/* The name `node` goes, and the part with it. No effect if it stands for no part. */
void inbox_part_forget(struct account *account, const struct node *node);

#endif
