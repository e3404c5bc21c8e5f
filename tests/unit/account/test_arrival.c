/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
	/* A refused stream gets no name. */
	scene_peer_opens(&scene, "a@x/r", "s1", "again");
	assert_int_equal(scene_sent(&scene, MSG_ERROR, "a@x/r")->condition,
			 CONDITION_NOT_ACCEPTABLE);
	assert_no(&scene, "a@x/in/again");
	scene_finish(&scene);
}

/* In an inbox, a whole file must not be taken for the part of another one. */
static void test_arrival_like_a_part(void **state)
{
	(void)state;
	static const struct {
		const char *name, *path;
	} rows[] = {
		{"x.part", "a@x/in/x.part_"},	   {"x.part", "a@x/in/x (2).part_"},
		{"X.PART", "a@x/in/X.PART_"},	   {".part", "a@x/in/%2Epart"},
		{"x.part.gz", "a@x/in/x.part.gz"},
	};
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene.account.has_inbox = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char sid[8];
		snprintf(sid, sizeof(sid), "s%zu", i);
		scene_peer_opens(&scene, "a@x/r", sid, rows[i].name);
		scene_sent(&scene, MSG_RESULT, "a@x/r");
		assert_non_null(scene_find(&scene, rows[i].path));
	}
	scene_finish(&scene);

	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_peer_opens(&scene, "a@x/r", "s", "x.part");
	scene_sent(&scene, MSG_RESULT, "a@x/r");
	assert_non_null(scene_find(&scene, "a@x/in/x.part"));
	scene_finish(&scene);
}

/* A peer whose JID is too long for a name is refused. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_arrivals),
		cmocka_unit_test(test_arrival_like_a_part),
		cmocka_unit_test(test_arrival_without_a_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
