/* SPDX-License-Identifier: MIT */
/* inbox_entry: the files that are complete, those that are gone from the disk, and what may be read
 * of those that come. */
#include "account/inbox_entry.h"
#include "account/inbox_file.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
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

/* ---- what may be read while a file is received ---- */

static uint64_t readable(const struct node *node)
{
	return inbox_entry_readable(&(struct handle){.inbox_file = (struct node *)node});
}

/* An earlier process has begun to receive "a@x/in/f". */
static uint64_t resume(struct scene *scene)
{
	const struct inbox_path path = {"a@x", "", "f"};
	const struct stream_facts facts = {
		.peer = "a@x/r",
		.sid = "s",
		.block_size = SCENE_BLOCK,
		.announced_size = -1,
		.received = 20,
		.blocks = 3,
	};
	uint64_t ino;
	assert_int_equal(
		inbox_file_resume(&scene->account, &path, "f.part", &facts, scene->now_ms, &ino),
		0);
	return ino;
}

/* Before the bytes of an earlier process are verified, they may be any. */
static void test_readable(void **state)
{
	struct scene scene;
	struct call steps[3] = {0}, read = {0};
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	uint64_t ino = resume(&scene);
	const struct node *node = scene_find(&scene, "a@x/in/f");
	for (unsigned i = 0; i < 3; i++) {
		struct op *op = &steps[i].op;
		op_init(op, OP_FLUSH, 0, 0, false);
		inbox_file_begin(&scene.account, ino, "a@x/f.part", 0, op, scene.now_ms);
		scene_settle(&scene);
		assert_result(&steps[i], 0);
		assert_int_equal(readable(node), 0);
	}
	op_init(&read.op, OP_READ, 0, 100, false);
	inbox_file_read(&scene.account, ino, false, &read.op);
	assert_int_equal(readable(node), 20);
	scene_finish(&scene);
}

static void test_readable_of_complete(void **state)
{
	struct scene scene;
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	restore(&scene, "a@x", "f");
	assert_true(readable(scene_find(&scene, "a@x/in/f")) == UINT64_MAX);
	assert_int_equal(readable(NULL), 0);
	scene_finish(&scene);
}

/* Its name is removed while a process reads it. */
static void test_removed_while_it_is_read(void **state)
{
	struct scene scene;
	char found[64];
	(void)state;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	uint64_t ino = resume(&scene);
	struct node *node = scene_find(&scene, "a@x/in/f");
	node->lookups = 1; /* as the kernel has */
	struct handle *handle = scene_opened(&scene, "a@x/in/f", O_RDONLY);
	assert_true(inbox_entry_path(handle, found, sizeof(found)) > 0);
	assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
	assert_int_equal(inbox_entry_path(handle, found, sizeof(found)), -ECONNRESET);
	assert_null(node->file.stream);
	scene_release(&scene, handle);
	tree_forget(&scene.account.tree, node, 1);
	assert_null(tree_find(&scene.account.tree, ino));
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_from_folder),
		cmocka_unit_test(test_readable),
		cmocka_unit_test(test_readable_of_complete),
		cmocka_unit_test(test_removed_while_it_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
