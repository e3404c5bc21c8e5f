/* SPDX-License-Identifier: MIT */
#include "mount/name.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_EXTENSION 16 /* bytes, with the '.'; what is longer is no extension */
#define MAX_UNIT      12 /* a character of 4 bytes as "%XX%XX%XX%XX" */

/* What is escaped in a name. */
enum escape {
	ESCAPE_NOTHING,
	ESCAPE_UNSAFE,
	ESCAPE_UNSAFE_AND_PERCENT, /* can be undone */
};

/* The character that begins at `text` and the count of its bytes; 0 if it is not UTF-8 (RFC 3629
 * section 4: no overlong form, no surrogate, nothing above U+10FFFF). */
static size_t decode(const char *text, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)text[0];
	if (first < 0x80) {
		*character = first;
		return 1;
	}
	size_t length = first < 0xc0   ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf8 ? 4
				       : 0;
	if (length == 0) {
		return 0;
	}
	uint32_t c = first & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80) { /* the terminating NUL too */
			return 0;
		}
		c = c << 6 | (text[i] & 0x3fU);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return 0;
	}
	*character = c;
	return length;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return -1;
}

/* Whether `text` begins with "%XX". */
static bool is_escape(const char *text)
{
	return text[0] == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0;
}

/* What a directory cannot hold, or what makes a listing on a terminal lie. */
static bool is_unsafe(uint32_t c)
{
	bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
	bool bidi = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
		    (c >= 0x2066 && c <= 0x2069);
	return c == '/' || control || bidi;
}

/*
 * Takes the next part that must not be cut off *text: a character, a byte that begins none, or
 * an escape. Writes it to `unit` as the name has it, and returns the count of bytes written.
 */
static size_t take_unit(const char **text, bool leading, enum escape escape, char unit[MAX_UNIT])
{
	const char *from = *text;
	uint32_t c = 0;
	size_t length = decode(from, &c);
	bool escaped = length == 0 || is_unsafe(c) || (leading && c == '.');
	if (length == 0) {
		length = 1;
	} else if (is_escape(from)) {
		if (escape == ESCAPE_UNSAFE_AND_PERCENT) {
			escaped = true;
		} else {
			length = 3;
		}
	}
	*text += length;
	if (!escaped || escape == ESCAPE_NOTHING) {
		memcpy(unit, from, length);
		return length;
	}
	for (size_t i = 0; i < length; i++) {
		unit[3 * i] = '%';
		unit[3 * i + 1] = "0123456789ABCDEF"[(uint8_t)from[i] >> 4];
		unit[3 * i + 2] = "0123456789ABCDEF"[(uint8_t)from[i] & 0x0f];
	}
	return 3 * length;
}

/* Writes `text`, escaped, with `infix` before its extension. False if it had to be cut. */
static bool build(char *name, const char *text, enum escape escape, const char *infix)
{
	char unit[MAX_UNIT];
	const char *dot = NULL, *end = text;
	size_t extension = 0; /* bytes in the name from the last '.' */
	while (*end != '\0') {
		if (*end == '.' && end != text) {
			dot = end;
			extension = 0;
		}
		extension += take_unit(&end, end == text, escape, unit);
	}
	if (dot == NULL || extension > MAX_EXTENSION) {
		dot = end;
		extension = 0;
	}

	size_t room = NAME_MAX_BYTES - extension - strlen(infix), used = 0;
	const char *at = text;
	bool whole = true;
	while (at < dot && whole) {
		size_t length = take_unit(&at, at == text, escape, unit);
		whole = length <= room - used;
		if (whole) {
			memcpy(name + used, unit, length);
			used += length;
		}
	}
	memcpy(name + used, infix, strlen(infix));
	used += strlen(infix);
	while (dot < end) {
		size_t length = take_unit(&dot, false, escape, unit);
		memcpy(name + used, unit, length);
		used += length;
	}
	name[used] = '\0';
	return whole;
}

void name_from_wire(char *name, const char *wire)
{
	build(name, *wire != '\0' ? wire : "unnamed", ESCAPE_UNSAFE, "");
}

void name_number(char *numbered, const char *name, unsigned n)
{
	char infix[sizeof " ()" + 3 * sizeof n];
	snprintf(infix, sizeof infix, " (%u)", n);
	build(numbered, name, ESCAPE_NOTHING, infix);
}

bool name_from_jid(char *name, const char *jid)
{
	return *jid != '\0' && build(name, jid, ESCAPE_UNSAFE_AND_PERCENT, "");
}

int name_to_jid(char *jid, const char *name)
{
	if (strlen(name) > NAME_MAX_BYTES) {
		return -ENAMETOOLONG;
	}
	while (*name != '\0') {
		if (!is_escape(name)) {
			*jid++ = *name++;
			continue;
		}
		int byte = hex_value(name[1]) << 4 | hex_value(name[2]);
		if (byte == 0) {
			return -EINVAL;
		}
		*jid++ = (char)byte;
		name += 3;
	}
	*jid = '\0';
	return 0;
}

int name_check(const char *name)
{
	if (*name == '.') {
		return -EPERM;
	}
	if (strlen(name) > NAME_MAX_BYTES) {
		return -ENAMETOOLONG;
	}
	while (*name != '\0') {
		uint32_t c = 0;
		size_t length = decode(name, &c);
		bool is_space = c == '\t' || c == '\n' || c == '\r';
		if (length == 0 || (c < 0x20 && !is_space) || c == 0xfffe || c == 0xffff) {
			return -EILSEQ;
		}
		name += length;
	}
	return 0;
}
