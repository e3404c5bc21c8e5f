/* SPDX-License-Identifier: MIT */
#include "account/name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Strings of many bytes, in tables: `count` times `unit` between `before` and `after`. */
struct text {
	const char *before, *unit;
	size_t count;
	const char *after;
};

static const char *spell(const struct text *text, char *room)
{
	char *at = room + sprintf(room, "%s", text->before);
	for (size_t i = 0; i < text->count; i++) {
		at += sprintf(at, "%s", text->unit);
	}
	sprintf(at, "%s", text->after);
	return room;
}

static void test_from_wire(void **state)
{
	(void)state;
	static const struct {
		const char *wire, *name;
	} rows[] = {
		/* stays as it is */
		{"photo.jpg", "photo.jpg"},
		{"My report (final).pdf", "My report (final).pdf"},
		{"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80",
		 "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"100%", "100%"},
		{"100%25", "100%25"},
		{"a\\b:c*?\"<>|", "a\\b:c*?\"<>|"},
		{"a..b.", "a..b."},
		{"-rf", "-rf"},
		/* directories */
		{"", "unnamed"},
		{".", "%2E"},
		{"..", "%2E."},
		{"...", "%2E.."},
		{".bashrc", "%2Ebashrc"},
		{"/", "%2F"},
		{"/etc/passwd", "%2Fetc%2Fpasswd"},
		{"../../.ssh/authorized_keys", "%2E.%2F..%2F.ssh%2Fauthorized_keys"},
		/* controls: C0, DEL, C1 and their neighbours */
		{"a\nb\tc\x01\x1f!", "a%0Ab%09c%01%1F!"},
		{"\x7e\x7f", "~%7F"},
		{"\x1b[2J", "%1B[2J"},
		{"\xc2\x80\xc2\x9f\xc2\xa1", "%C2%80%C2%9F\xc2\xa1"},
		/* bidirectional controls and their neighbours */
		{"\xd8\x9b\xd8\x9c\xd8\x9d", "\xd8\x9b%D8%9C\xd8\x9d"},
		{"\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", "%E2%80%8E%E2%80%8F\xe2\x80\x90"},
		{"\xe2\x80\xa7\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae\xe2\x80"
		 "\xaf!",
		 "\xe2\x80\xa7%E2%80%AA%E2%80%AB%E2%80%AC%E2%80%AD%E2%80%AE\xe2\x80\xaf!"},
		{"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9",
		 "%E2%81%A6%E2%81%A7%E2%81%A8%E2%81%A9"},
		/* other ends of a line */
		{"a\xe2\x80\xa8"
		 "b\xe2\x80\xa9"
		 "c",
		 "a%E2%80%A8b%E2%80%A9c"},
		/* invisible characters: a "next" that is not one, and neighbours */
		{"ne\xe2\x80\x8bxt", "ne%E2%80%8Bxt"},
		{"ne\xc2\xadxt\xc2\xae", "ne%C2%ADxt\xc2\xae"},
		{"next\xef\xbb\xbf", "next%EF%BB%BF"},
		{"n\xcd\x8f"
		 "ext",
		 "n%CD%8F"
		 "ext"},
		{"next\xe1\x85\x9f\xe1\x85\xa0\xe1\x85\xa1", "next%E1%85%9F%E1%85%A0\xe1\x85\xa1"},
		{"next\xe1\x9e\xb4\xe1\x9e\xb5\xe1\x9e\xb6", "next%E1%9E%B4%E1%9E%B5\xe1\x9e\xb6"},
		{"next\xe1\xa0\x8b\xe1\xa0\x8f\xe1\xa0\x90", "next%E1%A0%8B%E1%A0%8F\xe1\xa0\x90"},
		{"ne\xe2\x81\x9fxt\xe2\x81\xa0\xe2\x81\xa5\xe2\x81\xaa\xe2\x81\xaf\xe2\x81\xb0",
		 "ne\xe2\x81\x9fxt%E2%81%A0%E2%81%A5%E2%81%AA%E2%81%AF\xe2\x81\xb0"},
		{"next\xe3\x85\xa4\xef\xbe\xa0\xe3\x85\xa5", "next%E3%85%A4%EF%BE%A0\xe3\x85\xa5"},
		{"\xef\xbf\xaf\xef\xbf\xb0\xef\xbf\xbb\xef\xbf\xbc",
		 "\xef\xbf\xaf%EF%BF%B0%EF%BF%BB\xef\xbf\xbc"},
		{"\xf0\x9b\xb2\xa0\xf0\x9b\xb2\xa3\xf0\x9b\xb2\xa4",
		 "%F0%9B%B2%A0%F0%9B%B2%A3\xf0\x9b\xb2\xa4"},
		{"\xf0\x9d\x85\xb2\xf0\x9d\x85\xb3\xf0\x9d\x85\xba\xf0\x9d\x85\xbb",
		 "\xf0\x9d\x85\xb2%F0%9D%85%B3%F0%9D%85%BA\xf0\x9d\x85\xbb"},
		{"next\xf3\xa0\x81\xae\xf3\xa0\xbf\xbf\xf3\xa1\x80\x80",
		 "next%F3%A0%81%AE%F3%A0%BF%BF\xf3\xa1\x80\x80"},
		/* joiners and variation selectors, where scripts and emoji need them and elsewhere
		 */
		{"\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae", "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae"},
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac",
		 "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac"},
		{"\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",
		 "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5"},
		{"\xe8\xbe\xbb\xf3\xa0\x84\x80", "\xe8\xbe\xbb\xf3\xa0\x84\x80"},
		{"ne\xe2\x80\x8dxt\xe2\x80\x8c", "ne%E2%80%8Dxt%E2%80%8C"},
		{"next\xef\xb8\x80\xf3\xa0\x87\xaf", "next%EF%B8%80%F3%A0%87%AF"},
		{"\xe2\x80\x8d", "%E2%80%8D"},
		{"\xd9\x85\xe2\x80\x8b\xe2\x80\x8d", "\xd9\x85%E2%80%8B%E2%80%8D"},
		{"\xff\xe2\x80\x8d", "%FF%E2%80%8D"},
		{"\xd9\x85\xe2\x80\x8c\xe2\x80\x8c\xef\xb8\x8f\xef\xb8\x8f",
		 "\xd9\x85\xe2\x80\x8c%E2%80%8C%EF%B8%8F%EF%B8%8F"},
		/* invisible space: at the ends */
		{" a b ", "%20a b%20"},
		{"  ", "%20%20"},
		{" ", "%20"},
		{"next ", "next%20"},
		{"\xc2\xa0next\xe3\x80\x80", "%C2%A0next%E3%80%80"},
		{"\xe1\x9a\x80 \xe2\xa0\x80", "%E1%9A%80 %E2%A0%80"},
		{"\xe2\x80\x80\xe2\x80\x8a", "%E2%80%80%E2%80%8A"},
		{"\xe2\x81\x9f\xe2\x80\xaf", "%E2%81%9F%E2%80%AF"},
		{"4.00\xe2\x80\xafPM", "4.00\xe2\x80\xafPM"},
		/* what XML cannot hold */
		{"\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd%EF%BF%BE%EF%BF%BF"},
		/* not UTF-8: stray, cut short, overlong, surrogates, above U+10FFFF */
		{"\x80", "%80"},
		{"a\xc3", "a%C3"},
		{"\xc3(", "%C3("},
		{"\xe2\x82", "%E2%82"},
		{"\xe2\x82z", "%E2%82z"},
		{"\xe2\xc3\xa9", "%E2\xc3\xa9"},
		{"\xf0\x9f\x98", "%F0%9F%98"},
		{"\xc0\xaf", "%C0%AF"},
		{"\xc1\xbf", "%C1%BF"},
		{"\xe0\x9f\xbf", "%E0%9F%BF"},
		{"\xf0\x8f\xbf\xbf", "%F0%8F%BF%BF"},
		{"\xed\x9f\xbf\xed\xa0\x80\xed\xbf\xbf\xee\x80\x80",
		 "\xed\x9f\xbf%ED%A0%80%ED%BF%BF\xee\x80\x80"},
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xf4\x90\x80\x80", "%F4%90%80%80"},
		{"\xf8\x88\x80\x80\x80", "%F8%88%80%80%80"},
		{"\xf9\x80\x80\x80", "%F9%80%80%80"},
		{"\xfe\xff", "%FE%FF"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[NAME_MAX_BYTES + 1];
		name_from_wire(name, rows[i].wire);
		assert_string_equal(name, rows[i].name);
	}
}

static void test_from_wire_cut(void **state)
{
	(void)state;
	static const struct {
		struct text wire, name;
	} rows[] = {
		{{"", "x", 254, ""}, {"", "x", 254, ""}},
		{{"", "x", 255, ""}, {"", "x", 255, ""}},
		{{"", "x", 256, ""}, {"", "x", 255, ""}},
		{{"", "x", 100000, ""}, {"", "x", 255, ""}},
		/* the extension stays, up to 16 bytes of it */
		{{"", "x", 251, ".txt"}, {"", "x", 251, ".txt"}},
		{{"", "x", 252, ".txt"}, {"", "x", 251, ".txt"}},
		{{"", "x", 300, ".tar.gz"}, {"", "x", 252, ".gz"}},
		{{"", "x", 300, ".123456789abcdef"}, {"", "x", 239, ".123456789abcdef"}},
		{{"", "x", 300, ".123456789abcdefg"}, {"", "x", 255, ""}},
		{{"a.", "x", 300, ""}, {"a.", "x", 253, ""}},
		{{"", "x", 300, "."}, {"", "x", 254, "."}},
		/* the extension is measured as it is written */
		{{"", "x", 300, ".\x01\x02\x03\x04\x05"}, {"", "x", 239, ".%01%02%03%04%05"}},
		{{"", "x", 300, ".\x01\x02\x03\x04\x05z"}, {"", "x", 255, ""}},
		{{"", "x", 300, ".\xc3\xa9t\xc3\xa9"}, {"", "x", 249, ".\xc3\xa9t\xc3\xa9"}},
		/* the first '.' of a name begins no extension */
		{{".", "x", 300, ""}, {"%2E", "x", 252, ""}},
		/* between characters of 2, 3 and 4 bytes: 255, 256 and 257 bytes before the cut */
		{{"x", "\xc3\xa9", 127, ""}, {"x", "\xc3\xa9", 127, ""}},
		{{"", "\xc3\xa9", 128, ""}, {"", "\xc3\xa9", 127, ""}},
		{{"x", "\xc3\xa9", 128, ""}, {"x", "\xc3\xa9", 127, ""}},
		{{"", "\xe2\x82\xac", 85, ""}, {"", "\xe2\x82\xac", 85, ""}},
		{{"x", "\xe2\x82\xac", 85, ""}, {"x", "\xe2\x82\xac", 84, ""}},
		{{"xx", "\xe2\x82\xac", 85, ""}, {"xx", "\xe2\x82\xac", 84, ""}},
		{{"xxx", "\xf0\x9f\x98\x80", 63, ""}, {"xxx", "\xf0\x9f\x98\x80", 63, ""}},
		{{"", "\xf0\x9f\x98\x80", 64, ""}, {"", "\xf0\x9f\x98\x80", 63, ""}},
		{{"", "\xf0\x9f\x98\x80", 64, ".mp4"}, {"", "\xf0\x9f\x98\x80", 62, ".mp4"}},
		/* never inside an escape, nor a character's escapes */
		{{"", "/", 85, ""}, {"", "%2F", 85, ""}},
		{{"", "/", 86, ""}, {"", "%2F", 85, ""}},
		{{"x", "/", 86, ""}, {"x", "%2F", 84, ""}},
		{{"xx", "/", 86, ".c"}, {"xx", "%2F", 83, ".c"}},
		{{"", "\xe2\x80\x8e", 29, ""}, {"", "%E2%80%8E", 28, ""}},
		{{"x", "%2F", 86, ""}, {"x", "%2F", 84, ""}},
	};
	static char wire[100001], expected[400];
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[NAME_MAX_BYTES + 1];
		name_from_wire(name, spell(&rows[i].wire, wire));
		assert_string_equal(name, spell(&rows[i].name, expected));
	}
}

static void test_number(void **state)
{
	(void)state;
	static const struct {
		struct text name;
		unsigned n;
		struct text numbered;
	} rows[] = {
		{{"a.txt", "", 0, ""}, 2, {"a (2).txt", "", 0, ""}},
		{{"a", "", 0, ""}, 3, {"a (3)", "", 0, ""}},
		{{"a (2).txt", "", 0, ""}, 3, {"a (2) (3).txt", "", 0, ""}},
		{{"a.tar.gz", "", 0, ""}, 2, {"a.tar (2).gz", "", 0, ""}},
		{{"%2Ebashrc", "", 0, ""}, 2, {"%2Ebashrc (2)", "", 0, ""}},
		{{".bashrc", "", 0, ""}, 2, {".bashrc (2)", "", 0, ""}},
		{{"a\tb", "", 0, ""}, 2, {"a\tb (2)", "", 0, ""}},
		{{"a.123456789abcdefg", "", 0, ""}, 2, {"a.123456789abcdefg (2)", "", 0, ""}},
		{{"\xc3\xa9.\xc3\xa9", "", 0, ""},
		 4294967295,
		 {"\xc3\xa9 (4294967295).\xc3\xa9", "", 0, ""}},
		/* 254, 255 and 256 bytes with the number */
		{{"", "x", 246, ".txt"}, 2, {"", "x", 246, " (2).txt"}},
		{{"", "x", 247, ".txt"}, 2, {"", "x", 247, " (2).txt"}},
		{{"", "x", 248, ".txt"}, 2, {"", "x", 247, " (2).txt"}},
		{{"", "x", 247, ".txt"}, 10, {"", "x", 246, " (10).txt"}},
		{{"", "x", 255, ""}, 2, {"", "x", 251, " (2)"}},
		{{"", "x", 239, ".123456789abcdef"},
		 4294967295,
		 {"", "x", 226, " (4294967295).123456789abcdef"}},
		/* between characters, and not inside an escape */
		{{"x", "\xc3\xa9", 127, ""}, 2, {"x", "\xc3\xa9", 125, " (2)"}},
		{{"", "\xe2\x82\xac", 85, ""}, 2, {"", "\xe2\x82\xac", 83, " (2)"}},
		{{"", "%2F", 85, ""}, 2, {"", "%2F", 83, " (2)"}},
		{{"", "%2F", 84, ".c"}, 100, {"", "%2F", 82, " (100).c"}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[400], expected[400], numbered[NAME_MAX_BYTES + 1];
		name_number(numbered, spell(&rows[i].name, name), rows[i].n);
		assert_string_equal(numbered, spell(&rows[i].numbered, expected));
	}
}

static void test_jid(void **state)
{
	(void)state;
	static const struct {
		const char *jid, *name;
	} rows[] = {
		{"alice@example.org", "alice@example.org"},
		{"d\xc3\xb6rte@b\xc3\xbc"
		 "cher.example",
		 "d\xc3\xb6rte@b\xc3\xbc"
		 "cher.example"},
		/* resources may hold nearly any character */
		{"phone", "phone"},
		{"in", "in"},
		{".", "%2E"},
		{"..", "%2E."},
		{"a/b", "a%2Fb"},
		{"Psi+ 1.4", "Psi+ 1.4"},
		{"a\nb", "a%0Ab"},
		{"\xe2\x80\xaeliame", "%E2%80%AEliame"},
		{" phone ", "%20phone%20"},
		{"pho\xe2\x80\x8bne", "pho%E2%80%8Bne"},
		{"\xff", "%FF"},
		/* a '%' is escaped only if it would look like an escape */
		{"100%", "100%"},
		{"%2", "%2"},
		{"%zz", "%zz"},
		{"%2F", "%252F"},
		{"%2f", "%252f"},
		{"%00", "%2500"},
		{"%25", "%2525"},
		{"%%41", "%%2541"},
		{"%/", "%%2F"},
		{"%2/", "%2%2F"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[NAME_MAX_BYTES + 1], jid[NAME_MAX_BYTES + 1];
		assert_true(name_from_jid(name, rows[i].jid));
		assert_string_equal(name, rows[i].name);
		assert_int_equal(name_to_jid(jid, name), 0);
		assert_string_equal(jid, rows[i].jid);
	}
}

static void test_jid_length(void **state)
{
	(void)state;
	static const struct {
		struct text jid;
		bool fits;
	} rows[] = {
		{{"", "", 0, ""}, false},	   {{"", "x", 254, ""}, true},
		{{"", "x", 255, ""}, true},	   {{"", "x", 256, ""}, false},
		{{"", "x", 251, ".org"}, true},	   {{"", "x", 252, ".org"}, false},
		{{"", "x", 252, "/"}, true},	   {{"", "x", 253, "/"}, false},
		{{"", "/", 85, ""}, true},	   {{"", "/", 86, ""}, false},
		{{"", "%41", 51, ""}, true},	   {{"x", "%41", 51, ""}, false},
		{{"", "\xc3\xa9", 127, ""}, true}, {{"", "\xc3\xa9", 128, ""}, false},
		{{"", "x", 3071, ""}, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char jid[4000], name[NAME_MAX_BYTES + 1], again[NAME_MAX_BYTES + 1];
		spell(&rows[i].jid, jid);
		assert_int_equal(name_from_jid(name, jid), rows[i].fits);
		if (rows[i].fits) {
			assert_int_equal(name_to_jid(again, name), 0);
			assert_string_equal(again, jid);
		}
	}
}

static void test_to_jid(void **state)
{
	(void)state;
	static const struct {
		struct text name;
		int result;
		const char *jid; /* NULL: not looked at */
	} rows[] = {
		{{"%61%4a%4A", "", 0, ""}, 0, "aJJ"},
		{{"%2", "", 0, ""}, 0, "%2"},
		{{"%", "", 0, ""}, 0, "%"},
		{{"%g0%0g", "", 0, ""}, 0, "%g0%0g"},
		{{"%00", "", 0, ""}, -EINVAL, NULL},
		{{"a%00b", "", 0, ""}, -EINVAL, NULL},
		{{"%2500", "", 0, ""}, 0, "%00"},
		{{"", "x", 255, ""}, 0, NULL},
		{{"", "x", 256, ""}, -ENAMETOOLONG, NULL},
		{{"", "%41", 86, ""}, -ENAMETOOLONG, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[400], jid[NAME_MAX_BYTES + 1];
		assert_int_equal(name_to_jid(jid, spell(&rows[i].name, name)), rows[i].result);
		if (rows[i].jid != NULL) {
			assert_string_equal(jid, rows[i].jid);
		}
	}
}

static void test_check(void **state)
{
	(void)state;
	static const struct {
		struct text name;
		int result;
	} rows[] = {
		{{"a", "", 0, ""}, 0},
		{{"a.b", "", 0, ""}, 0},
		{{"100%", "", 0, ""}, 0},
		{{"a\tb\nc\rd", "", 0, ""}, 0},
		{{"\x7f\xc2\x80", "", 0, ""}, 0},
		{{".", "", 0, ""}, -EPERM},
		{{".x", "", 0, ""}, -EPERM},
		{{".", "x", 300, ""}, -EPERM},
		/* lengths in bytes */
		{{"", "x", 254, ""}, 0},
		{{"", "x", 255, ""}, 0},
		{{"", "x", 256, ""}, -ENAMETOOLONG},
		{{"x", "\xc3\xa9", 127, ""}, 0},
		{{"", "\xc3\xa9", 128, ""}, -ENAMETOOLONG},
		/* what XML cannot say */
		{{"a\x01", "", 0, ""}, -EILSEQ},
		{{"a\x08", "", 0, ""}, -EILSEQ},
		{{"a\x0b", "", 0, ""}, -EILSEQ},
		{{"a\x0c", "", 0, ""}, -EILSEQ},
		{{"a\x1f", "", 0, ""}, -EILSEQ},
		{{"a ", "", 0, ""}, 0},
		{{"\xef\xbf\xbd", "", 0, ""}, 0},
		{{"\xef\xbf\xbe", "", 0, ""}, -EILSEQ},
		{{"\xef\xbf\xbf", "", 0, ""}, -EILSEQ},
		{{"\xf0\x9f\xbf\xbf", "", 0, ""}, 0}, /* U+1FFFF: XML takes it */
		/* not UTF-8 */
		{{"\x80", "", 0, ""}, -EILSEQ},
		{{"a\xc3", "", 0, ""}, -EILSEQ},
		{{"\xe2\x82", "", 0, ""}, -EILSEQ},
		{{"\xc0\x80", "", 0, ""}, -EILSEQ},
		{{"\xc1\xbf", "", 0, ""}, -EILSEQ},
		{{"\xc2\x80", "", 0, ""}, 0},
		{{"\xe0\x9f\xbf", "", 0, ""}, -EILSEQ},
		{{"\xe0\xa0\x80", "", 0, ""}, 0},
		{{"\xf0\x8f\xbf\xbf", "", 0, ""}, -EILSEQ},
		{{"\xf0\x90\x80\x80", "", 0, ""}, 0},
		{{"\xed\x9f\xbf", "", 0, ""}, 0},
		{{"\xed\xa0\x80", "", 0, ""}, -EILSEQ},
		{{"\xed\xbf\xbf", "", 0, ""}, -EILSEQ},
		{{"\xee\x80\x80", "", 0, ""}, 0},
		{{"\xf4\x8f\xbf\xbf", "", 0, ""}, 0},
		{{"\xf4\x90\x80\x80", "", 0, ""}, -EILSEQ},
		{{"\xff", "", 0, ""}, -EILSEQ},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[400];
		int result = name_check(spell(&rows[i].name, name));
		if (result != rows[i].result) {
			fail_msg("row %zu, \"%s\": %d", i, name, result);
		}
	}
}

/* Every name off the wire becomes one that a user could have given, and every cut is between
 * characters. */
static void test_from_wire_is_good(void **state)
{
	(void)state;
	static const char bytes[] =
		"./%2Fax\n\x1f\x7f\xc2\x80\xc3\xa9\xe2\x80\xae\xed\xa0\xf0\x9f\x98\xf4";
	uint32_t random = 1;
	for (unsigned i = 0; i < 20000; i++) {
		char wire[400], name[NAME_MAX_BYTES + 1], numbered[NAME_MAX_BYTES + 1];
		size_t length = i % (sizeof wire - 1);
		for (size_t j = 0; j < length; j++) {
			random = random * 1664525 + 1013904223;
			wire[j] = bytes[(random >> 8) % (sizeof bytes - 1)];
		}
		wire[length] = '\0';
		name_from_wire(name, wire);
		assert_int_equal(name_check(name), 0);
		assert_null(strpbrk(name, "/\n\x1f\x7f"));
		name_number(numbered, name, i);
		assert_int_equal(name_check(numbered), 0);
		assert_string_not_equal(numbered, name);
		if (name_from_jid(name, wire)) {
			char jid[NAME_MAX_BYTES + 1];
			assert_int_equal(name_check(name), 0);
			assert_int_equal(name_to_jid(jid, name), 0);
			assert_string_equal(jid, wire);
		} else {
			assert_true(length == 0 || length > NAME_MAX_BYTES / 9);
		}
	}
}

static void test_folders(void **state)
{
	(void)state;
	static const struct {
		const char *wire, *folder;
	} rows[] = {
		{"photos", "photos"},
		{"photos/2024", "photos/2024"},
		{"/photos//2024/", "photos/2024"},
		{"", ""},
		{"///", ""},
		{"..", "%2E."},
		{"a/../../b", "a/%2E./%2E./b"},
		{"./.ssh", "%2E/%2Essh"},
		{" a / b ", "%20a%20/%20b%20"},
		{"a\nb/c", "a%0Ab/c"},
	};
	char folder[NAME_MAX_FOLDER_BYTES + 1], part[NAME_MAX_BYTES + 1];
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(name_folder_from_wire(folder, rows[i].wire), 0);
		assert_string_equal(folder, rows[i].folder);
	}
	const char *rest = "a/b";
	assert_true(name_take_component(&rest, part));
	assert_string_equal(part, "a");
	assert_true(name_take_component(&rest, part));
	assert_string_equal(part, "b");
	assert_false(name_take_component(&rest, part));
}

static void test_limits_of_folders(void **state)
{
	(void)state;
	static const struct {
		struct text wire;
		int error;
	} rows[] = {
		{{"", "d/", NAME_MAX_FOLDER_DEPTH, ""}, 0},
		{{"", "d/", NAME_MAX_FOLDER_DEPTH, "d"}, -ENAMETOOLONG},
		{{"", "0123456789/", 93, ""}, -ENAMETOOLONG},
		{{"", "n", NAME_MAX_FOLDER_BYTES, ""}, 0}, /* one name, which is cut */
		{{"", "n", NAME_MAX_FOLDER_BYTES + 1, ""}, -ENAMETOOLONG},
		{{"", "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01/", 31, ""}, 0},
		{{"", "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01/", 31, ""}, -ENAMETOOLONG},
	};
	char wire[4096], folder[NAME_MAX_FOLDER_BYTES + 1];
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(name_folder_from_wire(folder, spell(&rows[i].wire, wire)),
				 rows[i].error);
		assert_true(rows[i].error || strlen(folder) <= NAME_MAX_FOLDER_BYTES);
	}
}

static void test_avoid_part(void **state)
{
	(void)state;
	static const struct {
		struct text before, after;
	} rows[] = {
		{{"x.par", "t", 1, ""}, {"x.part", "_", 1, ""}},
		{{"x.PaR", "t", 1, ""}, {"x.PaRt", "_", 1, ""}},
		{{"x.part", "_", 1, ""}, {"x.part", "_", 1, ""}},
		{{".par", "t", 1, ""}, {".par", "t", 1, ""}},
		{{"x", "part", 1, ""}, {"x", "part", 1, ""}},
		{{"", "n", 249, ".part"}, {"", "n", 249, ".part_"}},
		{{"", "n", 250, ".part"}, {"", "n", 249, ".part_"}},
	};
	char name[NAME_MAX_BYTES + 1], expected[NAME_MAX_BYTES + 1];
	for (size_t i = 0; i < COUNT(rows); i++) {
		spell(&rows[i].before, name);
		name_avoid_part(name);
		assert_string_equal(name, spell(&rows[i].after, expected));
		assert_false(name_is_part(name));
	}
	assert_true(name_is_part("x.part"));
	assert_false(name_is_part(".part"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),	   cmocka_unit_test(test_limits_of_folders),
		cmocka_unit_test(test_from_wire),  cmocka_unit_test(test_from_wire_cut),
		cmocka_unit_test(test_number),	   cmocka_unit_test(test_jid),
		cmocka_unit_test(test_jid_length), cmocka_unit_test(test_to_jid),
		cmocka_unit_test(test_check),	   cmocka_unit_test(test_from_wire_is_good),
		cmocka_unit_test(test_avoid_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
