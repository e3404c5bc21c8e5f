/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include "connection.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

void ring_create(struct ring *ring, size_t block_bytes)
{
	ring->block_bytes = block_bytes;
	ring->text_length = 4 * ((block_bytes + 2) / 3);
	ring->text = malloc(RING_BLOCKS * ring->text_length + 1);
	unsigned char *bytes = malloc(block_bytes);
	if (!ring->text || !bytes) {
		die("out of memory");
	}
	for (size_t i = 0; i < RING_BLOCKS; i++) {
		RAND_bytes(bytes, (int)block_bytes);
		/* Its NUL is the first byte of the next one, or the last of all. */
		EVP_EncodeBlock((unsigned char *)ring->text + i * ring->text_length, bytes,
				(int)block_bytes);
	}
	free(bytes);
}

const char *ring_text(const struct ring *ring, size_t number)
{
	return ring->text + number % RING_BLOCKS * ring->text_length;
}

struct digest {
	EVP_MD_CTX *context;
	unsigned char *bytes;
};

static void digest_add(struct digest *digest, const struct ring *ring, const char *text)
{
	if (EVP_DecodeBlock(digest->bytes, (const unsigned char *)text, (int)ring->text_length) <
	    0) {
		die("what has arrived is not base64");
	}
	EVP_DigestUpdate(digest->context, digest->bytes, ring->block_bytes);
}

static struct digest digest_create(const struct ring *ring)
{
	struct digest digest = {.context = EVP_MD_CTX_new(), .bytes = malloc(ring->text_length)};
	if (!digest.context || !digest.bytes) {
		die("out of memory");
	}
	EVP_DigestInit_ex(digest.context, EVP_sha256(), NULL);
	return digest;
}

static void digest_finish(struct digest *digest, char hex[DIGEST_TEXT])
{
	unsigned char raw[32];
	EVP_DigestFinal_ex(digest->context, raw, NULL);
	for (size_t i = 0; i < sizeof(raw); i++) {
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	}
	EVP_MD_CTX_free(digest->context);
	free(digest->bytes);
}

void ring_digest(const struct ring *ring, size_t count, char hex[DIGEST_TEXT])
{
	struct digest digest = digest_create(ring);
	for (size_t i = 0; i < count; i++) {
		digest_add(&digest, ring, ring_text(ring, i));
	}
	digest_finish(&digest, hex);
}

void text_digest(const struct ring *ring, const char *text, size_t count, char hex[DIGEST_TEXT])
{
	struct digest digest = digest_create(ring);
	for (size_t i = 0; i < count; i++) {
		digest_add(&digest, ring, text + i * ring->text_length);
	}
	digest_finish(&digest, hex);
}
