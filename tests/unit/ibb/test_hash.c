/* SPDX-License-Identifier: MIT */
/* The test vectors of RFC 1321 and FIPS 180. */
#include "ibb/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void digest_of(enum hash_algorithm algorithm, const char *text, struct digest *digest)
{
	struct hash *hash = hash_create(algorithm);
	assert_non_null(hash);
	/* In two pieces, as blocks come. */
	size_t half = strlen(text) / 2;
	assert_int_equal(hash_update(hash, text, half), 0);
	assert_int_equal(hash_update(hash, text + half, strlen(text) - half), 0);
	assert_int_equal(hash_finish(hash, digest), 0);
	hash_destroy(hash);
}

static void hex(const struct digest *digest, char text[2 * HASH_MAX_BYTES + 1])
{
	text[0] = '\0';
	for (size_t i = 0; i < digest->length; i++) {
		sprintf(text + 2 * i, "%02x", digest->bytes[i]);
	}
}

static void test_vectors(void **state)
{
	static const struct {
		const char *name, *text, *hex;
	} vectors[] = {
		{"md5", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"md5", "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"sha-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha-256", "abc",
		 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha-512", "abc",
		 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		enum hash_algorithm algorithm = hash_from_name(vectors[i].name);
		struct digest digest;
		char text[2 * HASH_MAX_BYTES + 1];
		assert_string_equal(hash_name(algorithm), vectors[i].name);
		digest_of(algorithm, vectors[i].text, &digest);
		assert_int_equal(digest.algorithm, algorithm);
		assert_int_equal(digest.length, hash_length(algorithm));
		hex(&digest, text);
		assert_string_equal(text, vectors[i].hex);
	}
}

static void test_names_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(hash_from_name(NULL), HASH_NONE);
	assert_int_equal(hash_from_name(""), HASH_NONE);
	assert_int_equal(hash_from_name("SHA-256"), HASH_NONE);
	assert_int_equal(hash_from_name("id-blake2b256"), HASH_NONE);
	assert_null(hash_name(HASH_NONE));
	assert_null(hash_create(HASH_NONE));
	assert_int_equal(hash_length(HASH_NONE), 0);
}

static void test_equal(void **state)
{
	struct digest a, b;
	(void)state;
	digest_of(HASH_SHA_256, "abc", &a);
	digest_of(HASH_SHA_256, "abc", &b);
	assert_true(digest_equals(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(digest_equals(&a, &b));
	digest_of(HASH_MD5, "abc", &b);
	assert_false(digest_equals(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
