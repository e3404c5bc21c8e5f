/* SPDX-License-Identifier: MIT */
#include "ibb/verdicts.h"

#include <stdlib.h>
#include <string.h>

void verdicts_finish(struct verdicts *verdicts)
{
	for (size_t i = 0; i < VERDICTS_MOST; i++) {
		free(verdicts->last[i].key);
		verdicts->last[i].key = NULL;
	}
}

void verdicts_note(struct verdicts *verdicts, const char *key, enum condition condition)
{
	struct verdict *oldest = &verdicts->last[verdicts->next];
	free(oldest->key);
	oldest->key = strdup(key);
	oldest->condition = condition;
	verdicts->next = (verdicts->next + 1) % VERDICTS_MOST;
}

bool verdicts_find(const struct verdicts *verdicts, const char *key, enum condition *condition)
{
	/* The latest of that name counts. */
	for (size_t i = VERDICTS_MOST; i > 0; i--) {
		const struct verdict *verdict =
			&verdicts->last[(verdicts->next + i - 1) % VERDICTS_MOST];
		if (verdict->key && strcmp(verdict->key, key) == 0) {
			*condition = verdict->condition;
			return true;
		}
	}
	return false;
}
