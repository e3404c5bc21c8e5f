/* SPDX-License-Identifier: MIT */
#include "mount/cli/argument.h"

#include "mount/log.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int set_jid(struct options *options, const char *text)
{
	char *jid;
	int error = jid_normalize(text, &jid);

	if (error) {
		log_error("%s: %s", text,
			  error == -EINVAL ? "not a JID, such as me@example.org"
					   : strerror(-error));
		return -1;
	}
	if (!jid_has_local(jid)) {
		free(jid);
		log_error("%s: not the JID of an account, such as me@example.org", text);
		return -1;
	}
	options->jid = jid;
	return 0;
}

/* Whether an ibbfs is mounted there already: a second one would hide it. */
static bool is_ours(const char *path)
{
	bool ours = false;
	const struct mntent *entry;
	FILE *table = setmntent("/proc/self/mounts", "r");
	while (table && (entry = getmntent(table))) {
		if (strcmp(entry->mnt_dir, path) == 0) {
			ours = strcmp(entry->mnt_type, "fuse.ibbfs") ==
			       0; /* the last one is on top */
		}
	}
	if (table) {
		endmntent(table);
	}
	return ours;
}

static int set_mountpoint(struct options *options, const char *text)
{
	struct stat status;
	char *path = realpath(text, NULL);

	if (!path || stat(path, &status) < 0) {
		if (errno == ENOTCONN) {
			log_error("%s: %s: a mount whose daemon has died; "
				  "run fusermount3 -u %s",
				  text, strerror(errno), text);
		} else {
			log_error("%s: %s", text, strerror(errno));
		}
		free(path);
		return -1;
	}
	if (!S_ISDIR(status.st_mode)) {
		log_error("%s: %s", text, strerror(ENOTDIR));
		free(path);
		return -1;
	}
	if (is_ours(path)) {
		log_error("%s: ibbfs is mounted there already; fusermount3 -u %s ends it", text,
			  text);
		free(path);
		return -1;
	}
	options->mountpoint = path;
	return 0;
}

int argument_take(struct options *options, const char *argument)
{
	if (!options->jid) {
		return set_jid(options, argument);
	}
	if (!options->mountpoint) {
		return set_mountpoint(options, argument);
	}
	log_error("%s: one argument too many; see ibbfs --help", argument);
	return -1;
}
