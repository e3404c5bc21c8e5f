/* SPDX-License-Identifier: MIT */
#include "xmpp/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_number(void **state)
{
	(void)state;
	uint64_t number = 0;
	assert_true(text_to_number("0", 0, &number));
	assert_int_equal(number, 0);
	assert_true(text_to_number("9223372036854775807", INT64_MAX, &number));
	assert_int_equal(number, INT64_MAX);
	assert_true(text_to_number("0007", 7, &number));
	assert_int_equal(number, 7);
	static const char *const too_long[] = {
		"9223372036854775808",
		"18446744073709551616", /* 0 modulo 2^64, and so on */
		"18446744073709551617",
		"92233720368547758070",
	};
	static const char *const wrong[] = {
		NULL,
		"",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1a",
		"0x1",
		"8",
		"9223372036854775808",
		"18446744073709551617",
		"99999999999999999999999999999999999999999",
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		number = 3;
		assert_false(text_to_number(wrong[i], 7, &number));
		assert_int_equal(number, 3);
	}
	for (size_t i = 0; i < COUNT(too_long); i++) {
		assert_false(text_to_number(too_long[i], INT64_MAX, &number));
	}
	assert_true(text_to_number("18446744073709551615", UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
	assert_false(text_to_number("18446744073709551616", UINT64_MAX, &number));
}

static void test_seq(void **state)
{
	(void)state;
	uint16_t seq = 0;
	assert_true(text_to_seq("65535", &seq));
	assert_int_equal(seq, 65535);
	assert_true(text_to_seq("65543", &seq));
	assert_int_equal(seq, 7);
	static const char *const wrong[] = {NULL, "", "-1", "6,", "6 ", "x"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_false(text_to_seq(wrong[i], &seq));
		assert_int_equal(seq, 7);
	}
}

static void test_bytes(void **state)
{
	(void)state;
	uint8_t bytes[4] = {0};
	assert_true(text_to_bytes("", bytes, 0));
	assert_true(text_to_bytes("00aFfA9e", bytes, 4));
	assert_memory_equal(bytes, "\x00\xaf\xfa\x9e", 4);
	static const char *const wrong[] = {
		NULL,	    "",		"00aFfA9",  "00aFfA9e0", "00aFfA9e00",
		"00aFfA9g", "00aFfA9G", "0xaFfA9e", " 0aFfA9e",	 "00aFfA9\xc3",
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_false(text_to_bytes(wrong[i], bytes, 4));
	}
}

static const struct {
	const char *text;
	int64_t date;
} dates[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1969-12-31T23:59:59Z", -1},
	{"1969-07-21T02:56:15Z", -14159025}, /* XEP-0082, example 2; and 3 */
	{"1969-07-20T21:56:15-05:00", -14159025},
	{"2026-11-23T02:52:33.422Z", 1795402353},
	{"2024-05-06T07:08:09Z", 1714979289},
	{"2024-05-06T07:08:09+00:00", 1714979289},
	{"2024-05-06T12:53:09+05:45", 1714979289},
	{"2000-02-29T12:00:00.123456789012345678901234567890Z", 951825600},
	{"2016-12-31T23:59:60Z", 1483228800},
	{"0001-01-01T00:00:00Z", TEXT_DATE_MIN},
	{"9999-12-31T23:59:59Z", TEXT_DATE_MAX},
};

static void test_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		int64_t date = 1;
		if (!text_to_date(dates[i].text, &date)) {
			fail_msg("no date: %s", dates[i].text);
		}
		assert_int_equal(date, dates[i].date);
	}
}

static void test_no_dates(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		NULL,
		"",
		"2024-05-06",
		"20020910T17:58:35", /* XEP-0082 section 4: the older format */
		"2026-11-23T03:03:03.969969+00:00Z",
		"2024-05-06T07:08:09",
		"2024-05-06T07:08:09z",
		"2024-05-06 07:08:09Z",
		"2024-05-06T07:08:09Z ",
		" 2024-05-06T07:08:09Z",
		"2024-05-06T07:08:09.Z",
		"2024-05-06T07:08:09,5Z",
		"2024-05-06T07:08Z",
		"2024-5-06T07:08:09Z",
		"-024-05-06T07:08:09Z",
		"12024-05-06T07:08:09Z",
		"2024-00-06T07:08:09Z",
		"2024-13-06T07:08:09Z",
		"2024-05-00T07:08:09Z",
		"2024-05-32T07:08:09Z",
		"2023-02-29T07:08:09Z",
		"1900-02-29T07:08:09Z",
		"2024-05-06T24:00:00Z",
		"2024-05-06T07:60:09Z",
		"2024-05-06T07:08:61Z",
		"2024-05-06T07:08:09+24:00",
		"2024-05-06T07:08:09+01:60",
		"2024-05-06T07:08:09+0100",
		"2024-05-06T07:08:09+01:0",
		"2024-05-06T07:08:09+01:000",
		"2024-05-06T07:08:09+",
		"0000-12-31T23:59:59Z",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:60Z",
		"9999-12-31T23:59:59-00:01",
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		int64_t date;
		if (text_to_date(wrong[i], &date)) {
			fail_msg("a date: %s", wrong[i]);
		}
	}
}

/* A day of each week in range, each at another time, compared with libc. */
static void test_round_trip(void **state)
{
	(void)state;
	char text[TEXT_DATE_SIZE], expected[32];
	int64_t again = 0, step = 7 * 86400 - 1;
	for (int64_t date = TEXT_DATE_MIN; date <= TEXT_DATE_MAX; date += step) {
		assert_true(text_from_date(date, text));
		assert_true(text_to_date(text, &again));
		assert_int_equal(again, date);
		time_t time = (time_t)date;
		struct tm fields;
		if (time != date) {
			continue; /* libc's has 32 bits */
		}
		assert_non_null(gmtime_r(&time, &fields));
		strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%SZ", &fields);
		assert_string_equal(text + 4, expected);
	}
	assert_true(text_from_date(TEXT_DATE_MAX, text));
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	assert_true(text_from_date(TEXT_DATE_MIN, text));
	assert_string_equal(text, "0001-01-01T00:00:00Z");
	assert_false(text_from_date(TEXT_DATE_MAX + 1, text));
	assert_false(text_from_date(TEXT_DATE_MIN - 1, text));
	assert_false(text_from_date(INT64_MIN, text));
	assert_false(text_from_date(INT64_MAX, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),	 cmocka_unit_test(test_seq),
		cmocka_unit_test(test_bytes),	 cmocka_unit_test(test_dates),
		cmocka_unit_test(test_no_dates), cmocka_unit_test(test_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
