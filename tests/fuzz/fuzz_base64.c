/* SPDX-License-Identifier: MIT */
/*
 * The base64 of blocks: text is decoded as by a slow model of RFC 4648 section 4, encoded bytes are
 * decoded to the same bytes, and no byte beyond them is written.
 */
#include "fuzz.h"
#include "ibb/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The model works on single bits, in a row. */
static int bit_of(const uint8_t *bytes, size_t place)
{
	return bytes[place / 8] >> (7 - place % 8) & 1;
}

/* RFC 4648 section 4, table 1; -1: not in it. */
static int value_of(char c)
{
	static const char table[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(table, c) : NULL;
	return at ? (int)(at - table) : -1;
}

/* Writes what is not white space to `to`, and returns its length. */
static size_t without_space(char *to, const char *text, size_t length)
{
	size_t left = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\0' || !strchr(" \t\n\r", text[i])) {
			to[left++] = text[i];
		}
	}
	return left;
}

/* As base64_decode, of text without white space. */
static ssize_t model_decode(uint8_t *bytes, const char *text, size_t length)
{
	if (length % 4 != 0) {
		return -EINVAL;
	}
	size_t padding = 0;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=') {
		padding++;
	}
	size_t bits = 6 * (length - padding), size = bits / 8;
	memset(bytes, 0, size);
	for (size_t place = 0; place < bits; place++) {
		int value = value_of(text[place / 6]);
		if (value < 0) {
			return -EINVAL;
		}
		int bit = value >> (5 - place % 6) & 1;
		if (place < 8 * size) {
			bytes[place / 8] = (uint8_t)(bytes[place / 8] | bit << (7 - place % 8));
		} else if (bit != 0) {
			return -EINVAL; /* section 3.5: not canonical */
		}
	}
	return (ssize_t)size;
}

static void model_encode(char *text, const uint8_t *bytes, size_t length)
{
	static const char table[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t characters = BASE64_ENCODED(length);
	for (size_t i = 0; i < characters; i++) {
		unsigned value = 0;
		for (size_t place = 6 * i; place < 6 * i + 6; place++) {
			int bit = place < 8 * length ? bit_of(bytes, place) : 0;
			value = value << 1 | (unsigned)bit;
		}
		text[i] = 6 * i < 8 * length ? table[value] : '=';
	}
}

static void *allocate(size_t size)
{
	void *memory = malloc(size > 0 ? size : 1);
	FUZZ_CHECK(memory != NULL);
	return memory;
}

static void try_decoding(const char *text, size_t length)
{
	char *dense = allocate(length);
	size_t dense_length = without_space(dense, text, length);
	uint8_t *model = allocate(dense_length / 4 * 3);
	ssize_t expected = model_decode(model, dense, dense_length);
	/* As much room as is needed, and not a byte more. */
	size_t size = expected < 0 ? dense_length / 4 * 3 : (size_t)expected;
	uint8_t *bytes = allocate(size);
	FUZZ_CHECK(base64_decode(bytes, size, text, length) == expected);
	if (expected >= 0) {
		FUZZ_CHECK(memcmp(bytes, model, size) == 0);
		char *again = allocate(dense_length);
		FUZZ_CHECK(base64_encode(again, bytes, size) == dense_length);
		FUZZ_CHECK(memcmp(again, dense, dense_length) == 0);
		free(again);
	}
	FUZZ_CHECK(expected <= 0 || base64_decode(bytes, size - 1, text, length) == -EMSGSIZE);
	free(bytes);
	free(model);
	free(dense);
}

static void try_encoding(const uint8_t *bytes, size_t length)
{
	size_t characters = BASE64_ENCODED(length);
	char *text = allocate(characters), *model = allocate(characters);
	FUZZ_CHECK(base64_encode(text, bytes, length) == characters);
	model_encode(model, bytes, length);
	FUZZ_CHECK(memcmp(text, model, characters) == 0);
	uint8_t *again = allocate(characters / 4 * 3);
	FUZZ_CHECK(base64_decode(again, length, text, characters) == (ssize_t)length);
	FUZZ_CHECK(length == 0 || memcmp(again, bytes, length) == 0);
	free(again);
	free(text);
	free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = fuzz_string(bytes, length);
	try_decoding(text, length);
	free(text);
	try_encoding(bytes, length);
	return 0;
}
