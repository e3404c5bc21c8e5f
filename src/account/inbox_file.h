/* SPDX-License-Identifier: MIT */
/*
 * inbox_file - a file that is received into the inbox: its progress, and its path.
 *
 *     arrival     inbox_file_add. The hub hands it to the inbox (download.c, outside the lock),
 *                 which makes a file for it, or inbox_file_decline
 *     bytes       the download: inbox_file_begin, then inbox_file_read again and again; each read
 *                 confirms the bytes of the one before, which are in the file: they are
 *                 acknowledged
 *     a pause     STREAM_SYNC, if the peer asks for it, or may believe that it was the end: the
 *                 download syncs the file so far
 *     the end     inbox_file_name, when the file has its name on disk, and inbox_file_end, when
 *                 that is durable: from then on, the name in in/ is that file
 *
 * A reader of the name meanwhile reads what the file holds so far.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_INBOX_FILE_H
#define ACCOUNT_INBOX_FILE_H

#include "account/inbox_entry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Only the rest of the offered file was asked for: the digest that verifies the whole. HASH_NONE:
 * the whole file comes. */
enum hash_algorithm inbox_file_digest_of_rest(const struct offer *offer);

/* Puts `node`, which has just arrived, into the inbox. -ENOMEM: it stays a stream or an offer in
 * in/. */
int inbox_file_add(struct account *account, struct node *node);

/* The arrivals since the last call, oldest first: a list, the caller's; each to be freed. */
struct inbox_arrival *inbox_file_take_arrivals(struct account *account);

/* ---- for the inbox; a node that has gone is -ENOENT ---- */

/* It cannot be stored, for `error`, negative: declines the offer, or aborts the stream with that.
 */
void inbox_file_decline(struct account *account, uint64_t ino, int error, int64_t now_ms);

/* Whether the offer is still to be accepted. */
bool inbox_file_is_offered(const struct account *account, uint64_t ino);

/* offer_continue. -ECONNRESET: the offer is not to be accepted any more. */
int inbox_file_continue(struct account *account, uint64_t ino, uint64_t offset, struct hash *hash);

/* stream_set_journaled, of its stream. */
void inbox_file_set_journaled(struct account *account, uint64_t ino, bool journaled);

/* The file at `path` below the inbox (copied) is being written. `size`: of a stream, the bytes that
 * it has already. Completes `op` with 0 once its bytes can come; with -ESHUTDOWN: the next process
 * will get them. */
void inbox_file_begin(struct account *account, uint64_t ino, const char *path, uint64_t size,
		      struct op *op, int64_t now_ms);

/* As stream_read, with STREAM_SKIP, STREAM_PAGE and STREAM_SYNC, after which the file is synced,
 * and read on with `synced`; confirms that the bytes of the last read are in the file and, with
 * `synced`, that they are durable. -ESHUTDOWN as above. */
void inbox_file_read(struct account *account, uint64_t ino, bool synced, struct op *op);

/* stream_answer_page. */
void inbox_file_answer_page(struct account *account, uint64_t ino, uint64_t first,
			    const uint8_t *digests, size_t length);

/* The digest of the whole that the peer has told with its end; `digest` has room for PIECES_DIGEST
 * bytes. False: none. */
bool inbox_file_digest(const struct account *account, uint64_t ino, uint8_t *digest);

/* Why nothing more will come of it; 0: it may. -ESHUTDOWN as above. */
int inbox_file_error(const struct account *account, uint64_t ino);

/* The file, whose bytes are all there, is at `path` now (copied); it may not be durable yet. */
int inbox_file_name(struct account *account, uint64_t ino, const char *path);

/* The file is complete, at `path` (copied); or it could not be stored: `error`, negative, and its
 * name stands for the part at `path`, if there is one (inbox_part_leave). -ENOENT: it was removed.
 * -EBADMSG: the file has failed, and another attempt must not go on from its bytes, as they are not
 * those that the peer has. */
int inbox_file_end(struct account *account, uint64_t ino, const char *path, int error,
		   int64_t now_ms);

/* ---- what an earlier process has begun ---- */

/* A stream that an earlier process received, into the file `part` beside `path`: it is resumed when
 * we are connected. *ino: of its name; inbox_file_begin follows. inbox_entry_add's errors, and
 * ibb_restore's. */
int inbox_file_resume(struct account *account, const struct inbox_path *path, const char *part,
		      const struct stream_facts *facts, int64_t now_ms, uint64_t *ino);

#endif
