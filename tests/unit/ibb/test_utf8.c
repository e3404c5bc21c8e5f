/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_cut(void **state)
{
	static const struct {
		const char *text;
		size_t most, left;
	} rows[] = {
		{"", 0, 0},
		{"abc", 3, 3},
		{"abc", 2, 2},
		{"abc", 9, 3},
		{"a\xc3\xa4", 3, 3},
		{"a\xc3\xa4", 2, 1},
		{"a\xf0\x9f\x98\x80z", 4, 1}, /* inside, at each of its bytes */
		{"a\xf0\x9f\x98\x80z", 3, 1},
		{"a\xf0\x9f\x98\x80z", 5, 5},
		{"\x80\x80\x80", 2, 0}, /* nothing that begins one */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(utf8_cut(rows[i].text, rows[i].most), rows[i].left);
	}
}

static void test_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"", true},
		{"abc\n", true},
		{"\xc2\x80\xdf\xbf", true},
		{"\xe0\xa0\x80\xef\xbf\xbf", true},
		{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true},
		{"\x80", false},
		{"a\xc3", false},
		{"\xc3(", false},
		{"\xc1\xbf", false}, /* overlong */
		{"\xe0\x9f\xbf", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xed\xa0\x80", false}, /* a surrogate */
		{"\xf4\x90\x80\x80", false},
		{"\xff", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(utf8_is_valid(rows[i].text), rows[i].valid);
	}
}

static void test_copy(void **state)
{
	(void)state;
	char *copy = utf8_copy("a\xc3\xa4", 2);
	assert_string_equal(copy, "a");
	free(copy);
	failing_malloc_arm(1);
	assert_null(utf8_copy("a", 1));
	assert_true(failing_malloc_disarm());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
