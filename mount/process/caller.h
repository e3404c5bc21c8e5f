/* SPDX-License-Identifier: MIT */
/*
 * caller - the process behind a request: what signals do to it.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{stat,status}; signal(7); the kernel's PF_SIGNALED.
 */
#ifndef MOUNT_PROCESS_CALLER_H
#define MOUNT_PROCESS_CALLER_H

#include <sys/types.h>

enum caller_fate {
	CALLER_UNKNOWN, /* not visible: in another pid namespace, or hidden by hidepid= of /proc */
	CALLER_STAYS,
	CALLER_ENDS,
};

/* CALLER_ENDS: a signal is killing `pid`, so a file that it closes now is not closed on purpose. */
enum caller_fate caller_fate(pid_t pid);

/* CALLER_ENDS: a signal is pending for `pid`, which waits in a call. The signal will end the
 * process, or the process catches it and it is one by which users end a wait: SIGHUP, SIGINT,
 * SIGQUIT, SIGTERM. */
enum caller_fate caller_pending(pid_t pid);

/* As caller_pending, for a process with this text in /proc/PID/status. */
enum caller_fate caller_judge(const char *status);

#endif
