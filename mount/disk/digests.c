/* SPDX-License-Identifier: MIT */
#include "mount/disk/digests.h"

#include "mount/disk/scan.h"

#include <errno.h>
#include <string.h>

static uint64_t end_of(uint64_t at, uint64_t size)
{
	return size - at < PIECES_LENGTH ? size : at + PIECES_LENGTH;
}

bool page_add(struct page *page, int fd, uint64_t size)
{
	uint64_t at = (page->first + page->count) * PIECES_LENGTH, end = end_of(at, size);
	struct hash *hash = hash_create(HASH_SHA_256);
	struct digest digest;
	if (hash && scan_hash(fd, &at, end, PIECES_LENGTH, hash) == 0 &&
	    hash_finish(hash, &digest) == 0) {
		memcpy(page->digests[page->count], digest.bytes, PIECES_DIGEST);
	} else {
		memset(page->digests[page->count], 0, PIECES_DIGEST);
	}
	hash_destroy(hash);
	page->count++;
	return page->count < PIECES_PAGE && end < size;
}

int comparison_begin(struct comparison *comparison)
{
	comparison->at = 0;
	comparison->hash = hash_create(HASH_SHA_256);
	return comparison->hash ? 0 : -ENOMEM;
}

int comparison_go_on(struct comparison *comparison, int fd, uint64_t size)
{
	struct digest digest;
	int error = scan_hash(fd, &comparison->at, size, PIECES_LENGTH, comparison->hash);
	if (error == -ENODATA) {
		return -EBADMSG;
	}
	if (error || comparison->at < size) {
		return error ? error : -EAGAIN;
	}
	error = hash_finish(comparison->hash, &digest);
	if (error) {
		return error;
	}
	return memcmp(digest.bytes, comparison->digest, PIECES_DIGEST) == 0 ? 0 : -EBADMSG;
}

void comparison_finish(struct comparison *comparison)
{
	hash_destroy(comparison->hash);
	comparison->hash = NULL;
}
