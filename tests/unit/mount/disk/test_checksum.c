/* SPDX-License-Identifier: MIT */
#include "mount/disk/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH 200

static void fill(uint8_t *bytes)
{
	for (size_t i = 0; i < LENGTH; i++) {
		bytes[i] = (uint8_t)(i * 7 + 3);
	}
}

static struct checksum sum_of(const uint8_t *bytes, size_t length, size_t cut)
{
	struct checksum sum;
	checksum_init(&sum);
	checksum_add(&sum, bytes, cut);
	checksum_add(&sum, bytes + cut, length - cut);
	return sum;
}

/* It does not matter how the bytes come. */
static void test_pieces(void **state)
{
	uint8_t bytes[LENGTH];
	(void)state;
	fill(bytes);
	for (size_t length = 0; length <= LENGTH; length++) {
		struct checksum whole = sum_of(bytes, length, 0);
		for (size_t cut = 0; cut <= length; cut++) {
			struct checksum sum = sum_of(bytes, length, cut);
			assert_true(checksum_equals(&whole, &sum));
		}
	}
}

/* Each bit counts, and so do the length and the order. */
static void test_changes(void **state)
{
	uint8_t bytes[LENGTH];
	(void)state;
	fill(bytes);
	struct checksum whole = sum_of(bytes, LENGTH, 0), other;
	uint64_t number = checksum_of(bytes, LENGTH);
	for (size_t bit = 0; bit < (size_t)8 * LENGTH; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		other = sum_of(bytes, LENGTH, 0);
		assert_false(checksum_equals(&whole, &other));
		assert_true(checksum_of(bytes, LENGTH) != number);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	uint8_t zeros[64] = {0};
	assert_true(checksum_of(zeros, 63) != checksum_of(zeros, 64));
	struct checksum shorter = sum_of(zeros, 31, 0), longer = sum_of(zeros, 32, 0);
	assert_false(checksum_equals(&shorter, &longer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
