/* SPDX-License-Identifier: MIT */
/*
 * search - the search for other writers of files that are closed, in a thread of its own.
 *
 * The kernel may let a thread that looks at other processes wait for one that is in execve(2), and
 * that one may wait for the answer to a flush. So another thread than the one that serves requests
 * looks, and has a second to go on. A search that stands still for longer is left: it is not known
 * who has the files open.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Threads: the main thread, without the hub's lock; one more thread searches.
 * Source:  the kernel's exec_update_lock (fs/exec.c, fs/proc/fd.c).
 */
#ifndef MOUNT_FUSE_SEARCH_H
#define MOUNT_FUSE_SEARCH_H

#include "mount/disk/task.h"
#include "mount/process/writers.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;

/* A search. The other thread uses all of it from searcher_submit until searcher_take. */
struct search {
	struct task task; /* first */
	struct hub *hub;
	_Atomic int state;  /* search.c */
	atomic_uint looked; /* of writers_judge */
	struct writers_close closes[WRITERS_MOST];
	size_t count;
	/* What the closes point to. */
	uint64_t opened[WRITERS_MOST];
	char names[WRITERS_MOST][NAME_MAX + 1];
};

struct searcher {
	struct hub *hub;
	struct search *search; /* that runs, or has a result; or NULL */
	int64_t until_ms;      /* it must have gone on until then, */
	unsigned looked;       /* from this state */
	struct pool *pool;     /* the other thread; NULL: it was not needed yet */
};

void searcher_init(struct searcher *searcher, struct hub *hub);

/* When the mount is gone. False: the thread waits for other processes, and the hub must stay. */
bool searcher_finish(struct searcher *searcher);

/* Only one search runs. Then hub_wake_main. False: there is no thread for it, and it is the
 * caller's. */
bool searcher_submit(struct searcher *searcher, struct search *search);

/* Whether the search that runs is over, or has stood still for too long. */
bool searcher_is_over(struct searcher *searcher, int64_t now_ms);

/* When searcher_is_over may change; INT64_MAX: no search runs. */
int64_t searcher_deadline(const struct searcher *searcher);

/* The search that runs, which is the caller's, to be freed. NULL: there was no result yet, and it
 * is left. */
struct search *searcher_take(struct searcher *searcher);

#endif
