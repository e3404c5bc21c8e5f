/* SPDX-License-Identifier: MIT */
/*
 * release - the end of an open file: what becomes of its stream, its offer and its name.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3.
 */
#ifndef ACCOUNT_RELEASE_H
#define ACCOUNT_RELEASE_H

#include "account/handle.h"

/* The last descriptor has gone; frees the handle. */
void release_handle(struct account *account, struct handle *handle, int64_t now_ms);

/* Likewise, for the handles of opens that have completed with an error. */
void release_failed_opens(struct account *account, int64_t now_ms);

/* Likewise, of a spooled file that has not been offered (spool_file_is_unoffered): offers it, and
 * nobody waits. Returns the number of the offer: an upload is wanted; or 0. */
uint64_t release_unattended(struct account *account, struct handle *handle, uint64_t size,
			    const struct digest *md5, int64_t now_ms);

/* Releases the handles of release_unattended whose file has been delivered, or will not be. */
void release_delivered(struct account *account, int64_t now_ms);

#endif
