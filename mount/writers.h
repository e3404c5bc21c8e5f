/* SPDX-License-Identifier: MIT */
/*
 * writers - whether a close is the last one of a file, or another process still writes to it.
 *
 * A descriptor is inherited by processes that are started after the open, or it passes through a
 * socket. So only those, the opener and the process that closes are searched, until one of the
 * latter two has a socket: from then on all processes are. A process that has passed the descriptor
 * to one older than the open, and has closed the socket, is not noticed: then the writes of the
 * other one fail.
 *
 * The kernel asks for a flush when the descriptor has gone from the table of its process. So what
 * is seen of a process holds for all closes whose flush was read from /dev/fuse before, and of
 * closes that come together each process is looked at once: to look at one with a thousand
 * descriptors takes milliseconds. Nothing that was seen is kept for a later close.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/loadavg; unix(7), SCM_RIGHTS; the kernel's filp_flush (fs/open.c).
 */
#ifndef MOUNT_WRITERS_H
#define MOUNT_WRITERS_H

#include "mount/descriptors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* This moment, in terms of the processes that have been started. To be called once a second at
 * least; after a longer pause, moments before it cannot be compared with later ones. */
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

/* Judges closes that have come together: WRITERS_MOST at most. */
void writers_judge(struct writers_close *closes, size_t count);

#endif
