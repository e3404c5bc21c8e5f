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
#include "mount/disk/watchdog.h"
#include "mount/log.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How long a disk may take to end its calls when the mount has ended. */
#define END_MS 2500

/* How long a disk may be silent before the mount can be used, however large its inbox is. With the
 * look before that, the command waits for ten seconds. */
#define START_MS 9000

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

/* What open_inbox is given, and what it finds. */
struct opening {
	const struct options *options;
	struct call_context *context;
	char *jid; /* as of restart_inbox */
	int error; /* 0: jid is set, unless memory is short */
};

/* In a thread: all calls of a disk that come before the mount can be used. The spool's come with
 * its first file. */
static void open_inbox(void *context)
{
	struct opening *opening = context;
	const struct options *options = opening->options;
	struct usage limit = {
		.files = options->inbox_files > 0 ? options->inbox_files : INBOX_MAX_FILES,
		.bytes = options->inbox_quota,
	};
	bool syncs = options->inbox_sync == INBOX_SYNC_YES;
	struct inbox *inbox = inbox_create(options->inbox, limit, syncs, &opening->error);
	struct hub *hub = opening->context->hub;
	opening->context->inbox = inbox;
	if (inbox) {
		download_attach(inbox, hub);
		opening->jid = restart_inbox(inbox, hub, options->jid, options->reconnect_s > 0);
		opening->error = opening->jid ? 0 : -ENOMEM;
	}
}

static enum disks_result watch(struct opening *opening, int signal_fd)
{
	int error = watchdog_run(open_inbox, opening, signal_fd, START_MS);
	if (error == -EINTR) {
		log_error("interrupted");
		return DISKS_HANG;
	}
	if (error == -ETIMEDOUT) {
		log_error("%s: the disk does not answer", opening->options->inbox);
		return DISKS_HANG;
	}
	error = error ? error : opening->error;
	if (error) {
		log_error("%s: %s", opening->options->inbox, strerror(-error));
	}
	return error ? DISKS_FAILED : DISKS_OPEN;
}

enum disks_result disks_open(const struct options *options, struct call_context *context,
			     int signal_fd, char **jid)
{
	context->spool.pool = pool_create();
	if (!context->spool.pool) {
		log_error("cannot start a thread");
		return DISKS_FAILED;
	}
	if (!options->inbox) {
		*jid = strdup(options->jid);
		return *jid ? DISKS_OPEN : DISKS_FAILED;
	}
	struct opening *opening = calloc(1, sizeof(*opening));
	if (!opening) {
		log_error("out of memory");
		return DISKS_FAILED;
	}
	opening->options = options;
	opening->context = context;
	enum disks_result result = watch(opening, signal_fd);
	if (result != DISKS_HANG) {
		*jid = opening->jid;
		free(opening);
	}
	return result;
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

bool disks_end(const struct options *options, const struct call_context *context)
{
	free_orphans(context->hub);
	int64_t until_ms = clock_now_ms() + END_MS;
	unsigned files = 0;
	bool hangs = !inbox_drain(context->inbox, until_ms, &files) ||
		     !inbox_tidy(context->inbox, hub_ended_as(context->hub), until_ms);
	if (hangs) {
		log_error("%s: the disk does not answer: %u file%s not stored", options->inbox,
			  files, files == 1 ? " is" : "s are");
	}
	unsigned calls = context->spool.pool ? pool_drain(context->spool.pool, until_ms) : 0;
	if (calls > 0) {
		log_error("%s: the disk does not answer: %u call%s left", context->spool.directory,
			  calls, calls == 1 ? " is" : "s are");
	}
	return !hangs && calls == 0;
}

void disks_destroy(struct call_context *context)
{
	inbox_destroy(context->inbox);
	pool_destroy(context->spool.pool);
}
