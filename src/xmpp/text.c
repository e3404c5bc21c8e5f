/* SPDX-License-Identifier: MIT */
#include "xmpp/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool text_equals(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

bool text_to_number(const char *text, uint64_t max, uint64_t *number)
{
	if (!text || *text == '\0') {
		return false;
	}
	uint64_t value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (value > max / 10 || digit > max - value * 10) {
			return false;
		}
		value = value * 10 + digit;
	}
	if (*text != '\0') {
		return false;
	}
	*number = value;
	return true;
}

bool text_to_seq(const char *text, uint16_t *seq)
{
	if (!text || *text == '\0') {
		return false;
	}
	unsigned value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = (value * 10 + (unsigned)(*text - '0')) & 0xffff;
	}
	if (*text != '\0') {
		return false;
	}
	*seq = (uint16_t)value;
	return true;
}

/* -1: none. */
static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at ? (int)((at - digits) % 16) : -1;
}

bool text_to_bytes(const char *text, uint8_t *bytes, size_t length)
{
	if (!text || strlen(text) != 2 * length) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0) {
			return false;
		}
		bytes[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* ---- dates ---- */

#define DAY INT64_C(86400)

/* The number of the day since 1970-01-01, in the Gregorian calendar, also for years before it. A
 * year begins in March here, so that a leap day is its last day. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	month += month <= 2 ? 9 : -3;
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 -
	       719468;
}

static bool is_day(int year, int month, int day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= lengths[month - 1] + (month == 2 && leap);
}

/* Parses *text by `form`: the letter 'a' + i stands for a digit of numbers[i], any other character
 * for itself. Moves *text behind what was parsed. */
static bool parse(const char **text, const char *form, int *numbers)
{
	for (; *form != '\0'; form++, (*text)++) {
		char c = **text;
		if (*form < 'a' || *form > 'z') {
			if (c != *form) {
				return false;
			}
			continue;
		}
		if (c < '0' || c > '9') {
			return false;
		}
		numbers[*form - 'a'] = numbers[*form - 'a'] * 10 + c - '0';
	}
	return true;
}

/* The offset from UTC in seconds: "Z", or "+hh:mm" and "-hh:mm". */
static bool to_zone(const char *text, int *ahead)
{
	int zone[2] = {0};
	int sign = *text == '-' ? -1 : 1;
	*ahead = 0;
	if (strcmp(text, "Z") == 0) {
		return true;
	}
	if (*text != '+' && *text != '-') {
		return false;
	}
	text++;
	if (!parse(&text, "aa:bb", zone) || *text != '\0' || zone[0] > 23 || zone[1] > 59) {
		return false;
	}
	*ahead = sign * (zone[0] * 60 + zone[1]) * 60;
	return true;
}

bool text_to_date(const char *text, int64_t *date)
{
	enum {
		YEAR,
		MONTH,
		DAY_OF_MONTH,
		HOUR,
		MINUTE,
		SECOND,
		COUNT
	};
	int fields[COUNT] = {0}, ahead;
	if (!text || !parse(&text, "aaaa-bb-ccTdd:ee:ff", fields)) {
		return false;
	}
	if (*text == '.') {
		size_t fraction = strspn(text + 1, "0123456789");
		if (fraction == 0) {
			return false;
		}
		text += 1 + fraction;
	}
	/* As in POSIX, a leap second has the number of the second after it. */
	if (!to_zone(text, &ahead) || !is_day(fields[YEAR], fields[MONTH], fields[DAY_OF_MONTH]) ||
	    fields[HOUR] > 23 || fields[MINUTE] > 59 || fields[SECOND] > 60) {
		return false;
	}
	*date = day_number(fields[YEAR], fields[MONTH], fields[DAY_OF_MONTH]) * DAY +
		((int64_t)fields[HOUR] * 60 + fields[MINUTE]) * 60 + fields[SECOND] - ahead;
	return *date >= TEXT_DATE_MIN && *date <= TEXT_DATE_MAX;
}

bool text_from_date(int64_t date, char text[TEXT_DATE_SIZE])
{
	if (date < TEXT_DATE_MIN || date > TEXT_DATE_MAX) {
		return false;
	}
	int64_t second = (date % DAY + DAY) % DAY, day = (date - second) / DAY;
	/* The mean year gives the year, or the one after it. */
	int64_t year = 1970 + (day * 400 + (day < 0 ? 0 : 399)) / 146097;
	while (day_number(year, 1, 1) > day) {
		year--;
	}
	while (day_number(year + 1, 1, 1) <= day) {
		year++;
	}
	int64_t month = 12;
	while (day_number(year, month, 1) > day) {
		month--;
	}
	int length = snprintf(text, TEXT_DATE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year,
			      (int)month, (int)(day - day_number(year, month, 1) + 1),
			      (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
	assert(length == TEXT_DATE_SIZE - 1);
	(void)length;
	return true;
}
