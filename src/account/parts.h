/* SPDX-License-Identifier: MIT */
/*
 * parts - the paths of incomplete files in the inbox. Each can be completed when its sender sends
 * it again.
 *
 * A wrong path does no harm: the inbox looks for the file itself before it is used.
 *
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_PARTS_H
#define ACCOUNT_PARTS_H

#include <stdbool.h>
#include <uthash.h>

struct part {
	UT_hash_handle hh;
	char path[]; /* below the inbox: "alice@example.org/FOLDER/NAME.part" */
};

/* The name that a file has until it is whole: "NAME.part", cut to NAME_MAX_BYTES. `part` has room
 * for NAME_MAX_BYTES + 1. */
void parts_name(char *part, const char *name);

/* -ENOMEM. */
int parts_add(struct part **parts, const char *path);
void parts_remove(struct part **parts, const char *path);
bool parts_have(const struct part *parts, const char *path);
void parts_finish(struct part **parts);

#endif
