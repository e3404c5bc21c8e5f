/* SPDX-License-Identifier: MIT */
/*
 * skip - bytes of a file that are not sent, as the receiver has them: their place among the bytes
 * that are sent, and their length.
 *
 * Units:   bytes before base64.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_SKIP_H
#define IBB_SKIP_H

#include <stdbool.h>
#include <stdint.h>

struct skip {
	struct skip *prev, *next; /* sender.skips, receiver.skips */
	uint64_t at;		  /* bytes that are sent before it */
	uint64_t length;
};

/* Appends a skip to `list`. If `may_join`, a last skip at the same place is made longer instead.
 * -ENOMEM. */
int skip_append(struct skip **list, uint64_t at, uint64_t length, bool may_join);

void skip_drop(struct skip **list, struct skip *skip);
void skip_drop_all(struct skip **list);

#endif
