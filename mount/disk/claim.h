/* SPDX-License-Identifier: MIT */
/*
 * claim - what one file that is being received takes of a quota.
 *
 * Units:   bytes of the file; of the quota, whole blocks.
 * Threads: one at a time; the quota is that of any.
 */
#ifndef MOUNT_DISK_CLAIM_H
#define MOUNT_DISK_CLAIM_H

#include "mount/disk/quota.h"

struct claim {
	struct quota *quota;
	struct usage reserved; /* with what is spent */
	struct usage spent;    /* on disk */
};

void claim_init(struct claim *claim, struct quota *quota);

/* Reserves what a file of that size takes. -EDQUOT. */
int claim_reserve(struct claim *claim, uint64_t size);

/* Whether a file of that size could be reserved if `less` of the quota were not used. */
bool claim_would_fit(const struct claim *claim, uint64_t size, struct usage less);

/* The file is on disk already, and has that size: it is counted. Before any other call. */
void claim_adopt(struct claim *claim, uint64_t size);

/* The file, for which this much is reserved, has that size now. No effect if it had a larger size
 * before. */
void claim_spend(struct claim *claim, uint64_t size);

/* The file was cut to that size. */
void claim_cut(struct claim *claim, uint64_t size);

/* The file is removed. */
void claim_give_back(struct claim *claim);

/* What is reserved will not be written. */
void claim_finish(struct claim *claim);

#endif
