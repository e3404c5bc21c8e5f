/* SPDX-License-Identifier: MIT */
/* login: the part of a login that libstrophe sees. */
#include "xmpp/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STREAMS "http://etherx.jabber.org/streams\xff"
#define TLS	"urn:ietf:params:xml:ns:xmpp-tls\xff"
#define SASL	"urn:ietf:params:xml:ns:xmpp-sasl\xff"
#define BIND	"urn:ietf:params:xml:ns:xmpp-bind\xff"
#define CB	"urn:xmpp:sasl-cb:0\xff"

/* The server's side of a login, and what libstrophe saw: "<a>text</a>". */
static struct {
	struct login login;
	bool is_secured;
	const char *binding;
	char heard[2000];
	char refused[100];
	unsigned offers, unbindable, misshapen;
	bool uses_scram;
} scene;

static void hear(const char *before, const char *name, const char *after)
{
	const char *local = strchr(name, '\xff');

	strcat(scene.heard, before);
	strcat(scene.heard, local != NULL ? local + 1 : name);
	strcat(scene.heard, after);
}

static void hear_start(void *context, const char *name, const char **attributes)
{
	assert_ptr_equal(context, &scene);
	assert_non_null(attributes);
	hear("<", name, ">");
}

static void hear_end(void *context, const char *name)
{
	assert_ptr_equal(context, &scene);
	hear("</", name, ">");
}

static void hear_text(void *context, const char *text, int length)
{
	assert_ptr_equal(context, &scene);
	strncat(scene.heard, text, (size_t)length);
}

static const struct login_sink sink = {&scene, hear_start, hear_end, hear_text};

static bool is_secured(void *context)
{
	(void)context;
	return scene.is_secured;
}

static const char *binding(void *context)
{
	(void)context;
	return scene.binding;
}

static void offer(void *context, const struct login *login)
{
	(void)context;
	assert_ptr_equal(login, &scene.login);
	scene.offers++;
}

static void refused(void *context, const char *condition)
{
	(void)context;
	snprintf(scene.refused, sizeof(scene.refused), "[%s]", condition);
}

static void unbindable(void *context)
{
	(void)context;
	scene.unbindable++;
}

static bool uses_scram(void *context)
{
	(void)context;
	return scene.uses_scram;
}

static void misshapen(void *context)
{
	(void)context;
	scene.misshapen++;
}

static const struct login_events events = {
	.context = &scene,
	.is_secured = is_secured,
	.binding = binding,
	.offer = offer,
	.uses_scram = uses_scram,
	.misshapen = misshapen,
	.refused = refused,
	.unbindable = unbindable,
};

static void start(const char *name)
{
	const char *none[] = {NULL};
	login_start(&scene.login, &sink, name, none);
}

static void end(const char *name)
{
	login_end(&scene.login, &sink, name);
}

static void empty(const char *name)
{
	start(name);
	end(name);
}

static void open_stream(void)
{
	login_open(&scene.login);
	start(STREAMS "stream");
	scene.heard[0] = '\0';
}

static void begin(bool requires_tls, bool secured)
{
	memset(&scene, 0, sizeof(scene));
	login_begin(&scene.login, &events, requires_tls);
	scene.is_secured = secured;
	open_stream();
}

/* Each mechanism's name comes in two pieces, as expat may give it. */
static void mechanisms(const char *names)
{
	char text[500];

	snprintf(text, sizeof(text), "%s", names);
	start(SASL "mechanisms");
	char *rest = NULL;
	for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
		int half = (int)strlen(name) / 2;
		start(SASL "mechanism");
		login_text(&scene.login, &sink, name, half);
		login_text(&scene.login, &sink, name + half, (int)strlen(name) - half);
		end(SASL "mechanism");
	}
	end(SASL "mechanisms");
}

static void bindings(const char *type, const char *other)
{
	const char *first[] = {"type", type, NULL}, *second[] = {"x", "y", "type", other, NULL};

	start(CB "sasl-channel-binding");
	login_start(&scene.login, &sink, CB "channel-binding", first);
	end(CB "channel-binding");
	login_start(&scene.login, &sink, CB "channel-binding", second);
	end(CB "channel-binding");
	end(CB "sasl-channel-binding");
}

/* The mechanisms that libstrophe sees of an offer, each name followed by a space. */
static const char *given(void)
{
	static char names[500];
	const char *at = scene.heard;

	names[0] = '\0';
	while ((at = strstr(at, "<mechanism>")) != NULL) {
		at += strlen("<mechanism>");
		strncat(names, at, strcspn(at, "<"));
		strcat(names, " ");
	}
	return names;
}

static void test_mechanisms_are_given_by_strength(void **state)
{
	(void)state;
	begin(true, true);
	start(STREAMS "features");
	mechanisms("PLAIN scram-sha-1 X-OAUTH2 SCRAM-SHA-512 DIGEST-MD5 EXTERNAL ANONYMOUS");
	empty("other\xffthing");
	assert_string_equal(scene.heard, "<features><thing></thing>");
	end(STREAMS "features");
	assert_string_equal(scene.heard,
			    "<features><thing></thing><mechanisms><mechanism>SCRAM-SHA-512"
			    "</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>DIGEST-MD5"
			    "</mechanism><mechanism>PLAIN</mechanism></mechanisms></features>");
	assert_int_equal(scene.offers, 1);
	assert_false(scene.login.unbound);
	assert_string_equal(scene.login.offered, "PLAIN scram-sha-1 X-OAUTH2 SCRAM-SHA-512 "
						 "DIGEST-MD5 EXTERNAL ANONYMOUS");
}

static void test_bindings(void **state)
{
	static const struct {
		bool secured;
		const char *binding, *type, *other; /* ours; the server's, or NULL */
		const char *given;
		bool unbound;
	} rows[] = {
		{true, "tls-exporter", NULL, NULL, "SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", false},
		{true, NULL, NULL, NULL, "SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", false},
		{true, "tls-exporter", "x", "tls-exporter", "SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", false},
		{true, "tls-unique", "tls-unique", "x", "SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", false},
		{true, "tls-unique", "tls-exporter", "x", "SCRAM-SHA-1 ", true},
		{true, "tls-exporter", "tls-unique", "x", "SCRAM-SHA-1 ", true},
		{true, "tls-exporter", "tls-server-end-point", "x", "SCRAM-SHA-1 ", true},
		/* Without that knowledge the result is the same if the server supports all that
		 * libstrophe may use. */
		{true, NULL, "tls-exporter", "tls-unique", "SCRAM-SHA-1-PLUS SCRAM-SHA-1 ", false},
		{true, NULL, "tls-exporter", "x", "SCRAM-SHA-1 ", true},
		/* Without TLS there is no channel to bind to: libstrophe would give up. */
		{false, NULL, NULL, NULL, "SCRAM-SHA-1 ", false},
		{false, NULL, "tls-exporter", "tls-unique", "SCRAM-SHA-1 ", false},
	};
	(void)state;

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		begin(false, rows[i / 2].secured);
		scene.binding = rows[i / 2].binding;
		start(STREAMS "features");
		/* The one may come before the other. */
		if (i % 2 == 0) {
			mechanisms("SCRAM-SHA-1 SCRAM-SHA-1-PLUS");
		}
		if (rows[i / 2].type != NULL) {
			bindings(rows[i / 2].type, rows[i / 2].other);
			assert_non_null(strstr(scene.heard, "<channel-binding>"));
		}
		if (i % 2 == 1) {
			mechanisms("SCRAM-SHA-1 SCRAM-SHA-1-PLUS");
		}
		end(STREAMS "features");
		assert_string_equal(given(), rows[i / 2].given);
		assert_int_equal(scene.login.unbound, rows[i / 2].unbound);
	}
}

static void test_nothing_is_given_that_was_said_before_tls(void **state)
{
	(void)state;
	begin(true, false);
	start(STREAMS "features");
	empty(TLS "starttls");
	mechanisms("PLAIN SCRAM-SHA-1-PLUS");
	bindings("tls-exporter", "tls-unique");
	end(STREAMS "features");
	assert_null(strstr(scene.heard, "mechanism"));
	assert_non_null(strstr(scene.heard, "<starttls>"));
	assert_int_equal(scene.offers, 0);

	/* A refusal before TLS is not recorded. */
	start(SASL "failure");
	empty(SASL "not-authorized");
	end(SASL "failure");
	assert_string_equal(scene.refused, "");

	empty(TLS "proceed");
	const char *until = scene.heard + strlen(scene.heard);
	scene.is_secured = true; /* the handshake happens in the call */
	start(STREAMS "features");
	mechanisms("PLAIN");
	end(STREAMS "features");
	empty(SASL "success");
	start("jabber:client\xffiq");
	login_text(&scene.login, &sink, "x", 1);
	end("jabber:client\xffiq");
	end(STREAMS "stream");
	assert_string_equal(until, "");

	open_stream();
	start(STREAMS "features");
	end(STREAMS "features");
	assert_string_equal(scene.heard, "<features></features>");
	assert_int_equal(scene.offers, 1);
	assert_string_equal(scene.login.offered, "");
	assert_false(scene.login.unbound);
}

static void test_proceed_means_nothing_where_tls_is_off(void **state)
{
	(void)state;
	begin(false, false);
	empty(TLS "proceed");
	empty("x\xffiq");
	assert_string_equal(scene.heard, "<proceed></proceed><iq></iq>");
}

static void ask(void)
{
	begin(true, true);
	start(STREAMS "features");
	mechanisms("PLAIN SCRAM-SHA-1 DIGEST-MD5");
	end(STREAMS "features");
	scene.heard[0] = '\0';
}

static void test_failures(void **state)
{
	static const struct {
		const char *condition;
		bool is_final;
	} rows[] = {
		{"invalid-mechanism", false},	  {"mechanism-too-weak", false},
		{"encryption-required", false},	  {"not-authorized", true},
		{"credentials-expired", true},	  {"account-disabled", true},
		{"invalid-authzid", true},	  {"malformed-request", true},
		{"incorrect-encoding", true},	  {"aborted", true},
		{"temporary-auth-failure", true}, {"something-new", true},
	};
	char name[100], heard[200];
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *outer = rows[i].is_final ? "final-failure" : "failure";
		ask();
		start(SASL "failure");
		start(SASL "text");
		login_text(&scene.login, &sink, "invalid-mechanism", 17);
		end(SASL "text");
		snprintf(name, sizeof(name), SASL "%s", rows[i].condition);
		empty(name);
		start("x\xffmore");
		empty(SASL "invalid-mechanism"); /* is no child of the failure */
		end("x\xffmore");
		end(SASL "failure");
		snprintf(heard, sizeof(heard), "<%s><%s></%s></%s>", outer, rows[i].condition,
			 rows[i].condition, outer);
		assert_string_equal(scene.heard, heard);
		snprintf(heard, sizeof(heard), "[%s]", rows[i].condition);
		assert_string_equal(scene.refused, heard);
	}

	ask();
	empty(SASL "failure");
	assert_string_equal(scene.heard, "<final-failure></final-failure>");
	assert_string_equal(scene.refused, "[]");
}

/* r=abc,s=c2FsdA==,i=4096 */
#define OF_SCRAM  "cj1hYmMscz1jMkZzZEE9PSxpPTQwOTY="
/* nonce="abc" */
#define OF_DIGEST "bm9uY2U9ImFiYyI="

/* The text comes in two pieces, around an element whose text does not count. */
static void challenge(const char *text)
{
	int half = (int)strlen(text) / 2;
	start(SASL "challenge");
	login_text(&scene.login, &sink, text, half);
	start("x\xffmore");
	login_text(&scene.login, &sink, "AAAA", 4);
	end("x\xffmore");
	login_text(&scene.login, &sink, text + half, (int)strlen(text) - half);
	end(SASL "challenge");
}

static void test_challenges(void **state)
{
	(void)state;

	/* None counts before a mechanism was offered. */
	begin(true, true);
	empty(SASL "challenge");
	assert_string_equal(scene.heard, "<challenge></challenge>");

	/* It can only be of SCRAM. */
	begin(true, true);
	start(STREAMS "features");
	mechanisms("PLAIN SCRAM-SHA-1");
	end(STREAMS "features");
	scene.heard[0] = '\0';
	challenge(OF_SCRAM);
	assert_string_equal(scene.heard, "<challenge>" OF_SCRAM "</challenge>");
	assert_int_equal(scene.misshapen, 0);

	/* SCRAM has one, DIGEST-MD5 has two. */
	ask();
	scene.uses_scram = true;
	challenge(OF_SCRAM);
	assert_string_equal(scene.heard, "<challenge>" OF_SCRAM "</challenge>");
	start(SASL "failure");
	empty(SASL "invalid-mechanism");
	end(SASL "failure");
	scene.uses_scram = false;
	scene.heard[0] = '\0';
	challenge(OF_DIGEST);
	challenge("AAAA");
	assert_string_equal(scene.heard,
			    "<challenge>" OF_DIGEST "</challenge><challenge>AAAA</challenge>");
	assert_int_equal(scene.misshapen, 0);

	/* A malformed one ends the login, whatever follows. */
	for (unsigned i = 0; i < 4; i++) {
		ask();
		scene.uses_scram = i < 2;
		if (i == 1) {
			challenge(OF_SCRAM);
		} else if (i == 3) {
			challenge(OF_DIGEST);
		}
		scene.heard[0] = '\0';
		start(SASL "challenge");
		const char *text = i == 2 ? OF_SCRAM : OF_DIGEST;
		for (unsigned n = 0; n < (i == 3 ? CHALLENGE_MAX : 1); n++) {
			login_text(&scene.login, &sink, text, (int)strlen(text));
		}
		end(SASL "challenge");
		empty(SASL "success");
		assert_string_equal(scene.heard, "<final-failure></final-failure>");
		assert_int_equal(scene.misshapen, 1);
	}
}

static void test_success(void **state)
{
	(void)state;
	ask();
	scene.uses_scram = true;
	challenge(OF_SCRAM);
	empty(SASL "success");
	assert_string_equal(scene.heard, "<challenge>" OF_SCRAM "</challenge><success></success>");

	open_stream();
	start(STREAMS "features");
	empty(BIND "bind");
	end(STREAMS "features");
	assert_string_equal(scene.heard, "<features><bind></bind></features>");
	assert_int_equal(scene.unbindable, 0);

	/* Later elements are passed through. */
	scene.heard[0] = '\0';
	start(SASL "failure");
	empty(SASL "not-authorized");
	end(SASL "failure");
	start(STREAMS "features");
	mechanisms("A");
	end(STREAMS "features");
	end(STREAMS "stream");
	assert_string_equal(
		scene.heard,
		"<failure><not-authorized></not-authorized></failure><features>"
		"<mechanisms><mechanism>A</mechanism></mechanisms></features></stream>");
	assert_string_equal(scene.refused, "");
}

static void test_features_without_bind(void **state)
{
	(void)state;
	ask();
	empty(SASL "success");
	open_stream();
	start(STREAMS "features");
	start("x\xffmore");
	empty(BIND "bind");
	end("x\xffmore");
	end(STREAMS "features");
	assert_null(strstr(scene.heard, "</features>"));
	assert_int_equal(scene.unbindable, 1);
	empty("x\xffiq");
	assert_null(strstr(scene.heard, "iq"));
}

static void test_stream_errors(void **state)
{
	static const char given[] = "<error><undefined-condition></undefined-condition></error>";
	(void)state;

	/* Before the login, and after it. */
	ask();
	empty(STREAMS "error");
	assert_string_equal(scene.heard, given);
	empty(SASL "success");
	open_stream();
	start(STREAMS "features");
	empty(BIND "bind");
	end(STREAMS "features");
	scene.heard[0] = '\0';
	empty(STREAMS "error");
	assert_string_equal(scene.heard, given);

	/* Any content is enough. */
	scene.heard[0] = '\0';
	start(STREAMS "error");
	login_text(&scene.login, &sink, " ", 1);
	end(STREAMS "error");
	start(STREAMS "error");
	empty("x\xffy");
	end(STREAMS "error");
	assert_string_equal(scene.heard, "<error> </error><error><y></y></error>");

	/* These are none. */
	scene.heard[0] = '\0';
	empty("jabber:client\xff"
	      "error");
	start("jabber:client\xffiq");
	empty(STREAMS "error");
	end("jabber:client\xffiq");
	assert_string_equal(scene.heard, "<error></error><iq><error></error></iq>");
}

static void test_much(void **state)
{
	char long_name[300];
	(void)state;

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	begin(true, true);
	start(STREAMS "features");
	for (unsigned i = 0; i < 1000; i++) {
		mechanisms(long_name);
		mechanisms("PLAIN");
	}
	end(STREAMS "features");
	assert_string_equal(given(), "PLAIN ");
	assert_true(strlen(scene.login.offered) < sizeof(scene.login.offered));

	start(SASL "failure");
	char name[400];
	snprintf(name, sizeof(name), SASL "%s", long_name);
	empty(name);
	scene.heard[0] = '\0';
	end(SASL "failure");
	assert_non_null(strstr(scene.heard, "</final-failure>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mechanisms_are_given_by_strength),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_nothing_is_given_that_was_said_before_tls),
		cmocka_unit_test(test_proceed_means_nothing_where_tls_is_off),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_features_without_bind),
		cmocka_unit_test(test_stream_errors),
		cmocka_unit_test(test_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
