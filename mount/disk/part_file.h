/* SPDX-License-Identifier: MIT */
/*
 * partial - a file that is being received: it is NAME.part until it gets its name.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time.
 */
#ifndef MOUNT_DISK_PART_FILE_H
#define MOUNT_DISK_PART_FILE_H

#include "account/name.h"

#include <stdbool.h>
#include <stdint.h>

struct partial {
	int directory; /* that it is in, or -1 */
	int fd;	       /* for writing, or -1 */
	int lock;      /* partial_close has closed `fd`, and this has its lock; or -1 */
	bool named;    /* it has its name */
	char name[NAME_MAX_BYTES + 1], part[NAME_MAX_BYTES + 1];
};

/* Neither the directory nor the file is open yet; `name` is the wanted one. */
void partial_init(struct partial *partial, const char *name);

/* Closes both. */
void partial_finish(struct partial *partial);

/* Makes the file, in its directory, for the first of NAME, NAME (2) ... that is free. */
int partial_create(struct partial *partial, const char *name);

/* Opens NAME.part, which was left by an earlier stream, for reading and writing, and locks it: no
 * other stream writes to it, of whatever process. Its size in bytes; -ENOENT: there is none, it is
 * no regular file or has another name, or NAME is there; -EWOULDBLOCK: another stream writes it. */
int64_t partial_reopen(struct partial *partial, const char *name);

/* Closes the file, which stays as it is. */
void partial_abandon(struct partial *partial);

/* From now on, another stream can reopen the file. */
void partial_unlock(const struct partial *partial);

/* After that: takes it back. False: another stream has it, or had it. */
bool partial_relock(const struct partial *partial);

/* A file system may report only now that a write has failed. */
int partial_close(struct partial *partial);

/* Gives the file its name, or the first of NAME (2) ... that is free: no other file is replaced. */
int partial_rename(struct partial *partial);

/* Takes the name back, if the file has it: it may not be durable. */
int partial_unname(struct partial *partial);

#endif
