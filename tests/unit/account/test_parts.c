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
		assert_non_null(parts_add(&parts, "a/f.part"));
		assert_non_null(parts_add(&parts, "b/d/f.part"));
	}
	assert_true(parts_have(parts, "a/f.part") && parts_have(parts, "b/d/f.part"));
	parts_remove(&parts, "a/f.part");
	assert_false(parts_have(parts, "a/f.part"));
	parts_finish(&parts);
	assert_null(parts);
}

static struct part *add(struct part **parts, const char *path, uint64_t size, time_t second,
			long nanosecond)
{
	struct part *part = parts_add(parts, path);
	assert_non_null(part);
	part->size = size;
	part->modified = (struct timespec){second, nanosecond};
	return part;
}

/* A part that is in use is neither gone on with nor removed. */
static void test_oldest(void **state)
{
	(void)state;
	struct part *parts = NULL;
	uint64_t files;
	assert_null(parts_oldest(parts));
	assert_int_equal(parts_sum(parts, 10, &files), 0);
	add(&parts, "a/2.part", 11, 2, 0);
	add(&parts, "b/1.part", 10, 1, 6);
	add(&parts, "a/0.part", 0, 1, 5);
	assert_string_equal(parts_oldest(parts)->path, "a/0.part");
	assert_int_equal(parts_sum(parts, 10, &files), 20 + 10 + 10);
	assert_int_equal(files, 3);
	parts_oldest(parts)->in_use = true;
	assert_false(parts_have(parts, "a/0.part"));
	assert_string_equal(parts_oldest(parts)->path, "b/1.part");
	assert_int_equal(parts_sum(parts, 10, &files), 30);
	assert_int_equal(files, 2);
	parts_remove(&parts, "b/1.part");
	assert_string_equal(parts_oldest(parts)->path, "a/2.part");
	parts_remove(&parts, "a/2.part");
	assert_null(parts_oldest(parts));
	parts_finish(&parts);
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
		cmocka_unit_test(test_oldest),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
