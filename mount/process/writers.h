/* SPDX-License-Identifier: MIT */
/*
 * writers - whether a close is the last one of a file, or another process still writes to it.
 *
 * A process has a descriptor of the file because it opened the file, was started after the open and
 * inherited it, or received it through a socket. So three kinds of processes are searched: the
 * opener, the process that closes, and those started after the open. Once the opener or the process
 * that closes has a socket, all processes are searched. A process that was older than the open and
 * received the descriptor through a socket that is closed again is not found: its writes will fail.
 *
 * The kernel sends a flush when the descriptor has gone from the table of its process. So one look
 * at a process is valid for every close whose flush was read from /dev/fuse before. Closes that
 * come together share one look at each process, as a look at a process with a thousand descriptors
 * takes milliseconds. No look is kept for a later close.
 *
 * The kernel shows no open files of a process in execve(2), and whoever asks waits (caller.h). Such
 * a process may wait for us, or for another file system. So nobody who serves requests may look at
 * other processes than those that close.
 *
 * Threads: the main thread, and one that searches; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/loadavg; unix(7), SCM_RIGHTS; the kernel's filp_flush (fs/open.c).
 */
#ifndef MOUNT_PROCESS_WRITERS_H
#define MOUNT_PROCESS_WRITERS_H

#include "mount/process/descriptors.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* This moment, by the processes that have been started. To be called once a second at least:
 * moments before a longer pause cannot be compared with moments after it. */
uint64_t writers_look(void);

enum writers_left {
	WRITERS_NONE,	 /* it was the last close, as far as can be seen */
	WRITERS_SOME,	 /* a process has the file open for writing */
	WRITERS_UNKNOWN, /* none was found, but the process that closes may not be seen */
};

/* A descriptor that has just been closed. */
struct writers_close {
	pid_t pid;	  /* the process, or thread, that has closed it */
	uint64_t table;	  /* the table that it was in, which threads share: any number but 0 */
	pid_t opener;	  /* the process, or thread, that called open(2) */
	uint64_t *opened; /* writers_look, before open returned; 0: unknown. Changes when more
			   * processes than those started since have to be searched. */
	const char *name; /* of the file, without a slash */
	uint64_t ino;
	bool searches; /* others are searched even if `pid` may not be seen */

	enum writers_left left; /* the result */
};

#define WRITERS_MOST DESCRIPTORS_MOST

/* Judges closes that have come together: WRITERS_MOST at most. May wait for other processes: while
 * it does not, *looked rises. NULL: nobody wants to know. */
void writers_judge(struct writers_close *closes, size_t count, atomic_uint *looked);

/* The same, but looks only at the processes that close. None of them is in execve(2). False: others
 * have to be looked at, and there is no result. */
bool writers_judge_callers(struct writers_close *closes, size_t count);

#endif
