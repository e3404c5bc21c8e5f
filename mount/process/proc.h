/* SPDX-License-Identifier: MIT */
/*
 * proc - files and directories of /proc.
 *
 * Descriptors are kept in reserve, so that /proc can be read when the daemon has no other left.
 *
 * The /proc of another pid name space has other processes under the numbers of ours. Then nothing
 * of it is read.
 *
 * Threads: the main thread, and one that searches (writers.h); makes system calls, so never under
 *          the hub's lock.
 * Source:  proc(5).
 */
#ifndef MOUNT_PROCESS_PROC_H
#define MOUNT_PROCESS_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/* Takes the reserve, and looks whose /proc it is; without this call there is no reserve. */
void proc_start(void);
void proc_stop(void);

/* The beginning of a small file, terminated; false if there is none. `size`: at least 1. */
bool proc_read(const char *path, char *text, size_t size);

/* Calls `found` with each line until `found` returns true. Whether it did. */
bool proc_find_line(const char *path, bool (*found)(void *context, const char *line),
		    void *context);

/* NULL, and errno: it cannot be opened. */
DIR *proc_open_directory(const char *path);
void proc_close_directory(DIR *directory);

#endif
