/* SPDX-License-Identifier: MIT */
/*
 * attribute - the extended attributes, user.ibb.*, of streams and directories.
 *
 * Those of a stream describe its session. On a directory of outgoing streams, block_size, stanza
 * and format can be set; they apply to new streams below it.
 *
 * Units:   bytes.
 * Errors:  -ENODATA (no such attribute here), -EINVAL (a value that it cannot have), -EPERM (one
 *          that cannot be set), -EOPNOTSUPP (setting what is not user.ibb.*).
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_ATTRIBUTE_H
#define ACCOUNT_ATTRIBUTE_H

#include "account/account.h"

#include <stddef.h>
#include <sys/types.h>

/* No value is longer: a full JID is the longest. */
#define ATTRIBUTE_MAX_BYTES 3072

/* Writes the value, no NUL, to `value`, which has ATTRIBUTE_MAX_BYTES; returns its length. */
ssize_t attribute_get(const struct account *account, const struct node *node, const char *name,
		      char *value);

/* Writes the names, each with its NUL, to `names`, which has ATTRIBUTE_MAX_BYTES; returns their
 * length together. */
ssize_t attribute_list(const struct node *node, char *names);

/* Sets a directory's attribute. */
int attribute_set(struct node *node, const char *name, const char *value, size_t length);

/* Removes the value: that of the directory above applies again. */
int attribute_remove(struct node *node, const char *name);

/* The settings of a new stream in `directory`; the size may be STREAM_AUTO_BLOCK. */
uint32_t attribute_block_size(const struct account *account, const struct node *directory);
enum stanza attribute_stanza(const struct account *account, const struct node *directory);
enum format attribute_format(const struct node *directory);

#endif
