/* SPDX-License-Identifier: MIT */
/*
 * caller - processes: whether one is being killed, and what it has open.
 *
 * Threads: any; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{stat,fd,fdinfo}; the kernel's PF_SIGNALED.
 */
#ifndef MOUNT_CALLER_H
#define MOUNT_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a signal is killing `pid`: a file that it closes now is not closed on purpose. False
 * where that cannot be seen (another pid namespace). */
bool caller_is_killed(pid_t pid);

/* Whether some process other than ours has the file at `path`, absolute, open for writing.
 * Processes of other users are seen only by root. */
bool caller_is_written(const char *path);

/* Whether `pid` has a file called `name` open for writing, under whatever path; true where that
 * cannot be seen. */
bool caller_may_write(pid_t pid, const char *name);

#endif
