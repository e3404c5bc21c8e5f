/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
	assert_result(scene_flush(&scene, released), 0);
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

	/* New streams are refused. */
	scene_peer_opens(&scene, "a@x/r", "s3", "late");
	assert_no(&scene, "a@x/in/late");

	/* Closed streams, and those being closed, end in good order; open ones deliver the written
	 * bytes, and are then aborted. */
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
	assert_false(shutdown_is_complete(&scene.account)); /* its release follows */
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
	assert_result(scene_flush(&scene, written), 0);
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

/* Files that are open when the mount is forced away are incomplete: neither fsync nor an open is a
 * close. */
static void test_stop_when_forced_away(void **state)
{
	(void)state;
	static const struct {
		bool writes, syncs, closes, reset;
	} rows[] = {
		{false, false, false, true}, {true, false, false, true},
		{false, true, false, true},  {true, true, false, true},
		{true, true, true, false},   {false, false, true, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		if (rows[i].writes) {
			scene_write(&scene, handle, "abc", 0);
			scene_play(&scene);
		}
		if (rows[i].syncs) {
			assert_result(scene_sync(&scene, handle), 0);
		}
		if (rows[i].closes) {
			assert_result(scene_flush(&scene, handle), 0);
		}
		shutdown_begin(&scene.account, true, scene.now_ms);
		scene_settle(&scene);
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset, rows[i].reset);
		scene_finish(&scene);
	}
}

/* A file that another process had open when the last one closed it is not closed. */
static void test_stop_of_a_shared_file(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct scene scene;
		bool forced = i & 1, closes = i & 2;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		scene_write(&scene, handle, "abc", 0);
		scene_play(&scene);
		assert_result(scene_flush_shared(&scene, handle), 0);
		if (closes) {
			assert_result(scene_flush(&scene, handle), 0);
		}
		shutdown_begin(&scene.account, forced, scene.now_ms);
		scene_settle(&scene);
		if (closes && !forced) {
			assert_false(shutdown_is_complete(&scene.account)); /* its release comes */
			scene_release(&scene, handle);
		}
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset, !closes);
		scene_finish(&scene);
	}
}

/* While the last close waits for the word of the peer. A signal for its process may come later. */
static void test_stop_when_forced_away_during_a_close(void **state)
{
	(void)state;
	struct scene scene;
	struct call finish = {0};
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	scene_play(&scene);
	op_init(&finish.op, OP_FLUSH, 1000, 0, false);
	file_finish(&scene.account, handle, &finish.op, scene.now_ms);
	scene_settle(&scene);
	assert_false(scene_sent(&scene, MSG_CLOSE, "a@x/r")->reset);

	shutdown_begin(&scene.account, true, scene.now_ms);
	scene_settle(&scene);
	assert_null(scene.account.handles);
	assert_waits(&finish);
	assert_null(finish.op.context); /* it has no handle any more */
	scene_interrupt(&scene, &finish);
	assert_result(&finish, -EINTR);
	scene_finish(&scene);
}

/* An account without open files. */
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

/* A stream that was opened and not read does not delay the end. */
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

/* Every call is completed once, whatever it waits for; scene_finish checks that. */
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
	/* A removed file that is still open, and that the kernel still knows. */
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
	/* Peers are told, because they would wait for us to resume otherwise. */
	struct msg *msg;
	unsigned told = 0;
	while ((msg = account_next(&scene.account, scene.now_ms * 1000))) {
		told += msg->kind == MSG_CLOSE;
		msg_destroy(msg);
	}
	assert_true(told >= 3);
	scene_finish(&scene);
}

/* A call that waits for a disk is answered before its file is closed. */
static void test_disk(void **state)
{
	(void)state;
	static const bool unmounted[] = {false, true};
	for (size_t i = 0; i < COUNT(unmounted); i++) {
		struct scene scene;
		struct call open = {0};
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		op_init(&open.op, OP_OPEN, 1000, 0, false);
		open.op.context = scene_opened(&scene, "status", O_RDONLY);
		op_park(&open.op, &scene.account.disk_waiters);
		shutdown_begin(&scene.account, unmounted[i], scene.now_ms);
		scene_settle(&scene);
		assert_int_equal(call_is_done(&open), unmounted[i]);
		shutdown_abandon(&scene.account, scene.now_ms);
		scene_settle(&scene);
		assert_result(&open, -ECONNABORTED);
		assert_null(open.op.context); /* it has no handle any more */
		assert_null(scene.account.handles);
		scene_finish(&scene);
	}
}

/* The server drops the answer to a resource that is offline. */
static void test_heard(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	assert_true(shutdown_is_heard(&scene.account));
	ibb_restore_verdict(&scene.account.ibb, "a@x/r", "s", CONDITION_NONE);
	assert_false(shutdown_is_heard(&scene.account));
	scene_comes(&scene, "a@x/r", 0);
	assert_true(shutdown_is_heard(&scene.account));
	scene_goes(&scene, "a@x/r");
	scene_comes(&scene, "a@x/s", 0);
	assert_false(shutdown_is_heard(&scene.account));
	scene_comes(&scene, "a@x/r", 0);
	scene_offline(&scene);
	assert_false(shutdown_is_heard(&scene.account));
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_when_unmounted),
		cmocka_unit_test(test_stop_when_idle),
		cmocka_unit_test(test_release_after_stop),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_stop_when_forced_away),
		cmocka_unit_test(test_stop_of_a_shared_file),
		cmocka_unit_test(test_stop_when_forced_away_during_a_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
