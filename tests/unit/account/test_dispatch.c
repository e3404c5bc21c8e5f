/* SPDX-License-Identifier: MIT */
#include "account/directory.h"
#include "failing_malloc.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

	scene_offline(&scene);
	scene_is_quiet(&scene);
	assert_result(flush, -ECONNRESET);
	assert_names(&scene, "", "a@x b@x c@x ");
	assert_names(&scene, "a@x", "made f ");
	assert_exists(&scene, "a@x/in/i");
	assert_result(scene_write(&scene, below, "x", 0), -ECONNRESET);
	scene_release(&scene, below);
	scene_release(&scene, handle);

	scene_online(&scene);
	assert_string_equal(scene.account.jid, "me@home.example/again");
	assert_names(&scene, "", "a@x c@x "); /* another client removed b@x */
	assert_names(&scene, "a@x", "made f ");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_finish(&scene);
}

/* The result of a call, if there was one and it succeeded. */
static struct handle *handle_of(const struct call *call)
{
	return call && call_is_done(call) && call->op.result == 0 ? call_handle(call) : NULL;
}

/* Every operation once, with peers that answer; failed ones are skipped. Returns whether all
 * succeeded. */
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

	/* Outgoing: a flush succeeds only if the bytes were delivered. */
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

	/* Incoming: a clean end means that every byte was read. */
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

	scene_offline(scene);
	scene_online(scene);
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
		cmocka_unit_test(test_connection_is_lost),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
