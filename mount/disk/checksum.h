/* SPDX-License-Identifier: MIT */
/*
 * checksum - shows whether bytes on disk are those that were written. The bytes are added piece by
 * piece.
 *
 * It detects accidents: a loss of power, or a file that was edited meanwhile. It does not protect
 * from somebody who makes two files with the same checksum. Every byte that is received is added,
 * so it must be cheap: it costs a tenth of a digest.
 *
 * Four lanes each take every fourth word of 8 bytes. A step of a lane is a bijection, so a change
 * of one word always changes the sum.
 *
 * Threads: none.
 */
#ifndef MOUNT_DISK_CHECKSUM_H
#define MOUNT_DISK_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_LANES	4
#define CHECKSUM_STRIDE (CHECKSUM_LANES * sizeof(uint64_t))

struct checksum {
	uint64_t length; /* bytes so far */
	uint64_t lanes[CHECKSUM_LANES];
	uint8_t rest[CHECKSUM_STRIDE]; /* the bytes of the last, incomplete stride; then zeros */
};

/* Of no bytes yet. */
void checksum_init(struct checksum *sum);

void checksum_add(struct checksum *sum, const void *bytes, size_t length);

bool checksum_equals(const struct checksum *a, const struct checksum *b);

/* The checksum of these bytes, as one number. */
uint64_t checksum_of(const void *bytes, size_t length);

#endif
