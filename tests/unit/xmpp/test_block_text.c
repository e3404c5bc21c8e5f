/* SPDX-License-Identifier: MIT */
/* block_text: where the text of blocks is. That nothing changes is in test_stanza_limits.c. */
#include "xmpp/block_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_names(void **state)
{
	(void)state;
	assert_true(block_text_is_in("http://jabber.org/protocol/ibb\xFF"
				     "data"));
	static const char *const others[] = {
		"",
		"data",
		"http://jabber.org/protocol/ibb",
		"http://jabber.org/protocol/ibb\xFF",
		"http://jabber.org/protocol/ibb\xFF"
		"open",
		"http://jabber.org/protocol/ibb\xFF"
		"data2",
		"http://jabber.org/protocol/ibb2\xFF"
		"data",
		"jabber:client\xFF"
		"data",
	};
	for (size_t i = 0; i < COUNT(others); i++) {
		assert_false(block_text_is_in(others[i]));
	}
}

static void test_distance(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t distance;
	} rows[] = {
		{"", 0},
		{"text", 4},
		{"</iq><iq/>", 10},
		{"<data>text", 6},
		{"</data></iq><iq><data a='b'>text</data>", 28},
		/* more must be read first */
		{"<iq><dat", 8},
		{"<iq><data", 9},
		{"<iq><data a='", 13},
		/* it may be another element, or the tag may go on */
		{"<database>text", 10},
		{"<data a='>'>text", 10},
		{"<data/>text", 7},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(block_text_distance(rows[i].bytes, strlen(rows[i].bytes)),
				 rows[i].distance);
	}
}

static void test_length(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size, length;
	} rows[] = {
		{"", 0, 0},
		{"QUJD", 4, 4},
		{"QU\r\nJD</data>", 13, 6},
		{"<a/>QUJD", 8, 0},
		{"QU&#61;</data>", 14, 2},
		{"&amp;", 5, 0},
		{"QU<a/>&amp;", 11, 2},
		{"QU\0D<", 5, 0},
		{"QU<\0", 4, 2},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(block_text_length(rows[i].bytes, rows[i].size), rows[i].length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
