/* SPDX-License-Identifier: MIT */
#include "mount/daemon.h"

#include "clock.h"
#include "mount/cli/password.h"
#include "mount/cli/privilege.h"
#include "mount/daemonize.h"
#include "mount/disk/pool.h"
#include "mount/disk/watchdog.h"
#include "mount/disks.h"
#include "mount/fuse/call.h"
#include "mount/fuse/closes.h"
#include "mount/fuse/mainloop.h"
#include "mount/fuse/ops.h"
#include "mount/hub.h"
#include "mount/log.h"
#include "mount/notify.h"
#include "mount/process/children.h"
#include "mount/process/device.h"
#include "mount/process/proc.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* No limit in practice, as a window grows no further than the bandwidth-delay product: that of a
 * server with 160 MB/s, a round-trip time of 200 ms, and a queue of as much again. */
#define DEFAULT_WINDOW ((size_t)64 * 1024 * 1024)

/* From connecting to the roster: a silent server must not hold mount(8) up for ever. */
#define CONNECT_TIMEOUT_MS 30000

/* How long the end waits for the unmount at first, and once everything else has ended. */
#define UNMOUNT_MS	500
#define LATE_UNMOUNT_MS 2000

/* Beside EXIT_SUCCESS and EXIT_FAILURE: as EXIT_SUCCESS, unless the mount is left at the end. */
#define SEVERED (-1)

/* Blocks the signals that end the daemon, in this thread and those it starts, and gives a
 * descriptor that tells of them. */
static int block_signals(void)
{
	sigset_t signals;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	/* libstrophe writes to sockets that may be closed. */
	if (sigaction(SIGPIPE, &ignore, NULL) || sigprocmask(SIG_BLOCK, &signals, NULL)) {
		return -1;
	}
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void log_stanza(const char *line)
{
	log_debug("%s", line);
}

static void log_client_warning(const char *line)
{
	log_warning("%s", line);
}

static struct client *create_client(const struct options *options, const char *jid,
				    const char *password, struct hub *hub)
{
	struct client_config config = {
		.jid = jid,
		.password = password,
		.host = options->server_host,
		.port = options->server_port,
		.tls = options->tls,
		.cafile = options->cafile,
		.capath = options->capath,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.debug = options->debug,
		.log = options->debug ? log_stanza : NULL,
		.warn = log_client_warning,
	};
	struct client_events events = hub_client_events(hub);
	return client_create(&config, &events);
}

static struct hub *create_hub(const struct options *options)
{
	struct stream_config config = {
		.block_size = options->block_size,
		.stanza = options->stanza,
		.window = options->window ? options->window : DEFAULT_WINDOW,
		.buffer = options->buffer,
		.buffer_total = options->buffer_total,
		.timeout_ms = (int64_t)options->timeout_s * 1000,
		.reconnect_ms = (int64_t)options->reconnect_s * 1000,
		.answer_timeout_ms = (int64_t)options->answer_timeout_s * 1000,
	};
	struct owner owner = {options->uid, options->gid};
	return hub_create(&config, options->max_streams, options->accept, options->jid, owner);
}

/* Ends the process while threads wait for a disk. The kernel may keep the process and its threads
 * until the disk is back, and with them the descriptor for which the command waits. */
static _Noreturn void leave(int ready_fd)
{
	children_kill();
	daemonize_fail(ready_fd);
	_exit(EXIT_FAILURE);
}

/* A call of fuse_session_mount. */
struct mounting {
	struct fuse_session *session;
	const char *mountpoint;
	int result;
};

static void call_mount(void *context)
{
	struct mounting *mounting = context;
	mounting->result = fuse_session_mount(mounting->session, mounting->mountpoint);
}

/* Mounts; libfuse says why it cannot. While it waits, such as for the file system of the mount
 * point, a signal ends the process. */
static int mount_session(const struct options *options, struct fuse_session *session, int signal_fd,
			 int ready_fd)
{
	struct mounting mounting = {.session = session, .mountpoint = options->mountpoint};
	int error = watchdog_run(call_mount, &mounting, signal_fd, INT_MAX);
	if (error) {
		log_error("%s", error == -EINTR ? "interrupted" : strerror(-error));
		leave(ready_fd);
	}
	return mounting.result;
}

/* The path of the mount point may lead through a disk that hangs, so another thread unmounts. The
 * main thread's. */
static struct {
	struct task task;
	struct fuse_session *session;
	struct pool *pool; /* NULL: nothing is being unmounted */
} unmounting;

static void call_unmount(struct task *task)
{
	(void)task;
	fuse_session_unmount(unmounting.session);
}

/* False: the session is still being unmounted after `wait_ms`. */
static bool await_unmount(int64_t wait_ms)
{
	if (unmounting.pool && pool_drain(unmounting.pool, clock_now_ms() + wait_ms) == 0) {
		pool_destroy(unmounting.pool);
		unmounting.pool = NULL;
	}
	return !unmounting.pool;
}

/* Unmounts, if it is mounted, and goes on if that hangs. */
static void unmount(struct fuse_session *session)
{
	if (!await_unmount(0)) {
		return;
	}
	unmounting.pool = pool_create();
	if (!unmounting.pool) {
		fuse_session_unmount(session);
		return;
	}
	unmounting.task.run = call_unmount;
	unmounting.session = session;
	pool_submit(unmounting.pool, NULL, &unmounting.task);
	await_unmount(UNMOUNT_MS);
}

/* Connects, mounts, serves, unmounts. */
static int run_session(const struct options *options, const struct mainloop *loop,
		       struct fuse_session *session, int ready_fd)
{
	bool interrupted;
	if (!mainloop_connect(loop, &interrupted)) {
		char *line = interrupted ? NULL : hub_failure(loop->hub);
		log_error("%s", interrupted ? "interrupted" : line ? line : "out of memory");
		free(line);
		return EXIT_FAILURE;
	}
	if (!options->other_user && mount_session(options, session, loop->signal_fd, ready_fd)) {
		return EXIT_FAILURE;
	}
	device_set(options->mountpoint);
	int status = EXIT_FAILURE;
	if (ready_fd < 0 || daemonize_finish(ready_fd)) {
		status = mainloop_run(loop, session) ? EXIT_SUCCESS : SEVERED;
	}
	/* Pending calls are answered before the mount goes. */
	hub_abandon(loop->hub);
	unmount(session);
	return status;
}

/* Takes *password over: libstrophe has the only copy then. */
static int run(const struct options *options, const char *jid, char **password,
	       struct fuse_session *session, const struct call_context *context, int signal_fd,
	       int ready_fd)
{
	struct hub *hub = context->hub;
	struct mainloop loop = {
		.hub = hub,
		.interrupts = context->interrupts,
		.closes = context->closes,
		.inbox = context->inbox,
		.spool = context->spool.pool,
		.signal_fd = signal_fd,
		.mountpoint = options->mountpoint,
	};
	int status = EXIT_FAILURE;

	loop.client = create_client(options, jid, *password, hub);
	password_wipe(*password);
	*password = NULL;
	if (!loop.client) {
		log_error("cannot start: %s", strerror(errno));
		hub_abandon(hub); /* files of the inbox may wait for their streams */
		return status;
	}
	hub_set_client(hub, loop.client);
	if (notify_is_enabled()) {
		hub_watch_status(hub);
	}
	if (client_start(loop.client) == 0) {
		status = run_session(options, &loop, session, ready_fd);
		hub_abandon(hub);
		client_stop(loop.client);
	} else {
		log_error("cannot start a thread");
		hub_abandon(hub);
	}
	client_destroy(loop.client);
	return status;
}

/* For -o uid=, before signals are blocked: a disk that hangs can be interrupted. */
static int lend(const struct options *options)
{
	const char *paths[] = {options->cafile, options->capath};

	/* libfuse takes the current user for the owner, whom allow_root lets in beside root. */
	if (privilege_lend(options->uid, options->gid)) {
		return -1;
	}
	/* Root could read the files; the user must be able to as well. */
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (paths[i] && access(paths[i], R_OK)) {
			log_error("%s: %s, for the user of -o uid=", paths[i], strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* For -o uid=, after privilege_lend: mounts, and drops root for good, before anything is sent to
 * the network; without it, mounting comes last. Processes that look into the mount meanwhile wait.
 * The user may not be allowed to open /dev/fuse or to mount there, but can unmount: the mount is
 * theirs. */
static int mount_for(const struct options *options, struct fuse_session *session, int signal_fd,
		     int ready_fd)
{
	if (mount_session(options, session, signal_fd, ready_fd)) {
		return -1;
	}
	return privilege_drop(options->uid, options->gid);
}

static int run_with_disks(const struct options *options, char **password,
			  struct fuse_session *session, struct call_context *context, int signal_fd,
			  int ready_fd)
{
	int status = EXIT_FAILURE;
	char *jid = NULL;
	enum disks_result result = DISKS_FAILED;

	if (!options->other_user || mount_for(options, session, signal_fd, ready_fd) == 0) {
		result = disks_open(options, context, signal_fd, &jid);
	}
	if (result == DISKS_OPEN) {
		status = run(options, jid, password, session, context, signal_fd, ready_fd);
	}
	free(jid);
	unmount(session); /* if it still is */
	if (result == DISKS_HANG) {
		password_wipe(*password);
		leave(ready_fd);
	}
	return status;
}

/* Ends what waits for disks. False: threads still do, and use `context` and the session. */
static bool end_disks(const struct options *options, const struct call_context *context)
{
	bool ended = disks_end(options, context);
	if (!await_unmount(ended ? LATE_UNMOUNT_MS : 0)) {
		log_error("%s: the disk does not answer: it stays mounted", options->mountpoint);
		ended = false;
	}
	return ended;
}

int daemon_run(struct options *options, char **password)
{
	int ready_fd = options->foreground ? -1 : daemonize_start();

	if ((!options->foreground && ready_fd < 0) || (options->other_user && lend(options))) {
		return EXIT_FAILURE;
	}
	struct hub *hub = create_hub(options);
	char *spool = disks_spool_directory(options);
	int signal_fd = block_signals();
	if (!hub || !spool || signal_fd < 0) {
		log_error("out of memory or descriptors");
		hub_destroy(hub);
		free(spool);
		return EXIT_FAILURE;
	}
	struct interrupts interrupts;
	struct closes closes;
	hub_set_umask(hub, options->umask);
	hub_set_presets(hub, options->presets);
	struct call_context context = {
		.hub = hub,
		.spool.directory = spool,
		.interrupts = &interrupts,
		.closes = &closes,
	};
	proc_start();
	interrupts_init(&interrupts, hub);
	closes_init(&closes, hub);
	int status = EXIT_FAILURE;
	struct fuse_session *session =
		fuse_session_new(&options->fuse, &ops_table, sizeof(ops_table), &context);
	if (session) {
		status = run_with_disks(options, password, session, &context, signal_fd, ready_fd);
	}
	interrupts_finish(&interrupts);
	bool ended = closes_finish(&closes);
	proc_stop();
	if (!end_disks(options, &context)) {
		leave(status == EXIT_FAILURE ? ready_fd : -1); /* or nobody waits any more */
	}
	/* libfuse does not unmount what was severed, as by fuse(4)'s "abort". */
	if (status == SEVERED) {
		bool lost = device_is_mounted(options->mountpoint);
		if (lost) {
			log_error("%s: the mount was lost; fusermount3 -uz removes what is left "
				  "of it",
				  options->mountpoint);
		}
		status = lost ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (!ended) {
		_exit(status); /* a thread waits for a process, and uses the hub */
	}
	if (session) {
		fuse_session_destroy(session);
	}
	hub_destroy(hub);
	disks_destroy(&context);
	close(signal_fd);
	free(spool);
	return status;
}
