/* SPDX-License-Identifier: MIT */
/*
 * partial - a file that is being received: it is NAME.part until it gets its name.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time.
 */
#ifndef MOUNT_DISK_PARTIAL_H
#define MOUNT_DISK_PARTIAL_H

#include "account/name.h"

#include <stdbool.h>

#define PARTIAL_SUFFIX ".part"

struct partial {
	int directory; /* that it is in, or -1 */
	int fd;	       /* for writing, or -1 */
	bool named;    /* it has its name */
	char name[NAME_MAX_BYTES + 1], part[NAME_MAX_BYTES + 1];
};

/* Neither the directory nor the file is open yet; `name` is the wanted one. */
void partial_init(struct partial *partial, const char *name);

/* Closes both. */
void partial_finish(struct partial *partial);

/* Makes the file, in its directory, for the first of NAME, NAME (2) ... that is free. */
int partial_create(struct partial *partial, const char *name);

/* A file system may report only now that a write has failed. */
int partial_close(struct partial *partial);

/* Gives the file its name, or the first of NAME (2) ... that is free: no other file is replaced. */
int partial_rename(struct partial *partial);

/* Takes the name back, if the file has it: it may not be durable. */
int partial_unname(struct partial *partial);

/* Whether a file of that name is one that was being received. */
bool partial_is_name(const char *name);

#endif
