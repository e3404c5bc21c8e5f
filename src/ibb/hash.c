/* SPDX-License-Identifier: MIT */
#include "ibb/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t length;
	const EVP_MD *(*evp)(void);
} algorithms[] = {
	[HASH_MD5] = {"md5", 16, EVP_md5},
	[HASH_SHA_1] = {"sha-1", 20, EVP_sha1},
	[HASH_SHA_256] = {"sha-256", 32, EVP_sha256},
	[HASH_SHA_512] = {"sha-512", 64, EVP_sha512},
};

#define COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

enum hash_algorithm hash_from_name(const char *name)
{
	for (size_t i = HASH_NONE + 1; name && i < COUNT; i++) {
		if (strcmp(name, algorithms[i].name) == 0) {
			return (enum hash_algorithm)i;
		}
	}
	return HASH_NONE;
}

const char *hash_name(enum hash_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

size_t hash_length(enum hash_algorithm algorithm)
{
	return algorithms[algorithm].length;
}

bool digest_equals(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm && a->length == b->length &&
	       memcmp(a->bytes, b->bytes, a->length) == 0;
}

struct hash {
	enum hash_algorithm algorithm;
	EVP_MD_CTX *context;
	bool failed;
};

struct hash *hash_create(enum hash_algorithm algorithm)
{
	struct hash *hash = algorithm == HASH_NONE ? NULL : calloc(1, sizeof(*hash));
	if (!hash) {
		return NULL;
	}
	hash->algorithm = algorithm;
	hash->context = EVP_MD_CTX_new();
	if (!hash->context ||
	    EVP_DigestInit_ex(hash->context, algorithms[algorithm].evp(), NULL) != 1) {
		hash_destroy(hash);
		return NULL;
	}
	return hash;
}

void hash_destroy(struct hash *hash)
{
	if (hash) {
		EVP_MD_CTX_free(hash->context);
		free(hash);
	}
}

int hash_update(struct hash *hash, const void *bytes, size_t length)
{
	if (EVP_DigestUpdate(hash->context, bytes, length) != 1) {
		hash->failed = true;
		return -EIO;
	}
	return 0;
}

int hash_finish(struct hash *hash, struct digest *digest)
{
	unsigned length = 0;
	*digest = (struct digest){.algorithm = hash->algorithm};
	if (hash->failed || EVP_DigestFinal_ex(hash->context, digest->bytes, &length) != 1) {
		hash->failed = true;
		return -EIO;
	}
	digest->length = length;
	return 0;
}
