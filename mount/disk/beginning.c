/* SPDX-License-Identifier: MIT */
#include "mount/disk/beginning.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes that are read at once, and in one call. */
#define STEP   ((size_t)128 * 1024)
#define MOMENT ((uint64_t)1024 * 1024)

bool beginning_open(struct beginning *beginning, struct partial *file, const char *name,
		    uint64_t announced, uint64_t *size)
{
	if (beginning->algorithm == HASH_NONE || announced == 0) {
		return false;
	}
	int64_t found = partial_reopen(file, name);
	*size = found > 0 ? (uint64_t)found : 0;
	/* What is longer is another file. */
	if (found > 0 && *size <= announced) {
		beginning->hash = hash_create(beginning->algorithm);
		beginning->size = *size < announced ? *size : announced - 1;
		beginning->hashed = 0;
	}
	if (beginning->hash && beginning->size > 0) {
		return true;
	}
	beginning_finish(beginning);
	partial_abandon(file);
	return false;
}

static int read_step(struct beginning *beginning, int fd, uint8_t *bytes, uint64_t end)
{
	uint64_t left = end - beginning->hashed;
	ssize_t length =
		pread(fd, bytes, left < STEP ? (size_t)left : STEP, (off_t)beginning->hashed);
	if (length == 0) {
		return -EBADMSG; /* somebody has cut it */
	}
	if (length < 0) {
		return errno == EINTR ? 0 : -errno;
	}
	beginning->hashed += (uint64_t)length;
	return hash_update(beginning->hash, bytes, (size_t)length);
}

int beginning_read(struct beginning *beginning, const struct partial *file, bool *ended)
{
	uint64_t left = beginning->size - beginning->hashed;
	uint64_t end = beginning->hashed + (left < MOMENT ? left : MOMENT);
	uint8_t *bytes = malloc(STEP);
	int error = bytes ? 0 : -ENOMEM;
	while (!error && beginning->hashed < end) {
		error = read_step(beginning, file->fd, bytes, end);
	}
	free(bytes);
	*ended = !error && end == beginning->size;
	if (*ended && lseek(file->fd, (off_t)end, SEEK_SET) < 0) {
		error = -errno;
	}
	return error;
}

struct hash *beginning_take(struct beginning *beginning)
{
	struct hash *hash = beginning->hash;
	beginning->hash = NULL;
	return hash;
}

void beginning_finish(struct beginning *beginning)
{
	hash_destroy(beginning->hash);
	beginning->hash = NULL;
	beginning->size = 0;
}
