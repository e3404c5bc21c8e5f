/* SPDX-License-Identifier: MIT */
/* challenge: what libstrophe can answer. */
#include "xmpp/challenge.h"

#include "ibb/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *encoded(const char *text)
{
	static char base64[2 * CHALLENGE_MAX + 1];
	assert_true(BASE64_ENCODED(strlen(text)) < sizeof(base64));
	base64[base64_encode(base64, (const uint8_t *)text, strlen(text))] = '\0';
	return base64;
}

struct row {
	const char *text;
	bool is_right;
};

static void check(const struct row *rows, size_t count, bool (*is_right)(const char *text))
{
	for (size_t i = 0; i < count; i++) {
		if (is_right(encoded(rows[i].text)) != rows[i].is_right) {
			fail_msg("%s", rows[i].text);
		}
	}
}

static void test_scram(void **state)
{
	static const struct row rows[] = {
		{"r=abc,s=c2FsdA==,i=4096", true},
		{"r=abc=,s=c2FsdA==,i=1", true},
		{"r=abc,s=c2FsdA==,i=1000000", true},
		{"r=abc,s=c2FsdA==,i=4096,h=abc=,x=", true},
		{"r=abc,s=c2FsdA==,i=1000001", false},
		{"r=abc,s=c2FsdA==,i=99999999999999999999", false},
		{"r=abc,s=c2FsdA==,i=0", false},
		{"r=abc,s=c2FsdA==,i=-1", false},
		{"r=abc,s=c2FsdA==,i=", false},
		{"r=abc,s=c2FsdA==,i=x", false},
		{"r=abc,s=c2FsdA==", false},
		{"r=abc,s=,i=4096", false},
		{"r=abc,s=!!!!,i=4096", false},
		{"r=abc,i=4096", false},
		{"r=,s=c2FsdA==,i=4096", false},
		{"s=c2FsdA==,i=4096", false},
		{"m=x,r=abc,s=c2FsdA==,i=4096", false},
		{"r=abc,s=c2FsdA==,i=4096,s=c2FsdA==", false},
		{"r=abc,s=c2FsdA==,i=4096,x=y,i=2000000", false},
		{"r=abc,s=c2FsdA==,i=4096,r=abc", false},
		{"nonce=\"abc\"", false},
		{"r,s,i", false},
		{",,,", false},
		{"", false},
	};
	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), challenge_is_of_scram);
	assert_false(challenge_is_of_scram("!!!!"));
	assert_false(challenge_is_of_scram("cj1hYmMscz1jMkZzZEE9\nPSxpPTQwOTY="));
	assert_false(challenge_is_of_scram("cj1hYmMAcz1jMkZzZEE9PSxpPTQwOTY=")); /* a NUL */
}

static void test_a_long_salt(void **state)
{
	(void)state;
	for (size_t length = CHALLENGE_MAX_SALT - 1; length <= CHALLENGE_MAX_SALT + 3; length++) {
		uint8_t salt[CHALLENGE_MAX_SALT + 3] = {0};
		char base64[BASE64_ENCODED(sizeof(salt)) + 1], text[300];
		base64[base64_encode(base64, salt, length)] = '\0';
		snprintf(text, sizeof(text), "r=abc,s=%s,i=4096", base64);
		assert_int_equal(challenge_is_of_scram(encoded(text)),
				 length <= CHALLENGE_MAX_SALT);
	}
}

static void test_digest(void **state)
{
	static const struct row rows[] = {
		{"nonce=\"abc\"", true},
		{"realm=\"example.org\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",charset=utf-8,"
		 "algorithm=md5-sess",
		 true},
		{"realm=\"\", nonce=\"abc\", ", true},
		{"nonce=abc", true},
		{"cnonce=\"abc\"", false},
		{"realm=\"nonce=abc\"", false},
		{"realm='a,nonce=b'", false},
		{"realm=\"a\"nonce=\"b\"", false},
		{"nonce=\"abc", false},
		{"realm=a nonce=\"abc\"", false},
		{"nonce=", false},
		{"nonce", false},
		{"x=,nonce=\"abc\"", false},
		{"=,nonce=\"abc\"", false},
		{"rspauth=abc", false},
		{",,,", false},
		{"", false},
	};
	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), challenge_is_of_digest);
}

static void test_a_long_one(void **state)
{
	char text[CHALLENGE_MAX];
	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "nonce=", 6);
	text[CHALLENGE_MAX / 4 * 3] = '\0';
	assert_true(challenge_is_of_digest(encoded(text)));
	text[CHALLENGE_MAX / 4 * 3] = 'x';
	text[CHALLENGE_MAX / 4 * 3 + 1] = '\0';
	assert_false(challenge_is_of_digest(encoded(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_a_long_salt),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_a_long_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
