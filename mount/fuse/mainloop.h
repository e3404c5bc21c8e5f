/* SPDX-License-Identifier: MIT */
/*
 * mainloop - the main thread: file system requests, signals and deadlines, until the mount ends.
 *
 * libfuse's own loop misses a signal that comes just before it reads, and has no deadlines. This
 * one waits in poll for requests, signals and deadlines.
 *
 * Threads: the main thread.
 */
#ifndef MOUNT_FUSE_MAINLOOP_H
#define MOUNT_FUSE_MAINLOOP_H

#include "mount/disk/inbox.h"
#include "mount/fuse/closes.h"
#include "mount/fuse/interrupts.h"
#include "mount/hub.h"
#include "xmpp/client.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>

struct mainloop {
	struct hub *hub;
	struct client *client;
	struct interrupts *interrupts;
	struct closes *closes;
	struct inbox *inbox; /* or NULL */
	struct pool *spool;  /* that of the spool */
	int signal_fd;	     /* signalfd of those that end the daemon */
	const char *mountpoint;
};

/* Waits until the account is online. False: connecting failed, or a signal came (*interrupted). */
bool mainloop_connect(const struct mainloop *loop, bool *interrupted);

/*
 * Serves `session` until it is unmounted or a signal comes, then waits until closed streams have
 * delivered their bytes: a few seconds at most, or until a second signal. False: the session
 * ended while it was mounted. Either its connection was severed, or it is being unmounted by force.
 */
bool mainloop_run(const struct mainloop *loop, struct fuse_session *session);

#endif
