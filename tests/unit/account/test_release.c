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
			struct call *flush = scene_flush(&scene, handle);
			scene_play(&scene);
			assert_result(flush, 0);
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

/* The last close comes before the peer has said what it is. */
static void test_closed_before_the_features_are_known(void **state)
{
	(void)state;
	for (int is_ibbfs = 0; is_ibbfs < 2; is_ibbfs++) {
		struct scene scene;
		struct call finish = {0};
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, PHONE, 0);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
		assert_result(scene_write(&scene, handle, "abc", 0), 3);
		op_init(&finish.op, OP_FLUSH, 1000, 0, false);
		file_finish(&scene.account, handle, &finish.op, scene.now_ms);
		scene_settle(&scene);
		scene_sent(&scene, MSG_INFO, PHONE);
		scene_says(&scene, is_ibbfs ? FEATURE_IBB | FEATURE_IBBFS : FEATURE_IBB);
		scene_sent(&scene, MSG_OPEN, PHONE);
		scene_result(&scene);
		scene_sent(&scene, MSG_DATA, PHONE);
		assert_waits(&finish);
		scene_result(&scene);
		if (is_ibbfs) {
			assert_waits(&finish);
			assert_false(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
			scene_error(&scene, CONDITION_RESOURCE_CONSTRAINT);
		}
		assert_result(&finish, is_ibbfs ? -ENOSPC : 0);
		scene_release(&scene, handle);
		scene_finish(&scene);
	}
}

/* The file is incomplete, unless another write succeeds. The close says so, too, but not an fsync.
 */
static void test_last_write_failed(void **state)
{
	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		struct call *fills = scene_write(&scene, handle, "0123456789abcdefghijkl", 0);
		assert_waits(fills);
		scene.account.stopping = refused;
		struct call *write = &scene.calls[scene.calls_length++];
		op_init(&write->op, OP_WRITE, 99, 1, true);
		file_write(&scene.account, handle, &write->op, "m", 22, scene.now_ms);
		scene_settle(&scene);
		assert_result(write, refused ? -ECONNRESET : -EAGAIN);
		scene.account.stopping = false;
		struct call *sync = scene_sync(&scene, handle);
		scene_play(&scene);
		assert_result(fills, 22);
		assert_result(sync, 0);
		assert_result(scene_flush(&scene, handle), refused ? -ECONNRESET : -EIO);
		bool again = !refused;
		if (again) {
			assert_result(scene_write(&scene, handle, "m", 22), 1);
			scene_play(&scene);
			assert_result(scene_flush(&scene, handle), 0);
		}
		scene_release(&scene, handle);
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, PHONE)->reset, !again);
		scene_finish(&scene);
	}
}

/* A signal ends a write that has sent nothing yet. The writer may be told of an earlier part only,
 * as the kernel splits long writes. */
static void test_last_write_interrupted(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		struct call *fills = scene_write(&scene, handle, "0123456789abcdefghijkl", 0);
		struct call *write = scene_write(&scene, handle, "m", 22);
		assert_waits(write);
		scene_interrupt(&scene, write);
		assert_result(write, -EINTR);
		scene_play(&scene);
		assert_result(fills, 22);
		assert_result(scene_flush(&scene, handle), -EIO);
		if (again) {
			assert_result(scene_write(&scene, handle, "m", 22), 1);
			scene_play(&scene);
			assert_result(scene_flush(&scene, handle), 0);
		}
		scene_release(&scene, handle);
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, PHONE)->reset, !again);
		scene_finish(&scene);
	}
}

/* A signal that ends a flush leaves nothing flushed, unless another flush succeeds. */
static void test_interrupted_flush(void **state)
{
	(void)state;
	for (int flushed_again = 0; flushed_again < 2; flushed_again++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
		scene_write(&scene, handle, "abc", 0);
		struct call *flush = scene_flush(&scene, handle);
		assert_waits(flush);
		scene_interrupt(&scene, flush);
		assert_result(flush, -EINTR);
		scene_play(&scene); /* the peer acknowledges all the same */
		if (flushed_again) {
			assert_result(scene_flush(&scene, handle), 0);
		}
		scene_release(&scene, handle);
		assert_int_equal(scene_sent(&scene, MSG_CLOSE, PHONE)->reset, !flushed_again);
		scene_finish(&scene);
	}
}

/* Another process has closed the same file since. */
static void test_interrupted_flush_that_is_not_the_last(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *first = scene_flush(&scene, handle), *last = scene_flush(&scene, handle);
	assert_waits(first);
	assert_waits(last);
	file_interrupt(&scene.account, &first->op);
	scene_play(&scene);
	assert_result(last, 0);
	scene_release(&scene, handle);
	assert_false(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
	scene_finish(&scene);
}

/* The kernel flushes at every close. Only then it releases the file. */
static void test_released_without_a_flush(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	scene_play(&scene);
	scene_release(&scene, handle);
	assert_true(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
	scene_finish(&scene);
}

/* The zeros of ftruncate are written, too: the close of another process was before them. */
static void test_released_after_a_truncation(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	assert_int_equal(file_truncate(&scene.account, handle->node, handle, 5, scene.now_ms), 0);
	scene_settle(&scene);
	scene_play(&scene);
	scene_release(&scene, handle);
	assert_true(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_looked_at),
		cmocka_unit_test(test_only_looked_at_while_others_wait),
		cmocka_unit_test(test_reader_leaves_early),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_last_write_failed),
		cmocka_unit_test(test_last_write_interrupted),
		cmocka_unit_test(test_closed_before_the_features_are_known),
		cmocka_unit_test(test_interrupted_flush),
		cmocka_unit_test(test_interrupted_flush_that_is_not_the_last),
		cmocka_unit_test(test_released_without_a_flush),
		cmocka_unit_test(test_released_after_a_truncation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
