/* SPDX-License-Identifier: MIT */
/*
 * writers - the processes that have a file open for writing.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{fd,fdinfo}, /proc/loadavg; unix(7), SCM_RIGHTS.
 */
#ifndef MOUNT_WRITERS_H
#define MOUNT_WRITERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether some process other than ours has the file at `path`, absolute, open for writing.
 * Processes of other users are seen only by root. */
bool writers_exist(const char *path);

/* Whether `pid` has a file called `name` open for writing, under whatever path; true where that
 * cannot be seen. */
bool writers_include(pid_t pid, const char *name);

/* The open(2) of an open file description. */
struct writers_open {
	pid_t pid;	 /* the process, or thread, that it was */
	uint64_t moment; /* of writers_look, before it returned; 0: unknown */
	uint64_t ino;	 /* of the file; 0: unknown */
};

/* This moment, in terms of the processes that have been started. To be called once a second at
 * least; after a longer pause, moments before it cannot be compared with later ones. */
uint64_t writers_look(void);

/* Whether `pid`, which has just closed a descriptor of the open file called `name`, was the last
 * that could write to it, as far as can be seen. False if the open files of `pid` cannot be seen.
 * Any file of that name and inode counts: the same one may be reached by another path, as through
 * a container's mounts.
 *
 * A descriptor is inherited by processes that are started after the open, or it passes through a
 * socket. So only those, the opener and `pid` are searched, until one that closes the file, or the
 * opener, has a socket: from then on, which is noted in `opened`, all processes are. A process that
 * has passed the descriptor to one older than the open, and has closed the socket, is not noticed:
 * then the writes of the other one fail. */
bool writers_was_last(pid_t pid, const char *name, struct writers_open *opened);

#endif
