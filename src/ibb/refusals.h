/* SPDX-License-Identifier: MIT */
/*
 * refusals - the streams whose <close/> was refused lately: what the peer sent is not stored.
 *
 * The answer may be lost with a connection. To a <close/> that comes again, item-not-found would
 * mean that the first one was accepted.
 *
 * Threads: none; the caller serialises.
 * Source:  docs/wire.md.
 */
#ifndef IBB_REFUSALS_H
#define IBB_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

/* So many are remembered, the latest. */
#define REFUSALS_MOST 64

/* Zeroed memory knows none. */
struct refusals {
	char *keys[REFUSALS_MOST];
	size_t next;
};

void refusals_finish(struct refusals *refusals);

/* `key`: of the peer and the sid (copied). When memory is short, nothing is remembered. */
void refusals_note(struct refusals *refusals, const char *key);

bool refusals_have(const struct refusals *refusals, const char *key);

#endif
