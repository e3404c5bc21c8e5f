/* SPDX-License-Identifier: MIT */
#include "account/folder.h"
#include "account/inbox_file.h"
#include "account/name.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void opens(struct scene *scene, const char *sid, const char *folder, const char *name)
{
	scene_receive(scene, &(struct msg){.kind = MSG_OPEN,
					   .peer = SCENE_PHONE,
					   .id = sid,
					   .sid = sid,
					   .name = name,
					   .folder = folder,
					   .size = -1,
					   .block_size = SCENE_BLOCK});
}

/* As above; it is accepted. */
static void arrives(struct scene *scene, const char *sid, const char *folder, const char *name)
{
	opens(scene, sid, folder, name);
	scene_sent(scene, MSG_RESULT, SCENE_PHONE);
}

static void test_places(void **state)
{
	(void)state;
	static const struct {
		const char *folder, *name, *path;
	} rows[] = {
		{"photos/2024", "a", "photos/2024/a"},
		{"photos/2024", "a", "photos/2024/a (2)"},
		{"/photos//2024/", "b", "photos/2024/b"},
		{"photos", "2024", "photos/2024 (2)"}, /* a file like a folder */
		{NULL, "photos", "photos (2)"},
		{NULL, "f.txt", "f.txt"},
	};
	struct scene scene;
	scene_start_with_phone(&scene);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char sid[8], path[256];
		snprintf(sid, sizeof(sid), "s%zu", i);
		snprintf(path, sizeof(path), "a@x/in/%s", rows[i].path);
		arrives(&scene, sid, rows[i].folder, rows[i].name);
		struct node *node = scene_find(&scene, path);
		assert_non_null(node);
		assert_int_equal(node->kind, NODE_ARRIVED);
	}
	scene_finish(&scene);
}

/* A peer may open only SCENE_STREAMS at once. */
static void test_hostile(void **state)
{
	(void)state;
	static const struct {
		const char *folder, *path;
	} rows[] = {
		{"../../etc", "%2E./%2E./etc/x"},
		{".", "%2E/x"},
		{"f", "f (2)/x"}, /* a folder like a file */
		{"f", "f (2)/x (2)"},
		{"next", "next (2)/x"},
		{"a\nb/\xe2\x80\xae", "a%0Ab/%E2%80%AE/x"},
	};
	struct scene scene;
	scene_start_with_phone(&scene);
	arrives(&scene, "f", NULL, "f");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char sid[8], path[256];
		snprintf(sid, sizeof(sid), "s%zu", i);
		arrives(&scene, sid, rows[i].folder, "x");
		snprintf(path, sizeof(path), "a@x/in/%s", rows[i].path);
		assert_exists(&scene, path);
	}
	scene_finish(&scene);
}

static void test_too_deep(void **state)
{
	(void)state;
	struct scene scene;
	char path[2 * NAME_MAX_FOLDER_BYTES] = "d";
	scene_start_with_phone(&scene);
	for (unsigned depth = 1; depth < NAME_MAX_FOLDER_DEPTH; depth++) {
		strcat(path, "/d");
	}
	arrives(&scene, "s1", path, "x");
	strcat(path, "/d");
	opens(&scene, "s2", path, "x");
	scene_refused(&scene, SCENE_PHONE, CONDITION_BAD_REQUEST, DETAIL_NONE);
	memset(path, 'n', NAME_MAX_FOLDER_BYTES + 1);
	path[NAME_MAX_FOLDER_BYTES + 1] = '\0';
	opens(&scene, "s3", path, "x");
	scene_refused(&scene, SCENE_PHONE, CONDITION_BAD_REQUEST, DETAIL_NONE);
	assert_names(&scene, "a@x/in", "d ");
	scene_finish(&scene);
}

/* Without an inbox, folders have a limit of their own. */
static void test_too_many(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene.account.tree.folders = FOLDER_MAX_COUNT - 1;
	arrives(&scene, "s1", "a", "x");
	arrives(&scene, "s2", "b", "x");
	assert_true(scene_sent(&scene, MSG_CLOSE, SCENE_PHONE)->reset);
	scene_result(&scene);
	arrives(&scene, "s3", "a", "y");
	assert_names(&scene, "a@x/in", "a ");
	assert_names(&scene, "a@x/in/a", "x y ");
	scene.account.tree.folders -= FOLDER_MAX_COUNT - 1;
	scene_finish(&scene);
}

static void test_incoming(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *lines = scene_opened(&scene, "incoming", O_RDONLY);
	struct handle *next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *line = scene_read(&scene, lines, 100), *read = scene_read(&scene, next, 100);
	arrives(&scene, "s1", "p/q", "a");
	assert_text(line, "a@x/in/p/q/a\n");
	scene_peer_sends(&scene, SCENE_PHONE, "s1", 0, "text");
	assert_text(read, "text");
	arrives(&scene, "s2", "p", "b");
	assert_text(scene_read(&scene, lines, 100), "a@x/in/p/b\n");
	scene_finish(&scene);
}

/* rm -r: the folder is there until rmdir removes it. */
static void test_removal(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	arrives(&scene, "s1", "p/q", "a");
	assert_int_equal(scene_rmdir(&scene, "a@x/in/p"), -ENOTEMPTY);
	assert_int_equal(scene_rmdir(&scene, "a@x/in/p/q"), -ENOTEMPTY);
	assert_int_equal(scene_unlink(&scene, "a@x/in/p/q/a"), 0);
	assert_int_equal(scene_rmdir(&scene, "a@x/in/p/q"), 0);
	assert_int_equal(scene_rmdir(&scene, "a@x/in/p"), 0);
	scene_sent(&scene, MSG_CLOSE, SCENE_PHONE);
	scene_result(&scene);

	/* An empty one is in nobody's way. */
	arrives(&scene, "s2", "p", "a");
	assert_int_equal(scene_unlink(&scene, "a@x/in/p/a"), 0);
	scene_sent(&scene, MSG_CLOSE, SCENE_PHONE);
	scene_result(&scene);
	assert_exists(&scene, "a@x/in/p");
	arrives(&scene, "s3", NULL, "p");
	assert_int_equal(scene_find(&scene, "a@x/in/p")->kind, NODE_ARRIVED);
	scene_finish(&scene);
}

/* A folder lives as long as its files. */
static void test_expiry(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	arrives(&scene, "s1", "p/q", "a");
	struct handle *handle = scene_opened(&scene, "a@x/in/p/q/a", O_RDONLY);
	scene_peer_closes(&scene, SCENE_PHONE, "s1", false);
	assert_result(scene_read(&scene, handle, 1), 0);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_exists(&scene, "a@x/in/p/q/a");
	scene_wait(&scene, ACCOUNT_FINISHED_MS + ACCOUNT_EXPIRY_MS);
	assert_names(&scene, "a@x/in", "");
	scene_finish(&scene);
}

static void test_inbox(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene.account.has_inbox = true;
	arrives(&scene, "s1", "p/q", "a");
	struct inbox_arrival *arrival = inbox_file_take_arrivals(&scene.account);
	assert_string_equal(arrival->contact, "a@x");
	assert_string_equal(arrival->folder, "p/q");
	assert_string_equal(arrival->name, "a");
	/* What is declined leaves no folder. */
	inbox_file_decline(&scene.account, arrival->ino, -EDQUOT, scene.now_ms);
	free(arrival);
	scene_settle(&scene);
	assert_names(&scene, "a@x/in", "");

	const struct timespec when = {.tv_sec = 1};
	assert_int_equal(inbox_entry_restore(&scene.account,
					     &(struct inbox_path){"a@x", "r/s", "f"}, 5, &when,
					     scene.now_ms),
			 0);
	assert_string_equal(scene_find(&scene, "a@x/in/r/s/f")->inbox.path, "a@x/r/s/f");
	assert_int_equal(scene_rmdir(&scene, "a@x/in/r/s"), -ENOTEMPTY);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	assert_exists(&scene, "a@x/in/r/s/f");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	 cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_too_deep), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_incoming), cmocka_unit_test(test_removal),
		cmocka_unit_test(test_expiry),	 cmocka_unit_test(test_inbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
