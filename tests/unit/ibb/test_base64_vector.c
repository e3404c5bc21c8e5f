/* SPDX-License-Identifier: MIT */
/* What a vector does is what base64.c does of a single quantum, which is too short for one. */
#include "ibb/base64.h"
#include "ibb/base64_vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 100 /* quanta */

static void fill(uint8_t *bytes, size_t length, unsigned seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/* Bytes of any length, in memory of just that length. */
static void test_encode(void **state)
{
	(void)state;
	for (size_t length = 0; length <= MOST * 3; length++) {
		uint8_t *bytes = malloc(length + 1);
		char *text = malloc(length / 3 * 4 + 1), quantum[4];
		assert_true(bytes && text);
		fill(bytes + 1, length, (unsigned)length);
		size_t done = base64_vector_encode(text, bytes + 1, length);
		assert_true(done <= length && done % 3 == 0);
		for (size_t i = 0; i < done / 3; i++) {
			base64_encode(quantum, bytes + 1 + 3 * i, 3);
			assert_memory_equal(text + 4 * i, quantum, 4);
		}
		free(bytes);
		free(text);
	}
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t quanta = 0; quanta <= MOST; quanta++) {
		uint8_t *bytes = malloc(quanta * 3 + 1), *decoded = malloc(quanta * 3 + 1);
		char *text = malloc(quanta * 4 + 1);
		assert_true(bytes && decoded && text);
		fill(bytes, quanta * 3, (unsigned)quanta);
		for (size_t i = 0; i < quanta; i++) {
			base64_encode(text + 1 + 4 * i, bytes + 3 * i, 3);
		}
		size_t done = base64_vector_decode(decoded + 1, text + 1, quanta * 4);
		assert_true(done <= quanta * 4 && done % 4 == 0);
		assert_memory_equal(decoded + 1, bytes, done / 4 * 3);
		free(bytes);
		free(decoded);
		free(text);
	}
}

/* Every character at every place. */
static void test_alphabet(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256 * 16; i++) {
		char text[40];
		uint8_t decoded[30], expected[3];
		size_t at = i % 16, quantum = at / 4 * 4;
		memset(text, 'A', sizeof(text));
		text[at] = (char)(i / 16);
		size_t done = base64_vector_decode(decoded, text, sizeof(text));
		if (base64_decode(expected, sizeof(expected), text + quantum, 4) < 3) {
			assert_true(done <= quantum);
		} else if (done > 0) {
			assert_memory_equal(decoded + quantum / 4 * 3, expected, 3);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_alphabet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
