/* SPDX-License-Identifier: MIT */
/*
 * parts - the paths of incomplete files in the inbox. Each can be completed when its sender sends
 * it again.
 *
 * A wrong path does no harm: the inbox looks for the file itself before it is used.
 *
 * Units:   bytes.
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_PARTS_H
#define ACCOUNT_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <uthash.h>

struct part {
	UT_hash_handle hh;
	bool in_use;  /* a stream writes it */
	uint64_t ino; /* of its name in in/ (inbox_part.h); 0: it has had none */
	uint64_t size;
	struct timespec modified; /* when a stream has last written it */
	char path[];		  /* below the inbox: "alice@example.org/FOLDER/NAME.part" */
};

/* The name that a file has until it is whole: "NAME.part", cut to NAME_MAX_BYTES. `part` has room
 * for NAME_MAX_BYTES + 1. */
void parts_name(char *part, const char *name);

/* The part at `path`, added if it is not known; valid until it is removed. NULL: memory is short.
 */
struct part *parts_add(struct part **parts, const char *path);
void parts_remove(struct part **parts, const char *path);

/* NULL: it is not known. */
struct part *parts_find(const struct part *parts, const char *path);

/* Whether a stream can go on with it. */
bool parts_have(const struct part *parts, const char *path);

/* The part that was written the longest ago; not one that is in use. NULL: there is none. */
struct part *parts_oldest(struct part *parts);

/* The bytes of all that are not in use, each in whole blocks and at least one; *files: how many. */
uint64_t parts_sum(const struct part *parts, uint64_t block, uint64_t *files);

void parts_finish(struct part **parts);

#endif
