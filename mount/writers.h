/* SPDX-License-Identifier: MIT */
/*
 * writers - the processes that have a file open for writing.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{fd,fdinfo}.
 */
#ifndef MOUNT_WRITERS_H
#define MOUNT_WRITERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether some process other than ours has the file at `path`, absolute, open for writing.
 * Processes of other users are seen only by root. */
bool writers_exist(const char *path);

/* Whether `pid` has a file called `name` open for writing, under whatever path; true where that
 * cannot be seen. */
bool writers_include(pid_t pid, const char *name);

/* Whether `pid`, which has just closed a descriptor of the file called `name`, was the last that
 * could write to it, as far as can be seen. False if the open files of `pid` cannot be seen. Any
 * file of that name counts: the same one may be reached by another path, as through a container's
 * mounts. */
bool writers_was_last(pid_t pid, const char *name);

#endif
