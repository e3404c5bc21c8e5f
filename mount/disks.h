/* SPDX-License-Identifier: MIT */
/*
 * disks - inbox and spool of the mount: their start and their end.
 *
 * A disk that hangs holds up neither. The threads that wait for it may never end: then the process
 * has to do without destroying what they use.
 *
 * Errors:  after a line.
 * Threads: the main thread.
 */
#ifndef MOUNT_DISKS_H
#define MOUNT_DISKS_H

#include "mount/cli/options.h"
#include "mount/fuse/call.h"

#include <stdbool.h>

enum disks_result {
	DISKS_OPEN,
	DISKS_FAILED,
	DISKS_HANG, /* or a signal came: threads use `context`, and end with the process only */
};

/* Where spools are. With -o uid=, the cache of that user: the environment is root's. The caller's;
 * NULL when memory is short. */
char *disks_spool_directory(const struct options *options);

/* Fills inbox and spool.pool of `context`, with the privileges of the user that we run as; waits
 * while the disk answers and `signal_fd`, of signalfd(2), cannot be read. *jid: to log in with, the
 * caller's. */
enum disks_result disks_open(const struct options *options, struct call_context *context,
			     int signal_fd, char **jid);

/* After hub_abandon. False: a disk does not answer, and threads use `context`, as above. */
bool disks_end(const struct options *options, const struct call_context *context);

/* After hub_destroy. */
void disks_destroy(struct call_context *context);

#endif
