/* SPDX-License-Identifier: MIT */
#include "mount/disk/beginning.h"

#include "mount/disk/scan.h"

#include <errno.h>

/* Bytes that are read in one call of beginning_read. */
#define STEP ((uint64_t)1024 * 1024)

bool beginning_open(struct beginning *beginning, struct part_file *file, const char *name,
		    uint64_t announced_size, uint64_t *size)
{
	if (beginning->algorithm == HASH_NONE || announced_size == 0) {
		return false;
	}
	int64_t found = part_file_reopen(file, name);
	*size = found > 0 ? (uint64_t)found : 0;
	/* What is longer is another file. */
	if (found > 0 && *size <= announced_size) {
		beginning->hash = hash_create(beginning->algorithm);
		beginning->size = *size < announced_size ? *size : announced_size - 1;
		beginning->hashed = 0;
	}
	if (beginning->hash && beginning->size > 0) {
		return true;
	}
	beginning_finish(beginning);
	part_file_abandon(file);
	return false;
}

int beginning_read(struct beginning *beginning, const struct part_file *file, bool *ended)
{
	int error = scan_hash(file->fd, &beginning->hashed, beginning->size, STEP, beginning->hash);
	*ended = !error && beginning->hashed == beginning->size;
	return error == -ENODATA ? -EBADMSG : error; /* somebody has cut it */
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
