/* SPDX-License-Identifier: MIT */
/*
 * restart - what earlier processes have left in the inbox: complete files, parts, and streams that
 * are resumed.
 *
 * Threads: the one that opens the inbox, before client_start.
 * Source:  docs/wire.md, "Streams that outlive a connection".
 */
#ifndef MOUNT_DISK_RESTART_H
#define MOUNT_DISK_RESTART_H

#include "mount/disk/inbox.h"
#include "mount/hub.h"

#include <stdbool.h>

/*
 * After download_attach. `jid`: ours, bare or full. Returns the JID to log in with, the caller's:
 * if `jid` is bare and a stream is resumed, the full JID to which it was sent. NULL: memory is
 * short. Unless `resumes`, no stream is resumed. The streams of other accounts are left to them.
 */
char *restart_inbox(struct inbox *inbox, struct hub *hub, const char *jid, bool resumes);

#endif
