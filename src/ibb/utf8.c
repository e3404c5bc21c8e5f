/* SPDX-License-Identifier: MIT */
#include "ibb/utf8.h"

#include <stdlib.h>
#include <string.h>

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
