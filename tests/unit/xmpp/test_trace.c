/* SPDX-License-Identifier: MIT */
/* trace: stanzas in the debug log. */
#include "xmpp/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SASL   "urn:ietf:params:xml:ns:xmpp-sasl"
#define SASL2  "urn:xmpp:sasl:2"
#define IBB    "http://jabber.org/protocol/ibb"
#define LEGACY "jabber:iq:auth"
#define STREAM                                                                            \
	"<?xml version=\"1.0\"?><stream:stream to=\"a.example\" xmlns=\"jabber:client\" " \
	"xmlns:stream=\"http://etherx.jabber.org/streams\" version=\"1.0\">"

static void expect(struct trace *trace, const char *line, const char *shown)
{
	const char *text = trace_line(trace, line);

	if (shown == NULL) {
		assert_null(text);
	} else {
		assert_non_null(text);
		assert_string_equal(text, shown);
	}
}

static void test_hidden(void **state)
{
	static const struct {
		const char *line, *shown;
	} rows[] = {
		/* what is secret */
		{"RECV: <challenge xmlns=\"" SASL "\">cj1x</challenge>",
		 "RECV: <challenge xmlns=\"" SASL "\">...</challenge>"},
		{"RECV: <success xmlns='" SASL "'>dj1x</success>",
		 "RECV: <success xmlns='" SASL "'>...</success>"},
		{"SENT: <auth mechanism=\"PLAIN\" xmlns=\"" SASL "\">AGEAYg==</auth>",
		 "SENT: <auth mechanism=\"PLAIN\" xmlns=\"" SASL "\">...</auth>"},
		{"SENT: <auth xmlns = '" SASL "' mechanism='PLAIN' >AGEAYg==</auth >",
		 "SENT: <auth xmlns = '" SASL "' mechanism='PLAIN' >...</auth >"},
		{"SENT: <response xmlns=\"" SASL "\">Yz1x</response>",
		 "SENT: <response xmlns=\"" SASL "\">...</response>"},
		{"SENT: <abort xmlns=\"" SASL "\">x</abort>",
		 "SENT: <abort xmlns=\"" SASL "\">...</abort>"},
		{"RECV: <s:success xmlns:s='" SASL "'>x<s:success>y</s:success></s:success>",
		 "RECV: <s:success xmlns:s='" SASL "'>...</s:success>"},
		{"SENT: <iq type='set'><query xmlns='" LEGACY "'><username>me</username>"
		 "<password>x</password><digest>y</digest><resource>r</resource></query></iq>",
		 "SENT: <iq type='set'><query xmlns='" LEGACY "'><username>me</username>"
		 "<password>...</password><digest>...</digest><resource>r</resource></query></iq>"},
		/* the contents of a file */
		{"SENT: <iq id='a1'><data xmlns='" IBB "' sid='s' seq='0'>QUJD</data></iq>"
		 "<iq id='a2'><data seq='1' sid='s' xmlns='" IBB "'>QUJD</data></iq>",
		 "SENT: <iq id='a1'><data xmlns='" IBB "' sid='s' seq='0'>...</data></iq>"
		 "<iq id='a2'><data seq='1' sid='s' xmlns='" IBB "'>...</data></iq>"},
		{"RECV: <message><i:data sid='>' xmlns:i='" IBB "'>QUJD</i:data><x/></message>",
		 "RECV: <message><i:data sid='>' xmlns:i='" IBB "'>...</i:data><x/></message>"},
		/* what is neither */
		{"RECV: <success xmlns=\"" SASL "\"/>", "RECV: <success xmlns=\"" SASL "\"/>"},
		{"RECV: <features><authentication xmlns='" SASL2
		 "'><mechanism>PLAIN</mechanism></authentication></features>",
		 "RECV: <features><authentication xmlns='" SASL2
		 "'><mechanism>PLAIN</mechanism></authentication></features>"},
		{"RECV: <failure xmlns=\"" SASL "\"><not-authorized/></failure>",
		 "RECV: <failure xmlns=\"" SASL "\"><not-authorized/></failure>"},
		{"RECV: <message><body>&lt;data xmlns='" IBB
		 "'&gt; &lt;success&gt;x</body></message>",
		 "RECV: <message><body>&lt;data xmlns='" IBB
		 "'&gt; &lt;success&gt;x</body></message>"},
		{"RECV: <iq><data xmlns='urn:xmpp:bob' cid='c'>x</data><success>y</success></iq>",
		 "RECV: <iq><data xmlns='urn:xmpp:bob' cid='c'>x</data><success>y</success></iq>"},
		{"RECV: <iq><x xmlns='" IBB "'><data xmlns='other'>x</data></x></iq>",
		 "RECV: <iq><x xmlns='" IBB "'><data xmlns='other'>x</data></x></iq>"},
		{"RECV: <iq a='<data xmlns=\"" IBB "\">'><password>x</password></iq>",
		 "RECV: <iq a='<data xmlns=\"" IBB "\">'><password>x</password></iq>"},
		{"RECV: <iq><a:x xmlns:a='" IBB "'><a:y xmlns:a='b'><a:data>x</a:data></a:y>"
		 "<a:data>x</a:data></a:x><a:data>z</a:data></iq>",
		 "RECV: <iq><a:x xmlns:a='" IBB "'><a:y xmlns:a='b'><a:data>x</a:data></a:y>"
		 "<a:data>...</a:data></a:x><a:data>z</a:data></iq>"},
		{"RECV: </stream:stream>", "RECV: </stream:stream>"},
		/* what is no stanza */
		{"Q_SENT: 0x1", NULL},
		{"connection successful", NULL},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace trace;
		trace_init(&trace);
		expect(&trace, rows[i].line, rows[i].shown);
	}
}

/* Our stanzas are written in pieces; wherever a piece ends, no secret is shown. */
static void test_pieces(void **state)
{
	static const char whole[] =
		STREAM "<iq id='a1'><data xmlns='" IBB "' sid='s' seq='0'>SECRET</data></iq>"
		       "<iq id='a2'><query xmlns='b'/></iq>";
	struct trace trace;
	char line[sizeof(whole) + 8];
	(void)state;

	for (size_t cut = 0; cut < sizeof(whole); cut++) {
		trace_init(&trace);
		snprintf(line, sizeof(line), "SENT: %.*s", (int)cut, whole);
		const char *shown = trace_line(&trace, line);
		assert_null(strstr(shown, ">S"));
		/* A received stanza in between changes nothing. */
		expect(&trace, "RECV: <iq><data xmlns='b'>", "RECV: <iq><data xmlns='b'>");
		snprintf(line, sizeof(line), "SENT: %s", whole + cut);
		shown = trace_line(&trace, line);
		assert_null(strstr(shown, "ECRE"));
		assert_null(strstr(shown, "RET<"));
		assert_null(strstr(shown, ">S"));
		if (cut < sizeof(whole) - sizeof("xmlns='b'/></iq>")) {
			assert_non_null(strstr(shown, "xmlns='b'/></iq>"));
		}
	}
}

static void test_a_new_stream_begins_anew(void **state)
{
	struct trace trace;
	(void)state;

	trace_init(&trace);
	expect(&trace, "SENT: <iq><data xmlns='" IBB "'>QUJD",
	       "SENT: <iq><data xmlns='" IBB "'>...");
	expect(&trace, "SENT: QUJD", "SENT: ...");
	trace_init(&trace);
	expect(&trace, "SENT: " STREAM, "SENT: " STREAM);
	expect(&trace, "SENT: <presence/>", "SENT: <presence/>");
}

static void test_what_cannot_be_followed(void **state)
{
	char line[TRACE_DEPTH * 4 + 100] = "RECV: ";
	struct trace trace;
	(void)state;

	trace_init(&trace);
	for (unsigned i = 0; i <= TRACE_DEPTH; i++) {
		strcat(line, "<a>");
	}
	strcat(line, "<data xmlns='" IBB "'>SECRET</data>");
	const char *shown = trace_line(&trace, line);
	assert_null(strstr(shown, "SECRET"));
	assert_non_null(strstr(shown, "..."));

	strcpy(line, "RECV: <a");
	for (unsigned i = 0; i <= TRACE_PREFIXES; i++) {
		sprintf(line + strlen(line), " xmlns:x%u='b'", i);
	}
	strcat(line, "><x/>SECRET</a>");
	assert_null(strstr(trace_line(&trace, line), "SECRET"));
}

static void test_long_lines(void **state)
{
	char line[TRACE_BYTES * 2] = "RECV: <a>";
	struct trace trace;
	(void)state;

	for (size_t pad = 0; pad < 4; pad++) {
		line[9 + pad] = '\0';
		memset(line + 9, 'x', pad);
		while (strlen(line) < sizeof(line) - 8) {
			strcat(line, "\xf0\x9f\x98\x80"); /* four bytes */
		}
		trace_init(&trace);
		const char *shown = trace_line(&trace, line);
		size_t length = strlen(shown);
		assert_true(length < TRACE_BYTES && length > TRACE_BYTES - 9);
		assert_string_equal(shown + length - 3, "...");
		assert_int_equal((length - 3 - 9 - pad) % 4, 0);
	}
	/* A stanza that just fits is not cut; one that is a byte longer is. */
	memset(line, 'y', sizeof(line));
	memcpy(line, "RECV: <a>", 9);
	line[TRACE_BYTES - 4] = '\0';
	trace_init(&trace);
	expect(&trace, line, line);
	line[TRACE_BYTES - 4] = 'y';
	line[TRACE_BYTES - 3] = '\0';
	assert_string_equal(trace_line(&trace, line) + TRACE_BYTES - 5, "y...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_a_new_stream_begins_anew),
		cmocka_unit_test(test_what_cannot_be_followed),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
