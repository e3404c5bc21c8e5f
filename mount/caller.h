/* SPDX-License-Identifier: MIT */
/*
 * caller - processes: what signals do to one, and what it has open.
 *
 * A descriptor is kept in reserve, so that /proc can be read when the daemon has no other left.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{stat,status,fd,fdinfo}; signal(7); the kernel's PF_SIGNALED.
 */
#ifndef MOUNT_CALLER_H
#define MOUNT_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

enum caller_fate {
	CALLER_UNKNOWN, /* not visible: in another pid namespace, or hidden by hidepid= of /proc */
	CALLER_STAYS,
	CALLER_ENDS,
};

/* Takes the reserve; without this call there is none. */
void caller_start(void);
void caller_stop(void);

/* CALLER_ENDS: a signal is killing `pid`, so a file that it closes now is not closed on purpose. */
enum caller_fate caller_fate(pid_t pid);

/* CALLER_ENDS: `pid`, which waits in a call, has a pending signal that will end it, or is one of
 * those by which users end a wait and it catches: SIGHUP, SIGINT, SIGQUIT, SIGTERM. */
enum caller_fate caller_pending(pid_t pid);

/* The same, of the text of /proc/PID/status. */
enum caller_fate caller_judge(const char *status);

/* Whether some process other than ours has the file at `path`, absolute, open for writing.
 * Processes of other users are seen only by root. */
bool caller_is_written(const char *path);

/* Whether `pid` has a file called `name` open for writing, under whatever path; true where that
 * cannot be seen. */
bool caller_may_write(pid_t pid, const char *name);

/* Whether `pid`, which has just closed a descriptor of the file called `name`, was the last that
 * could write to it, as far as can be seen. False if the open files of `pid` cannot be seen. Any
 * file of that name counts: the same one may be reached by another path, as through a container's
 * mounts. */
bool caller_is_last_writer(pid_t pid, const char *name);

#endif
