/* SPDX-License-Identifier: MIT */
/*
 * Names off the wire: every name that a peer gives becomes one that a directory can hold, and that
 * cannot be mistaken for another.
 */
#include "account/name.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

/* Takes one character off *at; -1: it is not UTF-8. By the table of RFC 3629 section 4. */
static int32_t take_character(const char **at)
{
	const uint8_t *b = (const uint8_t *)*at;
	static const struct {
		uint8_t first_from, first_to, second_from, second_to, length;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	if (b[0] < 0x80) {
		*at += 1;
		return b[0];
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (b[0] < rows[i].first_from || b[0] > rows[i].first_to) {
			continue;
		}
		if (b[1] < rows[i].second_from || b[1] > rows[i].second_to) {
			return -1;
		}
		int32_t c = b[0] & (0x7f >> rows[i].length);
		for (size_t k = 1; k < rows[i].length; k++) {
			if ((b[k] & 0xc0) != 0x80) {
				return -1;
			}
			c = c << 6 | (b[k] & 0x3f);
		}
		*at += rows[i].length;
		return c;
	}
	return -1;
}

/* Alone, or after certain characters, these are invisible or change the direction of text. */
static bool is_deceptive(int32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 ||
	       (c >= 0x180b && c <= 0x180f) || (c >= 0x200b && c <= 0x200b) ||
	       (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0x3164 || c == 0xfeff || c == 0xffa0 ||
	       (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe00ff) ||
	       (c >= 0xe01f0 && c <= 0xe0fff);
}

/* A joiner or variation selector may follow only a visible character. */
static bool is_dependent(int32_t c)
{
	return c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f) ||
	       (c >= 0xe0100 && c <= 0xe01ef);
}

static void check_name(const char *name)
{
	size_t length = strlen(name);
	FUZZ_CHECK(length >= 1 && length <= NAME_MAX_BYTES);
	FUZZ_CHECK(name[0] != '.'); /* nor "." or ".." then */
	FUZZ_CHECK(name[0] != ' ');
	FUZZ_CHECK(name_check(name) == 0);
	int32_t before = 0;
	unsigned dependent = 0;
	for (const char *at = name; *at != '\0';) {
		int32_t c = take_character(&at);
		FUZZ_CHECK(c >= 0x20 && c != '/' && !(c >= 0x7f && c <= 0x9f));
		FUZZ_CHECK(!is_deceptive(c) && c != 0xfffe && c != 0xffff);
		if (is_dependent(c)) {
			FUZZ_CHECK(before >= 0x80 && ++dependent <= 2);
		} else {
			dependent = 0;
		}
		before = c;
	}
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Whether `text` ends in the beginning of an escape, which must not happen to a cut name. */
static bool ends_in_half_escape(const char *text)
{
	size_t length = strlen(text);
	return (length >= 1 && text[length - 1] == '%') ||
	       (length >= 2 && text[length - 2] == '%' && is_hex(text[length - 1]));
}

static void try_wire(const char *wire)
{
	char name[NAME_MAX_BYTES + 1], again[NAME_MAX_BYTES + 1];
	name_from_wire(name, wire);
	check_name(name);
	size_t length = strlen(name);
	/* A valid name is unchanged: so equal files of two peers have the same name. */
	name_from_wire(again, name);
	if (length <= NAME_MAX_BYTES - 12) {
		FUZZ_CHECK(name[length - 1] != ' ');
		FUZZ_CHECK(strcmp(again, name) == 0);
	}
	if (!strchr(wire, '%') && strlen(wire) > NAME_MAX_BYTES && !strchr(wire, '.')) {
		FUZZ_CHECK(!ends_in_half_escape(name));
	}
}

/* A path is below the directory that it begins in, and each part is a name. */
static void try_folder(const char *wire)
{
	char path[NAME_MAX_FOLDER_BYTES + 1], again[NAME_MAX_FOLDER_BYTES + 1];
	char part[NAME_MAX_BYTES + 1];
	int error = name_folder_from_wire(path, wire);
	FUZZ_CHECK(error == 0 || error == -ENAMETOOLONG);
	if (error) {
		return;
	}
	unsigned depth = 0;
	size_t length = 0;
	const char *rest = path;
	while (name_take_component(&rest, part)) {
		check_name(part);
		length += strlen(part) + (depth > 0);
		depth++;
	}
	FUZZ_CHECK(rest[0] == '\0' && length == strlen(path));
	FUZZ_CHECK(depth <= NAME_MAX_FOLDER_DEPTH && length <= NAME_MAX_FOLDER_BYTES);
	FUZZ_CHECK(name_folder_from_wire(again, path) == 0);
}

static void try_number(const char *wire, unsigned n, unsigned m)
{
	char name[NAME_MAX_BYTES + 1], first[NAME_MAX_BYTES + 1], second[NAME_MAX_BYTES + 1];
	char number[24];
	name_from_wire(name, wire);
	name_number(first, name, n);
	name_number(second, name, m);
	check_name(first);
	check_name(second);
	snprintf(number, sizeof(number), " (%u)", n);
	FUZZ_CHECK(strstr(first, number) != NULL);
	/* The search for a free name ends. */
	FUZZ_CHECK((strcmp(first, second) == 0) == (n == m));
	const char *dot = strrchr(name, '.');
	if (dot && dot != name && strlen(dot) <= 16) {
		size_t length = strlen(first);
		FUZZ_CHECK(strcmp(first + length - strlen(dot), dot) == 0);
	}
}

static void try_jid(const char *jid)
{
	char name[NAME_MAX_BYTES + 1], again[NAME_MAX_BYTES + 1];
	if (!name_from_jid(name, jid)) {
		FUZZ_CHECK(jid[0] == '\0' || 3 * strlen(jid) > NAME_MAX_BYTES);
		return;
	}
	check_name(name);
	FUZZ_CHECK(name[strlen(name) - 1] != ' ');
	FUZZ_CHECK(name_to_jid(again, name) == 0);
	FUZZ_CHECK(strcmp(again, jid) == 0);
}

/* What mkdir was given. */
static void try_mkdir(const char *name)
{
	char jid[NAME_MAX_BYTES + 1], shown[NAME_MAX_BYTES + 1], again[NAME_MAX_BYTES + 1];
	int error = name_to_jid(jid, name);
	FUZZ_CHECK(error == 0 || error == -EINVAL || error == -ENAMETOOLONG);
	FUZZ_CHECK((error == -ENAMETOOLONG) == (strlen(name) > NAME_MAX_BYTES));
	if (error == 0) {
		FUZZ_CHECK(strlen(jid) <= strlen(name));
		if (name_from_jid(shown, jid)) {
			FUZZ_CHECK(name_to_jid(again, shown) == 0 && strcmp(again, jid) == 0);
		}
	}
	error = name_check(name);
	FUZZ_CHECK(error == 0 || error == -EPERM || error == -EILSEQ || error == -ENAMETOOLONG);
	bool is_utf8 = true;
	for (const char *at = name; is_utf8 && *at != '\0';) {
		is_utf8 = take_character(&at) >= 0;
	}
	FUZZ_CHECK(error != 0 || is_utf8);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length < 2) {
		return 0;
	}
	unsigned n = bytes[0] * 16777259U, m = bytes[1] * 16777259U;
	char *string = fuzz_string(bytes + 2, length - 2);
	try_wire(string);
	try_folder(string);
	try_number(string, n, m);
	try_jid(string);
	try_mkdir(string);
	free(string);
	return 0;
}
