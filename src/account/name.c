/* SPDX-License-Identifier: MIT */
#include "account/name.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_EXTENSION 16 /* bytes, with the '.'; what is longer is no extension */
#define MAX_UNIT      12 /* a character of 4 bytes as "%XX%XX%XX%XX" */

/* The classes of characters that are escaped. */
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

struct range {
	uint32_t first, last;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count && c >= ranges[i].first; i++) {
		if (c <= ranges[i].last) {
			return true;
		}
	}
	return false;
}

/* Characters that a directory entry cannot hold, or that falsify a listing on a terminal: they move
 * other characters, end the line, or are invisible (Default_Ignorable_Code_Point, fillers). */
static bool is_unsafe(uint32_t c)
{
	static const struct range ranges[] = {
		{0x0000, 0x001f},   /* C0 */
		{0x002f, 0x002f},   /* the slash */
		{0x007f, 0x009f},   /* DEL, C1 */
		{0x00ad, 0x00ad},   /* soft hyphen */
		{0x034f, 0x034f},   /* combining grapheme joiner */
		{0x061c, 0x061c},   /* bidirectional control */
		{0x115f, 0x1160},   /* Hangul fillers */
		{0x17b4, 0x17b5},   /* Khmer vowels without a glyph */
		{0x180b, 0x180f},   /* Mongolian variation selectors, vowel separator */
		{0x200b, 0x200b},   /* zero width space */
		{0x200e, 0x200f},   /* bidirectional controls */
		{0x2028, 0x202e},   /* line and paragraph separators, bidirectional controls */
		{0x2060, 0x206f},   /* word joiner, invisible operators, bidirectional controls */
		{0x3164, 0x3164},   /* Hangul filler */
		{0xfeff, 0xfeff},   /* byte order mark */
		{0xffa0, 0xffa0},   /* Hangul filler */
		{0xfff0, 0xfffb},   /* unassigned ignorable, interlinear annotation */
		{0xfffe, 0xffff},   /* XML 1.0 section 2.2 */
		{0x1bca0, 0x1bca3}, /* shorthand format controls */
		{0x1d173, 0x1d17a}, /* musical format controls */
		{0xe0000, 0xe00ff}, /* tags */
		{0xe01f0, 0xe0fff}, /* unassigned ignorable */
	};
	return is_in(c, ranges, COUNT(ranges));
}

/* Invisible, but part of how some scripts and emoji are written. */
static bool is_joiner(uint32_t c)
{
	return c == 0x200c || c == 0x200d;
}

static bool is_variation_selector(uint32_t c)
{
	return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

/* White_Space, but for controls, and the blank Braille pattern. */
static bool is_space(uint32_t c)
{
	static const struct range ranges[] = {
		{' ', ' '},	  {0x00a0, 0x00a0}, {0x1680, 0x1680}, {0x2000, 0x200a},
		{0x202f, 0x202f}, {0x205f, 0x205f}, {0x2800, 0x2800}, {0x3000, 0x3000},
	};
	return is_in(c, ranges, COUNT(ranges));
}

/* A position in a name that is being escaped. */
struct reader {
	const char *at;
	enum {
		BEFORE_START,
		AFTER_PLAIN,
		AFTER_BASE,    /* of a joiner or variation selector: visible, not ASCII */
		AFTER_VARIANT, /* of such a base */
	} place;
};

/* Whether the next character, `c`, is escaped here; `is_last`: none follows. */
static bool must_escape(struct reader *reader, uint32_t c, bool is_last)
{
	bool is_first = reader->place == BEFORE_START;
	bool after_base = reader->place == AFTER_BASE,
	     after_variant = reader->place == AFTER_VARIANT;
	reader->place = AFTER_PLAIN;
	if (is_unsafe(c)) {
		return true;
	}
	if (is_variation_selector(c)) {
		reader->place = after_base ? AFTER_VARIANT : AFTER_PLAIN;
		return !after_base;
	}
	if (is_joiner(c)) {
		return !after_base && !after_variant;
	}
	if (is_space(c)) {
		return is_first || is_last;
	}
	reader->place = c >= 0x80 ? AFTER_BASE : AFTER_PLAIN;
	return is_first && c == '.';
}

/*
 * Takes the next indivisible part off the reader's text: a character, a byte that begins none, or
 * an escape. Writes it to `unit` as the name has it, and returns the count of bytes written.
 */
static size_t take_unit(struct reader *reader, enum escape escape, char unit[MAX_UNIT])
{
	const char *from = reader->at;
	uint32_t c = 0;
	size_t length = decode(from, &c);
	bool escaped = true;
	if (length == 0) {
		length = 1;
		reader->place = AFTER_PLAIN;
	} else if (is_escape(from)) {
		escaped = escape == ESCAPE_UNSAFE_AND_PERCENT;
		length = escaped ? 1 : 3;
		reader->place = AFTER_PLAIN;
	} else {
		escaped = must_escape(reader, c, from[length] == '\0');
	}
	reader->at += length;
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
	const char *dot = NULL;
	size_t extension = 0; /* bytes in the name from the last '.' */
	struct reader reader = {.at = text};
	while (*reader.at != '\0') {
		if (*reader.at == '.' && reader.at != text) {
			dot = reader.at;
			extension = 0;
		}
		extension += take_unit(&reader, escape, unit);
	}
	if (dot == NULL || extension > MAX_EXTENSION) {
		dot = reader.at;
		extension = 0;
	}

	size_t room = NAME_MAX_BYTES - extension - strlen(infix), used = 0;
	bool whole = true;
	reader = (struct reader){.at = text};
	while (reader.at < dot && whole) {
		size_t length = take_unit(&reader, escape, unit);
		whole = length <= room - used;
		if (whole) {
			memcpy(name + used, unit, length);
			used += length;
		}
	}
	memcpy(name + used, infix, strlen(infix));
	used += strlen(infix);
	reader = (struct reader){.at = dot, .place = AFTER_PLAIN};
	while (*reader.at != '\0') {
		size_t length = take_unit(&reader, escape, unit);
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

bool name_take_component(const char **folder, char name[NAME_MAX_BYTES + 1])
{
	size_t length = strcspn(*folder, "/");
	if (length == 0) {
		return false;
	}
	snprintf(name, NAME_MAX_BYTES + 1, "%.*s", (int)length, *folder);
	*folder += length + ((*folder)[length] == '/');
	return true;
}

int name_folder_from_wire(char *folder, const char *wire)
{
	char part[NAME_MAX_FOLDER_BYTES + 1], name[NAME_MAX_BYTES + 1];
	size_t used = 0;
	unsigned depth = 0;
	if (strlen(wire) > NAME_MAX_FOLDER_BYTES) {
		return -ENAMETOOLONG;
	}
	folder[0] = '\0';
	while (*(wire += strspn(wire, "/")) != '\0') {
		size_t length = strcspn(wire, "/");
		memcpy(part, wire, length);
		part[length] = '\0';
		wire += length;
		name_from_wire(name, part);
		size_t room = NAME_MAX_FOLDER_BYTES + 1 - used;
		size_t added = strlen(name) + (used > 0);
		if (added >= room || ++depth > NAME_MAX_FOLDER_DEPTH) {
			return -ENAMETOOLONG;
		}
		snprintf(folder + used, room, "%s%s", used > 0 ? "/" : "", name);
		used += added;
	}
	return 0;
}

/* Where the suffix of a part would be; NULL: it is too short for more than that. */
static const char *suffix_of(const char *name)
{
	size_t length = strlen(name), suffix = strlen(NAME_PART_SUFFIX);
	return length > suffix ? name + length - suffix : NULL;
}

bool name_is_part(const char *name)
{
	const char *suffix = suffix_of(name);
	return suffix && strcmp(suffix, NAME_PART_SUFFIX) == 0;
}

void name_avoid_part(char *name)
{
	char longer[NAME_MAX_BYTES + 2];
	const char *suffix = suffix_of(name);
	/* Some file systems take small and capital letters for the same. */
	if (suffix && strcasecmp(suffix, NAME_PART_SUFFIX) == 0) {
		snprintf(longer, sizeof(longer), "%.*s_", NAME_MAX_BYTES, name);
		build(name, longer, ESCAPE_NOTHING, "");
	}
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
