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

/* HOME, unless it is no absolute path or belongs to somebody else; then the user database's. Valid
 * until the next query of that. */
const char *home_directory(void);

#endif
