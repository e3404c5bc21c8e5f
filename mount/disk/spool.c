/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* O_TMPFILE */

#include "mount/disk/spool.h"

#include "mount/disk/scan.h"
#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct spool {
	atomic_uint references;
	/* Immutable. */
	struct pool *pool;
	struct lane *lane;
	const char *directory;
	/* Its tasks'. */
	struct task closing;
	int fd;	   /* -1: there is no file yet */
	int error; /* spool_fail */
	uint64_t size;
	struct hash *hash; /* of all bytes so far; NULL: they did not come in order */
	struct digest md5;
};

char *spool_default_directory(const char *caches, const char *home)
{
	/* XDG Base Directory Specification: a path that is not absolute does not count. */
	bool given = caches && caches[0] == '/';
	const char *base = given ? caches : home;
	const char *rest = given ? "/ibbfs" : "/.cache/ibbfs";
	size_t size = strlen(base) + strlen(rest) + 1;
	char *path = malloc(size);
	if (path) {
		snprintf(path, size, "%s%s", base, rest);
	}
	return path;
}

/* With all directories above it. */
static int make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST) {
		return 0;
	}
	const char *slash = strrchr(path, '/');
	if (errno != ENOENT || !slash || slash == path) {
		return -errno;
	}
	char *above = strndup(path, (size_t)(slash - path));
	int error = above ? make_directory(above) : -ENOMEM;
	free(above);
	return error ? error : mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* A file that has no name, or is unlinked at once. */
static int open_nameless(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
		return fd >= 0 ? fd : -errno;
	}
	static const char name[] = "/spool-XXXXXX";
	size_t size = strlen(directory) + sizeof(name);
	char *path = malloc(size);
	if (!path) {
		return -ENOMEM;
	}
	snprintf(path, size, "%s%s", directory, name);
	fd = mkostemp(path, O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	if (fd >= 0) {
		unlink(path);
	}
	free(path);
	return fd >= 0 ? fd : error;
}

struct spool *spool_create(struct pool *pool, const char *directory)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	struct lane *lane = pool ? lane_create(pool) : NULL;
	if (!spool || (pool && !lane)) {
		lane_destroy(pool, lane);
		free(spool);
		return NULL;
	}
	atomic_init(&spool->references, 1);
	spool->pool = pool;
	spool->lane = lane;
	spool->directory = directory;
	spool->fd = -1;
	spool->hash = hash_create(HASH_MD5); /* without it, the file is offered without */
	return spool;
}

int spool_open(struct spool *spool)
{
	if (spool->fd >= 0) {
		return 0;
	}
	int error = make_directory(spool->directory);
	if (!error) {
		spool->fd = open_nameless(spool->directory);
		error = spool->fd < 0 ? spool->fd : 0;
	}
	if (error) {
		log_error("%s: %s", spool->directory, strerror(-error));
	}
	return error;
}

void spool_submit(struct spool *spool, struct task *task)
{
	if (spool->pool) {
		pool_submit(spool->pool, spool->lane, task);
	} else {
		task->run(task);
	}
}

struct pool *spool_pool(const struct spool *spool)
{
	return spool->pool;
}

void spool_fail(struct spool *spool, int error)
{
	spool->error = error;
}

int spool_error(const struct spool *spool)
{
	return spool->error;
}

struct spool *spool_hold(struct spool *spool)
{
	atomic_fetch_add(&spool->references, 1);
	return spool;
}

static void close_spool(struct task *task)
{
	struct spool *spool = (struct spool *)((char *)task - offsetof(struct spool, closing));
	if (spool->fd >= 0) {
		close(spool->fd);
	}
	hash_destroy(spool->hash);
	lane_destroy(spool->pool, spool->lane);
	free(spool);
}

void spool_release(struct spool *spool)
{
	if (spool && atomic_fetch_sub(&spool->references, 1) == 1) {
		spool->closing.run = close_spool;
		spool_submit(spool, &spool->closing);
	}
}

static void drop_hash(struct spool *spool)
{
	hash_destroy(spool->hash);
	spool->hash = NULL;
}

/* Drops the digest, which does not cover all bytes. */
static void drop_md5(struct spool *spool)
{
	drop_hash(spool);
	spool->md5.length = 0;
}

/* A write up to `end` has failed: cuts off the part that it wrote. */
static int fail_write(struct spool *spool, int error, uint64_t offset, uint64_t end)
{
	if (offset < spool->size) {
		drop_md5(spool);
	}
	if (end > spool->size && ftruncate(spool->fd, (off_t)spool->size)) {
		return -errno;
	}
	return error;
}

int spool_write(struct spool *spool, const void *bytes, size_t length, uint64_t offset)
{
	const char *at = bytes;
	size_t left = length;
	uint64_t to = offset;
	int error = spool_open(spool);
	if (error || length == 0) {
		return error; /* no bytes, wherever: they make no file longer */
	}
	while (left > 0) {
		ssize_t written = pwrite(spool->fd, at, left, (off_t)to);
		if (written < 0 && errno != EINTR) {
			return fail_write(spool, -errno, offset, to);
		}
		if (written > 0) {
			at += written;
			to += (uint64_t)written;
			left -= (size_t)written;
		}
	}
	if (offset != spool->size || !spool->hash || hash_update(spool->hash, bytes, length)) {
		drop_md5(spool);
	}
	if (to > spool->size) {
		spool->size = to;
	}
	return 0;
}

int spool_resize(struct spool *spool, uint64_t size)
{
	int error = spool_open(spool);
	if (error || ftruncate(spool->fd, (off_t)size)) {
		return error ? error : -errno;
	}
	if (size != spool->size) {
		drop_md5(spool);
	}
	spool->size = size;
	return 0;
}

ssize_t spool_read(const struct spool *spool, void *bytes, size_t length, uint64_t offset)
{
	ssize_t result = 0;
	if (spool->fd < 0) {
		return 0;
	}
	do {
		result = pread(spool->fd, bytes, length, (off_t)offset);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

int spool_sync(const struct spool *spool)
{
	return fdatasync(spool->fd) == 0 ? 0 : -errno;
}

int spool_hash(const struct spool *spool, uint64_t *at, uint64_t end, uint64_t most,
	       struct hash *hash)
{
	return scan_hash(spool->fd, at, end, most, hash);
}

uint64_t spool_size(const struct spool *spool)
{
	return spool->size;
}

const struct digest *spool_md5(struct spool *spool)
{
	if (spool->hash && hash_finish(spool->hash, &spool->md5)) {
		spool->md5.length = 0;
	}
	drop_hash(spool);
	return spool->md5.length > 0 ? &spool->md5 : NULL;
}
