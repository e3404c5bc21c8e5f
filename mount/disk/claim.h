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

/* The file is about to get another name, to be cut, or to be removed. One of these follows:
 * claim_keep, the file is as large as it was; claim_cut, it has that size; claim_give_back, it is
 * removed. */
void claim_begin_change(const struct claim *claim);
void claim_keep(struct claim *claim);
void claim_cut(struct claim *claim, uint64_t size);
void claim_give_back(struct claim *claim);

/* What is reserved will not be written. */
void claim_finish(struct claim *claim);

#endif
