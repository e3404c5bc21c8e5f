/* SPDX-License-Identifier: MIT */
/*
 * shutdown - the end of the mount: what is delivered first, what is aborted, and when it is over.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_SHUTDOWN_H
#define ACCOUNT_SHUTDOWN_H

#include "account/account.h"

/* Begins the end: no new session. With `unmounted`, every file is closed as its user left it.
 * Otherwise streams that are open, or that nobody has opened, are aborted once all written bytes
 * are delivered; flushes and closed streams go on. The end is reached when shutdown_is_complete. */
void shutdown_begin(struct account *account, bool unmounted, int64_t now_ms);

bool shutdown_is_complete(const struct account *account);

/* Whether everything that was answered to <close/> reaches its sender: both are online. The server
 * drops an answer to a resource that is offline, and tells nobody. */
bool shutdown_is_heard(const struct account *account);

/* Closes every file, aborts every stream, completes every op. */
void shutdown_abandon(struct account *account, int64_t now_ms);

/* After shutdown_begin: aborts open streams that have delivered all written bytes. A file of which
 * a descriptor was closed is not aborted: its release may follow. */
void shutdown_break_delivered(struct account *account);

#endif
