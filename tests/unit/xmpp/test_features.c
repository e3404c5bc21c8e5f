/* SPDX-License-Identifier: MIT */
#include "xmpp/features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* XEP-0115 section 5.2. */
static void test_ver(void **state)
{
	(void)state;
	static const struct identity exodus = {"client", "pc", "Exodus 0.9.1"};
	static const char *const features[] = {
		"http://jabber.org/protocol/caps",
		"http://jabber.org/protocol/disco#info",
		"http://jabber.org/protocol/disco#items",
		"http://jabber.org/protocol/muc",
	};
	char ver[FEATURES_VER_SIZE];
	assert_int_equal(features_ver(&exodus, features, COUNT(features), ver), 0);
	assert_string_equal(ver, "QgayPKawpkPSDYmwT/WM94uAlu0=");
}

/* Our own string is that of our own result (test_codec has both). */
static void test_own(void **state)
{
	(void)state;
	char ver[FEATURES_VER_SIZE], expected[256];
	assert_int_equal(features_own_ver(ver), 0);
	char *capabilities = features_capabilities(ver);
	snprintf(expected, sizeof(expected),
		 "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:ibbfs:0' "
		 "ver='%s'/>",
		 ver);
	assert_string_equal(capabilities, expected);
	free(capabilities);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ver),
		cmocka_unit_test(test_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
