/* SPDX-License-Identifier: MIT */
#include "offer/jingle_reason.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Every reason has an error, before and after the offer was accepted. */
static void test_every_reason(void **state)
{
	(void)state;
	for (int reason = JINGLE_NO_REASON; reason <= JINGLE_UNSUPPORTED_TRANSPORTS; reason++) {
		assert_true(jingle_reason_error((enum jingle_reason)reason, false) < 0);
		assert_true(jingle_reason_error((enum jingle_reason)reason, true) < 0);
	}
	assert_int_equal(jingle_reason_error(JINGLE_GONE, false), -EHOSTDOWN);
	assert_int_equal(jingle_reason_error(JINGLE_GONE, true), -ECONNRESET);
	assert_int_equal(jingle_reason_error(JINGLE_DECLINE, false), -ECONNREFUSED);
}

/* Between two ibbfs, an error is the same at both ends; any other is a lost session there. */
static void test_there_and_back(void **state)
{
	(void)state;
	static const int errors[] = {-EBADMSG, -ECANCELED, -ETIMEDOUT, -ECONNRESET};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(jingle_reason_error(jingle_reason_of(errors[i]), true), errors[i]);
	}
	assert_int_equal(jingle_reason_error(jingle_reason_of(-ENOSPC), true), -ECONNRESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reason),
		cmocka_unit_test(test_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
