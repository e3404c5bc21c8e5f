/* SPDX-License-Identifier: MIT */
/*
 * privilege - a daemon that root has started becomes another user, for good.
 *
 * Errors:  a line on standard error.
 * Threads: before they start.
 * Source:  credentials(7), user_namespaces(7); prctl(2), PR_SET_DUMPABLE.
 */
#ifndef MOUNT_CLI_PRIVILEGE_H
#define MOUNT_CLI_PRIVILEGE_H

#include <sys/types.h>

/* No core dump, and only root may read the memory: the password is in it. */
void privilege_hide(void);

/*
 * The process is still root, but getuid and getgid return these, and there are no other groups: a
 * mount that is made now belongs to the user, who can end it, and access(2) answers for them. -1
 * after a line.
 */
int privilege_lend(uid_t uid, gid_t gid);

/*
 * Real, effective and saved user and group become these, and there are no other groups; the kernel
 * then undoes privilege_hide, so that is done again. -1 after a line: the caller must end.
 */
int privilege_drop(uid_t uid, gid_t gid);

#endif
