/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define KELVIN	  "\xe2\x84\xaa"     /* U+212A: 'k' to Nodeprep */
#define SHY	  "\xc2\xad"	     /* U+00AD: nothing */
#define AT	  "\xef\xbc\xa0"     /* U+FF20: '@' */
#define SLASH	  "\xef\xbc\x8f"     /* U+FF0F: '/' */
#define EMOJI	  "\xf0\x9f\x98\x80" /* U+1F600, unassigned in Unicode 3.2 */
#define A_UMLAUT  "\xc3\xa4"
#define E_ACUTE	  "\xc3\xa9"
#define E_CAPITAL "\xc3\x89"

static const struct {
	const char *text, *normal; /* NULL: -EINVAL */
} forms[] = {
	{"Me@Example.ORG/Home", "me@example.org/Home"},
	{"example.org", "example.org"},
	{"example.org/x", "example.org/x"},
	{"a@b", "a@b"},
	{"a@b.", "a@b"},
	{"a@b./c", "a@b/c"},
	{"a@127.0.0.1", "a@127.0.0.1"},
	{"a_b@c_d", "a_b@c_d"},
	/* The first '/' begins the resource. */
	{"a@b/c/d@e", "a@b/c/d@e"},
	{"b/c@d", "b/c@d"},
	{"b//", "b//"},
	{"a@b/A b", "a@b/A b"},
	{"a@b/" EMOJI, "a@b/" EMOJI},
	{E_CAPITAL "@" E_CAPITAL ".org/" E_CAPITAL, E_ACUTE "@" E_ACUTE ".org/" E_CAPITAL},
	{KELVIN "@b", "k@b"},
	{"a" SHY "@b", "a@b"},
	{"a@[::1]/c", "a@[::1]/c"},
	/* A-labels become U-labels; what only looks like one stays: it decodes to nothing, to
	 * another dot, to a character that Nameprep changes, or that Unicode 3.2 does not have. */
	{"a@xn--pl-wia.example/xn--pl-wia", "a@pl" A_UMLAUT ".example/xn--pl-wia"},
	{"a@x.XN--PL-WIA.xn--pl-wia", "a@x.pl" A_UMLAUT ".pl" A_UMLAUT},
	{"xn--pl-wia@b", "xn--pl-wia@b"},
	{"a@xn--", "a@xn--"},
	{"a@xn--pl-\x7f", NULL},
	{"a@xn--99999999999", "a@xn--99999999999"},
	{"a@xn--e28h", "a@xn--e28h"},
	{"a@xn--pl-5fa.example", "a@xn--pl-5fa.example"},
	{"a@xn--ab-r13a", "a@xn--ab-r13a"},
	{"a@xn--a.-", "a@xn--a.-"},
	{"[2001:DB8::1]", "[2001:db8::1]"},
	/* Parts that are empty, or become empty. */
	{"", NULL},
	{"/", NULL},
	{"@", NULL},
	{"@b", NULL},
	{"a@", NULL},
	{"a@/c", NULL},
	{"a@b/", NULL},
	{"/c", NULL},
	{".", NULL},
	{"a@.", NULL},
	{SHY "@b", NULL},
	{"a@b/" SHY, NULL},
	{SHY, NULL},
	/* Domains. */
	{"a@b@c", NULL},
	{"a@b c", NULL},
	{"a@ b", NULL},
	{"a@b\n", NULL},
	{"a@b\x7f", NULL},
	{"a@b:5222", NULL},
	{"a@b" AT "c", NULL},
	{"a@b" SLASH "c", NULL},
	{"a@.b", NULL},
	{"a@b..c", NULL},
	{"a@b..", NULL},
	{"[", NULL},
	{"[]", NULL},
	{"[::1", NULL},
	{"[::1]x", NULL},
	{"[x]", NULL},
	{"[127.0.0.1]", NULL},
	{"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]", NULL},
	{"::1", NULL},
	/* Local parts and resources. */
	{"a b@c", NULL},
	{"a:b@c", NULL},
	{"a\"b@c", NULL},
	{"a'b@c", NULL},
	{"a&b@c", NULL},
	{"a<b>@c", NULL},
	{"a" AT "b@c", NULL},
	{"a\tb@c", NULL},
	{"a@b/c\nd", NULL},
	{"a@b/\x01", NULL},
	/* Not UTF-8: a lone byte, a sequence cut short, an overlong form, a surrogate. */
	{"\xff@b", NULL},
	{"a@\xff", NULL},
	{"a@b/\xff", NULL},
	{"a@b/\xe2\x84", NULL},
	{"a@b/\xc0\xaf", NULL},
	{"a@b/\xed\xa0\x80", NULL},
	{"a@b/\xf4\x90\x80\x80", NULL},
};

static void test_normalize(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		char *jid = (char *)forms;
		int error = jid_normalize(forms[i].text, &jid);
		if (error != (forms[i].normal ? 0 : -EINVAL)) {
			fail_msg("\"%s\" gives %d", forms[i].text, error);
		}
		if (!forms[i].normal) {
			assert_ptr_equal(jid, forms);
			continue;
		}
		assert_string_equal(jid, forms[i].normal);

		/* The normal form of a normal form is itself. */
		char *again;
		assert_int_equal(jid_normalize(jid, &again), 0);
		assert_string_equal(again, jid);
		free(again);
		free(jid);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	static const struct {
		int local, domain, resource; /* bytes */
		int error;
	} rows[] = {
		{1023, 1023, 1023, 0},	  {1, 1, 1, 0},		 {1024, 1, 1, -EINVAL},
		{1, 1024, 1, -EINVAL},	  {1, 1, 1024, -EINVAL}, {3000, 3000, 3000, -EINVAL},
		{1, 1, 1000000, -EINVAL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t size = (size_t)(rows[i].local + rows[i].domain + rows[i].resource) + 3;
		char *text = malloc(size), *at = text;
		assert_non_null(text);
		memset(text, 'x', size);
		at[rows[i].local] = '@';
		at[rows[i].local + 1 + rows[i].domain] = '/';
		text[size - 1] = '\0';

		char *jid = NULL;
		assert_int_equal(jid_normalize(text, &jid), rows[i].error);
		if (!rows[i].error) {
			assert_string_equal(jid, text);
			assert_true(strlen(jid) <= JID_MAX);
		}
		free(jid);
		free(text);
	}

	/* Resourceprep turns the 3 bytes of U+FDFA into 33. */
	char grows[2 + 341 * 3 + 1] = "b/";
	for (int i = 0; i < 341; i++) {
		strcat(grows, "\xef\xb7\xba");
	}
	char *jid;
	assert_int_equal(jid_normalize(grows, &jid), -EINVAL);
	grows[2 + 31 * 3] = '\0';
	assert_int_equal(jid_normalize(grows, &jid), 0);
	assert_int_equal(strlen(jid), 2 + 31 * 33);
	free(jid);
}

static void test_parts(void **state)
{
	(void)state;
	static const struct {
		const char *jid;
		size_t bare;
		const char *resource;
		bool local;
	} rows[] = {
		{"a@b/c", 3, "c", true},    {"a@b", 3, NULL, true},	{"b", 1, NULL, false},
		{"b/c@d", 1, "c@d", false}, {"b/c/d", 1, "c/d", false}, {"a@b/", 3, "", true},
		{"", 0, NULL, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(jid_bare_length(rows[i].jid), rows[i].bare);
		assert_int_equal(jid_has_local(rows[i].jid), rows[i].local);
		const char *resource = jid_resource(rows[i].jid);
		if (rows[i].resource) {
			assert_string_equal(resource, rows[i].resource);
		} else {
			assert_null(resource);
		}
	}
}

static void test_same_bare(void **state)
{
	(void)state;
	assert_true(jid_same_bare("a@b", "a@b"));
	assert_true(jid_same_bare("a@b/c", "a@b/d"));
	assert_true(jid_same_bare("a@b/c", "a@b"));
	assert_false(jid_same_bare("a@b", "a@bc"));
	assert_false(jid_same_bare("a@bc/d", "a@b/d"));
	assert_false(jid_same_bare("a@b", "b"));
	assert_false(jid_same_bare("", "b"));
}

static void test_to_ascii(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"pl" A_UMLAUT ".example", "xn--pl-wia.example"},
		{"xn--pl-wia.example", "xn--pl-wia.example"},
		{"example.org", "example.org"},
		{"[::1]", "[::1]"},
		{"127.0.0.1", "127.0.0.1"},
		{"a_b", "a_b"},
		{EMOJI ".example", EMOJI ".example"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *ascii;
		assert_int_equal(jid_domain_to_ascii(rows[i][0], &ascii), 0);
		assert_string_equal(ascii, rows[i][1]);
		free(ascii);
	}
}

static void test_memory(void **state)
{
	(void)state;
	bool failed;
	size_t n = 0;
	do {
		char *jid = NULL;
		failing_malloc_arm(++n);
		int error = jid_normalize("a@b/c", &jid);
		failed = failing_malloc_disarm();
		assert_int_equal(error, failed ? -ENOMEM : 0);
		free(jid);
	} while (failed);
	assert_true(n > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_parts),	  cmocka_unit_test(test_same_bare),
		cmocka_unit_test(test_to_ascii),  cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
