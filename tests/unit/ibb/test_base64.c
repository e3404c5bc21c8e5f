/* SPDX-License-Identifier: MIT */
#include "ibb/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Decodes into memory of just `size`. */
static ssize_t decode_into(size_t size, const char *text, size_t length)
{
	uint8_t *bytes = malloc(size + 1);
	assert_non_null(bytes);
	bytes[size] = 0xa5;
	ssize_t result = base64_decode(bytes, size, text, length);
	assert_int_equal(bytes[size], 0xa5);
	free(bytes);
	return result;
}

static ssize_t decode(const char *text, size_t length)
{
	return decode_into(length / 4 * 3, text, length);
}

static void test_vectors(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		/* RFC 4648 section 10 */
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		/* the last two characters of the alphabet */
		{"\xfb\xff\xbf", "+/+/"},
		{"\xff\xff\xff", "////"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t length = strlen(rows[i].bytes), text_length = strlen(rows[i].text);
		char text[16];
		uint8_t bytes[16];
		assert_int_equal(BASE64_ENCODED(length), text_length);
		assert_int_equal(base64_encode(text, (const uint8_t *)rows[i].bytes, length),
				 text_length);
		assert_memory_equal(text, rows[i].text, text_length);
		assert_int_equal(base64_decode(bytes, sizeof(bytes), text, text_length), length);
		assert_memory_equal(bytes, rows[i].bytes, length);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		/* not whole quanta */
		"Z",
		"Zg",
		"Zm8",
		"Zm9vY",
		"Zm9vYg",
		"Zg=",
		"Zm9vYg=",
		/* padding that is not at the end, or too much of it */
		"=",
		"==",
		"====",
		"=Zg=",
		"Z===",
		"Zg=v",
		"Zg==Zg==",
		"Zm8=Zm8=",
		"Zm9v====",
		"=m9v",
		"Z=9v",
		"Zm=v",
		"Zm9vZg==Zm9v",
		/* bits behind the last byte */
		"Zh==",
		"Zv==",
		"Zm9=",
		"Zm+=",
		"Zm9vYh==",
		"/x==",
		"//9=",
		/* white space in the place of a character, or of another kind */
		"Zm 9",
		"Zm9v\nYg=",
		"Zg= ",
		"Zg\n=",
		"Zg==\nZg==",
		"Zm9v\v",
		"Zm9v\f",
		"Zm9v\xc2\xa0",
		/* base64url, other alphabets, bytes above ASCII */
		"-_-_",
		"Zm9-",
		"Zm9_",
		"Zm9,",
		"Zm9.",
		"Zm9v!Zm9v",
		"Zm\xc3\xa9",
		"\xff\xff\xff\xff",
		"Zm9vZm9vZm9v*m9vZm9vZm9v",
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ssize_t result = decode(rows[i], strlen(rows[i]));
		if (result != -EINVAL) {
			fail_msg("\"%s\": %zd", rows[i], result);
		}
	}
	assert_int_equal(decode("Zm\0v", 4), -EINVAL);
	assert_int_equal(decode("Zg\0=", 4), -EINVAL);
	assert_int_equal(decode("Zg=\0", 4), -EINVAL);
}

static void test_white_space(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		ssize_t length;
	} rows[] = {
		{" Zm9v", 3},	     {"Zm9v ", 3},    {"Zm9v\n", 3},
		{"Zm9v\r\n\r\n", 3}, {"Zg==\n", 1},   {"Z\tg =\r=\n", 1},
		{"Zm9v\nYmFy", 6},   {"\t\t\t\t", 0}, {" ", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[16];
		size_t length = strlen(rows[i].text);
		assert_int_equal(base64_decode(bytes, sizeof(bytes), rows[i].text, length),
				 rows[i].length);
		assert_memory_equal(bytes, "foobar", (size_t)rows[i].length);
		assert_int_equal(decode_into((size_t)rows[i].length, rows[i].text, length),
				 rows[i].length);
	}
}

static void test_more_than_there_is_room_for(void **state)
{
	(void)state;
	assert_int_equal(decode_into(5, "Zm9vYmFy", 8), -EMSGSIZE);
	assert_int_equal(decode_into(5, "Zm9v\nYmFy", 9), -EMSGSIZE);
	assert_int_equal(decode_into(0, "Zg==", 4), -EMSGSIZE);
	assert_int_equal(decode_into(1, "Zg==", 4), 1);
	assert_int_equal(decode_into(0, "", 0), 0);
}

static void test_every_character_in_every_place(void **state)
{
	(void)state;
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t place = 0; place < 8; place++) {
		for (int c = 0; c < 256; c++) {
			char text[] = "AAAAAAAA";
			text[place] = (char)c;
			bool good = memchr(alphabet, c, 64) != NULL || (c == '=' && place == 7);
			ssize_t expected = !good ? -EINVAL : c == '=' ? 5 : 6;
			assert_int_equal(decode(text, 8), expected);
		}
	}
}

/* Exactly one text of a quantum decodes to each sequence of one and of two bytes. */
static void test_one_text_for_each_value(void **state)
{
	(void)state;
	static const char characters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ ";
	size_t accepted[4] = {0};
	for (const char *a = characters; *a != '\0'; a++) {
		for (const char *b = characters; *b != '\0'; b++) {
			for (const char *c = characters; *c != '\0'; c++) {
				char text[4] = {*a, *b, *c, '='};
				char again[4];
				uint8_t bytes[3];
				ssize_t length = base64_decode(bytes, sizeof(bytes), text, 4);
				if (length >= 0) {
					accepted[length]++;
					base64_encode(again, bytes, (size_t)length);
					assert_memory_equal(again, text, 4);
				}
			}
		}
	}
	assert_int_equal(accepted[0], 0);
	assert_int_equal(accepted[1], 256);
	assert_int_equal(accepted[2], 65536);
	assert_int_equal(accepted[3], 0);
}

static void test_every_length_of_block(void **state)
{
	(void)state;
	enum {
		MOST = 65535
	};
	uint8_t *bytes = malloc(MOST), *again = malloc(MOST + 3);
	char *text = malloc(BASE64_ENCODED(MOST));
	assert_true(bytes != NULL && again != NULL && text != NULL);
	for (size_t i = 0; i < MOST; i++) {
		bytes[i] = (uint8_t)(i * 167 + i / 256);
	}
	for (size_t length = 0; length <= MOST; length += length < 300 ? 1 : 5435) {
		size_t encoded = base64_encode(text, bytes, length);
		assert_int_equal(encoded, BASE64_ENCODED(length));
		assert_int_equal(base64_decode(again, MOST + 3, text, encoded), length);
		assert_memory_equal(again, bytes, length);
	}
	free(bytes);
	free(again);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_white_space),
		cmocka_unit_test(test_more_than_there_is_room_for),
		cmocka_unit_test(test_every_character_in_every_place),
		cmocka_unit_test(test_one_text_for_each_value),
		cmocka_unit_test(test_every_length_of_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
