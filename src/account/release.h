/* SPDX-License-Identifier: MIT */
/*
 * release - the end of an open file: its stream, its offer and its name.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3.
 */
#ifndef ACCOUNT_RELEASE_H
#define ACCOUNT_RELEASE_H

#include "account/handle.h"

/* The last descriptor was closed; frees the handle. */
void release_handle(struct account *account, struct handle *handle, int64_t now_ms);

/* Likewise, for the handles of opens that have completed with an error. */
void release_failed_opens(struct account *account, int64_t now_ms);

/* As release_handle, for a spooled file that is not offered yet (spool_file_is_unoffered): offers
 * it, and no call waits for the result. Returns the number of the offer, which wants an upload; 0:
 * there is none. */
uint64_t release_unattended(struct account *account, struct handle *handle, uint64_t size,
			    const struct digest *md5, int64_t now_ms);

/* Releases unattended handles whose offer is over. */
void release_delivered(struct account *account, int64_t now_ms);

#endif
