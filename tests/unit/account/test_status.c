/* SPDX-License-Identifier: MIT */
#include "account/inbox_part.h"
#include "account/status.h"
#include "scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

/* The whole text, read in pieces, with each run of spaces as one. */
static void read_status(struct scene *scene, char *text)
{
	struct handle *handle = scene_opened(scene, "status", O_RDONLY);
	char *end = text;
	const struct call *read;
	do {
		read = scene_read(scene, handle, 100);
		assert_true(call_is_done(read) && read->op.result >= 0);
		for (ssize_t i = 0; i < read->op.result; i++) {
			char c = (char)read->op.data[i];
			if (c != ' ' || end == text || end[-1] != ' ') {
				*end++ = c;
			}
		}
		*end = '\0';
	} while (read->op.result > 0);
	scene_release(scene, handle);
}

/* What is left of files that broke off. */
static void test_parts(void **state)
{
	(void)state;
	char text[8192];
	struct scene scene;
	const struct stat status = {.st_size = 2048};
	scene_start_with_phone(&scene);
	inbox_part_restore(&scene.account, "b@x/photos/f.part", &status, scene.now_ms);
	read_status(&scene, text);
	assert_non_null(strstr(text, "streams 0\n"));
	assert_non_null(strstr(text, "\n STATE BYTES OF "));
	assert_non_null(strstr(text, "\nin broken 2.0 KiB - - - b@x/in/photos/f (b@x)\n"));
	scene_finish(&scene);
}

static void test_status(void **state)
{
	(void)state;
	char text[8192];
	struct scene scene;
	scene_start_with_phone(&scene);
	read_status(&scene, text);
	assert_string_equal(text, "account " SCENE_ME "\nconnection online\nstreams 0\n");

	char line[128];
	status_line(&scene.account, line, sizeof(line));
	assert_string_equal(line, SCENE_ME ": online, 0 streams");

	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	status_line(&scene.account, line, sizeof(line));
	assert_string_equal(line, SCENE_ME ": online, 1 stream");
	scene_write(&scene, handle, "Hello", 0);
	scene_play(&scene);
	scene_write(&scene, handle, "!", 5);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	scene_opened(&scene, "a@x/g", O_WRONLY);
	assert_int_equal(scene_unlink(&scene, "a@x/g"), 0);
	scene_open(&scene, "a@x/h", O_WRONLY | O_NONBLOCK);
	read_status(&scene, text);
	assert_non_null(strstr(text, "streams 4\n"));
	assert_non_null(strstr(text, "\nout open 6 B - 0 B/s - a@x/f (a@x/phone)\n"));
	assert_non_null(strstr(text, "\nin waiting 3 B - 0 B/s - a@x/in/i (a@x/phone)\n"));
	assert_non_null(strstr(text, "\nout broken 0 B - - - g (removed) (a@x/phone)\n"));
	assert_non_null(strstr(text, "\nout new 0 B - 0 B/s - a@x/h (no peer yet)\n"));

	/* Sizes with units; the announced size, and the remaining time. */
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{3, " 3 B 3 B 1 B/s 0:00 "},
		{1023, " 3 B 1023 B 1 B/s 17:00 "},
		{1024, " 3 B 1.0 KiB 1 B/s 17:01 "},
		{1536 * 1024, " 3 B 1.5 MiB 1 B/s 436:54:21 "},
		{(int64_t)5 << 40, " 3 B 5.0 TiB 1 B/s "},
		{(int64_t)5 << 60, " 3 B 5.0 EiB 1 B/s "},
	};
	scene_opened(&scene, "a@x/in/i", O_RDONLY);
	scene_wait(&scene, 3000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		scene_find(&scene, "a@x/in/i")->file.stream->session.announced_size = rows[i].bytes;
		read_status(&scene, text);
		assert_non_null(strstr(text, "\nin open "));
		assert_non_null(strstr(text, rows[i].text));
	}

	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	read_status(&scene, text);
	assert_non_null(strstr(text, "connection down: gone\n"));
	status_line(&scene.account, line, sizeof(line));
	assert_non_null(strstr(line, ": down: gone, "));
	assert_non_null(strstr(text, "\nout broken 6 B - - - a@x/f"));
	scene_finish(&scene);
}

/* How long a session has to wait for a connection, even if nobody has opened it. */
static void test_status_of_what_is_suspended(void **state)
{
	(void)state;
	char text[8192];
	struct scene scene;
	scene_start_with_phone(&scene);
	scene.account.ibb.config.reconnect_ms = 60000;
	scene_receive(&scene, &(struct msg){.kind = MSG_OPEN,
					    .peer = PHONE,
					    .id = "i1",
					    .sid = "s",
					    .block_size = SCENE_BLOCK,
					    .name = "i",
					    .size = -1,
					    .resumable = true});
	scene_goes(&scene, PHONE);
	scene_wait(&scene, 100);
	read_status(&scene, text);
	assert_non_null(strstr(text, "connection online\n"));
	assert_non_null(strstr(text, "\nin suspended 0 B - 0 B/s - a@x/in/i (a@x/phone), "
				     "next attempt in 0:01, given up in "));
	dispatch_offline(&scene.account, "gone", scene.now_ms + 4500, scene.now_ms);
	read_status(&scene, text);
	assert_non_null(strstr(text, "connection down: gone, next attempt in 0:05\n"));
	assert_non_null(strstr(text, "\nin suspended 0 B - 0 B/s - a@x/in/i (a@x/phone), "
				     "given up in "));
	dispatch_online(&scene.account, SCENE_ME, scene.now_ms);
	read_status(&scene, text);
	assert_non_null(strstr(text, "connection online\n"));
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_of_what_is_suspended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
