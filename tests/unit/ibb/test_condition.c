/* SPDX-License-Identifier: MIT */
#include "ibb/condition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_names(void **state)
{
	(void)state;
	static const char *const names[] = {
		[CONDITION_BAD_REQUEST] = "bad-request",
		[CONDITION_CONFLICT] = "conflict",
		[CONDITION_FEATURE_NOT_IMPLEMENTED] = "feature-not-implemented",
		[CONDITION_FORBIDDEN] = "forbidden",
		[CONDITION_GONE] = "gone",
		[CONDITION_INTERNAL_SERVER_ERROR] = "internal-server-error",
		[CONDITION_ITEM_NOT_FOUND] = "item-not-found",
		[CONDITION_JID_MALFORMED] = "jid-malformed",
		[CONDITION_NOT_ACCEPTABLE] = "not-acceptable",
		[CONDITION_NOT_ALLOWED] = "not-allowed",
		[CONDITION_NOT_AUTHORIZED] = "not-authorized",
		[CONDITION_POLICY_VIOLATION] = "policy-violation",
		[CONDITION_RECIPIENT_UNAVAILABLE] = "recipient-unavailable",
		[CONDITION_REDIRECT] = "redirect",
		[CONDITION_REGISTRATION_REQUIRED] = "registration-required",
		[CONDITION_REMOTE_SERVER_NOT_FOUND] = "remote-server-not-found",
		[CONDITION_REMOTE_SERVER_TIMEOUT] = "remote-server-timeout",
		[CONDITION_RESOURCE_CONSTRAINT] = "resource-constraint",
		[CONDITION_SERVICE_UNAVAILABLE] = "service-unavailable",
		[CONDITION_SUBSCRIPTION_REQUIRED] = "subscription-required",
		[CONDITION_UNDEFINED_CONDITION] = "undefined-condition",
		[CONDITION_UNEXPECTED_REQUEST] = "unexpected-request",
	};
	assert_null(condition_name(CONDITION_NONE));
	for (size_t i = 1; i < COUNT(names); i++) {
		assert_string_equal(condition_name((enum condition)i), names[i]);
		assert_int_equal(condition_from_name(names[i]), i);
	}
}

static void test_unknown_names(void **state)
{
	(void)state;
	static const char *const names[] = {
		NULL,		"",    "text", "Forbidden", "forbidden ", "payment-required",
		"bad-requests", "bad",
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(condition_from_name(names[i]), CONDITION_UNDEFINED_CONDITION);
	}
}

static void test_error_types(void **state)
{
	(void)state;
	static const char *const names[] = {
		[ERROR_TYPE_CANCEL] = "cancel",	    [ERROR_TYPE_AUTH] = "auth",
		[ERROR_TYPE_CONTINUE] = "continue", [ERROR_TYPE_MODIFY] = "modify",
		[ERROR_TYPE_WAIT] = "wait",
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(error_type_name((enum error_type)i), names[i]);
		assert_int_equal(error_type_from_name(names[i]), i);
	}
	assert_int_equal(error_type_from_name(NULL), ERROR_TYPE_CANCEL);
	assert_int_equal(error_type_from_name(""), ERROR_TYPE_CANCEL);
	assert_int_equal(error_type_from_name("WAIT"), ERROR_TYPE_CANCEL);
}

/* Conditions that we send, with their sections of XEP-0047. */
static void test_type_sent(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		enum error_type type;
	} rows[] = {
		{CONDITION_SERVICE_UNAVAILABLE, ERROR_TYPE_CANCEL},	/* 2.1 */
		{CONDITION_RESOURCE_CONSTRAINT, ERROR_TYPE_MODIFY},	/* 2.1 */
		{CONDITION_NOT_ACCEPTABLE, ERROR_TYPE_CANCEL},		/* 2.1 */
		{CONDITION_ITEM_NOT_FOUND, ERROR_TYPE_CANCEL},		/* 2.2 */
		{CONDITION_UNEXPECTED_REQUEST, ERROR_TYPE_CANCEL},	/* 2.2 */
		{CONDITION_BAD_REQUEST, ERROR_TYPE_CANCEL},		/* 2.2 */
		{CONDITION_FEATURE_NOT_IMPLEMENTED, ERROR_TYPE_CANCEL}, /* RFC 6120 8.3.3.3 */
		{CONDITION_NOT_ALLOWED, ERROR_TYPE_CANCEL},		/* RFC 6120 8.3.3.10 */
		{CONDITION_FORBIDDEN, ERROR_TYPE_AUTH},			/* RFC 6120 8.3.3.4 */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(condition_type(rows[i].condition), rows[i].type);
	}
}

static void test_errno(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		int open, stream;
	} rows[] = {
		{CONDITION_NONE, ECONNREFUSED, ECONNRESET},
		{CONDITION_BAD_REQUEST, EPROTO, EPROTO},
		{CONDITION_CONFLICT, ECONNREFUSED, ECONNRESET},
		{CONDITION_FEATURE_NOT_IMPLEMENTED, EPROTONOSUPPORT, ECONNRESET},
		{CONDITION_FORBIDDEN, EACCES, EACCES},
		{CONDITION_GONE, EHOSTDOWN, ECONNRESET},
		{CONDITION_INTERNAL_SERVER_ERROR, ECONNREFUSED, ECONNRESET},
		{CONDITION_ITEM_NOT_FOUND, EPROTONOSUPPORT, ECONNRESET},
		{CONDITION_JID_MALFORMED, EINVAL, ECONNRESET},
		{CONDITION_NOT_ACCEPTABLE, ECONNREFUSED, EPROTO},
		{CONDITION_NOT_ALLOWED, EACCES, EACCES},
		{CONDITION_NOT_AUTHORIZED, EACCES, EACCES},
		{CONDITION_POLICY_VIOLATION, EACCES, EACCES},
		{CONDITION_RECIPIENT_UNAVAILABLE, EHOSTDOWN, ECONNRESET},
		{CONDITION_REDIRECT, EHOSTDOWN, ECONNRESET},
		{CONDITION_REGISTRATION_REQUIRED, EACCES, EACCES},
		{CONDITION_REMOTE_SERVER_NOT_FOUND, EHOSTUNREACH, ECONNRESET},
		{CONDITION_REMOTE_SERVER_TIMEOUT, EHOSTUNREACH, ECONNRESET},
		{CONDITION_RESOURCE_CONSTRAINT, ECONNREFUSED, ECONNRESET},
		{CONDITION_SERVICE_UNAVAILABLE, EPROTONOSUPPORT, ECONNRESET},
		{CONDITION_SUBSCRIPTION_REQUIRED, EACCES, EACCES},
		{CONDITION_UNDEFINED_CONDITION, ECONNREFUSED, ECONNRESET},
		{CONDITION_UNEXPECTED_REQUEST, EPROTO, EPROTO},
	};
	assert_int_equal(COUNT(rows), CONDITION_UNEXPECTED_REQUEST + 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int open = condition_open_error(rows[i].condition);
		int stream = condition_stream_error(rows[i].condition);
		if (open != -rows[i].open || stream != -rows[i].stream) {
			fail_msg("%s: %s, %s", condition_name(rows[i].condition), strerror(-open),
				 strerror(-stream));
		}
	}
}

/* The conditions that mean that the peer is absent: gone, or offline for now. */
static void test_peer_is_away(void **state)
{
	(void)state;
	static const enum condition gone[] = {
		CONDITION_GONE,
		CONDITION_RECIPIENT_UNAVAILABLE,
		CONDITION_REMOTE_SERVER_NOT_FOUND,
		CONDITION_REMOTE_SERVER_TIMEOUT,
	};
	for (int i = CONDITION_NONE; i <= CONDITION_UNEXPECTED_REQUEST; i++) {
		enum condition condition = (enum condition)i;
		bool is_gone = false;
		for (size_t j = 0; j < COUNT(gone); j++) {
			is_gone = is_gone || gone[j] == condition;
		}
		assert_int_equal(condition_means_gone(condition), is_gone);
		assert_int_equal(condition_means_away(condition),
				 is_gone || condition == CONDITION_SERVICE_UNAVAILABLE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_error_types), cmocka_unit_test(test_type_sent),
		cmocka_unit_test(test_errno),	    cmocka_unit_test(test_peer_is_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
