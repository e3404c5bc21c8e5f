/* SPDX-License-Identifier: MIT */
#include "braced.h"
#include "failing_malloc.h"
#include "stanzas.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RESUME	      "urn:ibbfs:resume:0"
#define FOLDERS	      "urn:ibbfs:folders:0"
#define PIECES	      "urn:ibbfs:pieces:0"
#define SYNC	      "urn:ibbfs:sync:0"
#define IBB	      "http://jabber.org/protocol/ibb"
#define INFO	      "http://jabber.org/protocol/disco#info"
#define STANZAS	      "urn:ietf:params:xml:ns:xmpp-stanzas"
#define METADATA      "urn:xmpp:file:metadata:0"
#define JINGLE_FT     "urn:xmpp:jingle:apps:file-transfer:5"
#define JINGLE_IBB    "urn:xmpp:jingle:transports:ibb:1"
#define SI	      "http://jabber.org/protocol/si"
#define JINGLE_ERRORS "urn:xmpp:jingle:errors:1"

#define ROMEO  "romeo@montague.net/orchard"
#define JULIET "juliet@capulet.com/balcony"
#define SLIX   "slix@localhost/slix"

/* The children of our answer to disco#info, in the order of their bytes. */
#define OUR_INFO                                                               \
	"<identity category='client' type='bot' name='ibbfs'/>"                \
	"<feature var='http://jabber.org/protocol/caps'/>"                     \
	"<feature var='" INFO "'/>"                                            \
	"<feature var='" IBB "'/>"                                             \
	"<feature var='" SI "'/>"                                              \
	"<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>" \
	"<feature var='urn:ibbfs:0'/>"                                         \
	"<feature var='urn:ibbfs:folders:0'/>"                                 \
	"<feature var='urn:ibbfs:resume:0'/>"                                  \
	"<feature var='urn:ibbfs:sync:0'/>"                                    \
	"<feature var='urn:xmpp:hash-function-text-names:sha-1'/>"             \
	"<feature var='urn:xmpp:hash-function-text-names:sha-256'/>"           \
	"<feature var='urn:xmpp:hashes:2'/>"                                   \
	"<feature var='urn:xmpp:jingle:1'/>"                                   \
	"<feature var='urn:xmpp:jingle:apps:file-transfer:5'/>"                \
	"<feature var='urn:xmpp:jingle:transports:ibb:1'/>"                    \
	"<feature var='urn:xmpp:ping'/>"
#define OUR_VER "NkGsHT0yJgF1Jdp4qGS5fPZQm+M="

/* The 240 bytes of XEP-0047's examples, which break the text into lines. */
#define LINE_1 "qANQR1DBwU4DX7jmYZnncmUQB/9KuKBddzQH+tZ1ZywKK0yHKnq57kWq+RFtQdCJ"
#define LINE_2 "WpdWpR0uQsuJe7+vh3NWn59/gTc5MDlX8dS9p0ovStmNcyLhxVgmqS8ZKhsblVeu"
#define LINE_3 "IpQ0JgavABqibJolc3BKrVtVV1igKiX/N7Pi8RtY1K18toaMDhdEfhBRzO/XB0+P"
#define LINE_4 "AQhYlRjNacGcslkhXqNjK5Va4tuOAPy2n1Q8UUrHbUd0g+xJ9Bm0G0LZXyvCWyKH"
#define LINE_5 "kuNEHFQiLuCY6Iv0myq6iX6tjuHehZlFSh80b5BVV9tNLwNR5Eqz1klxMhoghJOA"

/* What these lines are of. */
static const uint8_t xep_block[] = {
	0xa8, 0x03, 0x50, 0x47, 0x50, 0xc1, 0xc1, 0x4e, 0x03, 0x5f, 0xb8, 0xe6, 0x61, 0x99, 0xe7,
	0x72, 0x65, 0x10, 0x07, 0xff, 0x4a, 0xb8, 0xa0, 0x5d, 0x77, 0x34, 0x07, 0xfa, 0xd6, 0x75,
	0x67, 0x2c, 0x0a, 0x2b, 0x4c, 0x87, 0x2a, 0x7a, 0xb9, 0xee, 0x45, 0xaa, 0xf9, 0x11, 0x6d,
	0x41, 0xd0, 0x89, 0x5a, 0x97, 0x56, 0xa5, 0x1d, 0x2e, 0x42, 0xcb, 0x89, 0x7b, 0xbf, 0xaf,
	0x87, 0x73, 0x56, 0x9f, 0x9f, 0x7f, 0x81, 0x37, 0x39, 0x30, 0x39, 0x57, 0xf1, 0xd4, 0xbd,
	0xa7, 0x4a, 0x2f, 0x4a, 0xd9, 0x8d, 0x73, 0x22, 0xe1, 0xc5, 0x58, 0x26, 0xa9, 0x2f, 0x19,
	0x2a, 0x1b, 0x1b, 0x95, 0x57, 0xae, 0x22, 0x94, 0x34, 0x26, 0x06, 0xaf, 0x00, 0x1a, 0xa2,
	0x6c, 0x9a, 0x25, 0x73, 0x70, 0x4a, 0xad, 0x5b, 0x55, 0x57, 0x58, 0xa0, 0x2a, 0x25, 0xff,
	0x37, 0xb3, 0xe2, 0xf1, 0x1b, 0x58, 0xd4, 0xad, 0x7c, 0xb6, 0x86, 0x8c, 0x0e, 0x17, 0x44,
	0x7e, 0x10, 0x51, 0xcc, 0xef, 0xd7, 0x07, 0x4f, 0x8f, 0x01, 0x08, 0x58, 0x95, 0x18, 0xcd,
	0x69, 0xc1, 0x9c, 0xb2, 0x59, 0x21, 0x5e, 0xa3, 0x63, 0x2b, 0x95, 0x5a, 0xe2, 0xdb, 0x8e,
	0x00, 0xfc, 0xb6, 0x9f, 0x54, 0x3c, 0x51, 0x4a, 0xc7, 0x6d, 0x47, 0x74, 0x83, 0xec, 0x49,
	0xf4, 0x19, 0xb4, 0x1b, 0x42, 0xd9, 0x5f, 0x2b, 0xc2, 0x5b, 0x22, 0x87, 0x92, 0xe3, 0x44,
	0x1c, 0x54, 0x22, 0x2e, 0xe0, 0x98, 0xe8, 0x8b, 0xf4, 0x9b, 0x2a, 0xba, 0x89, 0x7e, 0xad,
	0x8e, 0xe1, 0xde, 0x85, 0x99, 0x45, 0x4a, 0x1f, 0x34, 0x6f, 0x90, 0x55, 0x57, 0xdb, 0x4d,
	0x2f, 0x03, 0x51, 0xe4, 0x4a, 0xb3, 0xd6, 0x49, 0x71, 0x32, 0x1a, 0x20, 0x84, 0x93, 0x80,
};

/* Every field of a received stanza; a row leaves out peer and id if they are `from` and "i". */
static void assert_msg(const struct msg *msg, const struct msg *expected, const char *peer)
{
	assert_int_equal(msg->kind, expected->kind);
	assert_string_same(msg->peer, expected->peer ? expected->peer : peer);
	assert_string_same(msg->id, expected->id ? expected->id : "i");
	assert_string_same(msg->sid, expected->sid);
	assert_int_equal(msg->block_size, expected->block_size);
	assert_int_equal(msg->stanza, expected->stanza);
	assert_string_same(msg->name, expected->name);
	assert_string_same(msg->folder, expected->folder);
	assert_int_equal(msg->size, expected->size);
	assert_int_equal(msg->seq, expected->seq);
	assert_int_equal(msg->has_seq, expected->has_seq);
	assert_int_equal(msg->data_length, expected->data_length);
	if (expected->data) {
		assert_non_null(msg->data);
		assert_memory_equal(msg->data, expected->data, expected->data_length);
	} else {
		assert_null(msg->data);
	}
	assert_int_equal(msg->pieces, expected->pieces);
	assert_int_equal(msg->first, expected->first);
	assert_int_equal(msg->reset, expected->reset);
	assert_int_equal(msg->no_room, expected->no_room);
	assert_int_equal(msg->features, expected->features);
	assert_string_same(msg->node, expected->node);
	assert_false(msg->answers_info);
	assert_int_equal(msg->condition, expected->condition);
	assert_int_equal(msg->error_type, expected->error_type);
	assert_int_equal(msg->detail, DETAIL_NONE);
	assert_null(msg->metadata);
}

struct row {
	const char *xml;
	struct msg msg;
};

static void check_rows(void **state, const struct row *rows, size_t count, const char *peer)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < count; i++) {
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, rows[i].xml);
		struct msg msg;
		if (!codec_decode(&stanzas->codec, stanza, &msg)) {
			fail_msg("not decoded: %s", rows[i].xml);
		}
		if (msg.kind != rows[i].msg.kind) {
			print_error("%s\n", rows[i].xml);
		}
		assert_msg(&msg, &rows[i].msg, peer);
		xmpp_stanza_release(stanza);
	}
}

/* ---- stanzas of others ---- */

/* XEP-0047 2.0.1: sections 2.1 to 2.3 and 4. */
static const struct row xep[] = {
	{"<iq from='" ROMEO "' id='jn3h8g65' to='" JULIET "' type='set'>\n"
	 "  <open xmlns='" IBB "' block-size='4096' sid='i781hf64' stanza='iq'/>\n"
	 "</iq>",
	 {.kind = MSG_OPEN,
	  .peer = ROMEO,
	  .id = "jn3h8g65",
	  .sid = "i781hf64",
	  .block_size = 4096,
	  .size = -1}},
	{"<iq from='" JULIET "' id='jn3h8g65' to='" ROMEO "' type='result'/>",
	 {.kind = MSG_RESULT, .peer = JULIET, .id = "jn3h8g65", .size = -1}},
	{"<iq from='" JULIET "' id='jn3h8g65' to='" ROMEO "' type='error'>\n"
	 "  <error type='cancel'>\n"
	 "    <service-unavailable xmlns='" STANZAS "'/>\n"
	 "  </error>\n"
	 "</iq>",
	 {.kind = MSG_ERROR,
	  .peer = JULIET,
	  .id = "jn3h8g65",
	  .size = -1,
	  .condition = CONDITION_SERVICE_UNAVAILABLE}},
	{"<iq from='" JULIET "' id='jn3h8g65' to='" ROMEO "' type='error'>\n"
	 "  <error type='modify'>\n"
	 "    <resource-constraint xmlns='" STANZAS "'/>\n"
	 "  </error>\n"
	 "</iq>",
	 {.kind = MSG_ERROR,
	  .peer = JULIET,
	  .id = "jn3h8g65",
	  .size = -1,
	  .condition = CONDITION_RESOURCE_CONSTRAINT,
	  .error_type = ERROR_TYPE_MODIFY}},
	/* The example has white space around its lines. */
	{"<iq from='" ROMEO "' id='kr91n475' to='" JULIET "' type='set'>\n"
	 "  <data xmlns='" IBB "' seq='0' sid='i781hf64'>\n"
	 "    " LINE_1 "\n    " LINE_2 "\n    " LINE_3 "\n    " LINE_4 "\n    " LINE_5 "\n"
	 "  </data>\n"
	 "</iq>",
	 {.kind = MSG_DATA,
	  .peer = ROMEO,
	  .id = "kr91n475",
	  .sid = "i781hf64",
	  .size = -1,
	  .data = xep_block,
	  .data_length = sizeof(xep_block)}},
	{"<iq from='" ROMEO "' id='us71g45j' to='" JULIET "' type='set'>\n"
	 "  <close xmlns='" IBB "' sid='i781hf64'/>\n"
	 "</iq>",
	 {.kind = MSG_CLOSE, .peer = ROMEO, .id = "us71g45j", .sid = "i781hf64", .size = -1}},
	{"<iq from='" JULIET "' id='us71g45j' to='" ROMEO "' type='error'>\n"
	 "  <error type='cancel'>\n"
	 "    <item-not-found xmlns='" STANZAS "'/>\n"
	 "  </error>\n"
	 "</iq>",
	 {.kind = MSG_ERROR,
	  .peer = JULIET,
	  .id = "us71g45j",
	  .size = -1,
	  .condition = CONDITION_ITEM_NOT_FOUND}},
	{"<message from='" ROMEO "' id='dsw71gj3' to='" JULIET "'>\n"
	 "  <data xmlns='" IBB "' seq='0' sid='i781hf64'>\n"
	 "    " LINE_1 "\n    " LINE_2 "\n    " LINE_3 "\n    " LINE_4 "\n    " LINE_5 "\n"
	 "  </data>\n"
	 "  <amp xmlns='http://jabber.org/protocol/amp'>\n"
	 "    <rule condition='deliver-at' value='stored' action='error'/>\n"
	 "    <rule condition='match-resource' value='exact' action='error'/>\n"
	 "  </amp>\n"
	 "</message>",
	 {.kind = MSG_DATA,
	  .peer = ROMEO,
	  .id = "dsw71gj3",
	  .sid = "i781hf64",
	  .stanza = STANZA_MESSAGE,
	  .size = -1,
	  .data = xep_block,
	  .data_length = sizeof(xep_block)}},
};

/* slixmpp 1.8.3, its blocks cut short. */
static const struct row slixmpp[] = {
	{"<iq id=\"6670f6cc5dad4e50bad9be04878d82ed\" to=\"ibbfs@localhost/probe\""
	 " from=\"" SLIX "\" type=\"set\"><open xmlns=\"" IBB "\" block-size=\"4096\""
	 " stanza=\"iq\" sid=\"335ebb6b-4581-4e3c-8961-151ba813d0ea\" /></iq>",
	 {.kind = MSG_OPEN,
	  .id = "6670f6cc5dad4e50bad9be04878d82ed",
	  .sid = "335ebb6b-4581-4e3c-8961-151ba813d0ea",
	  .block_size = 4096,
	  .size = -1}},
	{"<iq id=\"d3793aea244a46e1992357c09dd7e596\" to=\"ibbfs@localhost/probe\" type=\"set\""
	 " from=\"" SLIX "\"><data xmlns=\"" IBB "\" seq=\"0\""
	 " sid=\"335ebb6b-4581-4e3c-8961-151ba813d0ea\">AAECAwQFBgcICQoL</data></iq>",
	 {.kind = MSG_DATA,
	  .id = "d3793aea244a46e1992357c09dd7e596",
	  .sid = "335ebb6b-4581-4e3c-8961-151ba813d0ea",
	  .size = -1,
	  .data = (const uint8_t *)"\0\1\2\3\4\5\6\7\10\11\12\13",
	  .data_length = 12}},
	{"<iq id=\"ad26bc246c0c401db1497935807f4ccf\" to=\"ibbfs@localhost/probe\" type=\"set\""
	 " from=\"" SLIX "\"><close xmlns=\"" IBB "\""
	 " sid=\"335ebb6b-4581-4e3c-8961-151ba813d0ea\" /></iq>",
	 {.kind = MSG_CLOSE,
	  .id = "ad26bc246c0c401db1497935807f4ccf",
	  .sid = "335ebb6b-4581-4e3c-8961-151ba813d0ea",
	  .size = -1}},
	{"<iq id=\"3528b6f69e83416ea0c75045cde99989\" to=\"ibbfs@localhost/probe\""
	 " from=\"" SLIX "\" type=\"set\"><open xmlns=\"" IBB "\" block-size=\"4096\""
	 " stanza=\"message\" sid=\"043ea7c6-025a-4be5-bcf0-73a4c3f318d5\" /></iq>",
	 {.kind = MSG_OPEN,
	  .id = "3528b6f69e83416ea0c75045cde99989",
	  .sid = "043ea7c6-025a-4be5-bcf0-73a4c3f318d5",
	  .block_size = 4096,
	  .stanza = STANZA_MESSAGE,
	  .size = -1}},
	{"<message id=\"6fb0f1fc1e4842d0957aa73ad4a8d624\" from=\"" SLIX "\""
	 " to=\"ibbfs@localhost/probe\"><data xmlns=\"" IBB "\" seq=\"1\""
	 " sid=\"043ea7c6-025a-4be5-bcf0-73a4c3f318d5\">AAECAwQFBgcICQoL</data></message>",
	 {.kind = MSG_DATA,
	  .id = "6fb0f1fc1e4842d0957aa73ad4a8d624",
	  .sid = "043ea7c6-025a-4be5-bcf0-73a4c3f318d5",
	  .stanza = STANZA_MESSAGE,
	  .size = -1,
	  .seq = 1,
	  .data = (const uint8_t *)"\0\1\2\3\4\5\6\7\10\11\12\13",
	  .data_length = 12}},
	{"<iq id=\"fc6b296441f548ee8ef6b1363d803bd3\" from=\"" SLIX "\" type=\"error\""
	 " to=\"ibbfs@localhost/probe\"><error type=\"cancel\"><resource-constraint"
	 " xmlns=\"" STANZAS "\" /></error></iq>",
	 {.kind = MSG_ERROR,
	  .id = "fc6b296441f548ee8ef6b1363d803bd3",
	  .size = -1,
	  .condition = CONDITION_RESOURCE_CONSTRAINT}},
	{"<iq id=\"102744d78f114419b78278fda4e442cd\" from=\"" SLIX "\" type=\"error\""
	 " to=\"ibbfs@localhost/probe\"><error type=\"cancel\"><not-acceptable"
	 " xmlns=\"" STANZAS "\" /></error></iq>",
	 {.kind = MSG_ERROR,
	  .id = "102744d78f114419b78278fda4e442cd",
	  .size = -1,
	  .condition = CONDITION_NOT_ACCEPTABLE}},
};

static void test_fixtures(void **state)
{
	check_rows(state, xep, COUNT(xep), NULL);
	check_rows(state, slixmpp, COUNT(slixmpp), SLIX);
}

/* The XEP's block as it must be sent. */
static void test_xep_block(void **state)
{
	struct stanzas *stanzas = *state;
	const char *text = LINE_1 LINE_2 LINE_3 LINE_4 LINE_5;
	char xml[1024];
	snprintf(xml, sizeof(xml),
		 "<iq from='" ROMEO "' id='kr91n475' to='" JULIET "' type='set'>"
		 "<data xmlns='" IBB "' seq='0' sid='i781hf64'>%s</data></iq>",
		 text);
	xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
	struct msg msg;
	assert_true(codec_decode(&stanzas->codec, stanza, &msg));
	assert_int_equal(msg.data_length, sizeof(xep_block));
	assert_memory_equal(msg.data, xep_block, sizeof(xep_block));

	size_t length;
	msg.peer = JULIET;
	const char *encoded = codec_encode(&stanzas->codec, &msg, &length);
	assert_non_null(strstr(encoded, text));
	xmpp_stanza_release(stanza);
}

/* ---- requests ---- */

#define SET(child) "<iq from='a@b/c' id='i' type='set'>" child "</iq>"
#define GET(child) "<iq from='a@b/c' id='i' type='get'>" child "</iq>"

#define REFUSED(c, t) BRACED(.kind = MSG_UNKNOWN, .size = -1, .condition = c, .error_type = t)
#define BAD_REQUEST   REFUSED(CONDITION_BAD_REQUEST, ERROR_TYPE_CANCEL)
#define UNAVAILABLE   REFUSED(CONDITION_SERVICE_UNAVAILABLE, ERROR_TYPE_CANCEL)

#define OPEN(attributes)   SET("<open xmlns='" IBB "' " attributes "/>")
#define OPENED(bytes)	   BRACED(.kind = MSG_OPEN, .sid = "s", .block_size = bytes, .size = -1)
#define FILE_OPEN(content) SET("<open xmlns='" IBB "' sid='s' block-size='1'>" content "</open>")
#define FILE_OF(content)   FILE_OPEN("<file xmlns='" METADATA "'>" content "</file>")
#define IN_FOLDER(path) \
	BRACED(.kind = MSG_OPEN, .sid = "s", .block_size = 1, .folder = path, .size = -1)
#define FILE_OPENED(text, bytes) \
	BRACED(.kind = MSG_OPEN, .sid = "s", .block_size = 1, .name = text, .size = bytes)

static const struct row opens[] = {
	{OPEN("sid='s' block-size='1'"), OPENED(1)},
	{OPEN("sid='s' block-size='65535'"), OPENED(65535)},
	{OPEN("sid='s' block-size='004096'"), OPENED(4096)},
	{OPEN("sid='s' block-size='9' stanza='iq'"), OPENED(9)},
	{OPEN("sid='s' block-size='9' other='x' xml:lang='en'"), OPENED(9)},
	{OPEN("sid='s' block-size='9' stanza='message'"),
	 {.kind = MSG_OPEN, .sid = "s", .block_size = 9, .stanza = STANZA_MESSAGE, .size = -1}},
	{SET("\n  text <open xmlns='" IBB "' sid='s' block-size='9'> x </open> x"), OPENED(9)},
	{"<iq id='i' type='set'><open xmlns='" IBB "' sid='s' block-size='9'/></iq>",
	 {.kind = MSG_OPEN, .peer = "", .sid = "s", .block_size = 9, .size = -1}},
	{"<iq id='' type='set'><open xmlns='" IBB "' sid='&lt;&amp;&#10;' block-size='9'/></iq>",
	 {.kind = MSG_OPEN, .peer = "", .id = "", .sid = "<&\n", .block_size = 9, .size = -1}},

	{OPEN("sid='s'"), BAD_REQUEST},
	{OPEN("sid='s' block-size=''"), BAD_REQUEST},
	{OPEN("sid='s' block-size='0'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='65536'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='4294967297'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='18446744073709551617'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='-1'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='+1'"), BAD_REQUEST},
	{OPEN("sid='s' block-size=' 1'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='1 '"), BAD_REQUEST},
	{OPEN("sid='s' block-size='0x10'"), BAD_REQUEST},
	{OPEN("block-size='9'"), BAD_REQUEST},
	{OPEN("sid='' block-size='9'"), BAD_REQUEST},
	{OPEN("sid='s' block-size='9' stanza=''"), BAD_REQUEST},
	{OPEN("sid='s' block-size='9' stanza='presence'"), BAD_REQUEST},
	{GET("<open xmlns='" IBB "' sid='s' block-size='9'/>"), BAD_REQUEST},

	{FILE_OF("<name>a b.txt</name><size>0</size>"), FILE_OPENED("a b.txt", 0)},
	{FILE_OF("\n<size>9223372036854775807</size>\n<name>n</name>\n"),
	 FILE_OPENED("n", INT64_MAX)},
	{FILE_OF("<name>&lt;&amp;&#10;&#233;<!-- x -->y</name>"), FILE_OPENED("<&\n\xc3\xa9y", -1)},
	{FILE_OF("<name>n</name><size>9223372036854775808</size>"), FILE_OPENED("n", -1)},
	{FILE_OPEN("<folder xmlns='" FOLDERS "'>a/&lt;../b<!-- x --> c</folder>"),
	 IN_FOLDER("a/<../b c")},
	{FILE_OPEN("<folder xmlns='" FOLDERS "'/>"), IN_FOLDER(NULL)},
	{FILE_OPEN("<folder xmlns='" FOLDERS "'>a<x/></folder>"), IN_FOLDER(NULL)},
	{FILE_OPEN("<folder>a</folder>"), IN_FOLDER(NULL)},
	{FILE_OF("<name>n</name><size>18446744073709551617</size>"), FILE_OPENED("n", -1)},
	{FILE_OF("<name>n</name><size>-1</size>"), FILE_OPENED("n", -1)},
	{FILE_OF("<name>n</name><size>1.5</size>"), FILE_OPENED("n", -1)},
	{FILE_OF("<name>n</name><size> 1</size>"), FILE_OPENED("n", -1)},
	{FILE_OF("<name>n</name><size/>"), FILE_OPENED("n", -1)},
	{FILE_OF("<name>n</name><size>1<x/></size>"), FILE_OPENED("n", -1)},
	{FILE_OF("<size>1</size>"), FILE_OPENED(NULL, 1)},
	{FILE_OF("<name/>"), FILE_OPENED(NULL, -1)},
	{FILE_OF("<name>n<x/></name>"), FILE_OPENED(NULL, -1)},
	{FILE_OF("<name xmlns='x'>n</name>"), FILE_OPENED(NULL, -1)},
	{FILE_OF(""), FILE_OPENED(NULL, -1)},
	{FILE_OPEN("<file xmlns='x'><name>n</name></file>"), FILE_OPENED(NULL, -1)},
	{FILE_OPEN("<x/>text<file xmlns='" METADATA "'><name>n</name></file>"),
	 FILE_OPENED("n", -1)},
};

#define DATA(attributes, text) SET("<data xmlns='" IBB "' " attributes ">" text "</data>")
#define BLOCK(number, text)                                             \
	BRACED(.kind = MSG_DATA, .sid = "s", .size = -1, .seq = number, \
	       .data = (const uint8_t *)text, .data_length = sizeof(text) - 1)
#define NO_BLOCK BRACED(.kind = MSG_DATA, .sid = "s", .size = -1)

static const struct row blocks[] = {
	{DATA("sid='s' seq='0'", "eA=="), BLOCK(0, "x")},
	{DATA("sid='s' seq='0'", ""), BLOCK(0, "")},
	{SET("<data xmlns='" IBB "' sid='s' seq='0'/>"), BLOCK(0, "")},
	{DATA("sid='s' seq='0'", "&#101;<![CDATA[A=]]><!-- x -->="), BLOCK(0, "x")},
	{DATA("sid='s' seq='0'", "\neH\r\n l6\t\n"), BLOCK(0, "xyz")},
	{DATA("sid='s' seq='0'", " "), BLOCK(0, "")},
	{DATA("sid='s' seq='65535'", "eHk="), BLOCK(65535, "xy")},
	{DATA("sid='s' seq='65536'", "eHl6"), BLOCK(0, "xyz")},
	{DATA("sid='s' seq='0131073'", "eHl6"), BLOCK(1, "xyz")},
	{DATA("sid='s' seq='18446744073709551618'", "eHl6"), BLOCK(2, "xyz")},

	{DATA("sid='s' seq='0'", "eA="), NO_BLOCK},
	{DATA("sid='s' seq='0'", "eA"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "eB=="), NO_BLOCK},
	{DATA("sid='s' seq='0'", "=AAA"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "BBBB=CCC"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "eA= \n"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "eA==\neA=="), NO_BLOCK},
	{DATA("sid='s' seq='0'", "\xc3\xa9"
				 "xx"),
	 NO_BLOCK},
	{DATA("sid='s' seq='0'", "<x/>"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "eA==<x/>"), NO_BLOCK},
	{DATA("sid='s' seq='0'", "<x/>eA=="), NO_BLOCK},

	{DATA("sid='s'", "eA=="), BAD_REQUEST},
	{DATA("sid='s' seq=''", "eA=="), BAD_REQUEST},
	{DATA("sid='s' seq='-1'", "eA=="), BAD_REQUEST},
	{DATA("sid='s' seq='1a'", "eA=="), BAD_REQUEST},
	{DATA("seq='1'", "eA=="), BAD_REQUEST},
	{DATA("sid='' seq='1'", "eA=="), BAD_REQUEST},
	{GET("<data xmlns='" IBB "' sid='s' seq='0'/>"), BAD_REQUEST},
};

static const struct row others[] = {
	{SET("<close xmlns='" IBB "' sid='s'/>"), {.kind = MSG_CLOSE, .sid = "s", .size = -1}},
	{SET("<close xmlns='" IBB "' sid='s'>\n<reset xmlns='urn:ibbfs:0'/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1, .reset = true}},
	{SET("<close xmlns='" IBB "' sid='s'><sent xmlns='urn:ibbfs:0' bytes='7'/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = 7}},
	{SET("<close xmlns='" IBB "' sid='s'><sent xmlns='urn:ibbfs:0' bytes='-7'/></close>"),
	 {.kind = MSG_UNKNOWN, .size = -1, .condition = CONDITION_BAD_REQUEST}},
	{SET("<close xmlns='" IBB "' sid='s'><sent bytes='7'/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1}},
	{SET("<close xmlns='" IBB
	     "' sid='s'><reset xmlns='urn:ibbfs:0' reason='no-room'/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1, .reset = true, .no_room = true}},
	{SET("<close xmlns='" IBB "' sid='s'><reset xmlns='urn:ibbfs:0' reason='x'/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1, .reset = true}},
	{SET("<close xmlns='" IBB "' sid='s'><reset/></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1}},
	{SET("<close xmlns='" IBB "'><reset xmlns='urn:ibbfs:0'/></close>"), BAD_REQUEST},
	{GET("<close xmlns='" IBB "' sid='s'/>"), BAD_REQUEST},

	{SET("<resume xmlns='" RESUME "' sid='s'/>"), {.kind = MSG_RESUME, .sid = "s", .size = -1}},
	{SET("<resume xmlns='" RESUME "' sid='s' seq='7'/>"),
	 {.kind = MSG_RESUME, .sid = "s", .size = -1, .seq = 7, .has_seq = true}},
	{SET("<resume xmlns='" RESUME "' sid='s' seq='x'/>"), BAD_REQUEST},
	{SET("<resume xmlns='" RESUME "' seq='7'/>"), BAD_REQUEST},

	{SET("<skip xmlns='" PIECES "' sid='s' seq='7' bytes='1048576'/>"),
	 {.kind = MSG_SKIP, .sid = "s", .size = 1048576, .seq = 7}},
	{SET("<skip xmlns='" PIECES "' sid='s' seq='7' bytes='0'/>"), BAD_REQUEST},
	{SET("<skip xmlns='" PIECES "' sid='s' seq='7' bytes='9223372036854775808'/>"),
	 BAD_REQUEST},
	{SET("<skip xmlns='" PIECES "' sid='s' seq='x' bytes='1'/>"), BAD_REQUEST},
	{SET("<skip xmlns='" PIECES "' sid='s' bytes='1'/>"), BAD_REQUEST},
	{SET("<skip xmlns='" PIECES "' seq='7' bytes='1'/>"), BAD_REQUEST},
	{GET("<skip xmlns='" PIECES "' sid='s' seq='7' bytes='1'/>"), BAD_REQUEST},
	{GET("<pieces xmlns='" PIECES "' sid='s' first='64'/>"),
	 {.kind = MSG_PIECES, .sid = "s", .size = -1, .first = 64}},
	{GET("<pieces xmlns='" PIECES "' sid='s' first='-1'/>"), BAD_REQUEST},
	{GET("<pieces xmlns='" PIECES "' sid='s'/>"), BAD_REQUEST},
	{GET("<pieces xmlns='" PIECES "' first='0'/>"), BAD_REQUEST},
	{SET("<pieces xmlns='" PIECES "' sid='s' first='0'/>"), BAD_REQUEST},
	{SET("<sync xmlns='" SYNC "' sid='s' bytes='9223372036854775807'/>"),
	 {.kind = MSG_SYNC, .sid = "s", .size = INT64_MAX}},
	{SET("<sync xmlns='" SYNC "' sid='s' bytes='0'/>"), {.kind = MSG_SYNC, .sid = "s"}},
	{SET("<sync xmlns='" SYNC "' sid='s' bytes='9223372036854775808'/>"), BAD_REQUEST},
	{SET("<sync xmlns='" SYNC "' sid='s' bytes='-1'/>"), BAD_REQUEST},
	{SET("<sync xmlns='" SYNC "' sid='s'/>"), BAD_REQUEST},
	{SET("<sync xmlns='" SYNC "' bytes='1'/>"), BAD_REQUEST},
	{GET("<sync xmlns='" SYNC "' sid='s' bytes='1'/>"), BAD_REQUEST},
	{SET("<close xmlns='" IBB "' sid='s'><hash xmlns='urn:xmpp:hashes:2'"
	     " algo='sha-256'>QUJD</hash></close>"),
	 {.kind = MSG_CLOSE,
	  .sid = "s",
	  .size = -1,
	  .data = (const uint8_t *)"ABC",
	  .data_length = 3}},
	{SET("<close xmlns='" IBB "' sid='s'><hash xmlns='urn:xmpp:hashes:2'"
	     " algo='sha-1'>QUJD</hash></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1}},
	{SET("<close xmlns='" IBB "' sid='s'><hash xmlns='urn:xmpp:hashes:2'"
	     " algo='sha-256'>QUJ</hash></close>"),
	 {.kind = MSG_CLOSE, .sid = "s", .size = -1}},

	{GET("<ping xmlns='urn:xmpp:ping'/>"), {.kind = MSG_PING, .size = -1}},
	{SET("<ping xmlns='urn:xmpp:ping'/>"), BAD_REQUEST},
	{GET("<query xmlns='" INFO "'/>"), {.kind = MSG_INFO, .size = -1}},
	{GET("<query xmlns='" INFO "' node='urn:ibbfs:0#" OUR_VER "'/>"),
	 {.kind = MSG_INFO, .size = -1, .node = "urn:ibbfs:0#" OUR_VER}},
	{GET("<query xmlns='" INFO "' node='urn:ibbfs:0#" OUR_VER "x'/>"),
	 REFUSED(CONDITION_ITEM_NOT_FOUND, ERROR_TYPE_CANCEL)},
	{GET("<query xmlns='" INFO "' node='urn:ibbfs:0'/>"),
	 REFUSED(CONDITION_ITEM_NOT_FOUND, ERROR_TYPE_CANCEL)},
	{GET("<query xmlns='" INFO "' node=''/>"),
	 REFUSED(CONDITION_ITEM_NOT_FOUND, ERROR_TYPE_CANCEL)},
	{SET("<query xmlns='" INFO "'/>"), BAD_REQUEST},

	{GET("<query xmlns='jabber:iq:roster'/>"), UNAVAILABLE},
	{SET("<open xmlns='x' sid='s' block-size='1'/>"), UNAVAILABLE},
	{SET("<open sid='s' block-size='1'/>"), UNAVAILABLE},
	{SET("<other xmlns='" IBB "' sid='s'/>"), UNAVAILABLE},
	{SET("<x/><open xmlns='" IBB "' sid='s' block-size='1'/>"), UNAVAILABLE},
	{SET("text"), UNAVAILABLE},
	{SET(""), UNAVAILABLE},
	{GET(""), UNAVAILABLE},
};

static void test_requests(void **state)
{
	check_rows(state, opens, COUNT(opens), "a@b/c");
	check_rows(state, blocks, COUNT(blocks), "a@b/c");
	check_rows(state, others, COUNT(others), "a@b/c");
}

/* ---- answers and messages ---- */

#define RESULT(child) "<iq from='a@b/c' id='i' type='result'>" child "</iq>"
#define ERROR(child)  "<iq from='a@b/c' id='i' type='error'>" child "</iq>"
#define CAPABLE(bits) BRACED(.kind = MSG_RESULT, .size = -1, .features = bits)
#define FAILED(c, t)  BRACED(.kind = MSG_ERROR, .size = -1, .condition = c, .error_type = t)
#define FILES_BY_BOTH                                                            \
	"<feature var='" SI "/profile/file-transfer'/><feature var='" JINGLE_IBB \
	"'/><feature var='" JINGLE_FT "'/><feature var='urn:xmpp:jingle:1'/>"

static const struct row answers[] = {
	{RESULT(""), CAPABLE(0)},
	{RESULT("<resume xmlns='" RESUME "' seq='0'/>"),
	 {.kind = MSG_RESULT, .size = -1, .has_seq = true}},
	{RESULT("<resume xmlns='" RESUME "' seq='-1'/>"), {.kind = MSG_RESULT, .size = -1}},
	{RESULT("<resume xmlns='" RESUME "' seq='6,'/>"), {.kind = MSG_RESULT, .size = -1}},
	{RESULT("<resume xmlns='" RESUME "'/>"), {.kind = MSG_RESULT, .size = -1}},
	{RESULT("<resume seq='7'/>"), {.kind = MSG_RESULT, .size = -1}},
	{RESULT("<query xmlns='" INFO "'/>"), CAPABLE(0)},
	{RESULT("<query xmlns='" INFO "'>" OUR_INFO "</query>"),
	 CAPABLE(FEATURE_IBB | FEATURE_IBBFS | FEATURE_FOLDERS | FEATURE_RESUME | FEATURE_SYNC |
		 FEATURE_SI | FEATURE_JINGLE)},
	{RESULT("\n<query xmlns='" INFO "' node='n'>\n<feature/>\n<feature var='" IBB
		"'/></query>"),
	 CAPABLE(FEATURE_IBB)},
	{RESULT("<query xmlns='" INFO "'><feature var='urn:ibbfs:0'/><identity/></query>"),
	 CAPABLE(FEATURE_IBBFS)},
	{RESULT("<query xmlns='" INFO "'><x var='" IBB "'/><feature var='" IBB "#x'/></query>"),
	 CAPABLE(0)},
	{RESULT("<query xmlns='" INFO "'><feature xmlns='x' var='" IBB "'/></query>"), CAPABLE(0)},
	{RESULT("<query xmlns='" INFO "'><feature var='" SI "'/>"
		"<feature var='" SI "/profile/file-transfer'/></query>"),
	 CAPABLE(FEATURE_SI)},
	{RESULT("<query xmlns='" INFO "'><feature var='" SI "'/></query>"), CAPABLE(0)},
	{RESULT("<query xmlns='" INFO "'><feature var='" JINGLE_IBB "'/><feature var='" JINGLE_FT
		"'/><feature var='urn:xmpp:jingle:1'/></query>"),
	 CAPABLE(FEATURE_JINGLE)},
	{RESULT("<query xmlns='" INFO "'><feature var='" JINGLE_IBB "'/><feature var='" JINGLE_FT
		"'/></query>"),
	 CAPABLE(0)},
	{RESULT("<query xmlns='" INFO "'><feature var='urn:xmpp:jingle:1'/><feature var='" JINGLE_FT
		"'/></query>"),
	 CAPABLE(0)},
	{RESULT("<query xmlns='" INFO
		"'><feature var='urn:xmpp:jingle:1'/><feature var='" JINGLE_IBB
		"'/><feature var='urn:xmpp:jingle:apps:file-transfer:4'/></query>"),
	 CAPABLE(0)},
	{RESULT("<query xmlns='jabber:iq:roster'><feature var='" IBB "'/></query>"), CAPABLE(0)},
	{RESULT("<query xmlns='" INFO
		"'><identity category='client' type='pc' name='Psi+'/>" FILES_BY_BOTH "</query>"),
	 CAPABLE(FEATURE_SI | FEATURE_JINGLE | FEATURE_JINGLE_CRASHES)},
	{RESULT("<query xmlns='" INFO "'>" FILES_BY_BOTH
		"<identity category='client' type='pc' name='Psi+'/></query>"),
	 CAPABLE(FEATURE_SI | FEATURE_JINGLE | FEATURE_JINGLE_CRASHES)},
	{RESULT("<query xmlns='" INFO "'><identity name='Psi'/>" FILES_BY_BOTH "</query>"),
	 CAPABLE(FEATURE_SI | FEATURE_JINGLE)},
	{RESULT("<query xmlns='" INFO "'><identity/>" FILES_BY_BOTH "</query>"),
	 CAPABLE(FEATURE_SI | FEATURE_JINGLE)},
	{RESULT("<query xmlns='" INFO "'><feature name='Psi+'/><identity xmlns='x' name='Psi+'/>"
		"<x name='Psi+'/>" FILES_BY_BOTH "</query>"),
	 CAPABLE(FEATURE_SI | FEATURE_JINGLE)},

	{ERROR(""), FAILED(CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_CANCEL)},
	{ERROR("<error/>"), FAILED(CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_CANCEL)},
	{ERROR("<error type='wait'/>"), FAILED(CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_WAIT)},
	{ERROR("<error type='?'><gone xmlns='" STANZAS "'>xmpp:b</gone></error>"),
	 FAILED(CONDITION_GONE, ERROR_TYPE_CANCEL)},
	{ERROR("<data xmlns='" IBB "' sid='s' seq='0'>eA==</data>\n"
	       "<error type='auth'> <x xmlns='y'/><text xmlns='" STANZAS "'>no</text>"
	       "<forbidden xmlns='" STANZAS "'/></error>"),
	 FAILED(CONDITION_FORBIDDEN, ERROR_TYPE_AUTH)},
	{ERROR("<error type='modify'><other xmlns='" STANZAS "'/></error>"),
	 FAILED(CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_MODIFY)},
	{ERROR("<error type='modify'><gone/></error>"),
	 FAILED(CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_MODIFY)},
};

#define MESSAGE(type, child) "<message from='a@b/c' id='i'" type ">" child "</message>"
#define IN_MESSAGE(length, bytes, number)                                                         \
	BRACED(.kind = MSG_DATA, .sid = "s", .stanza = STANZA_MESSAGE, .size = -1, .seq = number, \
	       .data = (const uint8_t *)bytes, .data_length = length)
#define BOUNCED(which, number, c, t)                                                   \
	BRACED(.kind = MSG_BOUNCE, .sid = which, .stanza = STANZA_MESSAGE, .size = -1, \
	       .seq = number, .condition = c, .error_type = t)

static const struct row messages[] = {
	{MESSAGE("", "<data xmlns='" IBB "' sid='s' seq='7'>eHk=</data>"), IN_MESSAGE(2, "xy", 7)},
	{MESSAGE(" type='chat'",
		 "<body>x</body> <data xmlns='" IBB "' sid='s' seq='7'>eHk=</data>"),
	 IN_MESSAGE(2, "xy", 7)},
	{MESSAGE("", "<data xmlns='" IBB "' sid='s' seq='7'>eHk</data>"), IN_MESSAGE(0, NULL, 7)},
	{MESSAGE("", "<data xmlns='" IBB "' sid='s' seq='x'>eHk=</data>"), IN_MESSAGE(0, NULL, 0)},
	{MESSAGE("", "<data xmlns='" IBB "' sid='s'>eHk=</data>"), IN_MESSAGE(0, NULL, 0)},
	{"<message><data xmlns='" IBB "' sid='s' seq='7'>eHk=</data></message>",
	 {.kind = MSG_DATA,
	  .peer = "",
	  .id = "",
	  .sid = "s",
	  .stanza = STANZA_MESSAGE,
	  .size = -1,
	  .seq = 7,
	  .data = (const uint8_t *)"xy",
	  .data_length = 2}},

	{MESSAGE(" type='error'", "<data xmlns='" IBB "' sid='s' seq='7'>eHk=</data>"
				  "<error type='wait'>"
				  "<recipient-unavailable xmlns='" STANZAS "'/></error>"),
	 BOUNCED("s", 7, CONDITION_RECIPIENT_UNAVAILABLE, ERROR_TYPE_WAIT)},
	{MESSAGE(" type='error'", "<error type='cancel'>"
				  "<service-unavailable xmlns='" STANZAS "'/></error>"),
	 BOUNCED(NULL, 0, CONDITION_SERVICE_UNAVAILABLE, ERROR_TYPE_CANCEL)},
	{MESSAGE(" type='error'", ""),
	 BOUNCED(NULL, 0, CONDITION_UNDEFINED_CONDITION, ERROR_TYPE_CANCEL)},
};

static void test_answers(void **state)
{
	check_rows(state, answers, COUNT(answers), "a@b/c");
	check_rows(state, messages, COUNT(messages), "a@b/c");
}

static void test_not_ours(void **state)
{
	static const char *const rows[] = {
		"<presence from='a@b/c'/>",
		"<iq type='set'><open xmlns='" IBB "' sid='s' block-size='9'/></iq>",
		"<iq id='i'><open xmlns='" IBB "' sid='s' block-size='9'/></iq>",
		"<iq id='i' type='Set'><open xmlns='" IBB "' sid='s' block-size='9'/></iq>",
		"<iq id='i' type=''/>",
		"<iq type='result'/>",
		MESSAGE("", "<body>x</body>"),
		MESSAGE("", ""),
		MESSAGE("", "<data xmlns='x' sid='s' seq='0'>eHk=</data>"),
		MESSAGE("", "<data xmlns='" IBB "' seq='0'>eHk=</data>"),
		MESSAGE("", "<x><data xmlns='" IBB "' sid='s' seq='0'>eHk=</data></x>"),
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, rows[i]);
		if (codec_decode(&stanzas->codec, stanza, &msg)) {
			fail_msg("decoded: %s", rows[i]);
		}
		xmpp_stanza_release(stanza);
	}
}

/* ---- limits ---- */

static void test_sid_length(void **state)
{
	struct stanzas *stanzas = *state;
	for (int length = 1023; length <= 1024; length++) {
		char sid[1025] = "", xml[2048];
		memset(sid, 's', (size_t)length);
		snprintf(xml, sizeof(xml), SET("<close xmlns='" IBB "' sid='%s'/>"), sid);
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
		struct msg msg;
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_int_equal(msg.kind, length <= 1023 ? MSG_CLOSE : MSG_UNKNOWN);
		xmpp_stanza_release(stanza);
	}
}

/* An address that is longer than one can be: of a server that limits nothing. */
static void test_peer_length(void **state)
{
	static const struct {
		const char *begin, *rest;
		bool is_request;
	} rows[] = {
		{"<iq type='set' id='i'", "><close xmlns='" IBB "' sid='s'/></iq>", true},
		{"<iq type='get' id='i'", "><ping xmlns='urn:xmpp:ping'/></iq>", true},
		{"<iq type='result' id='i'", "/>", false},
		{"<iq type='error' id='i'", "/>", false},
		{"<message", "><data xmlns='" IBB "' sid='s' seq='0'>eA==</data></message>", false},
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool fits = i % 2 == 0, is_request = rows[i / 2].is_request;
		char peer[JID_MAX + 2] = "a@x/", xml[JID_MAX + 200];
		struct msg msg;
		memset(peer + 4, 'r', JID_MAX - 4 + !fits);
		snprintf(xml, sizeof(xml), "%s from='%s'%s", rows[i / 2].begin, peer,
			 rows[i / 2].rest);
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
		assert_int_equal(codec_decode(&stanzas->codec, stanza, &msg), fits || is_request);
		if (!fits && is_request) {
			assert_int_equal(msg.kind, MSG_UNKNOWN);
			assert_int_equal(msg.condition, CONDITION_JID_MALFORMED);
			assert_string_equal(msg.peer, peer);
		}
		xmpp_stanza_release(stanza);
	}
}

static void test_block_length(void **state)
{
	static const struct {
		size_t length; /* of the text */
		size_t bytes;  /* 0: too long */
	} rows[] = {{87376, 65532}, {87380, 65535}, {87384, 0}, {200000, 0}};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static char text[200001], xml[201000];
		memset(text, '/', rows[i].length);
		text[rows[i].length] = '\0';
		snprintf(xml, sizeof(xml), DATA("sid='s' seq='0'", "%s"), text);
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
		struct msg msg;
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_int_equal(msg.kind, MSG_DATA);
		assert_int_equal(msg.data != NULL, rows[i].bytes > 0);
		assert_int_equal(msg.data_length, rows[i].bytes);
		xmpp_stanza_release(stanza);
	}
}

static void add_text(struct stanzas *stanzas, xmpp_stanza_t *element, const char *text)
{
	xmpp_stanza_t *child = xmpp_stanza_new(stanzas->context);
	xmpp_stanza_set_text(child, text);
	xmpp_stanza_add_child_ex(element, child, 0);
}

/* The parser never makes several text children of an element, but libstrophe's users may. */
static void test_pieces(void **state)
{
	struct stanzas *stanzas = *state;
	xmpp_stanza_t *stanza = stanzas_parse(stanzas, DATA("sid='s' seq='0'", ""));
	xmpp_stanza_t *data = xmpp_stanza_get_children(stanza);
	add_text(stanzas, data, "eH");
	add_text(stanzas, data, "");
	add_text(stanzas, data, "k=");
	bool failed;
	size_t n = 0;
	do {
		struct msg msg;
		failing_malloc_arm(++n);
		bool decoded = codec_decode(&stanzas->codec, stanza, &msg);
		failed = failing_malloc_disarm();
		assert_true(decoded);
		assert_int_equal(msg.kind, MSG_DATA);
		if (failed) {
			assert_null(msg.data);
		} else {
			assert_int_equal(msg.data_length, 2);
			assert_memory_equal(msg.data, "xy", 2);
		}
	} while (failed);
	assert_int_equal(n, 2);
	xmpp_stanza_release(stanza);
}

/* ---- encoding ---- */

#define NASTY	      "&<>\"'\t\n\r \xc3\xa9]]>"
#define NASTY_ESCAPED "&amp;&lt;&gt;&quot;&apos;&#9;&#10;&#13; \xc3\xa9]]&gt;"

static const struct row encodings[] = {
	{"<iq type='set' id='1' to='a@b/c'><open xmlns='" IBB "' block-size='4096' sid='s'"
	 " stanza='iq'/></iq>",
	 {.kind = MSG_OPEN, .peer = "a@b/c", .id = "1", .sid = "s", .block_size = 4096, .size = 9}},
	{"<iq type='set' id='1' to='a@b/c'><open xmlns='" IBB "' block-size='65535' sid='s'"
	 " stanza='message'><file xmlns='" METADATA "'><name>n</name></file></open></iq>",
	 {.kind = MSG_OPEN,
	  .peer = "a@b/c",
	  .id = "1",
	  .sid = "s",
	  .block_size = 65535,
	  .stanza = STANZA_MESSAGE,
	  .name = "n",
	  .size = -1}},
	{"<iq type='set' id='1' to='a@b/c'><open xmlns='" IBB
	 "' block-size='1' sid='s' stanza='iq'>"
	 "<file xmlns='" METADATA "'><name>n</name></file><folder xmlns='" FOLDERS
	 "'>a/" NASTY_ESCAPED "</folder></open></iq>",
	 {.kind = MSG_OPEN,
	  .peer = "a@b/c",
	  .id = "1",
	  .sid = "s",
	  .block_size = 1,
	  .name = "n",
	  .folder = "a/" NASTY,
	  .size = -1}},
	{"<iq type='set' id='" NASTY_ESCAPED "' to='a@b/" NASTY_ESCAPED "'><open xmlns='" IBB "'"
	 " block-size='1' sid='" NASTY_ESCAPED "' stanza='iq'><file xmlns='" METADATA
	 "'><name>" NASTY_ESCAPED "</name><size>9223372036854775807</size></file></open></iq>",
	 {.kind = MSG_OPEN,
	  .peer = "a@b/" NASTY,
	  .id = NASTY,
	  .sid = NASTY,
	  .block_size = 1,
	  .name = NASTY,
	  .size = INT64_MAX}},
	{"<iq type='set' id='1' to='a@b/c'><data xmlns='" IBB "' seq='65535' sid='s'>"
	 "AAECAwQFBgcICQoL</data></iq>",
	 {.kind = MSG_DATA,
	  .peer = "a@b/c",
	  .id = "1",
	  .sid = "s",
	  .seq = 65535,
	  .data = (const uint8_t *)"\0\1\2\3\4\5\6\7\10\11\12\13",
	  .data_length = 12}},
	{"<message id='1' to='a@b/c'><data xmlns='" IBB "' seq='0' sid='s'>eA==</data></message>",
	 {.kind = MSG_DATA,
	  .peer = "a@b/c",
	  .id = "1",
	  .sid = "s",
	  .stanza = STANZA_MESSAGE,
	  .data = (const uint8_t *)"x",
	  .data_length = 1}},
	{"<iq type='set' id='1' to='a@b/c'><close xmlns='" IBB "' sid='s'/></iq>",
	 {.kind = MSG_CLOSE, .peer = "a@b/c", .id = "1", .sid = "s", .size = -1}},
	{"<iq type='set' id='1' to='a@b/c'><close xmlns='" IBB "' sid='s'>"
	 "<sent xmlns='urn:ibbfs:0' bytes='9223372036854775807'/></close></iq>",
	 {.kind = MSG_CLOSE, .peer = "a@b/c", .id = "1", .sid = "s", .size = INT64_MAX}},
	{"<iq type='set' id='1' to='a@b/c'><close xmlns='" IBB "' sid='s'>"
	 "<reset xmlns='urn:ibbfs:0'/></close></iq>",
	 {.kind = MSG_CLOSE, .peer = "a@b/c", .id = "1", .sid = "s", .reset = true}},
	{"<iq type='set' id='1' to='a@b/c'><close xmlns='" IBB "' sid='s'>"
	 "<reset xmlns='urn:ibbfs:0' reason='no-room'/></close></iq>",
	 {.kind = MSG_CLOSE,
	  .peer = "a@b/c",
	  .id = "1",
	  .sid = "s",
	  .reset = true,
	  .no_room = true}},
	{"<iq type='get' id='1' to='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>",
	 {.kind = MSG_PING, .peer = "a@b/c", .id = "1"}},
	{"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
	 {.kind = MSG_PING, .peer = "", .id = "1"}},
	{"<iq type='get' id='1' to='a@b/c'><query xmlns='" INFO "'/></iq>",
	 {.kind = MSG_INFO, .peer = "a@b/c", .id = "1"}},
	{"<iq type='get' id='1' to='a@b/c'><query xmlns='" INFO "' node='" NASTY_ESCAPED "'/></iq>",
	 {.kind = MSG_INFO, .peer = "a@b/c", .id = "1", .node = NASTY}},
	{"<iq type='result' id='1' to='a@b/c'></iq>",
	 {.kind = MSG_RESULT, .peer = "a@b/c", .id = "1"}},
	{"<iq type='result' id='1' to='a@b/c'><query xmlns='" INFO "'>" OUR_INFO "</query></iq>",
	 {.kind = MSG_RESULT, .peer = "a@b/c", .id = "1", .answers_info = true}},
	{"<iq type='result' id='1' to='a@b/c'><query xmlns='" INFO "' node='n'>" OUR_INFO
	 "</query></iq>",
	 {.kind = MSG_RESULT, .peer = "a@b/c", .id = "1", .node = "n", .answers_info = true}},
	{"<iq type='error' id='1' to='a@b/c'><error type='modify'><resource-constraint"
	 " xmlns='" STANZAS "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_RESOURCE_CONSTRAINT,
	  .error_type = ERROR_TYPE_MODIFY}},
	{"<iq type='error' id='1' to='a@b/c'><error type='cancel'><bad-request"
	 " xmlns='" STANZAS "'/><bad-profile xmlns='" SI "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_BAD_REQUEST,
	  .detail = DETAIL_BAD_PROFILE}},
	{"<iq type='error' id='1' to='a@b/c'><error type='cancel'><bad-request"
	 " xmlns='" STANZAS "'/><no-valid-streams xmlns='" SI "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_BAD_REQUEST,
	  .detail = DETAIL_NO_VALID_STREAMS}},
	{"<iq type='error' id='1' to='a@b/c'><error type='wait'><unexpected-request"
	 " xmlns='" STANZAS "'/><out-of-order xmlns='" JINGLE_ERRORS "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_UNEXPECTED_REQUEST,
	  .error_type = ERROR_TYPE_WAIT,
	  .detail = DETAIL_OUT_OF_ORDER}},
	{"<iq type='error' id='1' to='a@b/c'><error type='cancel'><conflict"
	 " xmlns='" STANZAS "'/><tie-break xmlns='" JINGLE_ERRORS "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_CONFLICT,
	  .detail = DETAIL_TIE_BREAK}},
	{"<iq type='error' id='1' to='a@b/c'><error type='cancel'><item-not-found"
	 " xmlns='" STANZAS "'/><unknown-session xmlns='" JINGLE_ERRORS "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_ITEM_NOT_FOUND,
	  .detail = DETAIL_UNKNOWN_SESSION}},
	{"<iq type='error' id='1' to='a@b/c'><error type='modify'><feature-not-implemented"
	 " xmlns='" STANZAS "'/><unsupported-info xmlns='" JINGLE_ERRORS "'/></error></iq>",
	 {.kind = MSG_ERROR,
	  .peer = "a@b/c",
	  .id = "1",
	  .condition = CONDITION_FEATURE_NOT_IMPLEMENTED,
	  .error_type = ERROR_TYPE_MODIFY,
	  .detail = DETAIL_UNSUPPORTED_INFO}},
};

static void test_encode(void **state)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(encodings); i++) {
		size_t length;
		const char *text = codec_encode(&stanzas->codec, &encodings[i].msg, &length);
		assert_non_null(text);
		assert_string_equal(text, encodings[i].xml);
		assert_int_equal(length, strlen(text));
	}
}

/* We can read everything that we write. */
static void test_round_trip(void **state)
{
	static uint8_t bytes[65535];
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	}
	static const struct msg rows[] = {
		{.kind = MSG_OPEN, .sid = NASTY, .block_size = 9, .name = NASTY, .size = 0},
		{.kind = MSG_OPEN,
		 .sid = "s",
		 .block_size = 65535,
		 .stanza = STANZA_MESSAGE,
		 .size = -1},
		{.kind = MSG_DATA, .sid = "s", .size = -1, .data = bytes, .data_length = 0},
		{.kind = MSG_DATA,
		 .sid = "s",
		 .size = -1,
		 .seq = 1,
		 .data = bytes,
		 .data_length = 1},
		{.kind = MSG_DATA, .sid = NASTY, .size = -1, .data = bytes, .data_length = 4096},
		{.kind = MSG_DATA, .sid = "s", .size = -1, .data = bytes, .data_length = 65534},
		{.kind = MSG_DATA,
		 .sid = "s",
		 .stanza = STANZA_MESSAGE,
		 .size = -1,
		 .seq = 65535,
		 .data = bytes,
		 .data_length = 65535},
		{.kind = MSG_CLOSE, .sid = "s", .size = -1, .reset = true},
		{.kind = MSG_CLOSE, .sid = NASTY, .size = -1},
		{.kind = MSG_CLOSE, .sid = "s", .size = 0},
		{.kind = MSG_PING, .size = -1},
		{.kind = MSG_INFO, .size = -1},
		{.kind = MSG_INFO, .size = -1, .node = "urn:ibbfs:0#" OUR_VER},
		{.kind = MSG_RESULT, .size = -1},
		{.kind = MSG_RESULT, .size = -1, .seq = 65535, .has_seq = true},
		{.kind = MSG_RESUME, .sid = NASTY, .size = -1},
		{.kind = MSG_RESUME, .sid = "s", .size = -1, .has_seq = true},
		{.kind = MSG_SKIP, .sid = NASTY, .size = INT64_MAX, .seq = 65535},
		{.kind = MSG_PIECES, .sid = NASTY, .size = -1, .first = INT64_MAX},
		{.kind = MSG_SYNC, .sid = NASTY, .size = INT64_MAX},
		{.kind = MSG_RESULT, .size = -1, .pieces = true},
		{.kind = MSG_RESULT, .size = 5, .pieces = true, .data = bytes, .data_length = 2048},
		{.kind = MSG_RESULT, .size = 0, .pieces = true, .data = bytes},
		{.kind = MSG_CLOSE, .sid = "s", .size = 7, .data = bytes, .data_length = 32},
		{.kind = MSG_ERROR,
		 .size = -1,
		 .condition = CONDITION_UNEXPECTED_REQUEST,
		 .error_type = ERROR_TYPE_WAIT},
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg out = rows[i], in;
		out.peer = "a@b/c";
		out.id = NASTY;
		xmpp_stanza_t *stanza = stanzas_send(stanzas, &out, &in);
		out.peer = ""; /* what has no 'from' */
		assert_msg(&in, &out, NULL);
		xmpp_stanza_release(stanza);
	}
}

/* A stanza with msg_data_room bytes is never too long. */
static void test_data_room(void **state)
{
	static const uint8_t bytes[65535];
	static const char *const strings[] = {"a@b/c", "a@b/" NASTY NASTY NASTY};
	struct stanzas *stanzas = *state;
	for (size_t max_stanza = 1000; max_stanza < 1012; max_stanza++) {
		for (size_t i = 0; i < COUNT(strings) * COUNT(strings); i++) {
			struct msg data = {
				.kind = MSG_DATA,
				.peer = strings[i % COUNT(strings)],
				.sid = strings[i / COUNT(strings)],
				.id = "dffffffffffffffff.ffffffffffffffff.ffffffff",
				.seq = 65535,
				.data = bytes,
			};
			data.data_length = msg_data_room(data.peer, data.sid, max_stanza);
			size_t length;
			assert_non_null(codec_encode(&stanzas->codec, &data, &length));
			assert_true(length <= max_stanza - (MSG_ENVELOPE - 150));
		}
	}
}

/* ---- features ---- */

static void test_own_features(void **state)
{
	struct stanzas *stanzas = *state;
	assert_string_equal(stanzas->codec.features, OUR_INFO);
	assert_string_equal(stanzas->codec.ver, OUR_VER);
	assert_string_equal(stanzas->codec.capabilities,
			    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1'"
			    " node='urn:ibbfs:0' ver='" OUR_VER "'/>");
}

/* ---- memory ---- */

static void test_memory(void **state)
{
	(void)state;
	bool failed;
	size_t n = 0;
	do {
		/* The buffer for text grows three times. */
		static char name[4000];
		static uint8_t bytes[65535];
		memset(name, '&', sizeof(name) - 1);
		const struct msg msgs[] = {
			{.kind = MSG_PING, .peer = "a@b/c", .id = "1"},
			{.kind = MSG_OPEN, .peer = "a@b/c", .id = "1", .sid = "s", .name = name},
			{.kind = MSG_DATA,
			 .peer = "a@b/c",
			 .id = "1",
			 .sid = "s",
			 .data = bytes,
			 .data_length = sizeof(bytes)},
		};
		struct codec codec = {0};
		failing_malloc_arm(++n);
		int error = codec_init(&codec);
		assert_int_equal(error, failing_malloc_failed() ? -ENOMEM : 0);
		for (size_t i = 0; error == 0 && i < COUNT(msgs); i++) {
			bool before = failing_malloc_failed();
			size_t length = 0;
			const char *text = codec_encode(&codec, &msgs[i], &length);
			if (!before && failing_malloc_failed()) {
				assert_null(text);
				/* The next attempt has memory. */
				text = codec_encode(&codec, &msgs[i], &length);
			}
			assert_non_null(text);
			assert_int_equal(strlen(text), length);
		}
		failed = failing_malloc_disarm();
		codec_finish(&codec);
		codec_finish(&codec);
	} while (failed);
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),    cmocka_unit_test(test_xep_block),
		cmocka_unit_test(test_requests),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_not_ours),    cmocka_unit_test(test_sid_length),
		cmocka_unit_test(test_peer_length), cmocka_unit_test(test_block_length),
		cmocka_unit_test(test_pieces),	    cmocka_unit_test(test_encode),
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_own_features),
		cmocka_unit_test(test_memory),	    cmocka_unit_test(test_data_room),
	};
	return cmocka_run_group_tests(tests, stanzas_set_up, stanzas_tear_down);
}
