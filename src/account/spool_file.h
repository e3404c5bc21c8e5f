/* SPDX-License-Identifier: MIT */
/*
 * spool_file - files that are spooled before a peer knows of them, and then offered.
 *
 * An offer has the size of the file. So writes go to a spool (spool.c, outside the lock), the close
 * offers the file, and an upload (upload.c) gives the stream its bytes once the peer has accepted.
 *
 *     open        routing finds a peer to which files are offered
 *     write       handle_is_spooled: into the spool
 *     close       spool_file_offer: waits for the end of the upload
 *                 the upload: spool_file_wait, spool_file_part, spool_file_send until the end of
 *                 the part, spool_file_set_digest, spool_file_end
 *
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 3; XEP-0096, XEP-0234.
 */
#ifndef ACCOUNT_SPOOL_FILE_H
#define ACCOUNT_SPOOL_FILE_H

#include "account/handle.h"

/* Makes the NEW stream of `handle` an offer to `peer`, which has `features`: writes are spooled
 * from now on. -ENOMEM, -EPROTONOSUPPORT (something was written to the stream already). */
int spool_file_begin(struct account *account, struct handle *handle, const char *peer,
		     unsigned features, enum format format);

/* Whether the file was spooled and not offered, because no close seemed to be the last one. */
bool spool_file_is_unoffered(const struct handle *handle);

/* Sets the size. -ECONNRESET, or the stream's error: it is offered already, or over. */
int spool_file_resize(struct handle *handle, uint64_t size);

/* Before a write at `offset` to the file, of `size` bytes: as spool_file_resize. -ESPIPE: the
 * writer believes that an earlier file is there. */
int spool_file_begin_write(struct handle *handle, uint64_t size, uint64_t offset);

/* A close that is not the last one: 0, or why a write before it has failed or the file cannot be
 * offered. Once it is offered, the last close says what becomes of it. */
int spool_file_error(const struct handle *handle);

/* Close: offers the file, `size` bytes, with `md5` or NULL. `op` completes when the peer has all of
 * it, or with an error. If the file is offered already, `op` waits for its end. Returns the number
 * of a new offer, which wants an upload; else 0. */
uint64_t spool_file_offer(struct account *account, struct handle *handle, struct op *op,
			  uint64_t size, const struct digest *md5, int64_t now_ms);

/* As spool_file_offer, but no op waits. 0: node->file.offer is set; or why the file cannot be
 * offered. */
int spool_file_make_offer(struct account *account, struct handle *handle, uint64_t size,
			  const struct digest *md5, int64_t now_ms);

/* ---- for the upload of offer `number`; an op ends in an error when there is nothing to be sent
 * any more ---- */

/* Completes `op` with 0 when bytes are wanted. */
void spool_file_wait(struct account *account, uint64_t number, struct op *op);

/* After that: what is to be sent. -ECONNRESET: nothing, any more. */
int spool_file_part(const struct account *account, uint64_t number, struct offer_part *part);

/* The digest of the whole file, if the part has one. */
void spool_file_set_digest(struct account *account, uint64_t number, const struct digest *digest);

/* The next op->size bytes of the part; completes `op` when more are wanted. */
void spool_file_send(struct account *account, uint64_t number, struct op *op, const void *bytes,
		     int64_t now_ms);

/* The end of the part, and of the file if there is a digest; or it could not be read (`error`,
 * negative): then the offer fails with that.
 */
void spool_file_end(struct account *account, uint64_t number, int error, int64_t now_ms);

#endif
