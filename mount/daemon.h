/* SPDX-License-Identifier: MIT */
/*
 * daemon - one mount: its parts start, run and end in reverse order.
 *
 *     background process, hub, FUSE session, disks, XMPP thread, mount
 *
 * With -o uid=, the mount comes before the disks: only root may mount for another user.
 *
 * Errors:  a line on standard error.
 * Threads: the main thread, before the others start and after they have ended.
 */
#ifndef MOUNT_DAEMON_H
#define MOUNT_DAEMON_H

#include "mount/cli/options.h"

/* Runs the mount until it ends. Takes *password over, once it is needed, and sets it to NULL.
 * Returns the exit status. */
int daemon_run(struct options *options, char **password);

#endif
