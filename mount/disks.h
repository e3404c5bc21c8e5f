/* SPDX-License-Identifier: MIT */
/*
 * disks - inbox and spool of the mount: their start and their end.
 *
 * Errors:  0 or -1, after a line.
 * Threads: the main thread.
 */
#ifndef MOUNT_DISKS_H
#define MOUNT_DISKS_H

#include "mount/cli/options.h"
#include "mount/fuse/call.h"

/* Where spools are. With -o uid=, the cache of that user: the environment is root's. The caller's;
 * NULL when memory is short. */
char *disks_spool_directory(const struct options *options);

/* Fills inbox and spool.pool of `context`, with the privileges of the user that we run as. *jid: to
 * log in with, the caller's. */
int disks_open(const struct options *options, struct call_context *context, char **jid);

/* After hub_abandon. A disk that does not answer must not hold up the end of the daemon: the mount
 * is gone already, and the process ends here. */
void disks_end(const struct options *options, const struct call_context *context);

/* After hub_destroy. */
void disks_destroy(struct call_context *context);

#endif
