/* SPDX-License-Identifier: MIT */
#include "mount/disk/checksum.h"

#include <string.h>

/* Odd, so that multiplication is a bijection. The digits of pi and of the golden ratio. */
#define FACTOR 0x9e3779b97f4a7c15u
#define START  0x243f6a8885a308d3u

static uint64_t rotate(uint64_t number)
{
	return number << 31 | number >> 33;
}

static uint64_t step(uint64_t lane, uint64_t word)
{
	return rotate((lane ^ word) * FACTOR);
}

void checksum_init(struct checksum *sum)
{
	*sum = (struct checksum){0};
	for (size_t i = 0; i < CHECKSUM_LANES; i++) {
		sum->lanes[i] = START + i;
	}
}

static void add_strides(struct checksum *sum, const uint8_t *bytes, size_t length)
{
	uint64_t lanes[CHECKSUM_LANES];
	memcpy(lanes, sum->lanes, sizeof(lanes));
	for (; length > 0; bytes += CHECKSUM_STRIDE, length -= CHECKSUM_STRIDE) {
		uint64_t words[CHECKSUM_LANES];
		memcpy(words, bytes, sizeof(words));
		for (size_t i = 0; i < CHECKSUM_LANES; i++) {
			lanes[i] = step(lanes[i], words[i]);
		}
	}
	memcpy(sum->lanes, lanes, sizeof(lanes));
}

void checksum_add(struct checksum *sum, const void *bytes, size_t length)
{
	const uint8_t *next = bytes;
	size_t filled = sum->length % CHECKSUM_STRIDE;
	sum->length += length;
	if (filled > 0) {
		size_t more = CHECKSUM_STRIDE - filled;
		more = more < length ? more : length;
		memcpy(sum->rest + filled, next, more);
		next += more;
		length -= more;
		if (filled + more < CHECKSUM_STRIDE) {
			return;
		}
		add_strides(sum, sum->rest, CHECKSUM_STRIDE);
		memset(sum->rest, 0, sizeof(sum->rest));
	}
	size_t rest = length % CHECKSUM_STRIDE;
	add_strides(sum, next, length - rest);
	if (rest > 0) {
		memcpy(sum->rest, next + length - rest, rest);
	}
}

bool checksum_equals(const struct checksum *a, const struct checksum *b)
{
	return a->length == b->length && memcmp(a->lanes, b->lanes, sizeof(a->lanes)) == 0 &&
	       memcmp(a->rest, b->rest, sizeof(a->rest)) == 0;
}

uint64_t checksum_of(const void *bytes, size_t length)
{
	struct checksum sum;
	checksum_init(&sum);
	checksum_add(&sum, bytes, length);
	add_strides(&sum, sum.rest, CHECKSUM_STRIDE);
	uint64_t result = length;
	for (size_t i = 0; i < CHECKSUM_LANES; i++) {
		result = step(result, sum.lanes[i]);
	}
	return result;
}
