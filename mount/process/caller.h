/* SPDX-License-Identifier: MIT */
/*
 * caller - the process behind a request: what signals do to it.
 *
 * A process in execve(2) closes its files with O_CLOEXEC while the kernel holds a lock of it
 * (exec_update_lock). Whoever asks for what this lock protects waits until the files are closed:
 * for our own answer. kcmp(2) does so and, in newer kernels, /proc/PID/stat.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{stat,statm,status}; signal(7); the kernel's PF_EXITING and
 *          PF_SIGNALED, and its begin_new_exec (fs/exec.c).
 */
#ifndef MOUNT_PROCESS_CALLER_H
#define MOUNT_PROCESS_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

enum caller_fate {
	CALLER_UNKNOWN, /* not visible: in another pid namespace, or hidden by hidepid= of /proc */
	CALLER_STAYS,
	CALLER_ENDS,
	CALLER_EXECUTES, /* it is in execve(2), and must be asked nothing more */
};

/* Of `pid`, which waits in a close. CALLER_ENDS: a signal is killing it, so the file is not closed
 * on purpose. */
enum caller_fate caller_fate(pid_t pid);

/* Whether a process with this text in /proc/PID/statm is in execve(2), and closes its files. */
bool caller_executes(const char *statm);

/* CALLER_ENDS: a signal is pending for `pid`, which waits in a call. The signal will end the
 * process, or the process catches it and it is one by which users end a wait: SIGHUP, SIGINT,
 * SIGQUIT, SIGTERM. */
enum caller_fate caller_pending(pid_t pid);

/* As caller_pending, for a process with this text in /proc/PID/status. */
enum caller_fate caller_judge(const char *status);

#endif
