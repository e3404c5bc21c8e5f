/* SPDX-License-Identifier: MIT */
#include "braced.h"
#include "failing_malloc.h"
#include "stanzas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SI	    "http://jabber.org/protocol/si"
#define PROFILE	    SI "/profile/file-transfer"
#define NEGOTIATION "http://jabber.org/protocol/feature-neg"
#define FORM	    "jabber:x:data"
#define IBB	    "http://jabber.org/protocol/ibb"
#define S5B	    "http://jabber.org/protocol/bytestreams"

#define OCTETS "application/octet-stream"

#define MD5(text) BRACED(.algorithm = HASH_MD5, .length = sizeof(text) - 1, .bytes = BRACED(text))

/* ---- what others have sent ---- */

struct recorded {
	const char *name;
	enum msg_kind kind;
	const char *sid;
	struct metadata metadata;
};

static const struct recorded recorded[] = {
	{"gloox-1.0.24-accept",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"gloox-1.0.24-offer",
	 MSG_SI,
	 "111ac1120ccf0dda5daa1445c296fc88658de4aa00000006",
	 {.file = {.name = "from gloox.bin",
		   .size = 10000,
		   .date = 1714979289,
		   .media_type = OCTETS,
		   .description = "desc"},
	  .has_ibb = true}},
	{"libpurple-2.14.12-accept",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"libpurple-2.14.12-accept-s5b",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}}},
	{"libpurple-2.14.12-offer",
	 MSG_SI,
	 "purple98529421",
	 {.file = {.name = "s.bin", .size = 10000, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"libpurple-2.14.12-offer-empty",
	 MSG_SI,
	 "purple3f510e9b",
	 {.file = {.name = "empty.bin", .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"probe-accept",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"probe-offer",
	 MSG_SI,
	 "si5ba37ee0e7",
	 {.file = {.name = "to-peer si.bin",
		   .size = 10240,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS},
	  .has_ibb = true}},
	{"probe-offer-date",
	 MSG_SI,
	 "si2f3a513d19",
	 {.file = {.name = "to-peer si_hash_date.bin",
		   .size = 10240,
		   .date = 1714979289,
		   .media_type = OCTETS,
		   .digest =
			   MD5("\x0b\xa4\xc9\xe6\x58\x78\x73\x9d\xeb\x6c\x51\x13\x51\x24\x0a\x23")},
	  .has_ibb = true}},
	{"probe-offer-empty",
	 MSG_SI,
	 "si57b1a25f3e",
	 {.file = {.name = "to-peer si_empty.bin", .date = METADATA_NO_DATE, .media_type = OCTETS},
	  .has_ibb = true}},
	{"probe-offer-md5",
	 MSG_SI,
	 "siee7c5c5ec8",
	 {.file = {.name = "to-peer si_hash.bin",
		   .size = 10240,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS,
		   .digest =
			   MD5("\xb9\x51\xa3\x2f\xdd\xa8\x95\xb8\xe8\xda\xc7\x48\x79\xb3\xad\xaa")},
	  .has_ibb = true}},
	{"probe-offer-no-size",
	 MSG_SI,
	 "si090ef5ec7b",
	 {.file = {.name = "to-peer si_nosize.bin",
		   .size = METADATA_NO_SIZE,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS},
	  .has_ibb = true}},
	{"probe-offer-range",
	 MSG_SI,
	 "si875ef2d4ac",
	 {.file = {.name = "to-peer si_rng.bin",
		   .has_range = true,
		   .size = 10240,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS},
	  .has_ibb = true}},
	{"probe-offer-s5b",
	 MSG_SI,
	 "si96267afac3",
	 {.file = {.name = "to-peer si_socksonly.bin",
		   .size = 10240,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS}}},
	{"probe-offer-two-methods",
	 MSG_SI,
	 "sia898d17d6a",
	 {.file = {.name = "to-peer si_both.bin",
		   .size = 10240,
		   .date = METADATA_NO_DATE,
		   .media_type = OCTETS},
	  .has_ibb = true}},
	{"psi-plus-1.4.554-accept",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"psi-plus-1.4.554-offer",
	 MSG_SI,
	 "ft_bc8f",
	 {.file = {.name = "ps.bin", .size = 10000, .date = METADATA_NO_DATE, .has_range = true},
	  .has_ibb = true}},
	{"qxmpp-1.4.0-accept",
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"qxmpp-1.4.0-offer",
	 MSG_SI,
	 "5031331e-86bf-4d25-ba74-67f80ebfe3c2",
	 {.file = {.name = "s.bin",
		   .size = 10000,
		   .date = 1795402353,
		   .description = "a description",
		   .digest =
			   MD5("\x42\xd3\x56\x6d\xff\x88\x5e\xc9\xcc\x88\x7c\xea\x1d\x23\x8f\xba")},
	  .has_ibb = true}},
	{"qxmpp-1.4.0-offer-empty",
	 MSG_SI,
	 "65be8b46-8779-4aa0-83f3-373c2d012eed",
	 {.file = {.name = "empty.bin",
		   .size = METADATA_NO_SIZE,
		   .date = 1795402353,
		   .description = "a description",
		   .digest =
			   MD5("\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e")},
	  .has_ibb = true}},
};

static void test_recorded(void **state)
{
	struct stanzas *stanzas = *state;
	assert_int_equal(COUNT(recorded), stanzas_count("si"));
	for (size_t i = 0; i < COUNT(recorded); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_read(stanzas, "si", recorded[i].name);
		print_message("%s\n", recorded[i].name);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_int_equal(msg.kind, recorded[i].kind);
		assert_string_same(msg.sid, recorded[i].sid);
		assert_metadata_same(msg.metadata, &recorded[i].metadata);
		xmpp_stanza_release(stanza);
	}
}

/* ---- offers ---- */

#define REQUEST(content) "<iq from='a@b/c' id='i' type='set'>" content "</iq>"
#define IDS		 " id='s' profile='" PROFILE "'"
#define OFFER(attributes, file, feature) \
	REQUEST("<si xmlns='" SI "'" attributes ">" file feature "</si>")
#define FILE(attributes, content)    "<file xmlns='" PROFILE "'" attributes ">" content "</file>"
#define NAMED			     FILE(" name='n'", "")
#define FEATURE(content)	     "<feature xmlns='" NEGOTIATION "'>" content "</feature>"
#define FORM_OF(type, fields)	     FEATURE("<x xmlns='" FORM "'" type ">" fields "</x>")
#define METHODS(options)	     "<field var='stream-method' type='list-single'>" options "</field>"
#define OPTION(method)		     "<option><value>" method "</value></option>"
#define VALUE(method)		     "<value>" method "</value>"
#define FOR_IBB			     FORM_OF(" type='form'", METHODS(OPTION(IBB)))
#define OF_FILE(attributes, content) OFFER(IDS, FILE(" name='n'" attributes, content), FOR_IBB)
#define OF_METHODS(feature)	     OFFER(IDS, NAMED, feature)

/* The file "n", without other metadata. */
#define PLAIN                                                                                   \
	BRACED(.file = BRACED(.name = "n", .size = METADATA_NO_SIZE, .date = METADATA_NO_DATE), \
	       .has_ibb = true)
#define NO_IBB \
	BRACED(.file = BRACED(.name = "n", .size = METADATA_NO_SIZE, .date = METADATA_NO_DATE))
#define WITH(...) \
	BRACED(.file = BRACED(.name = "n", .date = METADATA_NO_DATE, __VA_ARGS__), .has_ibb = true)

struct offer {
	const char *xml;
	struct metadata metadata;
};

static const struct offer offers[] = {
	{OFFER(IDS, NAMED, FOR_IBB), PLAIN},
	{REQUEST("\n text <si xmlns='" SI "'\n" IDS ">\n <x/>" NAMED "\n" FOR_IBB "\n</si>\n"),
	 PLAIN},
	{OFFER(" profile='" PROFILE "' id='s' other='x'", FOR_IBB, NAMED), PLAIN},
	{OFFER(IDS " mime-type=''", NAMED, FOR_IBB), PLAIN},
	{OFFER(IDS " mime-type='text/plain'", NAMED, FOR_IBB),
	 WITH(.size = METADATA_NO_SIZE, .media_type = "text/plain")},

	{OF_FILE(" size='0'", ""), WITH(.size = 0)},
	{OF_FILE(" size='007'", ""), WITH(.size = 7)},
	{OF_FILE(" size='9223372036854775807'", ""), WITH(.size = INT64_MAX)},
	{OF_FILE(" date=''", ""), PLAIN},
	{OF_FILE(" date='yesterday'", ""), PLAIN},
	{OF_FILE(" date='20020910T17:58:35'", ""), PLAIN},
	{OF_FILE(" date='1969-07-20T21:56:15-05:00'", ""),
	 {.file = {.name = "n", .size = METADATA_NO_SIZE, .date = -14159025}, .has_ibb = true}},
	{OF_FILE(" hash=''", ""), PLAIN},
	{OF_FILE(" hash='d41d8cd98f00b204e9800998ecf8427'", ""), PLAIN},
	{OF_FILE(" hash='d41d8cd98f00b204e9800998ecf8427x'", ""), PLAIN},
	{OF_FILE(" hash='da39a3ee5e6b4b0d3255bfef95601890afd80709'", ""), PLAIN},
	{OF_FILE(" hash='D41D8cd98f00b204e9800998ecf8427E'", ""),
	 WITH(.size = METADATA_NO_SIZE,
	      .digest = MD5("\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e"))},
	{OF_FILE("", "<desc/>"), PLAIN},
	{OF_FILE("", "<desc><b>x</b></desc>"), PLAIN},
	{OF_FILE("", "<desc xmlns='x'>x</desc>"), PLAIN},
	{OF_FILE("", "\n<desc>&lt;x\n&#233;</desc><desc>y</desc>"),
	 WITH(.size = METADATA_NO_SIZE, .description = "<x\n\xc3\xa9")},
	/* The attributes of a range in an offer mean nothing. */
	{OF_FILE("", "<range/>"), WITH(.size = METADATA_NO_SIZE, .has_range = true)},
	{OF_FILE("", "<range offset='5' length='x'/>"),
	 WITH(.size = METADATA_NO_SIZE, .has_range = true)},
	{OFFER(IDS, FILE(" name='../&#10;/&#x202e;'", ""), FOR_IBB),
	 {.file = {.name = "../\n/\xe2\x80\xae",
		   .size = METADATA_NO_SIZE,
		   .date = METADATA_NO_DATE},
	  .has_ibb = true}},

	{OF_METHODS(FORM_OF("", METHODS(OPTION(S5B) "\n" OPTION(IBB)))), PLAIN},
	{OF_METHODS(FORM_OF(" type='form'", METHODS(VALUE(IBB)))), PLAIN},
	{OF_METHODS(FORM_OF(" type='form'", METHODS("<value/>" OPTION(IBB) "<value/>"))), PLAIN},
	{OF_METHODS(FORM_OF(" type='form'",
			    "<title>x</title><field var='x'>" OPTION(S5B) "</field>" METHODS(
				    "<option label='ibb'>\n" VALUE(IBB) "\n</option>"))),
	 PLAIN},
	{OF_METHODS(""), NO_IBB},
	{OF_METHODS(FEATURE("")), NO_IBB},
	{OF_METHODS(FORM_OF("", "")), NO_IBB},
	{OF_METHODS(FORM_OF("", METHODS(""))), NO_IBB},
	{OF_METHODS(FORM_OF("", METHODS(OPTION("")))), NO_IBB},
	{OF_METHODS(FORM_OF("", METHODS("<option/>" IBB))), NO_IBB},
	{OF_METHODS(FORM_OF("", METHODS(OPTION(IBB "#x")))), NO_IBB},
	{OF_METHODS(FORM_OF("", METHODS("<option><value>" IBB "<x/></value></option>"))), NO_IBB},
	{OF_METHODS(FORM_OF("", "<field var='x'>" OPTION(IBB) "</field>")), NO_IBB},
	{OF_METHODS(FORM_OF("", "<field>" OPTION(IBB) "</field>")), NO_IBB},
	{OF_METHODS("<feature xmlns='x'><x xmlns='" FORM
		    "'>" METHODS(OPTION(IBB)) "</x></feature>"),
	 NO_IBB},
	{OF_METHODS(FEATURE("<x xmlns='x'>" METHODS(OPTION(IBB)) "</x>")), NO_IBB},
};

static void test_offers(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, offers[i].xml);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		if (msg.kind != MSG_SI) {
			fail_msg("no offer: %s", offers[i].xml);
		}
		print_message("%s\n", offers[i].xml);
		assert_string_equal(msg.peer, "a@b/c");
		assert_string_equal(msg.id, "i");
		assert_string_equal(msg.sid, "s");
		assert_metadata_same(msg.metadata, &offers[i].metadata);
		assert_int_equal(msg.size, -1);
		assert_null(msg.name);
		assert_int_equal(msg.condition, CONDITION_NONE);
		assert_int_equal(msg.detail, DETAIL_NONE);
		xmpp_stanza_release(stanza);
	}
}

static const struct {
	const char *xml;
	enum detail detail;
} misshapen[] = {
	{OFFER(" profile='" PROFILE "'", NAMED, FOR_IBB), DETAIL_NONE},
	{OFFER(" id='' profile='" PROFILE "'", NAMED, FOR_IBB), DETAIL_NONE},
	{OFFER(" id='s'", NAMED, FOR_IBB), DETAIL_NONE},
	{OFFER(" id='s' profile=''", NAMED, FOR_IBB), DETAIL_NONE},
	{OFFER(" id='s' profile='" SI "/profile/x'", NAMED, FOR_IBB), DETAIL_BAD_PROFILE},
	{OFFER(" id='s' profile='x'", "", ""), DETAIL_BAD_PROFILE},
	{OFFER(IDS, "", FOR_IBB), DETAIL_NONE},
	{OFFER(IDS, "<file name='n'/>", FOR_IBB), DETAIL_NONE},
	{OFFER(IDS, FILE("", ""), FOR_IBB), DETAIL_NONE},
	{OFFER(IDS, FILE(" name=''", ""), FOR_IBB), DETAIL_NONE},
	{OF_FILE(" size=''", ""), DETAIL_NONE},
	{OF_FILE(" size='x'", ""), DETAIL_NONE},
	{OF_FILE(" size='-1'", ""), DETAIL_NONE},
	{OF_FILE(" size='+1'", ""), DETAIL_NONE},
	{OF_FILE(" size='1.5'", ""), DETAIL_NONE},
	{OF_FILE(" size=' 1'", ""), DETAIL_NONE},
	{OF_FILE(" size='1 kB'", ""), DETAIL_NONE},
	{OF_FILE(" size='0x10'", ""), DETAIL_NONE},
	{OF_FILE(" size='9223372036854775808'", ""), DETAIL_NONE},
	{OF_FILE(" size='18446744073709551617'", ""), DETAIL_NONE},
	{"<iq from='a@b/c' id='i' type='get'><si xmlns='" SI "'" IDS ">" NAMED FOR_IBB "</si></iq>",
	 DETAIL_NONE},
};

static void assert_bad_request(const struct msg *msg, enum detail detail)
{
	assert_int_equal(msg->kind, MSG_UNKNOWN);
	assert_int_equal(msg->condition, CONDITION_BAD_REQUEST);
	assert_int_equal(msg->error_type, ERROR_TYPE_CANCEL);
	assert_int_equal(msg->detail, detail);
	assert_null(msg->sid);
	assert_null(msg->metadata);
}

static void test_misshapen(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(misshapen); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, misshapen[i].xml);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		print_message("%s\n", misshapen[i].xml);
		assert_bad_request(&msg, misshapen[i].detail);
		xmpp_stanza_release(stanza);
	}
}

static void test_id_length(void **state)
{
	struct stanzas *stanzas = *state;
	for (int length = 1023; length <= 1024; length++) {
		char id[1025] = "", xml[4096];
		memset(id, 's', (size_t)length);
		snprintf(xml, sizeof(xml), OFFER(" id='%s' profile='" PROFILE "'", NAMED, FOR_IBB),
			 id);
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
		struct msg msg;
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		if (length == 1023) {
			assert_int_equal(msg.kind, MSG_SI);
			assert_string_equal(msg.sid, id);
		} else {
			assert_bad_request(&msg, DETAIL_NONE);
		}
		xmpp_stanza_release(stanza);
	}
}

/* ---- answers ---- */

#define RESULT(content)	   "<iq from='a@b/c' id='i' type='result'>" content "</iq>"
#define ANSWER(content)	   RESULT("<si xmlns='" SI "'>" content "</si>")
#define SUBMIT(fields)	   FORM_OF(" type='submit'", fields)
#define RANGE(attributes)  FILE("", "<range" attributes "/>")
#define CHOSEN		   SUBMIT(METHODS(VALUE(IBB)))
#define RANGED(attributes) ANSWER(RANGE(attributes) CHOSEN)
#define PART(is_there, from, most)                 \
	true,                                      \
	{                                          \
		.file = {.size = METADATA_NO_SIZE, \
			 .date = METADATA_NO_DATE, \
			 .has_range = is_there,    \
			 .offset = from,           \
			 .length = most},          \
		.has_ibb = true                    \
	}
#define WHOLE PART(false, 0, 0)
#define REFUSED                                                               \
	true,                                                                 \
	{                                                                     \
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE } \
	}

static const struct {
	const char *xml;
	bool has_metadata;
	struct metadata metadata;
} answers[] = {
	{ANSWER(CHOSEN), WHOLE},
	{RESULT("\n<x/>\n<si xmlns='" SI "' id='x' profile='" PROFILE "'>\n" CHOSEN "\n</si>"),
	 WHOLE},
	{ANSWER(SUBMIT("<field var='stream-method'>\n" VALUE(IBB) "<value/>\n</field>")), WHOLE},
	{ANSWER(FILE("", "") CHOSEN), WHOLE},
	{RANGED(""), PART(true, 0, 0)},
	{RANGED(" offset='0'"), PART(true, 0, 0)},
	{RANGED(" offset='2147483648'"), PART(true, 2147483648U, 0)},
	{RANGED(" length='7'"), PART(true, 0, 7)},
	{RANGED(" length='9223372036854775807' offset='9223372036854775807'"),
	 PART(true, INT64_MAX, INT64_MAX)},

	{ANSWER(""), REFUSED},
	{ANSWER(FEATURE("")), REFUSED},
	{ANSWER(FORM_OF("", METHODS(VALUE(IBB)))), REFUSED},
	{ANSWER(FORM_OF(" type='form'", METHODS(VALUE(IBB)))), REFUSED},
	{ANSWER(FORM_OF(" type='cancel'", METHODS(VALUE(IBB)))), REFUSED},
	{ANSWER(SUBMIT("")), REFUSED},
	{ANSWER(SUBMIT(METHODS(""))), REFUSED},
	{ANSWER(SUBMIT(METHODS("<value/>"))), REFUSED},
	{ANSWER(SUBMIT(METHODS(VALUE(S5B)))), REFUSED},
	{ANSWER(SUBMIT(METHODS(VALUE(IBB) VALUE(S5B)))), REFUSED},
	{ANSWER(SUBMIT(METHODS(VALUE(IBB) VALUE(IBB)))), REFUSED},
	{ANSWER(SUBMIT(METHODS(VALUE(IBB)) METHODS(VALUE(S5B)))), REFUSED},
	{ANSWER(SUBMIT("<field var='x'>" VALUE(IBB) "</field>")), REFUSED},

	{RESULT(""), false, {.has_ibb = false}},
	{RESULT("<si/>"), false, {.has_ibb = false}},
	{RESULT("<x><si xmlns='" SI "'>" CHOSEN "</si></x>"), false, {.has_ibb = false}},
};

static void test_answers(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, answers[i].xml);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		print_message("%s\n", answers[i].xml);
		assert_int_equal(msg.kind, MSG_RESULT);
		assert_null(msg.sid);
		assert_metadata_same(msg.metadata,
				     answers[i].has_metadata ? &answers[i].metadata : NULL);
		xmpp_stanza_release(stanza);
	}
}

/* A range that is malformed cannot be sent. */
static void test_wrong_ranges(void **state)
{
	static const char *const rows[] = {
		RANGED(" offset=''"),
		RANGED(" offset='-1'"),
		RANGED(" offset='x'"),
		RANGED(" offset='1' length='x'"),
		RANGED(" length=''"),
		RANGED(" length='0'"),
		RANGED(" offset='1' length='0'"),
		RANGED(" offset='9223372036854775808'"),
		RANGED(" length='18446744073709551617'"),
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, rows[i]);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_non_null(msg.metadata);
		assert_false(msg.metadata->has_ibb);
		xmpp_stanza_release(stanza);
	}
}

/* ---- encoding ---- */

#define NASTY	      "&<>\"'\t\n\r \xc3\xa9]]>"
#define NASTY_ESCAPED "&amp;&lt;&gt;&quot;&apos;&#9;&#10;&#13; \xc3\xa9]]&gt;"

#define ENCODED_FORM                                                        \
	"<feature xmlns='" NEGOTIATION "'><x xmlns='" FORM "' type='form'>" \
	"<field var='stream-method' type='list-single'><option><value>" IBB \
	"</value></option></field></x></feature></si></iq>"
#define ENCODED_CHOICE                                                        \
	"<feature xmlns='" NEGOTIATION "'><x xmlns='" FORM "' type='submit'>" \
	"<field var='stream-method'><value>" IBB "</value></field></x></feature></si></iq>"

static const struct {
	const char *xml;
	enum msg_kind kind;
	const char *sid;
	struct metadata metadata;
} encodings[] = {
	{"<iq type='set' id='1' to='a@b/c'><si xmlns='" SI "' profile='" PROFILE "' id='s'>"
	 "<file xmlns='" PROFILE "' name='n' size='0'></file>" ENCODED_FORM,
	 MSG_SI,
	 "s",
	 {.file = {.name = "n", .date = METADATA_NO_DATE}}},
	{"<iq type='set' id='1' to='a@b/c'><si xmlns='" SI "' profile='" PROFILE
	 "' id='" NASTY_ESCAPED "' mime-type='" NASTY_ESCAPED "'><file xmlns='" PROFILE
	 "' name='" NASTY_ESCAPED "' size='9223372036854775807' date='2024-05-06T07:08:09Z'"
	 " hash='0ba4c9e65878739deb6c511351240a23'><desc>" NASTY_ESCAPED
	 "</desc></file>" ENCODED_FORM,
	 MSG_SI,
	 NASTY,
	 {.file = {.name = NASTY,
		   .size = INT64_MAX,
		   .date = 1714979289,
		   .media_type = NASTY,
		   .description = NASTY,
		   .digest =
			   MD5("\x0b\xa4\xc9\xe6\x58\x78\x73\x9d\xeb\x6c\x51\x13\x51\x24\x0a\x23")},
	  .has_ibb = true}},
	/* A date that cannot be written, a digest that SI does not have. */
	{"<iq type='set' id='1' to='a@b/c'><si xmlns='" SI "' profile='" PROFILE "' id='s'>"
	 "<file xmlns='" PROFILE "' name='n'></file>" ENCODED_FORM,
	 MSG_SI,
	 "s",
	 {.file = {.name = "n",
		   .size = METADATA_NO_SIZE,
		   .date = INT64_MAX,
		   .digest = {.algorithm = HASH_SHA_1, .length = 20}}}},
	{"<iq type='result' id='1' to='a@b/c'><si xmlns='" SI "'>" ENCODED_CHOICE,
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE}, .has_ibb = true}},
	{"<iq type='result' id='1' to='a@b/c'><si xmlns='" SI "'><file xmlns='" PROFILE
	 "'><range offset='5'/></file>" ENCODED_CHOICE,
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE,
		   .date = METADATA_NO_DATE,
		   .has_range = true,
		   .offset = 5},
	  .has_ibb = true}},
	{"<iq type='result' id='1' to='a@b/c'><si xmlns='" SI "'><file xmlns='" PROFILE
	 "'><range length='7'/></file>" ENCODED_CHOICE,
	 MSG_RESULT,
	 NULL,
	 {.file = {.size = METADATA_NO_SIZE,
		   .date = METADATA_NO_DATE,
		   .has_range = true,
		   .length = 7},
	  .has_ibb = true}},
};

static void test_encode(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(encodings); i++) {
		size_t length;
		struct msg msg = {
			.kind = encodings[i].kind,
			.peer = "a@b/c",
			.id = "1",
			.sid = encodings[i].sid,
			.size = -1,
			.metadata = &encodings[i].metadata,
		};
		const char *text = codec_encode(&stanzas->codec, &msg, &length);
		assert_non_null(text);
		assert_string_equal(text, encodings[i].xml);
		assert_int_equal(length, strlen(text));
	}
}

/* Stanzas of other clients: as we send them, and as the recipient reads them. */
static void test_round_trip(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(recorded); i++) {
		struct metadata metadata = recorded[i].metadata;
		struct msg in, out = {
				       .kind = recorded[i].kind,
				       .peer = "a@b/c",
				       .id = NASTY,
				       .sid = recorded[i].sid,
				       .size = -1,
				       .metadata = &metadata,
			       };
		metadata.has_ibb = true; /* as everything that we send */
		xmpp_stanza_t *stanza = stanzas_send(stanzas, &out, &in);
		assert_int_equal(in.kind, out.kind);
		assert_string_equal(in.id, NASTY);
		assert_string_same(in.sid, out.sid);
		assert_metadata_same(in.metadata, &metadata);
		xmpp_stanza_release(stanza);
	}
}

/* ---- memory ---- */

static void add_text(struct stanzas *stanzas, xmpp_stanza_t *element, const char *text)
{
	xmpp_stanza_t *child = xmpp_stanza_new(stanzas->context);
	xmpp_stanza_set_text(child, text);
	xmpp_stanza_add_child_ex(element, child, 0);
}

/* Texts in pieces, which libstrophe's parser does not make, are joined; without memory a text is
 * missing. */
static void test_pieces(void **state)
{
	struct stanzas *stanzas = *state;
	xmpp_stanza_t *stanza = stanzas_parse(stanzas, OF_FILE("", "<desc>a</desc>"));
	xmpp_stanza_t *si = xmpp_stanza_get_children(stanza);
	xmpp_stanza_t *file = xmpp_stanza_get_child_by_name(si, "file");
	add_text(stanzas, xmpp_stanza_get_child_by_name(file, "desc"), "b");
	static const char *const path[] = {"feature", "x", "field", "option", "value"};
	xmpp_stanza_t *value = si;
	for (size_t i = 0; i < COUNT(path); i++) {
		value = xmpp_stanza_get_child_by_name(value, path[i]);
	}
	add_text(stanzas, value, "");

	bool failed;
	size_t n = 0;
	do {
		struct msg msg;
		failing_malloc_arm(++n);
		bool decoded = codec_decode(&stanzas->codec, stanza, &msg);
		failed = failing_malloc_disarm();
		assert_true(decoded);
		assert_int_equal(msg.kind, MSG_SI);
		assert_string_same(msg.metadata->file.description, failed && n == 1 ? NULL : "ab");
		assert_int_equal(msg.metadata->has_ibb, !failed || n != 2);
	} while (failed);
	assert_int_equal(n, 3);
	xmpp_stanza_release(stanza);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),  cmocka_unit_test(test_offers),
		cmocka_unit_test(test_misshapen), cmocka_unit_test(test_id_length),
		cmocka_unit_test(test_answers),	  cmocka_unit_test(test_wrong_ranges),
		cmocka_unit_test(test_encode),	  cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests(tests, stanzas_set_up, stanzas_tear_down);
}
