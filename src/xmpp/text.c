/* SPDX-License-Identifier: MIT */
#include "xmpp/text.h"

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
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max) {
			return false;
		}
	}
	*number = value;
	return *text == '\0';
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
	*seq = (uint16_t)value;
	return *text == '\0';
}
