/* SPDX-License-Identifier: MIT */
/*
 * argument - the arguments: JID and mount point.
 *
 * Errors:  0, or -1 after a line on standard error.
 * Threads: before they start.
 */
#ifndef MOUNT_CLI_ARGUMENT_H
#define MOUNT_CLI_ARGUMENT_H

#include "mount/cli/options.h"

/* The first is the JID, the second the mount point; there is no third. */
int argument_take(struct options *options, const char *argument);

#endif
