/* SPDX-License-Identifier: MIT */
#include "mount/disk/verification.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes that are read in one call of verification_read, and at once. */
#define STEP  ((size_t)16 * 1024 * 1024)
#define PIECE ((size_t)256 * 1024)

void verification_init(struct verification *verification, const struct checksum *wanted)
{
	verification->wanted = *wanted;
	checksum_init(&verification->sum);
}

static int read_piece(struct verification *verification, int fd, uint8_t *bytes)
{
	struct checksum *sum = &verification->sum;
	uint64_t left = verification->wanted.length - sum->length;
	ssize_t length = pread(fd, bytes, left < PIECE ? left : PIECE, (off_t)sum->length);
	if (length <= 0) {
		return length < 0 ? -errno : -EIO; /* the file is shorter */
	}
	checksum_add(sum, bytes, (size_t)length);
	return 0;
}

int verification_read(struct verification *verification, int fd, bool *ended)
{
	const struct checksum *wanted = &verification->wanted, *sum = &verification->sum;
	uint64_t begun = sum->length;
	uint8_t *bytes = malloc(PIECE);
	int error = bytes ? 0 : -ENOMEM;
	while (!error && sum->length < wanted->length && sum->length - begun < STEP) {
		error = read_piece(verification, fd, bytes);
	}
	free(bytes);
	*ended = sum->length == wanted->length;
	return !error && *ended && !checksum_equals(sum, wanted) ? -EIO : error;
}
