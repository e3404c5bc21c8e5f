/* SPDX-License-Identifier: MIT */
#include "xmpp/roster_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IQ    "jabber:client|iq"
#define QUERY "jabber:iq:roster|query"
#define ITEM  "jabber:iq:roster|item"

struct heard {
	char asked[64], items[64];
};

static bool is_wanted(void *context, const char *from, const char *type, const char *id)
{
	struct heard *heard = context;
	snprintf(heard->asked, sizeof(heard->asked), "%s %s %s", from ? from : "-",
		 type ? type : "-", id ? id : "-");
	return type && strcmp(type, "result") == 0;
}

static void on_item(void *context, const char *jid, const char *subscription)
{
	struct heard *heard = context;
	size_t length = strlen(heard->items);
	snprintf(heard->items + length, sizeof(heard->items) - length, "%s(%s) ", jid,
		 subscription ? subscription : "-");
}

static bool take(struct roster_parser *parser, unsigned depth, const char *name,
		 const char *const attributes[4])
{
	const char *list[6] = {NULL};
	for (size_t i = 0; i < 4 && attributes[i]; i++) {
		list[i] = attributes[i];
	}
	return roster_parser_begin_element(parser, depth, name, list);
}

#define TAKE(depth, name, ...) take(&parser, depth, name, (const char *const[4]){__VA_ARGS__})

static void test_items(void **state)
{
	struct heard heard = {0};
	struct roster_parser parser = {.context = &heard, .is_wanted = is_wanted, .item = on_item};
	(void)state;
	assert_false(TAKE(0, "stream", NULL));
	assert_false(TAKE(1, IQ, "type", "result", "id", "roster"));
	assert_string_equal(heard.asked, "- result roster");
	assert_false(TAKE(2, QUERY, NULL));
	assert_true(TAKE(3, ITEM, "jid", "a@x", "subscription", "both"));
	assert_true(TAKE(3, ITEM, "jid", "b@x"));
	assert_true(TAKE(3, ITEM, "name", "nobody"));
	assert_false(TAKE(3, "jabber:iq:roster|other", "jid", "c@x"));
	assert_false(TAKE(3, "jabber:iq:rosters|item", "jid", "c@x"));
	assert_false(TAKE(3, "item", "jid", "c@x"));
	assert_false(TAKE(4, ITEM, "jid", "c@x"));
	assert_false(TAKE(2, "jabber:iq:roster|queries", NULL));
	assert_false(TAKE(3, ITEM, "jid", "c@x"));
	assert_string_equal(heard.items, "a@x(both) b@x(-) ");
}

/* Only in a stanza that is wanted, and not in the next one. */
static void test_stanzas(void **state)
{
	static const struct {
		const char *name, *attributes[4], *asked;
	} rows[] = {
		{"jabber:client|message", {"type", "result"}, ""},
		{"jabber:server|iq", {"type", "result"}, ""},
		{IQ, {"type", "get", "from", "a@x"}, "a@x get -"},
		{IQ, {NULL}, "- - -"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard heard = {0};
		struct roster_parser parser = {
			.context = &heard, .is_wanted = is_wanted, .item = on_item};
		assert_false(TAKE(1, IQ, "type", "result"));
		assert_false(TAKE(2, QUERY, NULL));
		heard.asked[0] = '\0';
		assert_false(take(&parser, 1, rows[i].name, rows[i].attributes));
		assert_string_equal(heard.asked, rows[i].asked);
		assert_false(TAKE(3, ITEM, "jid", "a@x"));
		assert_false(TAKE(2, QUERY, NULL));
		assert_false(TAKE(3, ITEM, "jid", "a@x"));
		assert_string_equal(heard.items, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_stanzas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
