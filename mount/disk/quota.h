/* SPDX-License-Identifier: MIT */
/*
 * quota - how many bytes a directory holds and may hold, with those that are reserved.
 *
 * Units:   bytes.
 * Threads: any.
 */
#ifndef MOUNT_DISK_QUOTA_H
#define MOUNT_DISK_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct quota {
	uint64_t limit;			  /* 0: none */
	uint64_t (*count)(void *context); /* what is in the directory now */
	void *context;
	atomic_uint_fast64_t used;	/* written or reserved */
	atomic_uint_fast64_t awaited;	/* reserved, and not written yet */
	atomic_int_fast64_t counted_ms; /* when it was counted last */
};

/* Counts for the first time. */
void quota_init(struct quota *quota, uint64_t limit, uint64_t (*count)(void *context),
		void *context);

/* Reserves `bytes`. False: there is no room. */
bool quota_reserve(struct quota *quota, uint64_t bytes);

/* That many of the reserved bytes are written. */
void quota_write(struct quota *quota, uint64_t bytes);

/* That many of the reserved bytes will not be written. */
void quota_cancel(struct quota *quota, uint64_t bytes);

/* A file of that size is removed; or its removal has failed. */
void quota_remove(struct quota *quota, uint64_t bytes);
void quota_restore(struct quota *quota, uint64_t bytes);

#endif
