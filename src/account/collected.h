/* SPDX-License-Identifier: MIT */
/*
 * collected - files that are written as a whole before a peer hears of them, and then offered.
 *
 * A file can be offered only with its size. So what is written to it is kept (spool.c, outside the
 * lock), the close offers it, and a pump (pump.c) gives the stream its bytes once it is accepted.
 *
 *     open        dial finds a peer that wants files offered: node->collected
 *     write       collected_is, and so into the spool
 *     close       collected_offer: waits for the end of all of it
 *                 the pump: collected_wait, then collected_send until the end, collected_end
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3; XEP-0096, XEP-0234.
 */
#ifndef ACCOUNT_COLLECTED_H
#define ACCOUNT_COLLECTED_H

#include "account/account.h"
#include "account/file.h"

/*
 * The stream of `handle`, NEW, goes to `peer` as an offer: from now on what is written is
 * collected. -ENOMEM, -EPROTONOSUPPORT (something was written to the stream already).
 */
int collected_begin(struct account *account, struct handle *handle, const char *peer,
		    enum format format);

/* Whether what is written through `handle` is collected. */
bool collected_is(const struct handle *handle);

/* Whether something was collected through `handle` that has not been offered, and is to be: the
 * close that would have offered it did not seem to be the last. */
bool collected_is_left(const struct handle *handle);

/* There are so many bytes now. -ECONNRESET, or the stream's error: it is too late for any. */
int collected_resize(struct handle *handle, uint64_t size);

/*
 * Close: offers what was collected, `size` bytes, with `md5` or NULL, and completes `op` when the
 * peer has all of it, or with what went wrong. When it is offered already, its end is waited for.
 * Returns the number of the offer if it is new: a pump is wanted; else 0.
 */
uint64_t collected_offer(struct account *account, struct handle *handle, struct op *op,
			 uint64_t size, const struct digest *md5, int64_t now_ms);

/* The last descriptor has gone, and collected_is_left: offers it, and nobody waits. The handle is
 * not the caller's any more. */
uint64_t collected_leave(struct account *account, struct handle *handle, uint64_t size,
			 const struct digest *md5, int64_t now_ms);

/* Releases the handles of collected_leave whose file has been delivered, or will not be. */
void collected_tidy(struct account *account, int64_t now_ms);

/* ---- for the pump of offer `number`; an op ends in an error when there is nothing to be sent any
 * more ---- */

/* Completes `op` with 0 when bytes are wanted. */
void collected_wait(struct account *account, uint64_t number, struct op *op);

/* The next op->size bytes; completes `op` when more are wanted. */
void collected_send(struct account *account, uint64_t number, struct op *op, const void *bytes,
		    int64_t now_ms);

/* There are no more; or they cannot be sent (`error`, negative), and so whoever waits for the offer
 * learns of that. */
void collected_end(struct account *account, uint64_t number, int error, int64_t now_ms);

#endif
