/* SPDX-License-Identifier: MIT */
/*
 * daemonize - the process in the background, which does the work, and the one in the foreground,
 * which waits until the mount can be used.
 *
 * Threads: before they start; daemonize_finish in the main thread.
 */
#ifndef MOUNT_DAEMONIZE_H
#define MOUNT_DAEMONIZE_H

#include <stdbool.h>

/*
 * Opens /dev/null for those of standard input, output and error that are closed (cron, `>&-`), so
 * that nothing else gets their numbers, which daemonize_finish replaces. To be called before any
 * other file is opened. -errno of open.
 */
int daemonize_open_standard(void);

/*
 * The child returns and does all the work. The parent waits until the child says that the mount is
 * ready (daemonize_finish) or never will be, or ends, and exits with the same status. Returns the
 * argument of daemonize_finish; -1 after a line if the fork failed. In the child, all files but
 * standard input, output and error are closed: a stream that the caller has open in some mount
 * would not end before the daemon does.
 */
int daemonize_start(void);

/* The mount can be used: the parent exits, and the child leaves its terminal. False when nobody
 * waits for the mount any more; `ready_fd` is still open then. */
bool daemonize_finish(int ready_fd);

/* The mount has failed, but the child cannot end yet: the parent exits with status 1. No effect if
 * `ready_fd` is negative. */
void daemonize_fail(int ready_fd);

#endif
