/* SPDX-License-Identifier: MIT */
/*
 * spooled - files that are written as a whole before a peer hears of them, and then offered.
 *
 * A file can be offered only with its size. So what is written to it is spooled (spool.c, outside
 * the lock), the close offers it, and a upload (upload.c) gives the stream its bytes once it is
 * accepted.
 *
 *     open        the resolver finds a peer that wants files offered: node->spooled
 *     write       handle_is_spooled, and so into the spool
 *     close       spool_file_offer: waits for the end of all of it
 *                 the upload: spool_file_wait, then spool_file_send until the end, spool_file_end
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3; XEP-0096, XEP-0234.
 */
#ifndef ACCOUNT_SPOOL_FILE_H
#define ACCOUNT_SPOOL_FILE_H

#include "account/handle.h"

/*
 * The stream of `handle`, NEW, goes to `peer` as an offer: from now on what is written is
 * spooled. -ENOMEM, -EPROTONOSUPPORT (something was written to the stream already).
 */
int spool_file_begin(struct account *account, struct handle *handle, const char *peer,
		     enum format format);

/* Whether something was spooled through `handle` that has not been offered, and is to be: the
 * close that would have offered it did not seem to be the last. */
bool spool_file_is_unoffered(const struct handle *handle);

/* There are so many bytes now. -ECONNRESET, or the stream's error: it is too late for any. */
int spool_file_resize(struct handle *handle, uint64_t size);

/*
 * Close: offers what was spooled, `size` bytes, with `md5` or NULL, and completes `op` when the
 * peer has all of it, or with what went wrong. When it is offered already, its end is waited for.
 * Returns the number of the offer if it is new: a upload is wanted; else 0.
 */
uint64_t spool_file_offer(struct account *account, struct handle *handle, struct op *op,
			  uint64_t size, const struct digest *md5, int64_t now_ms);

/* Offers it, and nobody waits. 0: node->offer is new; or why it cannot be offered. */
int spool_file_make_offer(struct account *account, struct handle *handle, uint64_t size,
			  const struct digest *md5, int64_t now_ms);

/* ---- for the upload of offer `number`; an op ends in an error when there is nothing to be sent
 * any more ---- */

/* Completes `op` with 0 when bytes are wanted. */
void spool_file_wait(struct account *account, uint64_t number, struct op *op);

/* The next op->size bytes; completes `op` when more are wanted. */
void spool_file_send(struct account *account, uint64_t number, struct op *op, const void *bytes,
		     int64_t now_ms);

/* There are no more; or they cannot be sent (`error`, negative), and so whoever waits for the offer
 * learns of that. */
void spool_file_end(struct account *account, uint64_t number, int error, int64_t now_ms);

#endif
