/* SPDX-License-Identifier: MIT */
#include "mount/disk/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Bytes that are read at once. */
#define PIECE ((size_t)256 * 1024)

int scan(int fd, uint64_t *at, uint64_t end, uint64_t most,
	 int (*take)(void *context, const uint8_t *bytes, size_t length), void *context)
{
	uint64_t last = end - *at < most ? end : *at + most;
	uint8_t *bytes = malloc(PIECE);
	int error = bytes ? 0 : -ENOMEM;
	while (!error && *at < last) {
		size_t wanted = last - *at < PIECE ? (size_t)(last - *at) : PIECE;
		ssize_t length = pread(fd, bytes, wanted, (off_t)*at);
		if (length > 0) {
			*at += (uint64_t)length;
			error = take(context, bytes, (size_t)length);
		} else if (length == 0) {
			error = -ENODATA;
		} else if (errno != EINTR) {
			error = -errno;
		}
	}
	free(bytes);
	return error;
}

static int add_to_hash(void *hash, const uint8_t *bytes, size_t length)
{
	return hash_update(hash, bytes, length);
}

int scan_hash(int fd, uint64_t *at, uint64_t end, uint64_t most, struct hash *hash)
{
	return scan(fd, at, end, most, add_to_hash, hash);
}
