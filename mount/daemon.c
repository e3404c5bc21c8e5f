/* SPDX-License-Identifier: MIT */
/*
 * ibbfs - an XMPP account as a directory tree; files are In-Band Bytestreams (XEP-0047).
 *
 *     kernel --- /dev/fuse ---> ops --+                +--- client <--- TLS ---> server
 *                  main thread        +----> hub <-----+    XMPP thread
 *                                         |  |  the one mutex
 *                                   account  +----- disk: a pool of threads per disk
 *
 * The files, from the outside in:
 *
 *   mount/     the daemon
 *     main      start and end               daemonize the process in the background
 *     hub       where the threads meet: the lock
 *     log       lines on stderr or syslog   caller    the process behind a request: its signals
 *     notify    the service manager         writers   whether a close is the last one of a file
 *     suspend   whether the machine could sleep   proc      reads /proc
 *     descriptors which of some files a process has open for writing
 *     device    tells open files of our mount from those of another
 *   mount/cli/  the command line
 *     options   the whole of it             option_table every option there is
 *     option    what one of them sets       value     of one, from its text
 *     config    the account's file          home      where that is
 *     argument  JID and mount point         mount_helper arguments of mount(8)
 *     endpoint  HOST[:PORT]                 usage     what --help prints
 *     password  where it comes from         privilege another user than root
 *   mount/fuse/ what the kernel asks for; only here is libfuse
 *     mainloop  the main thread             ops       libfuse's operations
 *     ops_names those on names              ops_files those on open files
 *     call      one that may wait
 *     interrupts which signals end a wait   closes    flushes that come together
 *   mount/disk/ files on disk
 *     spool     a file that will be offered spool_ops calls on it
 *     upload    sends it to the peer
 *     inbox     a directory that receives   inbox_ops calls on files in it
 *     download  receives a file there       quota     what it spends of the disk
 *     claim     what a file takes of that   partial   NAME.part, until it gets its name
 *     download_file its bytes and its end   location  where in the inbox it is
 *     beginning of an offered file: what is there already
 *     journal   a stream after a restart    journal_format   its bytes
 *     restart   what was in the inbox       verification     of a part, by its journal
 *     checksum  of bytes on disk            scan      reads a file, some at a time
 *     folder    directories in it, by paths
 *     transfer  an upload or a download, piece by piece
 *     pool      threads for the calls of a disk
 *     worker    a thread that does all that waits together
 *     syncer    makes files durable         thread    starts one
 *     task      what they are given
 *   src/       below all of the parts in it
 *     clock     the time by which everything waits
 *   src/account/ the account as a file system: no I/O, no thread
 *     dispatch  what comes off the wire     timer     what happens as time passes
 *     shutdown  the end of the mount
 *     arrival   what a peer sends gets its name
 *     access    who may reach us            status    the text of `status`
 *     file      open, read, write, flush    release   the end of an open file
 *     poll      who waits for something new
 *     routing   which resource a stream goes to
 *     query     what it supports, asked of it
 *     creation  what mkdir makes          folder     folders in in/
 *     surplus   resources that a contact has too many of
 *     directory which directories there are
 *     entry     what calls find, make and remove in them
 *     incoming  `incoming` and `next`       format    how a file reaches a peer
 *     spool_file files that are spooled, and offered as a whole
 *     inbox_file files that arrive and go into the inbox
 *     handle    an open file description    attribute user.ibb.*
 *     account   what all of these share
 *     tree      directories and names       listing   one directory, as readdir gives it
 *     node      one of them                 stream_file what it knows of its session
 *     name      names off the wire        defaults  settings of new streams
 *   src/xmpp/  the connection; only here is libstrophe
 *     client    the thread                loop      what the thread waits for
 *     exchange  writes, and reads         reader    reads in libstrophe's place
 *     session   one connection            handlers  dispatch its stanzas
 *     negotiation of the stream           login     filters it for libstrophe
 *     connector connects a socket         candidates which address is tried, and when
 *     resolution of targets and addresses lookup    one query, in a thread
 *     srv       SRV records               socket    of libstrophe, duplicated
 *     readiness of the socket             keepalive when to ping the server
 *     sleep_watch whether the machine has slept
 *     write_buffer coalesces stanzas      cause     why connecting failed, in one line
 *     codec     stanzas and messages      features  our disco#info and capabilities
 *     element   parses a stanza           writer    serialises one
 *     text      numbers and dates in it   stream_features of the server: its limits
 *     interpose symbol interposition, for
 *       reparse_deferral of expat           stanza_limits depth, elements and bytes of a stanza
 *       stanza_log its cost                 channel_binding of the login to TLS
 *       tls       ALPN, the name, version
 *     trace     stanzas for the debugger, without secrets
 *     jid       addresses                 roster    contacts, their resources and features
 *     roster_feed takes the items out of a roster
 *   src/offer/ files that are offered: likewise
 *     offers    all offers of an account  offer      one of them
 *     incoming  files offered to us       outgoing   files that we offer
 *     si        stream initiation         jingle     Jingle file transfer
 *     jingle_reason why a session of it ends
 *   src/ibb/   the protocol: no I/O, no thread, no clock
 *     ibb       all streams of an account dispatch   what comes in, to its stream
 *     registry  how a stream is found     timeout    keepalive, retries, giving up
 *     delivery  blocks sent, their acks   reception  blocks received
 *     writing   writes, flushes           reading    reads, memory
 *     opening   <open/>                   closing    <close/>
 *     resumption of broken connections    reopening  another session, with shorter blocks
 *     restoring  after a restart
 *     state      suspended, proceeding, over
 *     request   ids, <open/>, probes      stream     the struct, deadlines, lists
 *     sender    bytes until acknowledged  receiver   bytes until read
 *     window    bytes in flight           path_cache measured by earlier streams
 *     block_size chosen by measurement    limits     quotas of peers
 *     msg       a stanza for the core     effects    stanzas to send, completed calls
 *     metadata  of an offered file        hash       its digest
 *     op        a call that waits         queue      bytes, first in, first out
 *     condition stanza errors and errnos  base64, and base64_vector for most of it
 *     utf8      text that is too long
 */
#include "account/handle.h"
#include "clock.h"
#include "mount/cli/home.h"
#include "mount/cli/options.h"
#include "mount/cli/password.h"
#include "mount/cli/privilege.h"
#include "mount/daemonize.h"
#include "mount/device.h"
#include "mount/disk/download.h"
#include "mount/disk/inbox.h"
#include "mount/disk/inbox_ops.h"
#include "mount/disk/pool.h"
#include "mount/disk/restart.h"
#include "mount/disk/spool.h"
#include "mount/disk/spool_ops.h"
#include "mount/fuse/call.h"
#include "mount/fuse/closes.h"
#include "mount/fuse/mainloop.h"
#include "mount/fuse/ops.h"
#include "mount/hub.h"
#include "mount/log.h"
#include "mount/notify.h"
#include "mount/proc.h"

#include <errno.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utlist.h>

#define EXIT_USAGE 2

/* No limit in practice, as a window grows no further than the bandwidth-delay product: that of a
 * server with 160 MB/s, a round-trip time of 200 ms, and a queue of as much again. */
#define DEFAULT_WINDOW ((size_t)64 * 1024 * 1024)

/* From connecting to the roster: a silent server must not hold mount(8) up for ever. */
#define CONNECT_TIMEOUT_MS 30000

/* How long a disk may take to end its calls when the mount has ended. */
#define DISK_TIMEOUT_MS 3000

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
		.carrier = options->carrier,
		.window = options->window ? options->window : DEFAULT_WINDOW,
		.buffer = options->buffer,
		.buffer_total = options->buffer_total,
		.timeout_ms = (int64_t)options->timeout_s * 1000,
		.reconnect_ms = (int64_t)options->reconnect_s * 1000,
		.answer_ms = (int64_t)options->answer_s * 1000,
	};
	struct owner owner = {options->uid, options->gid};
	return hub_create(&config, options->max_streams, options->accept, options->jid, owner);
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
	if (!options->other_user && fuse_session_mount(session, options->mountpoint)) {
		return EXIT_FAILURE; /* libfuse has said why */
	}
	device_set(options->mountpoint);
	int status = EXIT_FAILURE;
	if (ready_fd < 0 || daemonize_finish(ready_fd)) {
		mainloop_run(loop, session);
		status = EXIT_SUCCESS;
	}
	/* Pending calls are answered before the mount goes. */
	hub_abandon(loop->hub);
	proc_stop(); /* Debian 13's libfuse cannot unmount without a descriptor */
	fuse_session_unmount(session);
	return status;
}

/* Takes *password over: libstrophe has the only copy then. */
static int run(const struct options *options, const char *jid, char **password,
	       struct fuse_session *session, const struct call_context *context, int ready_fd)
{
	struct hub *hub = context->hub;
	struct mainloop loop = {
		.hub = hub,
		.interrupts = context->interrupts,
		.closes = context->closes,
		.inbox = context->inbox,
		.spool = context->spool.pool,
	};
	int status = EXIT_FAILURE;

	loop.signal_fd = block_signals();
	loop.client = create_client(options, jid, *password, hub);
	password_wipe(*password);
	*password = NULL;
	if (loop.signal_fd < 0 || !loop.client) {
		log_error("cannot start: %s", strerror(errno));
		client_destroy(loop.client);
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
	}
	client_destroy(loop.client);
	close(loop.signal_fd);
	return status;
}

/* For -o uid=, after privilege_lend: mounts, and drops root for good, before anything is sent to
 * the network; without it, mounting comes last. Processes that look into the mount meanwhile wait.
 * The user may not be allowed to open /dev/fuse or to mount there, but can unmount: the mount is
 * theirs. */
static int mount_for(const struct options *options, struct fuse_session *session)
{
	const char *paths[] = {options->cafile, options->capath};

	if (fuse_session_mount(session, options->mountpoint) ||
	    privilege_drop(options->uid, options->gid)) {
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

/* With -o uid=, the cache of that user: the environment is root's. The caller's; NULL when memory
 * is short. */
static char *spool_directory(const struct options *options)
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

/* With the privileges of the user that we run as. *jid: to log in with, the caller's. */
static int open_disks(const struct options *options, struct call_context *context, char **jid)
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

/* After hub_abandon. A disk that does not answer must not hold up the end of the daemon: the mount
 * is gone already. */
static void end_disks(const struct options *options, const struct call_context *context)
{
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

static int start(struct options *options, char **password)
{
	int status = EXIT_FAILURE;
	int ready_fd = -1;

	if (!options->foreground) {
		ready_fd = daemonize_start();
		if (ready_fd < 0) {
			return status;
		}
	}
	struct hub *hub = create_hub(options);
	char *spool = spool_directory(options);
	if (!hub || !spool) {
		log_error("out of memory");
		hub_destroy(hub);
		free(spool);
		return status;
	}
	struct interrupts interrupts;
	struct closes closes = {0};
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
	/* libfuse takes the user of now for the owner, whom allow_root lets in beside root. */
	struct fuse_session *session = NULL;
	if (!options->other_user || privilege_lend(options->uid, options->gid) == 0) {
		session = fuse_session_new(&options->fuse, &ops_table, sizeof(ops_table), &context);
	}
	if (session) {
		char *jid = NULL;
		if ((!options->other_user || mount_for(options, session) == 0) &&
		    open_disks(options, &context, &jid) == 0) {
			status = run(options, jid, password, session, &context, ready_fd);
		}
		free(jid);
		fuse_session_unmount(session); /* if it still is */
		fuse_session_destroy(session);
	}
	interrupts_finish(&interrupts);
	proc_stop();
	free_orphans(hub);
	end_disks(options, &context);
	hub_destroy(hub);
	inbox_destroy(context.inbox);
	pool_destroy(context.spool.pool);
	free(spool);
	return status;
}

int main(int argc, char *argv[])
{
	struct options options;
	int status = EXIT_FAILURE;

	log_start(false);
	int error = daemonize_open_standard();
	if (error < 0) {
		log_error("/dev/null: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	privilege_hide();
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_DONE:
		options_finish(&options);
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		options_finish(&options);
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	log_start(options.debug);
	/* Blocks are freed in the order of their allocation. Without this, glibc would return their
	 * memory to the kernel and fetch it again, at several times the cost of sending. */
	mallopt(M_TRIM_THRESHOLD, 128 * 1024 * 1024);
	mallopt(M_TOP_PAD, 1024 * 1024);

	char *password = password_read(&options);
	if (password) {
		status = start(&options, &password);
	}
	password_wipe(password);
	options_finish(&options);
	return status;
}
