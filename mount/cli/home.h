/* SPDX-License-Identifier: MIT */
/*
 * home - the home directory of the user who has started us.
 *
 * Threads: before they start.
 * Source:  mount.fuse3(8) sets HOME to /root if mount(8) has taken it out of the environment, as it
 *          does for all users but root.
 */
#ifndef MOUNT_CLI_HOME_H
#define MOUNT_CLI_HOME_H

/* HOME, or the directory in the user database if HOME is no absolute path or belongs to another
 * user. Valid until the next call that reads the user database. */
const char *home_directory(void);

#endif
