/* SPDX-License-Identifier: MIT */
/*
 * part_file - a file that is being received: it is NAME.part until it gets its name.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time.
 */
#ifndef MOUNT_DISK_PART_FILE_H
#define MOUNT_DISK_PART_FILE_H

#include "account/name.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct part_file {
	int directory; /* that it is in, or -1 */
	int fd;	       /* for writing, or -1 */
	int lock;      /* part_file_close has closed `fd`, and this has its lock; or -1 */
	bool named;    /* it has its name */
	char name[NAME_MAX_BYTES + 1], part_name[NAME_MAX_BYTES + 1];
};

/* Neither the directory nor the file is open yet; `name` is the wanted one. */
void part_file_init(struct part_file *file, const char *name);

/* Closes both. */
void part_file_finish(struct part_file *file);

/* Makes the file, in its directory, for the first of NAME, NAME (2) ... that is free. */
int part_file_create(struct part_file *file, const char *name);

/* Opens NAME.part, which was left by an earlier stream, for reading and writing, and locks it: no
 * other stream writes to it, of whatever process. The bytes that are read then are on the disk, or
 * a sync will tell whether they are. Its size in bytes; -ENOENT: there is none, it is no regular
 * file or has another name, or NAME is there; -EWOULDBLOCK: another stream writes it. */
int64_t part_file_reopen(struct part_file *file, const char *name);

/* Opens and locks the file called `part_name` in its directory, which no stream writes then. As
 * part_file_reopen. */
int part_file_lock(struct part_file *file, const char *part_name);

/* Cuts the file to that size. 0 or -errno. */
int part_file_cut(const struct part_file *file, uint64_t size);

/* The status of the file. 0 or -errno. */
int part_file_stat(const struct part_file *file, struct stat *status);

/* The size of the file, which is being received. -ENOENT: somebody has removed it, or put another
 * one in its place. */
int64_t part_file_size(const struct part_file *file);

/* Closes the file, which stays as it is. */
void part_file_abandon(struct part_file *file);

/* From now on, another stream can reopen the file. */
void part_file_unlock(const struct part_file *file);

/* After part_file_unlock: locks the file again. False: another stream has it, or has
 * completed it. */
bool part_file_relock(const struct part_file *file);

/* A file system may report only now that a write has failed. */
int part_file_close(struct part_file *file);

/* Gives the file its name, or the first of NAME (2) ... that is free: no other file is replaced. */
int part_file_rename(struct part_file *file);

/* Takes the name back, if the file has it: it may not be durable. */
int part_file_unname(struct part_file *file);

#endif
