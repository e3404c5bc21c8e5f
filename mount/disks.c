/* SPDX-License-Identifier: MIT */
#include "mount/disks.h"

#include "account/handle.h"
#include "clock.h"
#include "mount/cli/home.h"
#include "mount/disk/download.h"
#include "mount/disk/inbox.h"
#include "mount/disk/inbox_ops.h"
#include "mount/disk/pool.h"
#include "mount/disk/restart.h"
#include "mount/disk/spool.h"
#include "mount/disk/spool_ops.h"
#include "mount/log.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

/* How long a disk may take to end its calls when the mount has ended. */
#define DISK_TIMEOUT_MS 3000

char *disks_spool_directory(const struct options *options)
{
	if (options->spool) {
		return strdup(options->spool);
	}
	if (!options->other_user) {
		return spool_default_directory(getenv("XDG_CACHE_HOME"), home_directory());
	}
	const struct passwd *user = getpwuid(options->uid);
	return spool_default_directory(NULL, user ? user->pw_dir : "/tmp");
}

int disks_open(const struct options *options, struct call_context *context, char **jid)
{
	int error = 0;
	context->spool.pool = pool_create();
	if (!context->spool.pool) {
		log_error("cannot start a thread");
		return -1;
	}
	if (!options->inbox) {
		*jid = strdup(options->jid);
		return *jid ? 0 : -1;
	}
	struct usage limit = {
		.files = options->inbox_files > 0 ? options->inbox_files : INBOX_MAX_FILES,
		.bytes = options->inbox_quota,
	};
	context->inbox =
		inbox_create(options->inbox, limit, options->inbox_sync == INBOX_SYNC_YES, &error);
	if (!context->inbox) {
		log_error("%s: %s", options->inbox, strerror(-error));
		return -1;
	}
	download_attach(context->inbox, context->hub);
	*jid = restart_inbox(context->inbox, context->hub, options->jid, options->reconnect_s > 0);
	return *jid ? 0 : -1;
}

/* Closes the spools and readers of files that were still open at the end. */
static void free_orphans(struct hub *hub)
{
	struct handle *handle, *next, *orphans = hub_take_orphans(hub);
	DL_FOREACH_SAFE (orphans, handle, next) {
		spool_ops_close(handle);
		inbox_ops_drop(handle);
		free(handle);
	}
}

void disks_end(const struct options *options, const struct call_context *context)
{
	free_orphans(context->hub);
	int64_t until_ms = clock_now_ms() + DISK_TIMEOUT_MS;
	unsigned files = 0;
	bool hangs = !inbox_drain(context->inbox, until_ms, &files);
	if (hangs) {
		log_error("%s: the disk does not answer: %u file%s not stored", options->inbox,
			  files, files == 1 ? " is" : "s are");
	}
	unsigned calls = context->spool.pool ? pool_drain(context->spool.pool, until_ms) : 0;
	if (calls > 0) {
		log_error("%s: the disk does not answer: %u call%s left", context->spool.directory,
			  calls, calls == 1 ? " is" : "s are");
	}
	if (hangs || calls > 0) {
		_exit(EXIT_FAILURE);
	}
}

void disks_destroy(struct call_context *context)
{
	inbox_destroy(context->inbox);
	pool_destroy(context->spool.pool);
}
