/* SPDX-License-Identifier: MIT */
#include "ibb/refusals.h"

#include <stdlib.h>
#include <string.h>

void refusals_finish(struct refusals *refusals)
{
	for (size_t i = 0; i < REFUSALS_MOST; i++) {
		free(refusals->keys[i]);
	}
	*refusals = (struct refusals){0};
}

void refusals_note(struct refusals *refusals, const char *key)
{
	char **oldest = &refusals->keys[refusals->next];
	free(*oldest);
	*oldest = strdup(key);
	refusals->next = (refusals->next + 1) % REFUSALS_MOST;
}

bool refusals_have(const struct refusals *refusals, const char *key)
{
	for (size_t i = 0; i < REFUSALS_MOST; i++) {
		if (refusals->keys[i] && strcmp(refusals->keys[i], key) == 0) {
			return true;
		}
	}
	return false;
}
