/* SPDX-License-Identifier: MIT */
/*
 * parts - which files are in the inbox that did not come whole, by their paths: each can be gone on
 * with, when its sender sends it again.
 *
 * A path that is wrong does no harm: the inbox looks for the file before anything is believed.
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
