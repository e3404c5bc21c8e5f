/* SPDX-License-Identifier: MIT */
/*
 * spool - a file on disk without a name; its contents will be offered.
 *
 * It is freed with the last reference, and with the process. Its tasks run one at a time, in the
 * order in which they were submitted.
 *
 * Units:   bytes.
 * Errors:  0 or -errno, as of the system calls: -ENOSPC, -EDQUOT, -EIO ...
 * Threads: spool_create, spool_hold, spool_release and spool_submit: any. All others call the disk,
 *          or belong to the spool's tasks; when it is not written any more, any task may read.
 */
#ifndef MOUNT_DISK_SPOOL_H
#define MOUNT_DISK_SPOOL_H

#include "ibb/hash.h"
#include "mount/disk/pool.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The default directory of spools: the cache directory of the user whose home is `home`. The
 * caller's, NULL when memory is short. `caches` is $XDG_CACHE_HOME, or NULL. */
char *spool_default_directory(const char *caches, const char *home);

struct spool;

/* An empty one in `directory`, which the caller keeps. The disk knows nothing of it yet. Its tasks
 * run in `pool`; NULL: where they are submitted. NULL when memory is short. */
struct spool *spool_create(struct pool *pool, const char *directory);

struct spool *spool_hold(struct spool *spool);

/* NULL-safe. */
void spool_release(struct spool *spool);

struct pool *spool_pool(const struct spool *spool);

/* The submitter holds a reference until the task has run. */
void spool_submit(struct spool *spool, struct task *task);

/* Makes the file, if it is not there yet. The directory is made, with mode 0700, if need be. The
 * calls that write do this themselves. */
int spool_open(struct spool *spool);

/* A write has failed: half a file must not look like a whole one. spool_error is the last such
 * error; 0: there was none. */
void spool_fail(struct spool *spool, int error);
int spool_error(const struct spool *spool);

/* Writes all of it, or fails. */
int spool_write(struct spool *spool, const void *bytes, size_t length, uint64_t offset);

/* As ftruncate(2). */
int spool_resize(struct spool *spool, uint64_t size);

/* Up to `length` bytes from `offset`; 0 at the end. */
ssize_t spool_read(const struct spool *spool, void *bytes, size_t length, uint64_t offset);

/* Whether the disk has every byte: the kernel writes later than spool_write, and if that fails,
 * other bytes may be read back. It has a file. */
int spool_sync(const struct spool *spool);

/* As scan_hash; it has a file. */
int spool_hash(const struct spool *spool, uint64_t *at, uint64_t end, uint64_t most,
	       struct hash *hash);

uint64_t spool_size(const struct spool *spool);

/* The MD5 of all bytes, if they were written from the start to the end; else NULL. Borrowed until
 * the next write; after one there is none. */
const struct digest *spool_md5(struct spool *spool);

#endif
