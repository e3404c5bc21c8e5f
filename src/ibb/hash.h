/* SPDX-License-Identifier: MIT */
/*
 * hash - the digest of a file, computed while its bytes are received or sent.
 *
 * Errors:  0 or -errno.
 * Threads: none; a hash belongs to who holds it.
 * Source:  XEP-0300 section 3 (names of algorithms); XEP-0096 section 3 (MD5).
 */
#ifndef IBB_HASH_H
#define IBB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hash_algorithm {
	HASH_NONE, /* none, or unknown to us */
	HASH_MD5,
	HASH_SHA_1,
	HASH_SHA_256,
	HASH_SHA_512,
};

#define HASH_MAX_BYTES 64

struct digest {
	enum hash_algorithm algorithm;
	size_t length; /* bytes; 0: the digest is still to come, or HASH_NONE */
	uint8_t bytes[HASH_MAX_BYTES];
};

/* HASH_NONE for NULL and for a name that is none of ours, such as "sha3-256". */
enum hash_algorithm hash_from_name(const char *name);

/* "sha-256"; static. NULL for HASH_NONE. */
const char *hash_name(enum hash_algorithm algorithm);

/* Bytes of its digest; 0 for HASH_NONE. */
size_t hash_length(enum hash_algorithm algorithm);

bool digest_equals(const struct digest *a, const struct digest *b);

struct hash;

/* Of no bytes yet. NULL: memory is short, or the algorithm is unavailable. */
struct hash *hash_create(enum hash_algorithm algorithm);

/* NULL-safe. */
void hash_destroy(struct hash *hash);

/* -EIO: the library has failed, and so will hash_finish. */
int hash_update(struct hash *hash, const void *bytes, size_t length);

/* The digest of all bytes. After that the hash can only be destroyed. -EIO. */
int hash_finish(struct hash *hash, struct digest *digest);

#endif
