/* SPDX-License-Identifier: MIT */
/*
 * slots - how many files may come into the inbox at once, and of whom.
 *
 * A contact gets no more of them than are left for the others. So a contact that fills what it can
 * get leaves half of all, the next one half of that, and so on.
 *
 * Threads: any.
 */
#ifndef MOUNT_DISK_SLOTS_H
#define MOUNT_DISK_SLOTS_H

#include <pthread.h>
#include <stdbool.h>

/* All files together: each has descriptors, and libstrophe needs one below 1024. */
#define SLOTS_MOST 256

/* That of a file. */
struct slot {
	struct slot *prev, *next; /* slots.taken */
	const char *contact;
};

struct slots {
	pthread_mutex_t mutex;
	/* Under it: */
	struct slot *taken;
	unsigned count;
};

void slots_init(struct slots *slots);
void slots_finish(struct slots *slots);

/* `contact` is borrowed until slots_leave. False: there is none for it. */
bool slots_take(struct slots *slots, struct slot *slot, const char *contact);

/* Likewise, of a file that is being received already: there always is one. */
void slots_keep(struct slots *slots, struct slot *slot, const char *contact);

void slots_leave(struct slots *slots, struct slot *slot);

/* How many are taken. */
unsigned slots_count(struct slots *slots);

#endif
