/* SPDX-License-Identifier: MIT */
/* surplus: which resources of a crowded contact are kept. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define MANY (2 * ROSTER_MAX_RESOURCES)

static void crowd(struct scene *scene, const char *prefix, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char jid[1200];
		snprintf(jid, sizeof(jid), "a@x/%s%u", prefix, i);
		scene_comes(scene, jid, 0);
	}
}

static unsigned count_directories(const struct scene *scene)
{
	const struct node *node = scene_find(scene, "a@x")->children;
	unsigned count = 0;
	for (; node; node = node->next) {
		count += node->kind == NODE_RESOURCE;
	}
	return count;
}

static unsigned count_queries(const struct scene *scene)
{
	const struct msg *msg;
	unsigned count = 0;
	DL_FOREACH (scene->account.ibb.effects.messages, msg) {
		count += msg->kind == MSG_INFO;
	}
	return count;
}

/* The listing has as many directories as there are resources, and the latest. */
static void test_listing(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	crowd(&scene, "", MANY);
	assert_int_equal(count_directories(&scene), ROSTER_MAX_RESOURCES);
	assert_no(&scene, "a@x/0");
	assert_exists(&scene, "a@x/511");
	/* A resource that was forgotten goes offline, or comes back. */
	scene_goes(&scene, "a@x/0");
	scene_comes(&scene, "a@x/1", 0);
	assert_exists(&scene, "a@x/1");
	assert_int_equal(count_directories(&scene), ROSTER_MAX_RESOURCES);
	scene_goes(&scene, "a@x");
	assert_int_equal(count_directories(&scene), 0);
	scene_finish(&scene);
}

/* The first one only is told. */
static void test_told_once(void **state)
{
	(void)state;
	struct scene scene;
	unsigned told = 0;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	for (unsigned i = 0; i < MANY; i++) {
		char jid[32];
		snprintf(jid, sizeof(jid), "a@x/%u", i);
		bool first = dispatch_presence(&scene.account, jid, true, 0, 0, scene.now_ms);
		assert_int_equal(first, i == ROSTER_MAX_RESOURCES);
		told += first;
	}
	assert_int_equal(told, 1);
	scene_finish(&scene);
}

/* Names too long for a directory cost no more than others. */
static void test_long_names(void **state)
{
	(void)state;
	struct scene scene;
	char prefix[1001];
	memset(prefix, 'r', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	crowd(&scene, prefix, MANY);
	assert_int_equal(count_directories(&scene), 0);
	assert_int_equal(roster_find(&scene.account.roster, "a@x")->count, ROSTER_MAX_RESOURCES);
	scene_finish(&scene);
}

/* A stream is not broken, and its resource stays, whichever end has opened it. */
static void test_with_a_session(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/peer", -9);
	scene_comes(&scene, "a@x/target", -9);
	scene_comes(&scene, "a@x/sender", -9);
	scene_comes(&scene, "a@x/idle", -9);
	scene_peer_opens(&scene, "a@x/peer", "s", "i");
	scene_play(&scene);
	struct metadata file = scene_file("o", 3);
	scene_peer_offers(&scene, "a@x/sender", "id", &file);
	struct handle *handle = scene_opened(&scene, "a@x/target/f", O_WRONLY);
	crowd(&scene, "", MANY);
	assert_exists(&scene, "a@x/peer");
	assert_exists(&scene, "a@x/target/f");
	assert_exists(&scene, "a@x/sender");
	assert_no(&scene, "a@x/idle");
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	scene_release(&scene, handle);
	scene_play(&scene);
	/* The name of a finished file is still there, so the directory is, too. */
	crowd(&scene, "more", MANY);
	assert_exists(&scene, "a@x/target/f");
	scene_finish(&scene);
}

static void test_made_by_mkdir(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	assert_int_equal(scene_mkdir(&scene, "a@x/made"), 0);
	scene_comes(&scene, "a@x/made", -9);
	crowd(&scene, "", MANY);
	assert_exists(&scene, "a@x/made");
	assert_non_null(roster_find_resource(&scene.account.roster, "a@x/made"));
	scene_finish(&scene);
}

/* A stream that looks for a resource does not ask all that come. */
static void test_queries(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	crowd(&scene, "", 1);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	crowd(&scene, "more", 3 * ROSTER_MAX_RESOURCES);
	assert_int_equal(count_queries(&scene), 2 * ROSTER_MAX_RESOURCES);
	/* All that were asked have been forgotten: it goes to one that was not. */
	scene_play(&scene);
	assert_result(open, 0);
	scene_release(&scene, call_handle(open));
	scene_play(&scene);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listing),	      cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_long_names),    cmocka_unit_test(test_with_a_session),
		cmocka_unit_test(test_made_by_mkdir), cmocka_unit_test(test_queries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
