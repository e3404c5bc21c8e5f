/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* access: which peers may open streams, and the answers to all others. */
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
		enum access accept = (enum access)(i % 3);
		int expected = accept == ACCEPT_CONTACTS ? rows[i / 3].contacts
			       : accept == ACCEPT_ANYONE ? rows[i / 3].anyone
							 : rows[i / 3].none;
		const char *peer = rows[i / 3].peer;
		struct scene scene;
		scene_start(&scene, accept);
		scene_contact(&scene, "a@x");
		scene_contact(&scene, "left@x");
		scene_removed(&scene, "left@x");
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

/* A peer that may not open streams is answered while a stream that we opened to it exists. */
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

/* A peer that is not on the roster has a directory while the directory holds a file. */
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

	/* A stream is refused, and its directory stays while a reader waits. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_questions_of_a_peer),
		cmocka_unit_test(test_stranger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
