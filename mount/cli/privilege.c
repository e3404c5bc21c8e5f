/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* setresuid */

#include "mount/cli/privilege.h"

#include "mount/log.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void privilege_hide(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

int privilege_lend(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, (gid_t)-1, (gid_t)-1) || setresuid(uid, 0, 0)) {
		log_error("-o uid=: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int privilege_drop(uid_t uid, gid_t gid)
{
	/* The user last: the others need root. */
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
		log_error("-o uid=: %s", strerror(errno));
		return -1;
	}
	privilege_hide();
	if (uid != 0 && (setresuid(0, 0, 0) == 0 || geteuid() == 0)) {
		log_error("-o uid=: root again at once");
		return -1;
	}
	return 0;
}
