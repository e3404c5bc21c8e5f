/* SPDX-License-Identifier: MIT */
/* stanza_limits: the part of a stanza that reaches libstrophe's tree. */
#include "xmpp/stanza_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>

#include <cmocka.h>

#define OTHER "<iq from='eve@evil.example/x' to='me@home.example/ibbfs'>"
#define OWN   "<iq>"

static xmpp_ctx_t *context;

static int set_up(void **state)
{
	(void)state;
	xmpp_initialize();
	context = xmpp_ctx_new(NULL, NULL);
	return context ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	xmpp_ctx_free(context);
	xmpp_shutdown();
	return 0;
}

/* `begin`, then `count` times `piece`, then `middle`, then `count` times `back`, then </iq>. */
static xmpp_stanza_t *parse(const char *begin, unsigned count, const char *piece,
			    const char *middle, const char *back)
{
	size_t size = strlen(begin) + count * (strlen(piece) + strlen(back)) + strlen(middle) +
		      sizeof("</iq>");
	char *text = malloc(size);
	assert_non_null(text);
	char *at = stpcpy(text, begin);
	for (unsigned i = 0; i < count; i++) {
		at = stpcpy(at, piece);
	}
	at = stpcpy(at, middle);
	for (unsigned i = 0; i < count; i++) {
		at = stpcpy(at, back);
	}
	strcpy(at, "</iq>");
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, text);
	free(text);
	assert_non_null(stanza);
	return stanza;
}

static unsigned depth(xmpp_stanza_t *stanza)
{
	unsigned levels = 0;
	for (; stanza; stanza = xmpp_stanza_get_children(stanza)) {
		levels++;
	}
	return levels;
}

static unsigned children(xmpp_stanza_t *stanza)
{
	unsigned count = 0;
	stanza = xmpp_stanza_get_children(stanza);
	for (; stanza; stanza = xmpp_stanza_get_next(stanza)) {
		count++;
	}
	return count;
}

static void test_depth(void **state)
{
	(void)state;
	static const struct {
		unsigned count, levels;
	} cases[] = {
		{1, 2}, {15, 16}, {16, 16}, {100, 16}, {100000, 16},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xmpp_stanza_t *other = parse(OTHER, cases[i].count, "<a>", "", "</a>");
		xmpp_stanza_t *own = parse(OWN, cases[i].count, "<a>", "", "</a>");
		assert_int_equal(depth(other), cases[i].levels);
		assert_int_equal(depth(own), cases[i].levels);
		xmpp_stanza_release(other);
		xmpp_stanza_release(own);
	}
}

static void test_elements(void **state)
{
	(void)state;
	static const struct {
		unsigned count, kept;
	} cases[] = {
		{1, 1},
		{1000, 1000},
		{1001, 1000},
		{5000, 1000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xmpp_stanza_t *other = parse(OTHER, cases[i].count, "<a/>", "", "");
		xmpp_stanza_t *own = parse(OWN, cases[i].count, "<a/>", "", "");
		assert_int_equal(children(other), cases[i].kept);
		assert_int_equal(children(own), cases[i].kept);
		xmpp_stanza_release(other);
		xmpp_stanza_release(own);
	}
}

/* An element is left out with its children, and the next element has the right parent. */
static void test_what_is_left(void **state)
{
	(void)state;
	xmpp_stanza_t *stanza = parse(OTHER, 1000, "<a/>", "<b>x<c>y</c></b>text<d/>", "");
	assert_int_equal(children(stanza), 1001);
	char *text = xmpp_stanza_get_text(stanza);
	assert_string_equal(text, "text");
	xmpp_free(context, text);
	xmpp_stanza_release(stanza);

	stanza = parse(OTHER, 16, "<a>", "x", "</a>");
	assert_int_equal(depth(stanza), 16);
	xmpp_stanza_release(stanza);
	stanza = parse(OTHER, 15, "<a>", "x", "</a>");
	assert_int_equal(depth(stanza), 17); /* with the text */
	xmpp_stanza_release(stanza);
}

/* An attribute with a namespace takes no other's place, before or behind it. */
static void test_qualified_attributes(void **state)
{
	(void)state;
	static const char *const begins[] = {
		"<iq xmlns:x='urn:x' x:from='bob' from='eve' xml:id='1' id='2'>",
		"<iq xmlns:x='urn:x' from='eve' x:from='bob' id='2' xml:id='1'>",
	};
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		xmpp_stanza_t *stanza =
			parse(begins[i], 1, "<a x:seq='1' seq='2' x:sid='3'/>", "", "");
		xmpp_stanza_t *child = xmpp_stanza_get_children(stanza);
		assert_string_equal(xmpp_stanza_get_from(stanza), "eve");
		assert_string_equal(xmpp_stanza_get_id(stanza), "2");
		assert_string_equal(xmpp_stanza_get_attribute(child, "seq"), "2");
		assert_null(xmpp_stanza_get_attribute(child, "sid"));
		xmpp_stanza_release(stanza);
	}
}

/* Text between elements that are left out becomes one text. */
static void test_text_between(void **state)
{
	(void)state;
	xmpp_stanza_t *stanza = parse(OTHER, 50000, "x<a/>", "", "");
	assert_int_equal(children(stanza), 2001);
	xmpp_stanza_release(stanza);
}

static size_t text_length(xmpp_stanza_t *stanza)
{
	char *text = xmpp_stanza_get_text(stanza);
	size_t length = text ? strlen(text) : 0;
	xmpp_free(context, text);
	return length;
}

/* ---- bytes ---- */

/* Names and attributes of elements count. */
static void test_bytes(void **state)
{
	(void)state;
	static char element[64 * 1024];
	memset(element, 'x', sizeof(element) - 1);
	memcpy(element, "<a b='", 6);
	memcpy(element + sizeof(element) - 4, "'/>", 3);
	xmpp_stanza_t *stanza = parse(OWN, 100, element, "", "");
	assert_int_equal(children(stanza), STANZA_MAX_BYTES / sizeof(element));
	xmpp_stanza_release(stanza);

	memcpy(element, "<axxxx", 6);
	memcpy(element + sizeof(element) - 4, "x/>", 3);
	stanza = parse(OWN, 100, element, "", "");
	assert_int_equal(children(stanza), STANZA_MAX_BYTES / sizeof(element));
	xmpp_stanza_release(stanza);
}

#define PIECE "0123456789\n" /* expat reports a line and its end apart */
#define MARK  "\xEF\xBF\xBD"

/* Nobody takes text that was cut for the whole: neither here, nor in an element around it. */
static void test_text_is_cut(void **state)
{
	(void)state;
	unsigned count = STANZA_MAX_BYTES / (sizeof(PIECE) - 1);
	xmpp_stanza_t *stanza = parse(OWN "<a>", count - 10, PIECE, "</a>", "");
	assert_int_equal(text_length(xmpp_stanza_get_children(stanza)),
			 (count - 10) * (sizeof(PIECE) - 1));
	xmpp_stanza_release(stanza);

	for (unsigned more = 1; more <= 1000000; more *= 100) {
		stanza = parse(OWN "outer<a>", count + more, PIECE, "</a>more<b>of</b>it", "");
		assert_int_equal(children(stanza), 3);
		xmpp_stanza_t *a = xmpp_stanza_get_next(xmpp_stanza_get_children(stanza));
		char *text = xmpp_stanza_get_text(a);
		assert_in_range(strlen(text), STANZA_MAX_BYTES - 100, STANZA_MAX_BYTES);
		assert_string_equal(text + strlen(text) - strlen(MARK), MARK);
		xmpp_free(context, text);
		text = xmpp_stanza_get_text(stanza);
		assert_string_equal(text, "outer" MARK);
		xmpp_free(context, text);
		xmpp_stanza_release(stanza);
	}
}

/* ---- an XMPP stream ---- */

/* As in libstrophe: the handlers of a parser, which get what is left. */
struct stream {
	void *parser;
	unsigned elements;
	size_t text;
	char items[256];
	char log[2048];
	size_t logged;
};

static void note(struct stream *stream, const char *text, size_t length)
{
	if (stream->logged + length < sizeof(stream->log)) {
		memcpy(stream->log + stream->logged, text, length);
		stream->logged += length;
	}
}

/* As expat.h declares them. */
void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator);
int XML_Parse(void *parser, const char *text, int length, int is_final);
void XML_ParserFree(void *parser);
void XML_SetUserData(void *parser, void *user);
void XML_SetElementHandler(void *parser,
			   void (*start)(void *user, const char *name, const char **attributes),
			   void (*end)(void *user, const char *name));
void XML_SetCharacterDataHandler(void *parser,
				 void (*text)(void *user, const char *text, int length));

static void on_start(void *user, const char *name, const char **attributes)
{
	struct stream *stream = user;
	(void)attributes;
	note(stream, "<", 1);
	note(stream, name, strlen(name));
	note(stream, ">", 1);
	stream->elements++;
}

static void on_end(void *user, const char *name)
{
	(void)name;
	note(user, "</>", 3);
}

static void on_text(void *user, const char *text, int length)
{
	struct stream *stream = user;
	note(stream, text, (size_t)length);
	stream->text += (size_t)length;
}

static bool feed(struct stream *stream, const char *text)
{
	return XML_Parse(stream->parser, text, (int)strlen(text), 0) != 0;
}

static void begin(struct stream *stream)
{
	*stream = (struct stream){.parser = XML_ParserCreate_MM(NULL, NULL, "|")};
	assert_non_null(stream->parser);
	XML_SetUserData(stream->parser, stream);
	XML_SetElementHandler(stream->parser, on_start, on_end);
	XML_SetCharacterDataHandler(stream->parser, on_text);
	assert_true(feed(stream, "<stream xmlns='jabber:client'>"));
}

static void test_each_stanza(void **state)
{
	(void)state;
	static char kibibyte[1025];
	struct stream stream;
	memset(kibibyte, 'x', sizeof(kibibyte) - 1);
	begin(&stream);
	for (unsigned i = 0; i < 3; i++) {
		stream.text = 0;
		assert_true(feed(&stream, "<message><body>"));
		for (unsigned j = 0; j < 3 * 1024; j++) {
			assert_true(feed(&stream, kibibyte));
		}
		assert_int_equal(stream.text, 0);
		assert_true(feed(&stream, "</body></message>"));
		assert_in_range(stream.text, STANZA_MAX_BYTES - 2048, STANZA_MAX_BYTES + 3);
	}
	XML_ParserFree(stream.parser);
}

/* What expat has to buffer makes the parser fail: tags, comments, processing instructions. */
static void test_long_tag(void **state)
{
	(void)state;
	static const char *const beginnings[] = {
		"<message to='", "<", "<a ", "</stream", "<!--", "<?", "<message><a b='",
	};
	static char piece[16 * 1024 + 1];
	memset(piece, 'x', sizeof(piece) - 1);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		struct stream stream;
		size_t fed = 0;
		begin(&stream);
		assert_true(feed(&stream, "<message>text</message>"));
		assert_true(feed(&stream, beginnings[i]));
		while (fed < 4 * STANZA_MAX_TAG_BYTES && feed(&stream, piece)) {
			fed += sizeof(piece) - 1;
		}
		assert_true(stanza_limits_take_failure());
		assert_false(stanza_limits_take_failure());
		assert_in_range(fed, STANZA_MAX_TAG_BYTES - sizeof(piece),
				STANZA_MAX_TAG_BYTES + sizeof(piece));
		XML_ParserFree(stream.parser);
	}
}

/* expat remembers every open element, also of those that are dropped. */
static void test_nested_without_end(void **state)
{
	(void)state;
	static char piece[3 * 4096 + 1];
	struct stream stream;
	size_t fed = 0;
	for (size_t i = 0; i < sizeof(piece) - 1; i += 3) {
		memcpy(piece + i, "<a>", 3);
	}
	begin(&stream);
	assert_true(feed(&stream, "<message>"));
	while (fed < 4 * (size_t)STANZA_MAX_DROPPED && feed(&stream, piece)) {
		fed += 4096;
	}
	assert_true(stanza_limits_take_failure());
	assert_in_range(fed, STANZA_MAX_DROPPED, STANZA_MAX_DROPPED + 2 * 4096);
	XML_ParserFree(stream.parser);
}

/* ---- blocks ---- */

#define IBB "xmlns='http://jabber.org/protocol/ibb'"

/* The text of blocks need not pass through expat. However the bytes are read, the events are the
 * same. */
static void test_text_of_blocks(void **state)
{
	(void)state;
	static const char text[] =
		"<iq><data " IBB ">QUJD</data></iq><iq a='>'><data " IBB " a='>'>RE\nVG</data></iq>"
		"<iq>a<data " IBB "/>b</iq><iq><data " IBB ">QU&#66;D&lt;</data>c</iq>"
		"<message><data " IBB "><![CDATA[QU]]>JD<!-- d -->EE<a>e</a>f</data></message>"
		"<iq><i:data xmlns:i='http://jabber.org/protocol/ibb'>g</i:data><data>h&amp;</data>"
		"<database>i</database><open " IBB ">j</open></iq> <iq/>";
	struct stream whole, split;
	begin(&whole);
	assert_true(feed(&whole, text));
	unsigned random = 1;
	for (unsigned most = 1; most < 200; most++) {
		begin(&split);
		for (size_t at = 0, part; at < sizeof(text) - 1; at += part) {
			random = random * 1664525 + 1013904223;
			part = 1 + (random >> 8) % most;
			part = part < sizeof(text) - 1 - at ? part : sizeof(text) - 1 - at;
			stanza_limits_parse(text + at, part);
		}
		assert_false(stanza_limits_take_failure());
		assert_int_equal(split.logged, whole.logged);
		assert_memory_equal(split.log, whole.log, whole.logged);
		XML_ParserFree(split.parser);
	}
	XML_ParserFree(whole.parser);
}

/* Bytes that XML forbids tell who has looked at them. */
static void test_unparsed_text(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_parsed;
	} rows[] = {
		{"<iq><data " IBB ">\x01", false},
		{"<iq><data " IBB ">QU\x01", false},
		{"<iq><data " IBB "></data>\x01", true},
		{"<iq><data " IBB ">&amp;\x01", true},
		{"<iq><data>\x01", true},
		{"<iq>\x01", true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stream stream;
		begin(&stream);
		stanza_limits_parse(rows[i].text, strlen(rows[i].text));
		assert_int_equal(stanza_limits_take_failure(), rows[i].is_parsed);
		XML_ParserFree(stream.parser);
	}
}

/* A text without an end, of a block and of a block that is dropped. */
static void test_long_block(void **state)
{
	(void)state;
	static char piece[16 * 1024];
	memset(piece, 'A', sizeof(piece));
	struct stream stream;
	begin(&stream);
	stanza_limits_parse("<iq><data " IBB ">", strlen("<iq><data " IBB ">"));
	for (unsigned i = 0; i < 2 * STANZA_MAX_BYTES / sizeof(piece); i++) {
		stanza_limits_parse(piece, sizeof(piece));
	}
	static const char next[] = "</data><a/><data " IBB ">QUJD</data></iq>";
	stanza_limits_parse(next, sizeof(next) - 1);
	assert_in_range(stream.text, STANZA_MAX_BYTES - sizeof(piece), STANZA_MAX_BYTES + 3);
	assert_int_equal(stream.elements, 3); /* with the stream */
	XML_ParserFree(stream.parser);
}

/* ---- rosters ---- */

static bool is_wanted(void *user, const char *from, const char *type, const char *id)
{
	(void)user, (void)from, (void)id;
	return type && strcmp(type, "result") == 0;
}

static void on_item(void *user, const char *jid, const char *subscription)
{
	struct stream *stream = user;
	size_t length = strlen(stream->items);
	snprintf(stream->items + length, sizeof(stream->items) - length, "%s(%s) ", jid,
		 subscription ? subscription : "-");
}

/* The items do not reach libstrophe, and are not limited; others are. */
static void test_roster(void **state)
{
	(void)state;
	struct stream stream;
	struct roster_parser roster = {
		.context = &stream,
		.is_wanted = is_wanted,
		.item = on_item,
	};
	stanza_limits_set_login(NULL, &roster);
	begin(&stream);
	assert_true(feed(&stream, "<iq type='result'><query xmlns='jabber:iq:roster'>"
				  "<item jid='a@x' subscription='both'><group>g</group></item>"
				  "<item jid='b@x'/>"));
	for (unsigned i = 0; i < 3 * STANZA_MAX_ELEMENTS; i++) {
		stream.items[strlen("a@x(both) b@x(-) ")] = '\0';
		assert_true(feed(&stream, "<item jid='c@x' subscription='remove'/>"));
	}
	assert_string_equal(stream.items, "a@x(both) b@x(-) c@x(remove) ");
	assert_int_equal(stream.elements, 3);
	assert_int_equal(stream.text, 0);
	assert_true(feed(&stream, "</query></iq>"));

	assert_true(feed(&stream, "<iq type='get'><query xmlns='jabber:iq:roster'>"));
	for (unsigned i = 0; i < 3 * STANZA_MAX_ELEMENTS; i++) {
		assert_true(feed(&stream, "<item jid='d@x'/>"));
	}
	assert_int_equal(stream.elements, 3 + STANZA_MAX_ELEMENTS + 1);
	assert_string_equal(stream.items, "a@x(both) b@x(-) c@x(remove) ");
	XML_ParserFree(stream.parser);
	stanza_limits_set_login(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),	       cmocka_unit_test(test_elements),
		cmocka_unit_test(test_what_is_left),   cmocka_unit_test(test_qualified_attributes),
		cmocka_unit_test(test_text_between),   cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_text_is_cut),    cmocka_unit_test(test_each_stanza),
		cmocka_unit_test(test_long_tag),       cmocka_unit_test(test_nested_without_end),
		cmocka_unit_test(test_text_of_blocks), cmocka_unit_test(test_unparsed_text),
		cmocka_unit_test(test_long_block),     cmocka_unit_test(test_roster),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
