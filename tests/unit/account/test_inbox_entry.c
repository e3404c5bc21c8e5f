/* SPDX-License-Identifier: MIT */
/* inbox_entry: the files that are complete, and those that are gone from the disk. */
#include "account/inbox_entry.h"
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void restore_in(struct scene *scene, const char *contact, const char *folder,
		       const char *name)
{
	const struct timespec modified = {.tv_sec = 1};
	const struct inbox_path path = {contact, folder, name};
	assert_int_equal(inbox_entry_restore(&scene->account, &path, 1, &modified, scene->now_ms),
			 0);
}

static void restore(struct scene *scene, const char *contact, const char *name)
{
	restore_in(scene, contact, "", name);
}

static void assert_next(const struct scene *scene, uint64_t *ino, const char *expected)
{
	char path[64];
	assert_int_equal(inbox_entry_next(&scene->account.tree, ino, path, sizeof(path)),
			 expected != NULL);
	if (expected) {
		assert_string_equal(path, expected);
	}
}

/* Each once, whatever is added or removed meanwhile. */
static void test_next(void **state)
{
	struct scene scene;
	uint64_t ino = 0;
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	assert_next(&scene, &ino, NULL);
	assert_int_equal(ino, 0);
	restore(&scene, "a@x", "1");
	scene_arrives(&scene, "s", "a stream");
	restore(&scene, "b@x", "2");
	restore(&scene, "a@x", "3");
	restore(&scene, "a@x", "4");
	assert_next(&scene, &ino, "a@x/1");
	assert_next(&scene, &ino, "b@x/2");
	inbox_entry_remove(&scene.account, ino, scene.now_ms);
	assert_no(&scene, "b@x"); /* nothing else needs the directory */
	assert_next(&scene, &ino, "a@x/3");
	restore(&scene, "a@x", "5");
	assert_next(&scene, &ino, "a@x/4");
	assert_next(&scene, &ino, "a@x/5");
	assert_next(&scene, &ino, NULL);
	assert_names(&scene, "a@x/in", "1 a stream 3 4 5 ");
	scene_finish(&scene);
}

/* Only what is complete, and known. */
static void test_remove(void **state)
{
	struct scene scene;
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_arrives(&scene, "s", "i");
	inbox_entry_remove(&scene.account, scene_find(&scene, "a@x/in/i")->ino, scene.now_ms);
	inbox_entry_remove(&scene.account, scene_find(&scene, "a@x")->ino, scene.now_ms);
	inbox_entry_remove(&scene.account, 0, scene.now_ms);
	inbox_entry_remove(&scene.account, 1000, scene.now_ms);
	assert_exists(&scene, "a@x/in/i");
	scene_finish(&scene);
}

/* The last file of a folder, of a contact that has nothing else. */
static void test_remove_from_folder(void **state)
{
	struct scene scene;
	uint64_t ino = 0;
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	restore_in(&scene, "b@x", "p/q", "1");
	assert_next(&scene, &ino, "b@x/p/q/1");
	assert_exists(&scene, "b@x/in/p/q/1");
	inbox_entry_remove(&scene.account, ino, scene.now_ms);
	assert_no(&scene, "b@x");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_from_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
