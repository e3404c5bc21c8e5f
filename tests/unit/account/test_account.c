/* SPDX-License-Identifier: MIT */
#include "account/account.h"
#include "account/directory.h"
#include "failing_malloc.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The names in the directory at `path` that are not always there, in order, each with a space
 * after it. */
static void check_names(const struct scene *scene, const char *path, const char *expected,
			const char *file, int line)
{
	char names[2048] = "";
	struct node *child;
	const struct node *directory = scene_find(scene, path);
	_assert_true(directory != NULL, path, file, line);
	DL_FOREACH (directory->children, child) {
		if (child->kind != NODE_INCOMING && child->kind != NODE_STATUS &&
		    child->kind != NODE_IN && child->kind != NODE_NEXT) {
			strcat(names, child->name);
			strcat(names, " ");
		}
	}
	_assert_string_equal(names, expected, file, line);
}

#define assert_names(scene, path, expected) check_names(scene, path, expected, __FILE__, __LINE__)

static void removed(struct scene *scene, const char *jid)
{
	dispatch_roster_item(&scene->account, jid, true);
	scene_settle(scene);
}

static void offline(struct scene *scene)
{
	dispatch_offline(&scene->account, "gone", 0, scene->now_ms);
	scene_settle(scene);
}

/* A new connection, with a@x on the roster only. */
static void online(struct scene *scene)
{
	dispatch_roster_reset(&scene->account, scene->now_ms);
	scene_contact(scene, "a@x");
	dispatch_online(&scene->account, "me@home.example/again", scene->now_ms);
	scene_settle(scene);
}

/* ---- directories ---- */

static void test_contacts(void **state)
{
	(void)state;
	struct scene scene;
	char longest[257];
	memset(longest, 'a', 256);
	longest[256] = '\0';
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "b@x");
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "bot.x");
	scene_contact(&scene, "status");
	scene_contact(&scene, "incoming");
	scene_contact(&scene, "a%2fb@x");
	scene_contact(&scene, longest); /* one byte too long: it cannot be shown */
	assert_names(&scene, "", "b@x a@x bot.x %73tatus %69ncoming a%252fb@x ");
	assert_int_equal(scene_find(&scene, "status")->kind, NODE_STATUS);
	assert_string_equal(scene_find(&scene, "%73tatus")->directory.jid, "status");
	assert_exists(&scene, "a@x/in/next");

	removed(&scene, "a@x");
	removed(&scene, "status");
	removed(&scene, "never@x");
	assert_names(&scene, "", "b@x bot.x %69ncoming a%252fb@x ");
	scene_finish(&scene);
}

static void test_resources(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_comes(&scene, "a@x/early", 0); /* a stranger's presence is not kept */
	assert_no(&scene, "a@x");
	scene_contact(&scene, "a@x");
	assert_names(&scene, "a@x", "");
	scene_comes(&scene, "a@x/early", 0);
	assert_names(&scene, "a@x", "early ");
	scene_comes(&scene, "a@x/in", 0);
	scene_comes(&scene, "a@x/a/b", 0);
	scene_comes(&scene, "a@x/.hidden", 0);
	scene_comes(&scene, "a@x/My Phone", 0);
	scene_comes(&scene, "a@x/My Phone", 5);
	scene_comes(&scene, "a@x", 0);
	assert_names(&scene, "a@x", "early %69n a%2Fb %2Ehidden My Phone ");
	assert_string_equal(scene_find(&scene, "a@x/%69n")->directory.jid, "a@x/in");
	assert_int_equal(scene_find(&scene, "a@x/in")->kind, NODE_IN);

	scene_goes(&scene, "a@x/a/b");
	scene_goes(&scene, "a@x/never");
	scene_goes(&scene, "a@x/in");
	assert_names(&scene, "a@x", "early %2Ehidden My Phone ");
	assert_exists(&scene, "a@x/in/next");
	scene_goes(&scene, "a@x");
	assert_names(&scene, "a@x", "");

	/* Ours has a directory only where the roster or mkdir gives it one. */
	scene_comes(&scene, "me@home.example/other", 0);
	assert_names(&scene, "", "a@x ");
	scene_finish(&scene);
}

/* A file of that name is there already. The names stay UTF-8. */
static void test_resource_like_a_file(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/file", O_WRONLY);
	scene_opened(&scene, "a@x/\xc3\xa9t\xc3\xa9", O_WRONLY);
	scene_comes(&scene, "a@x/file", 0);
	scene_comes(&scene, "a@x/\xc3\xa9t\xc3\xa9", 0);
	assert_names(&scene, "a@x", "r file \xc3\xa9t\xc3\xa9 %66ile %C3%A9t\xc3\xa9 ");
	scene_finish(&scene);
}

static void test_connection_is_lost(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	assert_int_equal(scene_mkdir(&scene, "a@x/made"), 0);
	assert_int_equal(scene_mkdir(&scene, "c@x"), 0);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct handle *below = scene_opened(&scene, "a@x/r/f", O_WRONLY);
	struct call *flush = scene_flush(&scene, handle);
	assert_result(flush, 0);
	scene_write(&scene, handle, "abc", 0);
	flush = scene_flush(&scene, handle);
	scene_peer_opens(&scene, "a@x/r", "s", "i");

	offline(&scene);
	scene_is_quiet(&scene);
	assert_result(flush, -ECONNRESET);
	assert_names(&scene, "", "a@x b@x c@x ");
	assert_names(&scene, "a@x", "made f ");
	assert_exists(&scene, "a@x/in/i");
	assert_result(scene_write(&scene, below, "x", 0), -ECONNRESET);
	scene_release(&scene, below);
	scene_release(&scene, handle);

	online(&scene);
	assert_string_equal(scene.account.jid, "me@home.example/again");
	assert_names(&scene, "", "a@x c@x "); /* b@x was removed elsewhere */
	assert_names(&scene, "a@x", "made f ");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_finish(&scene);
}

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
		{"c@y%2Fr", -EINVAL, NULL},
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

	/* Of a stranger nothing is known before mkdir. */
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

	/* Made, and then on the roster too. */
	scene_mkdir(&scene, "b@x");
	scene_contact(&scene, "b@x");
	assert_int_equal(scene_rmdir(&scene, "b@x"), -EBUSY);
	removed(&scene, "b@x");
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

	/* A stream of ours, below. */
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
		int error = directory_mknod(&scene.account, scene_find(&scene, rows[i].path),
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

	/* One that is not opened goes. */
	scene_is_quiet(&scene);
	scene_wait(&scene, ACCOUNT_UNOPENED_MS - 1);
	assert_exists(&scene, "a@x/f");
	scene_wait(&scene, 1);
	assert_no(&scene, "a@x/f");
	assert_no(&scene, "a@x/r/f");
	scene_finish(&scene);
}

/* A process may have a directory open, or be in it, that has gone. */
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
	removed(&scene, "a@x");
	assert_no(&scene, "a@x");
	assert_int_equal(
		directory_mknod(&scene.account, resource, "f", S_IFREG | 0644, scene.now_ms, &node),
		-ENOENT);
	assert_int_equal(
		directory_mknod(&scene.account, contact, "f", S_IFREG | 0644, scene.now_ms, &node),
		-ENOENT);
	assert_int_equal(directory_mkdir(&scene.account, contact, "d", &node), -ENOENT);
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

	/* One that waits: refused. */
	assert_int_equal(scene_unlink(&scene, "a@x/in/i"), 0);
	assert_no(&scene, "a@x/in/i");
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_is_quiet(&scene);

	/* One that is read: both ends. */
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

	/* Opened, and not read: it does not come back. */
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

	/* Its name is free at once. */
	struct handle *second = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_release(&scene, handle);
	assert_result(scene_write(&scene, second, "abc", 0), 3);
	scene_play(&scene);
	scene_release(&scene, second);
	scene_play(&scene);

	/* One that is finished; one that was never begun. */
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

/* ---- streams that arrive ---- */

static void test_names_of_arrivals(void **state)
{
	(void)state;
	static const struct {
		const char *peer, *sid, *name, *path;
	} rows[] = {
		{"a@x/r", "s1", "photo.jpg", "a@x/in/photo.jpg"},
		{"a@x/q", "s1", "photo.jpg", "a@x/in/photo (2).jpg"},
		{"a@x/r", "s2", "photo.jpg", "a@x/in/photo (3).jpg"},
		{"b@x/r", "s1", "photo.jpg", "b@x/in/photo.jpg"},
		{"a@x/r", "sid/5", NULL, "a@x/in/sid%2F5"},
		{"a@x/r", "s3", "next", "a@x/in/next (2)"},
		{"a@x/r", "s4", "../x", "a@x/in/%2E.%2Fx"},
		{"a@x/r", "s5", "", "a@x/in/unnamed"},
	};
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	for (size_t i = 0; i < COUNT(rows); i++) {
		scene_peer_opens(&scene, rows[i].peer, rows[i].sid, rows[i].name);
		scene_sent(&scene, MSG_RESULT, rows[i].peer);
		const struct node *node = scene_find(&scene, rows[i].path);
		assert_non_null(node);
		assert_int_equal(node->kind, NODE_ARRIVED);
		assert_int_equal(node->file.arrival, i + 1);
		assert_string_equal(node->file.stream->peer, rows[i].peer);
	}
	/* Not one more for what is refused. */
	scene_peer_opens(&scene, "a@x/r", "s1", "again");
	assert_int_equal(scene_sent(&scene, MSG_ERROR, "a@x/r")->condition,
			 CONDITION_NOT_ACCEPTABLE);
	assert_no(&scene, "a@x/in/again");
	scene_finish(&scene);
}

/* Who is let in, and what the others hear. */
static void test_accept(void **state)
{
	(void)state;
	enum {
		OPEN = 1,
		INFO = 2,
		ALL = 3
	};
	static const struct {
		const char *peer;
		int contacts, anyone, none;
	} rows[] = {
		{"a@x/r", ALL, ALL, 0},
		{"a@x", ALL, ALL, 0},
		{"made@x/r", ALL, ALL, 0},
		{"seen@x/r", 0, ALL, 0}, /* its presence does not count */
		{"left@x/r", 0, ALL, 0},
		{"stranger@x/r", 0, ALL, 0},
		{"a@xx/r", 0, ALL, 0},
		{"me@home.example/other", ALL, ALL, ALL},
		{"home.example", INFO, ALL, INFO},
		{"other.example", 0, ALL, 0},
		{"home.example/r", 0, ALL, 0},
	};
	static const enum msg_kind kinds[] = {MSG_OPEN, MSG_INFO, MSG_PING, MSG_UNKNOWN};
	for (size_t i = 0; i < 3 * COUNT(rows); i++) {
		enum accept accept = (enum accept)(i % 3);
		int expected = accept == ACCEPT_CONTACTS ? rows[i / 3].contacts
			       : accept == ACCEPT_ANYONE ? rows[i / 3].anyone
							 : rows[i / 3].none;
		const char *peer = rows[i / 3].peer;
		struct scene scene;
		scene_start(&scene, accept);
		scene_contact(&scene, "a@x");
		scene_contact(&scene, "left@x");
		removed(&scene, "left@x");
		scene_mkdir(&scene, "made@x");
		scene_comes(&scene, "seen@x/r", 0);
		for (size_t j = 0; j < COUNT(kinds); j++) {
			struct msg msg = {
				.kind = kinds[j],
				.peer = peer,
				.id = "1",
				.sid = "s",
				.block_size = SCENE_BLOCK,
				.size = -1,
				.node = "n",
				.condition = CONDITION_FEATURE_NOT_IMPLEMENTED,
			};
			scene_receive(&scene, &msg);
			bool allowed = expected & (kinds[j] == MSG_OPEN ? OPEN : INFO);
			const struct msg *answer = scene_sent(
				&scene, allowed && kinds[j] != MSG_UNKNOWN ? MSG_RESULT : MSG_ERROR,
				peer);
			assert_string_equal(answer->id, "1");
			if (!allowed) {
				assert_int_equal(answer->condition, CONDITION_SERVICE_UNAVAILABLE);
			} else if (kinds[j] == MSG_UNKNOWN) {
				assert_int_equal(answer->condition,
						 CONDITION_FEATURE_NOT_IMPLEMENTED);
			}
			assert_int_equal(answer->answers_info, allowed && kinds[j] == MSG_INFO);
			if (answer->answers_info) {
				assert_string_equal(answer->node, "n");
			}
			scene_is_quiet(&scene);
		}
		assert_int_equal(scene.account.last_arrival, expected & OPEN);
		scene_finish(&scene);
	}
}

/* Somebody who is not on the roster has a directory while there is something in it. */
/* Whoever may not open streams is answered all the same while there is one that we opened. */
static void test_questions_of_a_peer(void **state)
{
	(void)state;
	static const enum msg_kind questions[] = {MSG_PING, MSG_INFO};
	struct scene scene;
	scene_start(&scene, ACCEPT_NONE);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/phone", 0);
	for (size_t i = 0; i < 2; i++) {
		scene_receive(&scene,
			      &(struct msg){.kind = questions[i], .peer = "a@x/phone", .id = "1"});
		assert_int_equal(scene_sent(&scene, MSG_ERROR, "a@x/phone")->condition,
				 CONDITION_SERVICE_UNAVAILABLE);
	}
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	for (size_t i = 0; i < 2; i++) {
		scene_receive(&scene,
			      &(struct msg){.kind = questions[i], .peer = "a@x/phone", .id = "1"});
		scene_sent(&scene, MSG_RESULT, "a@x/phone");
		scene_receive(&scene,
			      &(struct msg){.kind = questions[i], .peer = "a@x/desk", .id = "1"});
		scene_sent(&scene, MSG_ERROR, "a@x/desk");
	}
	scene_release(&scene, handle);
	scene_play(&scene);
	scene_finish(&scene);
}

static void test_stranger(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_ANYONE);
	scene_comes(&scene, "s@x/r", 0);
	assert_names(&scene, "", "");

	/* Read. */
	scene_peer_opens(&scene, "s@x/r", "s1", "i");
	assert_names(&scene, "", "s@x ");
	assert_names(&scene, "s@x", "");
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	assert_exists(&scene, "s@x/in/i");
	struct handle *handle = scene_opened(&scene, "s@x/in/i", O_RDONLY);
	scene_read(&scene, handle, 1);
	scene_peer_closes(&scene, "s@x/r", "s1", false);
	scene_release(&scene, handle);
	scene_wait(&scene, ACCOUNT_FINISHED_MS - 1);
	assert_exists(&scene, "s@x/in/i");
	scene_wait(&scene, 1);
	assert_names(&scene, "", "");

	/* Refused. */
	scene_peer_opens(&scene, "s@x/r", "s2", "i");
	assert_int_equal(scene_unlink(&scene, "s@x/in/i"), 0);
	assert_names(&scene, "", "");

	/* Refused while somebody waits for more. */
	scene_peer_opens(&scene, "s@x/r", "s3", "i");
	handle = scene_opened(&scene, "s@x/in/next", O_RDONLY);
	assert_int_equal(scene_unlink(&scene, "s@x/in/i"), 0);
	struct call *read = scene_read(&scene, handle, 1);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	assert_waits(read);
	scene_peer_opens(&scene, "s@x/r", "s4", "j");
	scene_peer_sends(&scene, "s@x/r", "s4", 0, "j");
	assert_text(read, "j");
	assert_int_equal(scene_unlink(&scene, "s@x/in/j"), 0);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	assert_exists(&scene, "s@x");
	scene_release(&scene, handle);
	assert_names(&scene, "", "");
	scene_play(&scene);
	scene_finish(&scene);
}

/* A peer whose address is too long for a name cannot be let in. */
static void test_arrival_without_a_place(void **state)
{
	(void)state;
	struct scene scene;
	char peer[400] = "s@";
	memset(peer + 2, 'a', 300);
	strcpy(peer + 302, "/r");
	scene_start(&scene, ACCEPT_ANYONE);
	scene_peer_opens(&scene, peer, "s", "i");
	scene_sent(&scene, MSG_RESULT, peer);
	scene_sent(&scene, MSG_CLOSE, peer);
	assert_names(&scene, "", "");
	scene_peer_sends(&scene, peer, "s", 0, "x");
	assert_int_equal(scene_sent(&scene, MSG_ERROR, peer)->condition, CONDITION_ITEM_NOT_FOUND);
	scene_peer_opens(&scene, "", "s", "i");
	scene_sent(&scene, MSG_RESULT, "");
	scene_sent(&scene, MSG_CLOSE, "");
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

/* ---- contacts that go while files are open ---- */

static void test_removed_while_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	removed(&scene, "a@x");
	assert_exists(&scene, "a@x/f");
	assert_result(scene_write(&scene, handle, "abc", 0), 3);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_exists(&scene, "a@x/f");
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_names(&scene, "", "");

	/* Only open to be looked at, or for what may come. */
	scene_contact(&scene, "a@x");
	handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 1);
	removed(&scene, "a@x");
	assert_waits(read);
	op_interrupt(&read->op, &scene.account.ibb.effects.done);
	scene_settle(&scene);
	assert_exists(&scene, "a@x");
	scene_release(&scene, handle);
	assert_names(&scene, "", "");

	/* An open that fails. */
	scene_contact(&scene, "a@x");
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	removed(&scene, "a@x");
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_error(&scene, CONDITION_NOT_ACCEPTABLE);
	assert_result(open, -ECONNREFUSED);
	assert_names(&scene, "", "");

	/* Below a resource, and that goes too. */
	scene_contact(&scene, "a@x");
	scene_opened(&scene, "a@x/r/f", O_WRONLY);
	removed(&scene, "a@x");
	assert_exists(&scene, "a@x/r/f");
	scene_goes(&scene, "a@x/r");
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

/* What mkdir made lives as long as the mount, and what it is in. */
static void test_removed_above_what_was_made(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_mkdir(&scene, "a@x/made");
	removed(&scene, "a@x");
	assert_names(&scene, "a@x", "made ");
	assert_int_equal(scene_rmdir(&scene, "a@x"), -EBUSY);
	assert_int_equal(scene_rmdir(&scene, "a@x/made"), 0);
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

static void test_resource_goes_while_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_mkdir(&scene, "a@x/made");
	struct handle *below = scene_opened(&scene, "a@x/r/f", O_WRONLY);
	struct handle *beside = scene_opened(&scene, "a@x/g", O_WRONLY);
	struct handle *other = scene_opened(&scene, "a@x/made/h", O_WRONLY);
	scene_write(&scene, below, "abc", 0);
	struct call *flush = scene_flush(&scene, below);
	scene_comes(&scene, "a@x/made", 0);
	scene_goes(&scene, "a@x/r");
	assert_names(&scene, "a@x", "made g ");
	assert_result(flush, -ECONNRESET);
	assert_result(scene_write(&scene, below, "d", 3), -ECONNRESET);
	assert_result(scene_write(&scene, beside, "d", 0), -ECONNRESET);
	assert_result(scene_write(&scene, other, "d", 0), 1);
	scene_release(&scene, below);
	scene_release(&scene, beside);
	scene_goes(&scene, "a@x/made");
	assert_names(&scene, "a@x", "made g ");
	assert_result(scene_write(&scene, other, "d", 1), -ECONNRESET);
	scene_finish(&scene);
}

/* ---- the end ---- */

static void test_stop(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_peer_opens(&scene, "a@x/r", "s1", "read");
	scene_play(&scene);
	struct handle *released = scene_opened(&scene, "a@x/released", O_WRONLY);
	struct handle *closing = scene_opened(&scene, "a@x/closing", O_WRONLY);
	struct handle *open = scene_opened(&scene, "a@x/open", O_WRONLY);
	struct handle *reader = scene_opened(&scene, "a@x/in/read", O_RDONLY);
	scene_peer_opens(&scene, "a@x/r", "s2", "waiting");
	scene_play(&scene);
	scene_write(&scene, released, "abc", 0);
	scene_play(&scene);
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	scene_read(&scene, incoming, 100);
	scene_write(&scene, closing, "abc", 0);
	struct call *flush = scene_flush(&scene, closing);
	struct call *write = scene_write(&scene, open, "0123456789abcdefghijkl", 0);
	struct call *waits[] = {
		scene_read(&scene, reader, 100),
		scene_read(&scene, incoming, 100),
	};
	static const ssize_t results[] = {-ECONNRESET, -ECONNABORTED};
	scene_release(&scene, released);
	for (size_t i = 0; i < COUNT(waits); i++) {
		assert_waits(waits[i]);
	}
	assert_waits(flush);

	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	for (size_t i = 0; i < COUNT(waits); i++) {
		assert_result(waits[i], results[i]);
	}
	assert_waits(flush);
	assert_waits(write);
	assert_false(shutdown_is_complete(&scene.account));

	/* Nobody is let in any more. */
	scene_peer_opens(&scene, "a@x/r", "s3", "late");
	assert_no(&scene, "a@x/in/late");

	/* What is closed, and what is being closed, comes to its good end; what is open delivers
	 * what was written, and breaks then. */
	unsigned resets = 0, closes = 0;
	const struct msg *msg;
	while ((msg = scene_next(&scene))) {
		if (msg->kind == MSG_CLOSE) {
			resets += msg->reset;
			closes++;
		}
		if (msg->kind != MSG_ERROR) {
			scene_result(&scene);
		}
	}
	assert_result(flush, 0);
	assert_result(write, 22);
	assert_int_equal(resets, 3); /* all but that of "released" */
	assert_int_equal(closes, 4);
	assert_false(shutdown_is_complete(&scene.account)); /* its release is on its way */
	scene_release(&scene, closing);
	assert_false(shutdown_is_complete(&scene.account));
	assert_false(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset);
	assert_false(shutdown_is_complete(&scene.account));
	scene_result(&scene);
	assert_true(shutdown_is_complete(&scene.account));
	scene_finish(&scene);
}

/* Unmounted with files open: they are closed as their users left them. */
static void test_stop_when_unmounted(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct handle *written = scene_opened(&scene, "a@x/written", O_WRONLY);
	scene_write(&scene, written, "abc", 0);
	scene_play(&scene);
	struct call *opening = scene_open(&scene, "a@x/opening", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	struct call *next = scene_read(&scene, scene_opened(&scene, "a@x/in/next", O_RDONLY), 9);
	assert_waits(opening);
	assert_waits(next);

	shutdown_begin(&scene.account, true, scene.now_ms);
	scene_settle(&scene);
	assert_true(call_is_done(opening));
	assert_result(next, -ECONNABORTED);
	assert_null(scene.account.handles);
	assert_false(shutdown_is_complete(&scene.account));
	assert_true(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset); /* what was never accepted */
	assert_false(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset);
	scene_result(&scene);
	assert_true(shutdown_is_complete(&scene.account));
	scene_finish(&scene);
}

/* Of an account that nobody uses. */
static void test_stop_when_idle(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	assert_true(shutdown_is_complete(&scene.account));
	scene_finish(&scene);
}

/* Opened, and not read, by the time that the mount ends: it waits for nobody. */
static void test_release_after_stop(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_peer_opens(&scene, "a@x/r", "s", "i");
	scene_play(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_release(&scene, handle);
	assert_null(scene_find(&scene, "a@x/in/i")->file.stream);
	scene_finish(&scene);
}

/* Every call is completed, once, whatever it waits for; scene_finish looks. */
static void test_abandon(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_peer_opens(&scene, "a@x/r", "s1", "read");
	scene_peer_opens(&scene, "a@x/r", "s2", "waiting");
	scene_peer_sends(&scene, "a@x/r", "s2", 0, "abc");
	scene_play(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	struct handle *reader = scene_opened(&scene, "a@x/in/read", O_RDONLY);
	struct handle *next = scene_opened(&scene, "b@x/in/next", O_RDONLY);
	/* A file that was removed, is still open, and that the kernel still knows. */
	scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_find(&scene, "a@x/g")->lookups = 1;
	assert_int_equal(scene_unlink(&scene, "a@x/g"), 0);
	scene_play(&scene);
	assert_text(scene_read(&scene, incoming, 100), "a@x/in/waiting\n");
	struct call *calls[] = {
		scene_write(&scene, handle, "0123456789abcdefghijkl", 0),
		scene_flush(&scene, handle),
		scene_read(&scene, incoming, 1),
		scene_read(&scene, reader, 1),
		scene_read(&scene, next, 1),
		scene_open(&scene, "a@x/opening", O_WRONLY),
		scene_open(&scene, "b@x/pinging", O_WRONLY),
	};
	static const ssize_t results[] = {
		-ECONNRESET,   -ECONNRESET, -ECONNABORTED, -ECONNRESET,
		-ECONNABORTED, -ENETDOWN,   -ECONNABORTED,
	};
	scene_comes(&scene, "a@x/asked", 0);
	scene_open(&scene, "a@x/asking", O_WRONLY);
	scene_open(&scene, "a@x/lazy", O_WRONLY | O_NONBLOCK);
	shutdown_abandon(&scene.account, scene.now_ms);
	scene_settle(&scene);
	for (size_t i = 0; i < COUNT(calls); i++) {
		assert_result(calls[i], results[i]);
	}
	assert_null(scene.account.handles);
	/* Peers are told, or they would wait for us to come back. */
	struct msg *msg;
	unsigned told = 0;
	while ((msg = account_next(&scene.account, scene.now_ms * 1000))) {
		told += msg->kind == MSG_CLOSE;
		msg_destroy(msg);
	}
	assert_true(told >= 3);
	scene_finish(&scene);
}

/* ---- short of memory ---- */

/* What a call has given, if there was one and it succeeded. */
static struct handle *handle_of(const struct call *call)
{
	return call && call_is_done(call) && call->op.result == 0 ? call_handle(call) : NULL;
}

/* All that there is once, with peers that answer; what fails is left out. Returns whether all
 * went well. */
static bool play_everything(struct scene *scene)
{
	if (scene_try_start(scene, ACCEPT_ANYONE)) {
		return false;
	}
	bool well = true;
	scene_contact(scene, "a@x");
	scene_comes(scene, "a@x/r", 0);
	scene_comes(scene, "a@x/s", 5);
	well = scene_find(scene, "a@x/r") && scene_find(scene, "a@x/s") && well;
	well = scene_mkdir(scene, "bot.x") == 0 && well;
	bool found = scene_find(scene, "a@x") && scene_find(scene, "bot.x");

	/* Ours: success of the flush is success of the delivery. */
	static const char *const paths[] = {"a@x/f", "bot.x/f"};
	for (size_t i = 0; found && i < COUNT(paths); i++) {
		struct call *open = scene_open(scene, paths[i], O_WRONLY);
		scene_play(scene);
		scene_wait(scene, 2 * SCENE_TIMEOUT);
		scene_play(scene);
		struct handle *handle = handle_of(open);
		if (!handle) {
			assert_true(!open || call_is_done(open));
			assert_null(scene_find(scene, paths[i]) &&
				    scene_find(scene, paths[i])->file.stream);
			well = false;
			continue;
		}
		scene->delivered = 0;
		struct call *write = scene_write(scene, handle, "0123456789abcdefghij", 2);
		struct call *flush = scene_flush(scene, handle);
		scene_play(scene);
		scene_wait(scene, 2 * SCENE_TIMEOUT);
		scene_play(scene);
		assert_true(call_is_done(write));
		assert_true(call_is_done(flush));
		if (write->op.result > 0 && flush->op.result == 0) {
			assert_int_equal(scene->delivered, 22);
			assert_memory_equal(scene->text, "\0\0000123456789abcdefghij", 22);
		} else {
			well = false;
		}
		scene_release(scene, handle);
		scene_play(scene);
	}

	/* Theirs: a clean end is the whole of it. */
	struct handle *incoming = handle_of(scene_open(scene, "incoming", O_RDONLY));
	struct call *line = incoming ? scene_read(scene, incoming, 100) : NULL;
	struct call *next = found ? scene_open(scene, "a@x/in/next", O_RDONLY) : NULL;
	struct handle *reader = handle_of(next);
	struct call *first = reader ? scene_read(scene, reader, 4) : NULL;
	scene_peer_opens(scene, "a@x/r", "s1", "i");
	scene_peer_sends(scene, "a@x/r", "s1", 0, "abcdefgh");
	scene_peer_sends(scene, "a@x/r", "s1", 1, "ij");
	scene_peer_closes(scene, "a@x/r", "s1", false);
	scene_peer_opens(scene, "stranger@x/r", "s2", "j");
	scene_play(scene);
	if (first && call_is_done(first) && first->op.result == 4) {
		struct call *rest = scene_read(scene, reader, 100);
		struct call *end = scene_read(scene, reader, 100);
		if (call_is_done(rest) && call_is_done(end) && rest->op.result > 0 &&
		    end->op.result == 0) {
			assert_text(rest, "efghij");
		} else {
			well = false;
		}
	} else {
		well = false;
	}
	well = line && call_is_done(line) && line->op.result > 0 && well;
	well = scene_find(scene, "stranger@x/in/j") && well;

	struct handle *status = handle_of(scene_open(scene, "status", O_RDONLY));
	struct call *text = status ? scene_read(scene, status, 4096) : NULL;
	well = text && text->op.result > 0 && well;

	offline(scene);
	online(scene);
	well = scene_find(scene, "a@x") && well;
	shutdown_begin(&scene->account, false, scene->now_ms);
	scene_settle(scene);
	scene_play(scene);
	scene_finish(scene);
	return well;
}

static void test_memory(void **state)
{
	(void)state;
	bool well, failed;
	size_t n = 0;
	do {
		struct scene scene;
		failing_malloc_arm(++n);
		well = play_everything(&scene);
		failed = failing_malloc_disarm();
	} while (failed);
	assert_true(well);
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contacts),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_resource_like_a_file),
		cmocka_unit_test(test_connection_is_lost),
		cmocka_unit_test(test_mkdir),
		cmocka_unit_test(test_rmdir),
		cmocka_unit_test(test_rmdir_with_streams),
		cmocka_unit_test(test_mknod),
		cmocka_unit_test(test_directory_that_has_gone),
		cmocka_unit_test(test_unlink),
		cmocka_unit_test(test_unlink_while_it_opens),
		cmocka_unit_test(test_names_of_arrivals),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_questions_of_a_peer),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_arrival_without_a_place),
		cmocka_unit_test(test_removed_while_open),
		cmocka_unit_test(test_removed_above_what_was_made),
		cmocka_unit_test(test_resource_goes_while_open),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_when_unmounted),
		cmocka_unit_test(test_stop_when_idle),
		cmocka_unit_test(test_release_after_stop),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
