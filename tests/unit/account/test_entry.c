/* SPDX-License-Identifier: MIT */
#include "account/entry.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_mkdir(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int error;
		const char *jid;
	} rows[] = {
		{"b@y", 0, "b@y"},
		{"B@Z", 0, "b@z"},
		{"bot.y", 0, "bot.y"},
		{"b@y/Phone", 0, "b@y/Phone"},
		{"a@x/other", 0, "a@x/other"},
		{"a@x/a%2Fb", 0, "a@x/a/b"},
		{"a@x/%69n", 0, "a@x/in"},
		{"%73tatus", 0, "status"},
		{"bot.y/r", 0, "bot.y/r"},
		{"b@y", -EEXIST, NULL},
		{"B@Y", -EEXIST, NULL},
		{"a@x", -EEXIST, NULL},
		{"a@x/r", -EEXIST, NULL},
		{"a@x/%72", -EEXIST, NULL},
		{"a@x/in", -EEXIST, NULL},
		{"a@x/f", -EEXIST, NULL},
		{"status", -EEXIST, NULL},
		{"a@x/in/next", -EEXIST, NULL},
		{"no jid", -EINVAL, NULL},
		{"@y", -EINVAL, NULL},
		{"c%00@y", -EINVAL, NULL},
		{"a@x/%01", -EINVAL, NULL},
		{".y", -EPERM, NULL},
		{"a@x/.r", -EPERM, NULL},
		{"a@x/r/d", -EPERM, NULL},
		{"a@x/in/d", -EPERM, NULL},
		{"b@y/Phone/d", -EPERM, NULL},
		{"\xff@y", -EILSEQ, NULL},
	};
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/f", O_WRONLY);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t count = HASH_COUNT(scene.account.tree.nodes);
		assert_int_equal(scene_mkdir(&scene, rows[i].path), rows[i].error);
		if (rows[i].error == 0) {
			assert_string_equal(scene_find(&scene, rows[i].path)->directory.jid,
					    rows[i].jid);
			assert_true(scene_find(&scene, rows[i].path)->directory.made);
		} else {
			assert_int_equal(HASH_COUNT(scene.account.tree.nodes), count);
		}
	}
	char name[300];
	memset(name, 'a', 256);
	name[256] = '\0';
	assert_int_equal(scene_mkdir(&scene, name), -ENAMETOOLONG);

	/* A stranger is unknown before mkdir. */
	scene_comes(&scene, "d@y/r", 0);
	assert_int_equal(scene_mkdir(&scene, "d@y"), 0);
	assert_names(&scene, "d@y", "");
	scene_comes(&scene, "d@y/r", 0);
	assert_names(&scene, "d@y", "r ");
	scene_comes(&scene, "b@y/Phone", 0);
	scene_comes(&scene, "b@y/phone", 0);
	assert_names(&scene, "b@y", "Phone phone ");
	scene_goes(&scene, "b@y");
	assert_names(&scene, "b@y", "Phone ");
	scene_is_quiet(&scene); /* the roster is not changed */
	scene_finish(&scene);
}

static void test_rmdir(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_int_equal(scene_rmdir(&scene, "a@x"), -EBUSY);
	assert_int_equal(scene_rmdir(&scene, "a@x/r"), -EBUSY);
	assert_int_equal(scene_rmdir(&scene, "a@x/in"), -EBUSY);
	assert_int_equal(scene_rmdir(&scene, "a@x/f"), -ENOTDIR);
	assert_int_equal(scene_rmdir(&scene, "status"), -ENOTDIR);
	assert_int_equal(scene_rmdir(&scene, "b@x"), -ENOENT);

	/* Made by mkdir, and later on the roster too. */
	scene_mkdir(&scene, "b@x");
	scene_contact(&scene, "b@x");
	assert_int_equal(scene_rmdir(&scene, "b@x"), -EBUSY);
	scene_removed(&scene, "b@x");
	assert_int_equal(scene_rmdir(&scene, "b@x"), 0);
	assert_no(&scene, "b@x");

	/* Made, and now online. */
	scene_mkdir(&scene, "a@x/made");
	scene_comes(&scene, "a@x/made", 0);
	assert_int_equal(scene_rmdir(&scene, "a@x/made"), 0);
	assert_exists(&scene, "a@x/made");
	assert_int_equal(scene_rmdir(&scene, "a@x/made"), -EBUSY);
	scene_goes(&scene, "a@x/made");
	assert_no(&scene, "a@x/made");
	scene_mkdir(&scene, "a@x/made");
	assert_int_equal(scene_rmdir(&scene, "a@x/made"), 0);
	assert_names(&scene, "a@x", "r f ");
	scene_finish(&scene);
}

static void test_rmdir_with_streams(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_mkdir(&scene, "b@x");
	scene_mkdir(&scene, "b@x/r");

	/* An outgoing stream is in the directory. */
	struct handle *handle = scene_opened(&scene, "b@x/r/f", O_WRONLY);
	assert_int_equal(scene_rmdir(&scene, "b@x"), -ENOTEMPTY);
	assert_int_equal(scene_rmdir(&scene, "b@x/r"), -ENOTEMPTY);
	scene_release(&scene, handle);
	scene_play(&scene);

	/* One that waits. */
	scene_peer_opens(&scene, "b@x/r", "s", "i");
	assert_int_equal(scene_rmdir(&scene, "b@x"), -ENOTEMPTY);
	assert_int_equal(scene_unlink(&scene, "b@x/in/i"), 0);
	scene_play(&scene);

	/* A reader of next. */
	handle = scene_opened(&scene, "b@x/in/next", O_RDONLY);
	assert_int_equal(scene_rmdir(&scene, "b@x"), -ENOTEMPTY);
	scene_release(&scene, handle);

	/* Finished names do not count. */
	assert_exists(&scene, "b@x/r/f");
	assert_int_equal(scene_rmdir(&scene, "b@x/r"), 0);
	handle = scene_opened(&scene, "b@x/f", O_WRONLY | O_NONBLOCK);
	scene_release(&scene, handle);
	assert_int_equal(scene_rmdir(&scene, "b@x"), 0);
	assert_no(&scene, "b@x");
	scene_wait(&scene, 2 * ACCOUNT_FINISHED_MS);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_mknod(void **state)
{
	(void)state;
	static const struct {
		const char *path, *name;
		mode_t mode;
		int error;
	} rows[] = {
		{"a@x", "f", S_IFREG | 0751, 0},	  {"a@x/r", "f", S_IFREG | 0400, 0},
		{"a@x", "f", S_IFREG | 0644, -EEXIST},	  {"a@x", "in", S_IFREG | 0644, -EEXIST},
		{"a@x", "r", S_IFREG | 0644, -EEXIST},	  {"a@x", "p", S_IFIFO | 0644, -EPERM},
		{"a@x", "s", S_IFSOCK | 0644, -EPERM},	  {"", "f", S_IFREG | 0644, -EPERM},
		{"a@x/in", "f", S_IFREG | 0644, -EPERM},  {"a@x", ".f.swp", S_IFREG | 0644, -EPERM},
		{"a@x", "\xc3", S_IFREG | 0644, -EILSEQ},
	};
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct node *node;
		size_t count = HASH_COUNT(scene.account.tree.nodes);
		int error = entry_mknod(&scene.account, scene_find(&scene, rows[i].path),
					rows[i].name, rows[i].mode, scene.now_ms, &node);
		assert_int_equal(error, rows[i].error);
		if (!error) {
			assert_int_equal(node->mode, rows[i].mode | 0600);
			assert_int_equal(node->kind, NODE_OUTGOING);
			assert_int_equal(node->uid, 1000);
			assert_int_equal(node->gid, 100);
		} else {
			assert_int_equal(HASH_COUNT(scene.account.tree.nodes), count);
		}
	}

	/* A file that is not opened is removed. */
	scene_is_quiet(&scene);
	scene_wait(&scene, ACCOUNT_UNOPENED_MS - 1);
	assert_exists(&scene, "a@x/f");
	scene_wait(&scene, 1);
	assert_no(&scene, "a@x/f");
	assert_no(&scene, "a@x/r/f");
	scene_finish(&scene);
}

/* A process may have a removed directory open, or be in it. */
static void test_directory_that_has_gone(void **state)
{
	(void)state;
	struct scene scene;
	struct node *node;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct node *contact = scene_find(&scene, "a@x"), *resource = scene_find(&scene, "a@x/r");
	uint64_t numbers[] = {contact->ino, resource->ino};
	contact->lookups = resource->lookups = 1;
	scene_goes(&scene, "a@x/r");
	scene_removed(&scene, "a@x");
	assert_no(&scene, "a@x");
	assert_int_equal(
		entry_mknod(&scene.account, resource, "f", S_IFREG | 0644, scene.now_ms, &node),
		-ENOENT);
	assert_int_equal(
		entry_mknod(&scene.account, contact, "f", S_IFREG | 0644, scene.now_ms, &node),
		-ENOENT);
	assert_int_equal(entry_mkdir(&scene.account, contact, "d", &node), -ENOENT);
	tree_forget(&scene.account.tree, resource, 1);
	tree_forget(&scene.account.tree, contact, 1);
	assert_null(tree_find(&scene.account.tree, numbers[0]));
	assert_null(tree_find(&scene.account.tree, numbers[1]));
	scene_finish(&scene);
}

static void test_unlink(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_peer_opens(&scene, "a@x/r", "s", "i");
	scene_play(&scene);
	assert_int_equal(scene_unlink(&scene, "a@x/in/j"), -ENOENT);
	assert_int_equal(scene_unlink(&scene, "a@x"), -EISDIR);
	assert_int_equal(scene_unlink(&scene, "a@x/in"), -EISDIR);
	assert_int_equal(scene_unlink(&scene, "a@x/in/next"), -EPERM);
	assert_int_equal(scene_unlink(&scene, "status"), -EPERM);
	assert_int_equal(scene_unlink(&scene, "incoming"), -EPERM);

	/* A waiting stream is refused. */
	assert_int_equal(scene_unlink(&scene, "a@x/in/i"), 0);
	assert_no(&scene, "a@x/in/i");
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_is_quiet(&scene);

	/* A stream that is read is aborted at both ends. */
	scene_peer_opens(&scene, "a@x/r", "s", "i");
	scene_play(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 10);
	assert_int_equal(scene_unlink(&scene, "a@x/in/i"), 0);
	assert_no(&scene, "a@x/in/i");
	assert_result(read, -ECONNRESET);
	assert_result(scene_read(&scene, handle, 10), -ECONNRESET);
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);

	/* A stream that was opened and not read is not offered again. */
	scene_peer_opens(&scene, "a@x/r", "s", "i");
	handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_int_equal(scene_unlink(&scene, "a@x/in/i"), 0);
	scene_release(&scene, handle);
	assert_names(&scene, "a@x/in", "");
	scene_play(&scene);

	/* One that is written. */
	handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
	assert_no(&scene, "a@x/f");
	assert_result(flush, -ECONNRESET);
	assert_result(scene_write(&scene, handle, "d", 3), -ECONNRESET);
	assert_true(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset);
	scene_result(&scene);

	/* The name is free at once. */
	struct handle *second = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_release(&scene, handle);
	assert_result(scene_write(&scene, second, "abc", 0), 3);
	scene_play(&scene);
	scene_release(&scene, second);
	scene_play(&scene);

	/* A finished stream; a file without a session. */
	assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
	assert_no(&scene, "a@x/f");
	scene_open(&scene, "a@x/g", O_WRONLY | O_NONBLOCK);
	assert_int_equal(scene_unlink(&scene, "a@x/g"), 0);
	scene_is_quiet(&scene);
	assert_names(&scene, "a@x", "r ");
	scene_finish(&scene);
}

/* While its open waits. */
static void test_unlink_while_it_opens(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
	assert_true(call_is_done(open));
	assert_true(open->op.result < 0);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_says(&scene, FEATURE_IBB);
	scene_is_quiet(&scene);

	open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
	assert_result(open, -ECONNRESET);
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_is_quiet(&scene);
	assert_names(&scene, "a@x", "r ");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mkdir),
		cmocka_unit_test(test_rmdir),
		cmocka_unit_test(test_rmdir_with_streams),
		cmocka_unit_test(test_mknod),
		cmocka_unit_test(test_directory_that_has_gone),
		cmocka_unit_test(test_unlink),
		cmocka_unit_test(test_unlink_while_it_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
