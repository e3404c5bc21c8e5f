/* SPDX-License-Identifier: MIT */
#include "ibb/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the character that begins at `text`; 0: it is none. */
static size_t character(const unsigned char *text)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least; /* that needs this many bytes */
	} forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	for (size_t more = 0; more < sizeof(forms) / sizeof(forms[0]); more++) {
		if ((text[0] & forms[more].mask) != forms[more].lead) {
			continue;
		}
		uint32_t code = text[0] & (unsigned char)~forms[more].mask;
		for (size_t i = 1; i <= more; i++) {
			if ((text[i] & 0xc0) != 0x80) {
				return 0;
			}
			code = code << 6 | (text[i] & 0x3f);
		}
		bool surrogate = code >= 0xd800 && code <= 0xdfff;
		return code >= forms[more].least && code <= 0x10ffff && !surrogate ? more + 1 : 0;
	}
	return 0;
}

bool utf8_is_valid(const char *text)
{
	while (*text) {
		size_t length = character((const unsigned char *)text);
		if (length == 0) {
			return false;
		}
		text += length;
	}
	return true;
}

size_t utf8_cut(const char *text, size_t most)
{
	size_t length = strnlen(text, most + 1);
	if (length <= most) {
		return length;
	}
	for (length = most; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;) {
		length--;
	}
	return length;
}

char *utf8_copy(const char *text, size_t most)
{
	size_t length = utf8_cut(text, most);
	char *copy = malloc(length + 1);
	if (copy) {
		memcpy(copy, text, length);
		copy[length] = '\0';
	}
	return copy;
}
