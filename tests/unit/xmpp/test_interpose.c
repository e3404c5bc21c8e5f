/* SPDX-License-Identifier: MIT */
/* interpose: libstrophe's calls come here, and it is noticed when they do not. */
#include "xmpp/interpose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <strophe.h>

#include <cmocka.h>

#define BIT(name) (1u << INTERPOSED_##name)

static const unsigned parser_made = BIT(XML_ParserCreate_MM) | BIT(XML_SetUserData) |
				    BIT(XML_SetElementHandler) | BIT(XML_SetCharacterDataHandler);

static void test_calls_are_seen(void **state)
{
	(void)state;
	assert_string_equal(interpose_missing(parser_made), "XML_ParserCreate_MM");
	assert_string_equal(interpose_missing(BIT(xmpp_stanza_to_text)), "xmpp_stanza_to_text");
	assert_null(interpose_missing(0));

	xmpp_initialize();
	xmpp_ctx_t *context = xmpp_ctx_new(NULL, NULL);
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, "<iq id='a'><b>c</b></iq>");
	assert_non_null(stanza); /* the originals were called */
	assert_null(interpose_missing(parser_made | BIT(XML_ParserFree)));

	/* The functions that a login needs and that were not called yet. */
	assert_string_equal(interpose_missing(INTERPOSED_AT_LOGIN), "XML_ParserReset");
	assert_true(INTERPOSED_AT_LOGIN & BIT(xmpp_stanza_to_text));
	assert_false(INTERPOSED_AT_LOGIN & BIT(XML_ParserFree));

	xmpp_stanza_release(stanza);
	xmpp_ctx_free(context);
	xmpp_shutdown();
}

static void test_originals(void **state)
{
	void *found, *again;
	(void)state;

	interpose(INTERPOSED_XML_ParserReset, &found);
	assert_non_null(found);
	interpose(INTERPOSED_XML_ParserReset, &again);
	assert_ptr_equal(found, again);
	assert_null(interpose_missing(BIT(XML_ParserReset)));
	interpose_find("no_such_function_anywhere", &found);
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_are_seen),
		cmocka_unit_test(test_originals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
