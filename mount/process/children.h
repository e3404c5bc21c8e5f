/* SPDX-License-Identifier: MIT */
/*
 * children - the processes that the daemon has started: libfuse's helpers, fusermount3 and umount.
 *
 * A helper that waits for a disk would outlive the daemon. It may have the daemon's standard error
 * stream, and whoever reads that stream to its end would wait as long.
 *
 * Threads: the main thread.
 * Source:  proc(5), /proc/PID/task/TID/children.
 */
#ifndef MOUNT_PROCESS_CHILDREN_H
#define MOUNT_PROCESS_CHILDREN_H

/* For a process that is about to end. Where the kernel does not name the children, they are left
 * alone. */
void children_kill(void);

#endif
