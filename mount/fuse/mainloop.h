/* SPDX-License-Identifier: MIT */
/*
 * mainloop - the main thread: file system requests, signals and deadlines, until the mount ends.
 *
 * libfuse's own loop cannot be left safely by a signal that comes just before it reads, and it
 * knows no deadlines; this one waits in poll for all three.
 *
 * Threads: the main thread.
 */
#ifndef MOUNT_FUSE_MAINLOOP_H
#define MOUNT_FUSE_MAINLOOP_H

#include "mount/hub.h"
#include "xmpp/client.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>

struct mainloop {
	struct hub *hub;
	struct client *client;
	int signal_fd; /* signalfd of those that end the daemon */
};

/* Waits until the account is online. False: connecting failed, or a signal came (*interrupted). */
bool mainloop_connect(const struct mainloop *loop, bool *interrupted);

/*
 * Serves `session` until it is unmounted or a signal comes, then lets streams that were closed
 * deliver what they have: a few seconds at most, or until a second signal.
 */
void mainloop_run(const struct mainloop *loop, struct fuse_session *session);

#endif
