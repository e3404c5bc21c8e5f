/* SPDX-License-Identifier: MIT */
/*
 * spool - a file on disk without a name; its contents will be offered.
 *
 * It is freed with the last reference, and with the process.
 *
 * Units:   bytes.
 * Errors:  0 or -errno, as of the system calls: -ENOSPC, -EDQUOT, -EIO ...
 * Threads: one thread writes, then any may read. The count of references is atomic.
 */
#ifndef MOUNT_DISK_SPOOL_H
#define MOUNT_DISK_SPOOL_H

#include "ibb/hash.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The default directory of spools: the cache directory of the user whose home is `home`. The
 * caller's, NULL when memory is short. `caches` is $XDG_CACHE_HOME, or NULL. */
char *spool_default_directory(const char *caches, const char *home);

struct spool;

/* An empty one in `directory`, which is made, with mode 0700, if it is not there. NULL and *error.
 */
struct spool *spool_create(const char *directory, int *error);

struct spool *spool_hold(struct spool *spool);

/* NULL-safe. */
void spool_release(struct spool *spool);

/* Writes all of it, or fails. */
int spool_write(struct spool *spool, const void *bytes, size_t length, uint64_t offset);

/* As ftruncate(2). */
int spool_resize(struct spool *spool, uint64_t size);

/* Up to `length` bytes from `offset`; 0 at the end. */
ssize_t spool_read(const struct spool *spool, void *bytes, size_t length, uint64_t offset);

uint64_t spool_size(const struct spool *spool);

/* The MD5 of all bytes, if they were written from the start to the end; else NULL. Borrowed until
 * the next write; after one there is none. */
const struct digest *spool_md5(struct spool *spool);

#endif
