/* SPDX-License-Identifier: MIT */
#include "account/name.h"
#include "account/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_paths(void **state)
{
	(void)state;
	struct part *parts = NULL;
	assert_false(parts_have(parts, "a/f.part"));
	parts_remove(&parts, "a/f.part");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(parts_add(&parts, "a/f.part"), 0);
		assert_int_equal(parts_add(&parts, "b/d/f.part"), 0);
	}
	assert_true(parts_have(parts, "a/f.part") && parts_have(parts, "b/d/f.part"));
	parts_remove(&parts, "a/f.part");
	assert_false(parts_have(parts, "a/f.part"));
	parts_finish(&parts);
	assert_null(parts);
}

static void test_names(void **state)
{
	(void)state;
	char name[NAME_MAX_BYTES + 1], part[NAME_MAX_BYTES + 1];
	parts_name(part, "f");
	assert_string_equal(part, "f.part");
	memset(name, 'x', NAME_MAX_BYTES);
	name[NAME_MAX_BYTES] = '\0';
	parts_name(part, name);
	assert_int_equal(strlen(part), NAME_MAX_BYTES);
	assert_string_equal(part + NAME_MAX_BYTES - 5, ".part");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
