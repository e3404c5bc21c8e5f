/* SPDX-License-Identifier: MIT */
/* cause: lines of libstrophe's log, and the line for the user. */
#define _GNU_SOURCE /* dladdr, memmem */

#include "xmpp/cause.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLACE "192.0.2.1:5222"

static struct cause begin(void)
{
	struct cause cause = {.account = "me@a.example", .domain = "a.example"};

	cause_reset(&cause, PLACE);
	return cause;
}

/* Each known line: its part in libstrophe's source, an instance of it, and our line. `minor`: of
 * 0.12, or of 0.13 and later; 0: of all. */
static const struct {
	unsigned minor;
	const char *source, *text, *line;
} lines[] = {
	{0, "TLS is not supported, but set as",
	 "TLS is not supported, but set as mandatory for this",
	 PLACE ": the server does not offer TLS"},
	{0, "Couldn't start TLS!", "Couldn't start TLS! error 1 tls_error 1",
	 PLACE ": the TLS handshake failed"},
	{12, "Unrecoverable TLS error, %d.", "Unrecoverable TLS error, 5.",
	 PLACE ": the connection was lost"},
	{13, "Unrecoverable error: %d.", "Unrecoverable error: 5.",
	 PLACE ": the connection was lost"},
	{0, "Cannot authenticate with known methods", "Cannot authenticate with known methods",
	 "me@a.example: the server offers no way to log in that we know"},
	{0, "Binding failed.", "Binding failed.", "me@a.example: the server refused the resource"},
	{0, "Stream features does not allow resource bind",
	 "Stream features does not allow resource bind.",
	 "me@a.example: the server refused the resource"},
	{0, "Server did not open valid stream", "Server did not open valid stream. name = a.",
	 PLACE ": what answers there does not speak XMPP"},
	{0, "parse error [%s]", "parse error [HTTP/1.1 400]",
	 PLACE ": what answers there does not speak XMPP"},
	{0, "didn't get stream features", "didn't get stream features", PLACE ": no answer"},
	{0, "Did not receive stream features", "Did not receive stream features after SASL",
	 PLACE ": no answer"},
	{0, "Server did not reply to bind request.", "Server did not reply to bind request.",
	 PLACE ": no answer"},
	{0, "connection failed, error %d", "connection failed, error 111",
	 PLACE ": Connection refused"},
	{0, "Connection attempt timed out.", "Connection attempt timed out.",
	 PLACE ": Connection timed out"},
	{0, "SSL_CTX_load_verify_locations", "SSL_CTX_load_verify_locations() failed: 0",
	 "the CA directory: no certificate could be read"},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct cause cause = begin();
		cause_learn(&cause, lines[i].text);
		assert_string_equal(cause_line(&cause), lines[i].line);
	}
	struct cause cause = begin();
	cause_learn(&cause, "RECV: <message><body>Binding failed.</body></message>");
	cause_learn(&cause,
		    "RECV: <failure xmlns=\"" XMPP_NS_SASL "\"><not-authorized/></failure>");
	assert_string_equal(cause_line(&cause), PLACE ": the connection ended");
}

/* The lines in the installed library: a line that was reworded would not be recognised. */
static void test_the_library_has_these_lines(void **state)
{
	Dl_info info;
	(void)state;

	int (*function)(xmpp_conn_t *) = xmpp_conn_release;
	assert_true(dladdr(*(void **)&function, &info) != 0);
	FILE *file = fopen(info.dli_fname, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size_t size = (size_t)ftell(file);
	rewind(file);
	char *bytes = malloc(size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, size, file), size);
	fclose(file);

	unsigned minor = memmem(bytes, size, "SCRAM-SHA-1-PLUS", 16) != NULL ? 13 : 12;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *source = lines[i].source;
		bool found = memmem(bytes, size, source, strlen(source)) != NULL;
		if (found != (lines[i].minor == 0 || lines[i].minor == minor)) {
			fail_msg("%s: %s", info.dli_fname, source);
		}
	}
	free(bytes);
}

static void test_refusals(void **state)
{
	struct cause cause = begin();
	(void)state;

	cause_refused(&cause, "mechanism-too-weak");
	assert_string_equal(cause_line(&cause),
			    "me@a.example: the server refused the login: mechanism-too-weak");
	/* A later one counts more. */
	cause_refused(&cause, "temporary-auth-failure");
	assert_false(cause_is_final(&cause));
	cause_refused(&cause, "account-disabled");
	assert_true(cause_is_final(&cause));
	assert_string_equal(cause_line(&cause),
			    "me@a.example: the server refused the login: account-disabled");
	cause_refused(&cause, "not-authorized");
	assert_string_equal(cause_line(&cause), "me@a.example: the server refused the password");
	cause_learn(&cause, "Cannot authenticate with known methods");
	assert_string_equal(cause_line(&cause), "me@a.example: the server refused the password");

	/* Refused, then logged in: the refusal is no cause of a later end. */
	cause_forget(&cause);
	cause_end(&cause, ECONNRESET, NULL);
	assert_string_equal(cause_line(&cause), PLACE ": the server closed the connection");
	assert_false(cause_is_final(&cause));
}

static void test_what_is_offered(void **state)
{
	struct cause cause = begin();
	xmpp_stream_error_t error = {.type = XMPP_SE_UNDEFINED_CONDITION};
	(void)state;

	cause_offered(&cause, "X-OAUTH2 GSSAPI");
	cause_learn(&cause, "Cannot authenticate with known methods");
	cause_end(&cause, 0, &error); /* Prosody's condition is less specific */
	assert_string_equal(
		cause_line(&cause),
		"me@a.example: the server offers no way to log in that we know: X-OAUTH2 GSSAPI");
	cause_reset(&cause, PLACE);
	cause_learn(&cause, "Cannot authenticate with known methods");
	assert_string_equal(cause_line(&cause),
			    "me@a.example: the server offers no way to log in that we know");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_the_library_has_these_lines),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_is_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
