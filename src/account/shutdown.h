/* SPDX-License-Identifier: MIT */
/*
 * shutdown - the end of the mount: what is delivered, what breaks, and when all is over.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 */
#ifndef ACCOUNT_SHUTDOWN_H
#define ACCOUNT_SHUTDOWN_H

#include "account/account.h"

/*
 * The mount is ending: no new session. With `unmounted`, every file is closed as its user left it.
 * Otherwise streams with an open file, or that nobody has opened, break, as their end will not
 * be seen, but not before what was written to them is delivered; those that are being flushed,
 * and those that are closed, go on. That may take until shutdown_is_complete.
 */
void shutdown_begin(struct account *account, bool unmounted, int64_t now_ms);

bool shutdown_is_complete(const struct account *account);

/* Every open file is closed, every stream breaks, every op is completed. */
void shutdown_abandon(struct account *account, int64_t now_ms);

/* While the mount ends: streams whose user has not closed them break once they have delivered what
 * was written. A file that was flushed is about to be closed. */
void shutdown_break_delivered(struct account *account);

#endif
