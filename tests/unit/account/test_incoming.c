/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

static void test_next(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s1", "c");
	scene_arrives(&scene, "s2", "b");
	scene_arrives(&scene, "s3", "a");
	scene_peer_sends(&scene, PHONE, "s1", 0, "1");
	scene_peer_sends(&scene, PHONE, "s2", 0, "2");
	scene_peer_sends(&scene, PHONE, "s3", 0, "3");
	scene_play(&scene);
	scene_opened(&scene, "a@x/in/c", O_RDONLY);

	/* The oldest stream that nobody has opened. */
	struct handle *handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	assert_false(scene_find(&scene, "a@x/in/b")->file.opened);
	assert_text(scene_read(&scene, handle, 100), "2");
	assert_result(scene_open(&scene, "a@x/in/b", O_RDONLY), -EBUSY);
	assert_result(scene_poll(&scene, handle, 100), -EAGAIN); /* of the same */

	struct handle *other = scene_opened(&scene, "a@x/in/next", O_RDWR);
	assert_result(scene_write(&scene, other, "x", 0), -EAGAIN);
	assert_text(scene_poll(&scene, other, 100), "3");
	assert_result(scene_write(&scene, other, "x", 0), 1);
	scene_play(&scene);

	/* None is left. */
	struct handle *third = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	assert_result(scene_poll(&scene, third, 100), -EAGAIN);
	assert_result(scene_flush(&scene, third), 0);
	scene_release(&scene, third);
	scene_is_quiet(&scene);

	/* It ends as any other. */
	scene_peer_closes(&scene, PHONE, "s2", false);
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_play(&scene);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_result(scene_open(&scene, "a@x/in/b", O_RDONLY), -ENODATA);
	scene_release(&scene, other);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_finish(&scene);
}

/* Each parked reader gets one stream of its own contact, in order. */
static void test_next_waits(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_contact(&scene, "b@x");
	struct handle *handles[3];
	struct call *reads[3];
	for (size_t i = 0; i < COUNT(reads); i++) {
		handles[i] = scene_opened(&scene, i < 2 ? "a@x/in/next" : "b@x/in/next", O_RDONLY);
		reads[i] = scene_read(&scene, handles[i], 100);
		assert_waits(reads[i]);
	}
	scene_arrives(&scene, "s1", "one");
	assert_waits(reads[0]);
	scene_arrives(&scene, "s2", "two");
	scene_peer_sends(&scene, PHONE, "s2", 0, "2");
	assert_text(reads[1], "2");
	assert_waits(reads[0]);
	scene_peer_sends(&scene, PHONE, "s1", 0, "1");
	assert_text(reads[0], "1");
	assert_waits(reads[2]);
	assert_result(scene_open(&scene, "a@x/in/one", O_RDONLY), -EBUSY);

	/* Readers that are interrupted, and readers that exit. */
	scene_interrupt(&scene, reads[2]);
	assert_result(reads[2], -EINTR);
	scene_peer_opens(&scene, "b@x/r", "s3", "three");
	scene_peer_sends(&scene, "b@x/r", "s3", 0, "3");
	assert_text(scene_read(&scene, handles[2], 1), "3");
	scene_finish(&scene);
}

/* Two processes share one open file: they read one stream. */
static void test_next_shared(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *reads[] = {
		scene_read(&scene, handle, 1),
		scene_read(&scene, handle, 1),
		scene_read(&scene, handle, 1),
	};
	struct handle *other = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *others = scene_read(&scene, other, 1);
	scene_arrives(&scene, "s1", "one");
	scene_arrives(&scene, "s2", "two");
	scene_peer_sends(&scene, PHONE, "s1", 0, "ab");
	assert_text(reads[0], "a");
	assert_text(reads[1], "b");
	assert_waits(reads[2]);
	scene_peer_sends(&scene, PHONE, "s2", 0, "c");
	assert_text(others, "c");
	assert_waits(reads[2]);
	scene_peer_closes(&scene, PHONE, "s1", false);
	assert_result(reads[2], 0);
	scene_finish(&scene);
}

static void test_incoming(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_contact(&scene, "b@x");
	scene_arrives(&scene, "s1", "z");
	scene_peer_opens(&scene, "b@x/r", "s2", "y");
	scene_arrives(&scene, "s3", "x");
	scene_opened(&scene, "a@x/in/x", O_RDONLY);

	/* Unopened streams come first, the oldest first, one line a read. */
	struct handle *handle = scene_opened(&scene, "incoming", O_RDONLY);
	assert_text(scene_read(&scene, handle, 4096), "a@x/in/z\n");
	assert_text(scene_read(&scene, handle, 4096), "b@x/in/y\n");
	assert_result(scene_poll(&scene, handle, 4096), -EAGAIN);

	/* Each arrival follows; every reader gets every line. */
	struct handle *other = scene_opened(&scene, "incoming", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 4096);
	assert_waits(read);
	scene_arrives(&scene, "s4", "w");
	assert_text(read, "a@x/in/w\n");
	assert_text(scene_read(&scene, other, 4096), "a@x/in/z\n");
	assert_text(scene_read(&scene, other, 4096), "b@x/in/y\n");
	assert_text(scene_read(&scene, other, 4096), "a@x/in/w\n");
	struct call *both[] = {scene_read(&scene, handle, 4096), scene_read(&scene, other, 4096)};
	scene_arrives(&scene, "s5", "a\nb");
	assert_text(both[0], "a@x/in/a%0Ab\n");
	assert_text(both[1], "a@x/in/a%0Ab\n");

	/* A stream that is opened before its line is read is listed too. */
	struct handle *next = scene_opened(&scene, "b@x/in/next", O_RDONLY);
	scene_read(&scene, next, 1);
	struct call *taken = scene_read(&scene, next, 1);
	assert_waits(taken);
	scene_arrives(&scene, "s6", "v");
	scene_opened(&scene, "a@x/in/v", O_RDONLY);
	assert_text(scene_read(&scene, handle, 4096), "a@x/in/v\n");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* A shell's `read` asks for one byte at a time. */
static void test_incoming_in_pieces(void **state)
{
	(void)state;
	static const char expected[] = "a@x/in/one\na@x/in/two\n";
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s1", "one");
	struct handle *handle = scene_opened(&scene, "incoming", O_RDONLY);
	for (size_t i = 0; i < sizeof(expected) - 1; i++) {
		struct call *read = scene_read(&scene, handle, 1);
		if (i == strlen("a@x/in/one\n")) {
			assert_waits(read);
			scene_arrives(&scene, "s2", "two");
		}
		assert_result(read, 1);
		assert_int_equal(read->op.data[0], expected[i]);
	}
	assert_result(scene_poll(&scene, handle, 1), -EAGAIN);
	scene_release(&scene, handle);

	/* Readers do not affect each other. */
	handle = scene_opened(&scene, "incoming", O_RDONLY);
	assert_text(scene_read(&scene, handle, 4), "a@x/");
	assert_text(scene_read(&scene, scene_opened(&scene, "incoming", O_RDONLY), 100),
		    "a@x/in/one\n");
	assert_text(scene_read(&scene, handle, 100), "in/one\n");
	assert_text(scene_read(&scene, handle, 100), "a@x/in/two\n");
	scene_finish(&scene);
}

static void test_longest_line(void **state)
{
	(void)state;
	struct scene scene;
	char jid[256], name[256], line[600];
	memset(jid, 'j', 254);
	jid[0] = 'a';
	jid[1] = '@';
	jid[254] = '\0';
	memset(name, 'n', 255);
	name[255] = '\0';
	scene_start_with_phone(&scene);
	scene_contact(&scene, jid);
	char peer[300];
	snprintf(peer, sizeof(peer), "%s/r", jid);
	scene_peer_opens(&scene, peer, "s", name);
	struct handle *handle = scene_opened(&scene, "incoming", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 4096);
	snprintf(line, sizeof(line), "%s/in/%s\n", jid, name);
	assert_result(read, (ssize_t)strlen(line));
	assert_memory_equal(read->op.data, line, strlen(line));
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_waits),
		cmocka_unit_test(test_next_shared),
		cmocka_unit_test(test_incoming),
		cmocka_unit_test(test_incoming_in_pieces),
		cmocka_unit_test(test_longest_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
