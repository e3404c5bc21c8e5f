/* SPDX-License-Identifier: MIT */
/*
 * verdicts - what was answered to the <close/> of streams that are gone.
 *
 * The answer may be lost with a connection, and <close/> comes again. It gets the same answer: of a
 * receiver that knows nothing, the sender cannot tell whether it has stored the file.
 *
 * Threads: none; the caller serialises.
 * Source:  docs/wire.md.
 */
#ifndef IBB_VERDICTS_H
#define IBB_VERDICTS_H

#include "ibb/condition.h"

#include <stdbool.h>
#include <stddef.h>

/* So many are remembered, the latest. A break ends as many streams at once as there may be. */
#define VERDICTS_MOST 1024

/* Zeroed memory knows none. */
struct verdicts {
	struct verdict {
		char *key;
		enum condition condition; /* CONDITION_NONE: a result */
	} last[VERDICTS_MOST];
	size_t next;
};

void verdicts_finish(struct verdicts *verdicts);

/* `key`: of the peer and the sid (copied). When memory is short, nothing is remembered. */
void verdicts_note(struct verdicts *verdicts, const char *key, enum condition condition);

/* False: nothing is known. */
bool verdicts_find(const struct verdicts *verdicts, const char *key, enum condition *condition);

#endif
