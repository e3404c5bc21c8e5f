/* SPDX-License-Identifier: MIT */
/*
 * hub_internal - the part that the files of the hub share: hub.c (the lock, the main thread's
 * loop), hub_events.c (the XMPP thread's events), hub_calls.c (calls of the file system),
 * hub_disk.c (those that wait for a disk) and hub_transfers.c (calls of uploads and of the inbox).
 *
 * Threads: as hub.h has it.
 */
#ifndef MOUNT_HUB_INTERNAL_H
#define MOUNT_HUB_INTERNAL_H

#include "mount/hub.h"

#include <pthread.h>

struct hub {
	/* Immutable after start. */
	struct client *client;
	struct hub_inbox inbox; /* if account.has_inbox */
	int fd;
	bool watches_status;

	pthread_mutex_t mutex;
	pthread_cond_t delivered; /* delivering is 0 */
	/* Under it: */
	struct account account;
	struct request *parked; /* uthash, by op.token */
	enum hub_state state;
	char *failure;
	bool abandoned;		/* by hub_abandon */
	bool ended_heard;	/* shutdown_is_heard, then */
	unsigned delivering;	/* threads that deliver results, and use their handles */
	unsigned known_streams; /* how many the main thread has been told of */
	int64_t waits_until_ms; /* the main thread; INT64_MIN while it is awake */
};

/* Locks; the time that it is. */
int64_t hub_begin(struct hub *hub);

/* Takes the results of the call, unlocks, delivers. */
void hub_end(struct hub *hub, int64_t now_ms);

/* Likewise, for calls that may park `request`. */
void hub_end_with(struct hub *hub, struct request *request, int64_t now_ms);

/* For calls that change nothing. */
void hub_unlock(struct hub *hub);

#endif
