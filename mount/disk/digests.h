/* SPDX-License-Identifier: MIT */
/*
 * digests - SHA-256 of a file: of its pieces, and of the whole, a part at a time.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time; each call reads the disk.
 */
#ifndef MOUNT_DISK_DIGESTS_H
#define MOUNT_DISK_DIGESTS_H

#include "ibb/pieces.h"

/* The digests of pieces that follow each other. */
struct page {
	uint64_t first; /* piece */
	size_t count;
	uint8_t digests[PIECES_PAGE][PIECES_DIGEST];
};

/* Adds the digest of the next piece of a file of `size` bytes. A piece that cannot be read gets a
 * digest that no piece has. Returns whether another piece follows, and the page has room for it. */
bool page_add(struct page *page, int fd, uint64_t size);

/* A file that is compared with the digest of the whole. */
struct comparison {
	uint8_t digest[PIECES_DIGEST];
	struct hash *hash;
	uint64_t at; /* bytes hashed */
};

/* -ENOMEM. `comparison->digest` is set. */
int comparison_begin(struct comparison *comparison);

/* Reads on, for a moment, in a file of `size` bytes. 0: the file has the digest; -EAGAIN: more
 * bytes are to be read; -EBADMSG: the file has another digest; or why it cannot be read. */
int comparison_go_on(struct comparison *comparison, int fd, uint64_t size);

void comparison_finish(struct comparison *comparison);

#endif
