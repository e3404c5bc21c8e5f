/* SPDX-License-Identifier: MIT */
#include "ibb/skip.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

int skip_append(struct skip **list, uint64_t at, uint64_t length, bool may_join)
{
	struct skip *last = *list ? (*list)->prev : NULL;
	if (last && may_join && last->at == at) {
		last->length += length;
		return 0;
	}
	struct skip *skip = malloc(sizeof(*skip));
	if (!skip) {
		return -ENOMEM;
	}
	*skip = (struct skip){.at = at, .length = length};
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the head's prev is the last */
	DL_APPEND(*list, skip);
	return 0;
}

void skip_drop(struct skip **list, struct skip *skip)
{
	DL_DELETE(*list, skip);
	free(skip);
}

void skip_drop_all(struct skip **list)
{
	while (*list) {
		skip_drop(list, *list);
	}
}
