/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

/* `file` and a shell's test open and close without reading. */
static void test_only_looked_at(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	scene_play(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	scene_flush(&scene, handle);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_text(scene_read(&scene, handle, 100), "abc");
	scene_finish(&scene);
}

/* A parked reader gets the stream then. */
static void test_only_looked_at_while_others_wait(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	struct call *line = scene_read(&scene, incoming, 100);
	assert_waits(line);
	scene_release(&scene, handle);
	assert_text(line, "a@x/in/i\n");

	handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	struct handle *next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *read = scene_read(&scene, next, 100);
	assert_waits(read);
	scene_release(&scene, handle);
	assert_text(read, "abc");
	scene_finish(&scene);
}

static void test_reader_leaves_early(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	scene_play(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	scene_read(&scene, handle, 1);
	scene_release(&scene, handle);
	assert_true(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
	scene_is_quiet(&scene);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -ENODATA);
	scene_peer_sends(&scene, PHONE, "s", 1, "d");
	assert_int_equal(scene_sent(&scene, MSG_ERROR, PHONE)->condition, CONDITION_ITEM_NOT_FOUND);
	scene_finish(&scene);
}

/* Without a completed flush the file is incomplete, and the peer must learn that. */
static void test_cut_short(void **state)
{
	(void)state;
	static const struct {
		bool killed, killed_then_not, flushed, reset;
	} rows[] = {
		{true, false, false, true},  {true, false, true, true}, {false, false, false, true},
		{false, false, true, false}, {true, true, true, false}, /* one of two processes */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		scene_write(&scene, handle, "abc", 0);
		if (rows[i].flushed) {
			scene_play(&scene);
		}
		if (rows[i].killed) {
			assert_result(scene_killed(&scene, handle), -EINTR);
		}
		if (rows[i].killed_then_not) {
			assert_result(scene_flush(&scene, handle), 0);
		}
		scene_release(&scene, handle);
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, PHONE)->reset, rows[i].reset);
		assert_exists(&scene, "a@x/f");
		scene_finish(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_looked_at),
		cmocka_unit_test(test_only_looked_at_while_others_wait),
		cmocka_unit_test(test_reader_leaves_early),
		cmocka_unit_test(test_cut_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
