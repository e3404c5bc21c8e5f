/* SPDX-License-Identifier: MIT */
#include "account/listing.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static bool add(struct listing *listing, const struct node *node, const char *name)
{
	char *copy = strdup(name);
	if (copy) {
		listing->entries[listing->length++] =
			(struct listing_entry){.ino = node->ino, .mode = node->mode, .name = copy};
	}
	return copy != NULL;
}

struct listing *listing_create(const struct node *directory)
{
	const struct node *child;
	size_t count = 2;
	DL_FOREACH (directory->children, child) {
		count++;
	}
	struct listing *listing =
		calloc(1, sizeof(*listing) + count * sizeof(struct listing_entry));
	if (!listing) {
		return NULL;
	}
	bool complete = add(listing, directory, ".") &&
			add(listing, directory->parent ? directory->parent : directory, "..");
	DL_FOREACH (directory->children, child) {
		complete = complete && add(listing, child, child->name);
	}
	if (!complete) {
		listing_destroy(listing);
		return NULL;
	}
	return listing;
}

void listing_destroy(struct listing *listing)
{
	if (listing) {
		for (size_t i = 0; i < listing->length; i++) {
			free(listing->entries[i].name);
		}
		free(listing);
	}
}
