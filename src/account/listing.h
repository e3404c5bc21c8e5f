/* SPDX-License-Identifier: MIT */
/*
 * listing - the entries of a directory at one moment.
 *
 * Threads: made under the hub's lock; then it belongs to one thread.
 */
#ifndef ACCOUNT_LISTING_H
#define ACCOUNT_LISTING_H

#include "account/tree.h"

struct listing_entry {
	uint64_t ino;
	mode_t mode;
	char *name;
};

struct listing {
	size_t length;
	struct listing_entry entries[];
};

/* With "." and ".." first; NULL when memory is short. */
struct listing *listing_create(const struct node *directory);

/* NULL-safe. */
void listing_destroy(struct listing *listing);

#endif
