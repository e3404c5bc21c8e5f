/* SPDX-License-Identifier: MIT */
#include "account/defaults.h"
#include "account/entry.h"
#include "failing_malloc.h"
#include "ibb/stream.h"
#include "scene.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state)
{
	struct defaults defaults = {0};
	(void)state;
	assert_int_equal(defaults_set(&defaults, "block_size", "auto"), 0);
	assert_int_equal(defaults.block_size, STREAM_AUTO_BLOCK);
	assert_int_equal(defaults_set(&defaults, "stanza", "message"), 0);
	assert_true(defaults.has_stanza && defaults.stanza == STANZA_MESSAGE);
	assert_int_equal(defaults_set(&defaults, "format", "si"), 0);
	assert_true(defaults.has_format && defaults.format == FORMAT_SI);

	assert_int_equal(defaults_set(&defaults, "format", "zip"), -EINVAL);
	assert_int_equal(defaults_set(&defaults, "window", "1"), -ENODATA);
	assert_int_equal(defaults.format, FORMAT_SI);

	assert_int_equal(defaults_set(&defaults, "block_size", NULL), 0);
	assert_int_equal(defaults_set(&defaults, "stanza", NULL), 0);
	assert_int_equal(defaults_set(&defaults, "format", NULL), 0);
	assert_false(defaults.block_size || defaults.has_stanza || defaults.has_format);
}

static void test_presets(void **state)
{
	struct preset *list = NULL;
	(void)state;
	struct preset *first = preset_get(&list, "a@x");
	const struct preset *second = preset_get(&list, "b@x");
	assert_ptr_equal(second, list->next);
	assert_ptr_equal(preset_get(&list, "a@x"), first);
	assert_ptr_equal(preset_find(list, "a@x"), first);
	assert_null(preset_find(list, "a@x/phone"));
	failing_malloc_arm(1);
	assert_null(preset_get(&list, "c@x"));
	assert_true(failing_malloc_disarm());
	preset_finish(&list);
	assert_null(list);
	assert_null(preset_find(NULL, "a@x"));
}

/* Every kind of directory has its preset from the start: of the roster, of presence, made. */
static void test_directories(void **state)
{
	static const struct {
		const char *jid, *path;
	} rows[] = {
		{"a@x", "a@x"},	      {"a@x/phone", "a@x/phone"},
		{"b@x", "B@X"}, /* as mkdir spells it */
		{"b@x/pc", "B@X/pc"}, {"status", "%73tatus"},
	};
	struct scene scene;
	struct preset *list = NULL;
	struct node *node;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		preset_get(&list, rows[i].jid)->defaults.block_size = (uint32_t)i + 1;
	}
	scene_start(&scene, ACCEPT_CONTACTS);
	scene.account.presets = list;
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/phone", 0);
	scene_comes(&scene, "a@x/laptop", 0);
	scene_contact(&scene, "status");
	assert_int_equal(entry_mkdir(&scene.account, scene.account.tree.root, "B@X", &node), 0);
	assert_int_equal(entry_mkdir(&scene.account, node, "pc", &node), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct node *found = scene_find(&scene, rows[i].path);
		assert_non_null(found);
		assert_int_equal(found->directory.defaults.block_size, i + 1);
	}
	/* Of its contact, if it has no preset. */
	assert_string_equal(scene_attribute(&scene, "a@x/laptop", "block_size"), "1");
	scene_finish(&scene);
	preset_finish(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
