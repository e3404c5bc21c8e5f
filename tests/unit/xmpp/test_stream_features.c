/* SPDX-License-Identifier: MIT */
#include "xmpp/stream_features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAMS "http://etherx.jabber.org/streams"
#define FEATURES(children)                 \
	"RECV: <features xmlns=\"" STREAMS \
	"\"><bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\"/>" children "</features>"
#define LIMITS(children) \
	FEATURES("<limits xmlns=\"urn:xmpp:stream-limits:0\">" children "</limits>")
#define CAPS(node)                                                                       \
	"<c xmlns=\"http://jabber.org/protocol/caps\" hash=\"sha-1\" node=\"" node "\" " \
	"ver=\"x=\"/>"
#define MAX_BYTES(text) LIMITS("<max-bytes>" text "</max-bytes>")

static void test_features(void **state)
{
	static const struct {
		const char *line;
		size_t max_bytes, read_bytes;
	} rows[] = {
		{MAX_BYTES("10000"), 10000, 0},
		{LIMITS("<max-bytes>262144</max-bytes><idle-seconds>9</idle-seconds>"), 262144, 0},
		{LIMITS("<idle-seconds>9</idle-seconds><max-bytes>1</max-bytes>"), 1, 0},
		{MAX_BYTES("99999999999999999999999999999999"), SIZE_MAX, 0},
		/* a server that gives its name */
		{FEATURES(CAPS("http://prosody.im")), 0, 4096},
		{FEATURES("<limits "
			  "xmlns=\"urn:xmpp:stream-limits:0\"><max-bytes>10000</max-bytes></"
			  "limits>" CAPS("http://prosody.im")),
		 10000, 4096},
		{FEATURES(CAPS("http://www.process-one.net/en/ejabberd/")), 0, 0},
		{FEATURES(CAPS("http://prosody.im.example")), 0, 0},
		/* nothing is said */
		{"RECV: <features xmlns=\"" STREAMS "\"/>", 0, 0},
		{FEATURES(""), 0, 0},
		{LIMITS(""), 0, 0},
		{LIMITS("<idle-seconds>9</idle-seconds>"), 0, 0},
		/* or a malformed one */
		{MAX_BYTES(""), 0, 0},
		{MAX_BYTES("0"), 0, 0},
		{MAX_BYTES("-1"), 0, 0},
		{MAX_BYTES("10 000"), 0, 0},
		{MAX_BYTES("1e6"), 0, 0},
		{"RECV: <features xmlns=\"" STREAMS
		 "\"><limits xmlns=\"urn:xmpp:stream-limits:0\"><max-bytes>7",
		 0, 0},
		/* or by somebody else */
		{FEATURES("<limits xmlns=\"urn:x\"><max-bytes>7</max-bytes></limits>"), 0, 0},
		{FEATURES("<limits xmlns=\"urn:xmpp:stream-limits:0\"></limits>"
			  "<x xmlns=\"urn:x\"><max-bytes>7</max-bytes></x>"),
		 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stream_features features = {3, 3};
		assert_true(stream_features_parse(rows[i].line, &features));
		assert_int_equal(features.max_bytes, rows[i].max_bytes);
		assert_int_equal(features.read_bytes, rows[i].read_bytes);
	}
}

static void test_other_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"RECV: <iq/>",
		("SENT: <features ><limits xmlns=\"urn:xmpp:stream-limits:0\">"
		 "<max-bytes>7</max-bytes></limits></features>"),
		"RECV: <message><body>&lt;features </body></message>",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct stream_features features = {3, 3};
		assert_false(stream_features_parse(lines[i], &features));
		assert_int_equal(features.max_bytes, 3);
		assert_int_equal(features.read_bytes, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_other_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
