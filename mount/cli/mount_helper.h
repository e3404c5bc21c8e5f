/* SPDX-License-Identifier: MIT */
/*
 * mount_helper - the arguments that mount(8) gives to /sbin/mount.ibbfs.
 *
 *     mount.ibbfs JID mountpoint [-sfnv] [-N namespace] [-o options] [-t type]
 *
 * Threads: before they start.
 * Source:  mount(8), section "External helpers".
 */
#ifndef MOUNT_CLI_MOUNT_HELPER_H
#define MOUNT_CLI_MOUNT_HELPER_H

#include <stdbool.h>

/* Whether argv[0] is the helper's name. */
bool mount_helper_is_called(char *const argv[]);

/* Takes the flags that only mount(8) gives out of `argv`; *fake: -f, do all but the mount. Returns
 * the new count. */
int mount_helper_strip(int argc, char *argv[], bool *fake);

#endif
