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

#define TO    "to='me@home.example/ibbfs'"
#define OTHER "<iq from='eve@evil.example/x' " TO ">"
#define OWN   "<iq from='me@home.example' " TO ">"

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
		unsigned count, others, own;
	} cases[] = {
		{1, 1, 1},
		{1000, 1000, 1000},
		{1001, 1000, 1001},
		{5000, 1000, 5000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xmpp_stanza_t *other = parse(OTHER, cases[i].count, "<a/>", "", "");
		xmpp_stanza_t *own = parse(OWN, cases[i].count, "<a/>", "", "");
		assert_int_equal(children(other), cases[i].others);
		assert_int_equal(children(own), cases[i].own);
		xmpp_stanza_release(other);
		xmpp_stanza_release(own);
	}
}

/* Every "from" that a server may send for another entity. */
static void test_whose(void **state)
{
	(void)state;
	static const struct {
		const char *begin;
		unsigned kept;
	} cases[] = {
		{"<iq>", 1100},
		{"<iq " TO ">", 1100},
		{"<iq from='me@home.example/ibbfs' " TO ">", 1100},
		{"<iq from='me@home.example/other' " TO ">", 1000},
		{"<iq from='me@home.exampl' " TO ">", 1000},
		{"<iq from='me' " TO ">", 1000},
		{"<iq from='home.example' " TO ">", 1000},
		{"<iq from='evil.example' " TO ">", 1000},
		{"<iq from='eve@evil.example'>", 1000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xmpp_stanza_t *stanza = parse(cases[i].begin, 1100, "<a/>", "", "");
		assert_int_equal(children(stanza), cases[i].kept);
		xmpp_stanza_release(stanza);
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

/* Text between elements that are left out becomes one text. */
static void test_text_between(void **state)
{
	(void)state;
	xmpp_stanza_t *stanza = parse(OTHER, 50000, "x<a/>", "", "");
	assert_int_equal(children(stanza), 2001);
	xmpp_stanza_release(stanza);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),	     cmocka_unit_test(test_elements),
		cmocka_unit_test(test_whose),	     cmocka_unit_test(test_what_is_left),
		cmocka_unit_test(test_text_between),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
