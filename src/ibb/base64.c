/* SPDX-License-Identifier: MIT */
#include "ibb/base64.h"

#include "ibb/base64_vector.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * A character's value with VALID set; 0 for what is not in the alphabet. So the characters of a
 * quantum are checked by one AND, and VALID is shifted or masked out of the bytes.
 */
#define VALID 0x40

/* clang-format off */
static const uint8_t values[256] = {
	['A'] = 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c,
		0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
	['a'] = 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
		0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73,
	['0'] = 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d,
	['+'] = 0x7e,
	['/'] = 0x7f,
};
/* clang-format on */

size_t base64_encode(char *text, const uint8_t *bytes, size_t length)
{
	size_t done = base64_vector_encode(text, bytes, length);
	char *at = text + BASE64_ENCODED(done);
	bytes += done;
	length -= done;
	for (; length >= 3; length -= 3, bytes += 3, at += 4) {
		at[0] = alphabet[bytes[0] >> 2];
		at[1] = alphabet[(bytes[0] << 4 & 0x30) | bytes[1] >> 4];
		at[2] = alphabet[(bytes[1] << 2 & 0x3c) | bytes[2] >> 6];
		at[3] = alphabet[bytes[2] & 0x3f];
	}
	if (length > 0) {
		unsigned second = length == 2 ? bytes[1] : 0;
		at[0] = alphabet[bytes[0] >> 2];
		at[1] = alphabet[(bytes[0] << 4 & 0x30) | second >> 4];
		at[2] = length == 2 ? alphabet[second << 2 & 0x3c] : '=';
		at[3] = '=';
		at += 4;
	}
	return (size_t)(at - text);
}

/* The last quantum when it is padded. */
static ssize_t decode_padded(uint8_t *bytes, const char *text)
{
	uint8_t a = values[(uint8_t)text[0]], b = values[(uint8_t)text[1]];
	if (text[2] == '=') {
		if ((a & b & VALID) == 0 || (b & 0x0f) != 0) {
			return -EINVAL;
		}
		bytes[0] = (uint8_t)(a << 2 | (b >> 4 & 0x03));
		return 1;
	}
	uint8_t c = values[(uint8_t)text[2]];
	if ((a & b & c & VALID) == 0 || (c & 0x03) != 0) {
		return -EINVAL;
	}
	bytes[0] = (uint8_t)(a << 2 | (b >> 4 & 0x03));
	bytes[1] = (uint8_t)(b << 4 | (c >> 2 & 0x0f));
	return 2;
}

/* Without white space; -EINVAL if there is some. `size` is enough. */
static ssize_t decode_strict(uint8_t *bytes, const char *text, size_t length)
{
	if (length % 4 != 0) {
		return -EINVAL;
	}
	bool padded = length > 0 && text[length - 1] == '=';
	const char *end = text + length - (padded ? 4 : 0);
	size_t done = base64_vector_decode(bytes, text, length);
	text += done;
	uint8_t *at = bytes + done / 4 * 3;
	uint8_t valid = VALID;
	for (; text < end; text += 4, at += 3) {
		uint8_t a = values[(uint8_t)text[0]], b = values[(uint8_t)text[1]];
		uint8_t c = values[(uint8_t)text[2]], d = values[(uint8_t)text[3]];
		valid &= a & b & c & d;
		at[0] = (uint8_t)(a << 2 | (b >> 4 & 0x03));
		at[1] = (uint8_t)(b << 4 | (c >> 2 & 0x0f));
		at[2] = (uint8_t)(c << 6 | (d & 0x3f));
	}
	if (valid == 0) {
		return -EINVAL;
	}
	ssize_t rest = padded ? decode_padded(at, text) : 0;
	return rest < 0 ? rest : at - bytes + rest;
}

/* XML 1.0, section 2.3. */
static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static ssize_t decode_with_space(uint8_t *bytes, size_t size, const char *text, size_t length)
{
	uint8_t decoded[3];
	char quantum[4];
	size_t filled = 0, count = 0;
	bool ended = false;

	for (size_t i = 0; i < length; i++) {
		if (is_space(text[i])) {
			continue;
		}
		if (ended) {
			return -EINVAL;
		}
		quantum[filled++] = text[i];
		if (filled < sizeof(quantum)) {
			continue;
		}
		ssize_t more = decode_strict(decoded, quantum, sizeof(quantum));
		if (more < 0) {
			return more;
		}
		if (count + (size_t)more > size) {
			return -EMSGSIZE;
		}
		memcpy(bytes + count, decoded, (size_t)more);
		count += (size_t)more;
		ended = more < 3;
		filled = 0;
	}
	return filled == 0 ? (ssize_t)count : -EINVAL;
}

ssize_t base64_decode(uint8_t *bytes, size_t size, const char *text, size_t length)
{
	if (length / 4 * 3 <= size) {
		ssize_t count = decode_strict(bytes, text, length);
		if (count >= 0) {
			return count;
		}
	}
	return decode_with_space(bytes, size, text, length);
}
