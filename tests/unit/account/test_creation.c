/* SPDX-License-Identifier: MIT */
#include "account/creation.h"
#include "account/entry.h"
#include "account/name.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PEER (FEATURE_IBB | FEATURE_IBBFS | FEATURE_FOLDERS)

static int make(struct scene *scene, const char *path)
{
	struct node *node;
	char parent[2048];
	const char *slash = strrchr(path, '/');
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash ? slash - path : 0), path);
	int error = creation_mkdir(&scene->account, scene_find(scene, parent),
				   slash ? slash + 1 : path, scene->now_ms, &node);
	scene_settle(scene);
	return error;
}

static void comes(struct scene *scene, const char *jid, int priority, unsigned features)
{
	dispatch_presence(&scene->account, jid, true, priority, features, scene->now_ms);
	scene_settle(scene);
}

/* a@x and her phone, an ibbfs that takes folders. */
static void start(struct scene *scene)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene->features = PEER;
	scene_contact(scene, "a@x");
	comes(scene, SCENE_PHONE, 0, PEER);
}

static void test_folders(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int error;
	} rows[] = {
		{"a@x/photos", 0},
		{"a@x/photos", -EEXIST},
		{"a@x/photos/2024", 0},
		{"a@x/photos/2024/may", 0},
		{"a@x/phone", -EEXIST},
		{"a@x/phone/photos", 0},
		{"a@x/phone/photos/2024", 0},
		{"a@x/in", -EEXIST},
		{"a@x/in/f", -EPERM},
		{"a@x/.git", -EPERM},
		{"a@x/photos/.git", -EPERM},
		{"a@x/\xff", -EILSEQ},
	};
	struct scene scene;
	start(&scene);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(make(&scene, rows[i].path), rows[i].error);
		if (rows[i].error == 0) {
			assert_int_equal(scene_find(&scene, rows[i].path)->kind, NODE_FOLDER);
		}
	}
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_the_path_travels(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	make(&scene, "a@x/photos");
	make(&scene, "a@x/photos/2024");
	make(&scene, "a@x/phone/music");
	scene_open(&scene, "a@x/photos/2024/a.jpg", O_WRONLY);
	const struct msg *open = scene_sent(&scene, MSG_OPEN, SCENE_PHONE);
	assert_string_equal(open->name, "a.jpg");
	assert_string_equal(open->folder, "photos/2024");
	scene_result(&scene);
	scene_open(&scene, "a@x/phone/music/b", O_WRONLY);
	open = scene_sent(&scene, MSG_OPEN, SCENE_PHONE);
	assert_string_equal(open->folder, "music");
	scene_result(&scene);
	scene_open(&scene, "a@x/c", O_WRONLY);
	assert_null(scene_sent(&scene, MSG_OPEN, SCENE_PHONE)->folder);
	scene_result(&scene);
	scene_finish(&scene);
}

/* The resource that takes folders gets them, whatever the priorities. */
static void test_which_resource(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/chat", 5); /* its presence would say if it was an ibbfs */
	assert_int_equal(make(&scene, "a@x/early"), -EOPNOTSUPP);
	assert_int_equal(make(&scene, "a@x/chat/f"), -EOPNOTSUPP);
	scene_is_quiet(&scene);
	comes(&scene, "a@x/old", 5, FEATURE_ANNOUNCED);
	assert_int_equal(make(&scene, "a@x/early"), 0); /* it may take folders */
	scene_sent(&scene, MSG_INFO, "a@x/old");
	scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
	assert_int_equal(make(&scene, "a@x/late"), -EOPNOTSUPP);
	assert_int_equal(make(&scene, "a@x/early/deeper"), -EOPNOTSUPP);
	assert_int_equal(make(&scene, "a@x/old/f"), -EOPNOTSUPP);
	struct call *call = scene_open(&scene, "a@x/early/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/chat");
	scene_says(&scene, FEATURE_IBB);
	assert_result(call, -EOPNOTSUPP);
	scene_is_quiet(&scene);

	comes(&scene, SCENE_PHONE, 0, FEATURE_ANNOUNCED);
	call = scene_open(&scene, "a@x/early/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, SCENE_PHONE);
	scene_says(&scene, PEER);
	scene_sent(&scene, MSG_OPEN, SCENE_PHONE);
	scene_result(&scene);
	assert_result(call, 0);
	assert_int_equal(make(&scene, "a@x/late"), 0);
	scene_finish(&scene);
}

/* An open waits for the features of a resource, which goes offline. */
static void test_resource_that_goes(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	assert_int_equal(make(&scene, "a@x/f"), 0);
	comes(&scene, "a@x/other", 5, FEATURE_ANNOUNCED);
	struct call *call = scene_open(&scene, "a@x/f/x", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/other");
	assert_waits(call);
	scene_goes(&scene, "a@x/other");
	scene_sent(&scene, MSG_OPEN, SCENE_PHONE);
	scene_result(&scene);
	assert_result(call, 0);
	scene_finish(&scene);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	/* Her presence may be in flight; after the pong it is not. */
	assert_int_equal(make(&scene, "a@x/early"), 0);
	scene_sent(&scene, MSG_PING, "");
	assert_int_equal(make(&scene, "a@x/second"), 0);
	scene_is_quiet(&scene);
	scene_result(&scene);
	assert_int_equal(make(&scene, "a@x/late"), -EHOSTDOWN);
	scene_offline(&scene);
	assert_int_equal(make(&scene, "a@x/late"), -ENETDOWN);
	scene_finish(&scene);
}

/* In the directory of a peer whose presence is not seen, mkdir names a resource. */
static void test_resources(void **state)
{
	(void)state;
	static const struct {
		const char *path, *made;
		int error;
	} rows[] = {
		{"b@y", "b@y", 0},
		{"b@y/home", "b@y/home", 0},
		{"b@y/home/deeper", NULL, -EPERM},
		{"bot.x", "bot.x", 0},
		{"bot.x/r", "bot.x/r", 0},
		/* A full JID by one name. */
		{"a@x%2Fother", "a@x/other", 0},
		{"a@x%2Fother", NULL, -EEXIST},
		{"a@x%2Fphone", NULL, -EEXIST},
		{"a@x%2Fin", "a@x/%69n", 0},
		{"c@y%2Fa%2Fb", "c@y/a%2Fb", 0},
		{"c@y%2F", NULL, -EINVAL},
	};
	struct scene scene;
	start(&scene);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(make(&scene, rows[i].path), rows[i].error);
		if (rows[i].made) {
			assert_true(scene_find(&scene, rows[i].made)->directory.made);
		}
	}
	const struct node *root = scene.account.tree.root;
	assert_ptr_equal(entry_lookup(&scene.account, root, "A@X%2Fother"),
			 scene_find(&scene, "a@x/other"));
	assert_null(entry_lookup(&scene.account, root, "a@x%2Fnobody"));
	assert_int_equal(scene_rmdir(&scene, "a@x%2Fother"), 0);
	assert_no(&scene, "a@x/other");
	assert_int_equal(scene_rmdir(&scene, "c@y/a%2Fb"), 0);
	assert_exists(&scene, "c@y"); /* as mkdir of both would leave it */
	scene_finish(&scene);
}

static void test_limits(void **state)
{
	(void)state;
	struct scene scene;
	char path[2048] = "a@x";
	start(&scene);
	for (unsigned depth = 1; depth <= NAME_MAX_FOLDER_DEPTH; depth++) {
		strcat(path, "/d");
		assert_int_equal(make(&scene, path), 0);
	}
	strcat(path, "/d");
	assert_int_equal(make(&scene, path), -ENAMETOOLONG);
	strcpy(path, "a@x");
	for (unsigned n = 0; n < 5; n++) {
		size_t length = strlen(path);
		memset(path + length, 'n', 256);
		path[length] = '/';
		path[length + 256] = '\0';
		assert_int_equal(make(&scene, path), n < 4 ? 0 : -ENAMETOOLONG);
	}
	scene_finish(&scene);
}

static void test_only_as_streams(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	make(&scene, "a@x/photos");
	struct node *contact = scene_find(&scene, "a@x");
	assert_int_equal(attribute_set(contact, "user.ibb.format", "jingle", 6), 0);
	assert_int_equal(make(&scene, "a@x/music"), -EOPNOTSUPP);
	assert_result(scene_open(&scene, "a@x/photos/f", O_WRONLY), -EOPNOTSUPP);
	assert_int_equal(attribute_set(contact, "user.ibb.format", "raw", 3), 0);
	assert_int_equal(make(&scene, "a@x/music"), 0);
	scene_finish(&scene);
}

static void test_removal(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	make(&scene, "a@x/photos");
	make(&scene, "a@x/photos/2024");
	struct handle *handle = scene_opened(&scene, "a@x/photos/2024/f", O_WRONLY);
	assert_int_equal(scene_rmdir(&scene, "a@x/photos/2024"), -ENOTEMPTY);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_int_equal(scene_rmdir(&scene, "a@x/photos"), -ENOTEMPTY);
	assert_int_equal(scene_unlink(&scene, "a@x/photos/2024/f"), 0);
	assert_int_equal(scene_rmdir(&scene, "a@x/photos/2024"), 0);
	assert_int_equal(scene_rmdir(&scene, "a@x/photos"), 0);
	assert_names(&scene, "a@x", "phone ");

	/* With its resource. */
	make(&scene, "a@x/phone/photos");
	scene_opened(&scene, "a@x/phone/photos/f", O_WRONLY);
	scene_goes(&scene, SCENE_PHONE);
	assert_no(&scene, "a@x/phone");
	scene_finish(&scene);
}

/* Folders stay while something is sent to the contact, and an hour longer. */
static void test_expiry(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	make(&scene, "a@x/empty");
	make(&scene, "a@x/photos");
	struct handle *handle = scene_opened(&scene, "a@x/photos/f", O_WRONLY);
	scene_wait(&scene, ACCOUNT_FOLDER_MS + ACCOUNT_EXPIRY_MS);
	scene_play(&scene);
	assert_exists(&scene, "a@x/empty");
	assert_exists(&scene, "a@x/photos/f");
	scene_release(&scene, handle);
	scene_play(&scene);
	scene_wait(&scene, ACCOUNT_FINISHED_MS + ACCOUNT_EXPIRY_MS);
	assert_no(&scene, "a@x/photos/f");
	assert_exists(&scene, "a@x/photos");
	scene_wait(&scene, ACCOUNT_FOLDER_MS + ACCOUNT_EXPIRY_MS);
	assert_names(&scene, "a@x", "phone ");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),	       cmocka_unit_test(test_the_path_travels),
		cmocka_unit_test(test_which_resource), cmocka_unit_test(test_resource_that_goes),
		cmocka_unit_test(test_nobody_there),   cmocka_unit_test(test_resources),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_only_as_streams),
		cmocka_unit_test(test_removal),	       cmocka_unit_test(test_expiry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
