/* SPDX-License-Identifier: MIT */
#include "account/file.h"
#include "failing_malloc.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

static int truncate_to(struct scene *scene, const char *path, struct handle *handle, uint64_t size)
{
	int error = file_truncate(&scene->account, scene_find(scene, path), handle, size,
				  scene->now_ms);
	scene_settle(scene);
	return error;
}

/* ---- writing ---- */

static void test_write(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_int_equal(scene_size(&scene, "a@x/f"), 0);
	assert_result(scene_write(&scene, handle, "Hello", 0), 5);
	const struct msg *msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 5);
	scene_is_quiet(&scene);

	/* A partial block waits while another is in flight, until the file is flushed. */
	assert_result(scene_write(&scene, handle, ", world", 5), 7);
	assert_int_equal(scene_size(&scene, "a@x/f"), 12);
	scene_is_quiet(&scene);
	struct call *flush = scene_flush(&scene, handle);
	msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 7);
	assert_memory_equal(msg->data, ", world", 7);
	assert_waits(flush);
	scene_finish(&scene);
}

/* Acknowledges the next block that is sent. */
static void acknowledge(struct scene *scene)
{
	scene_sent(scene, MSG_DATA, PHONE);
	scene_result(scene);
}

static void test_close(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_flush(&scene, handle), 0); /* nothing is out */
	scene_write(&scene, handle, "Hello, world", 0);
	struct call *flush = scene_flush(&scene, handle);
	acknowledge(&scene);
	assert_waits(flush);
	acknowledge(&scene);
	assert_result(flush, 0);
	assert_result(scene_flush(&scene, handle), 0);
	scene_is_quiet(&scene); /* it is not the end */

	scene_release(&scene, handle);
	assert_false(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
	scene_result(&scene);
	scene_is_quiet(&scene);

	/* The name stays for a while: mc, install and gio use it again. */
	assert_int_equal(scene_size(&scene, "a@x/f"), 12);
	assert_int_equal(truncate_to(&scene, "a@x/f", NULL, 12), 0);
	scene_wait(&scene, ACCOUNT_FINISHED_MS - 1);
	assert_int_equal(scene_size(&scene, "a@x/f"), 12);
	scene_wait(&scene, 1);
	assert_no(&scene, "a@x/f");
	assert_exists(&scene, "a@x");
	scene_finish(&scene);
}

static void test_finished_name_is_used_again(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "one", 0);
	scene_flush(&scene, handle);
	scene_play(&scene);
	scene_release(&scene, handle);
	scene_play(&scene);
	uint64_t ino = scene_find(&scene, "a@x/f")->ino;
	scene_wait(&scene, ACCOUNT_FINISHED_MS - 1);

	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY | O_TRUNC);
	assert_string_equal(scene_sent(&scene, MSG_OPEN, PHONE)->sid, "sid2");
	scene_result(&scene);
	assert_result(open, 0);
	assert_int_equal(scene_find(&scene, "a@x/f")->ino, ino);
	assert_int_equal(scene_size(&scene, "a@x/f"), 0);
	handle = call_handle(open);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_result(scene_write(&scene, handle, "three", 0), 5);
	scene_flush(&scene, handle);
	scene_play(&scene);
	scene_release(&scene, handle);
	assert_int_equal(scene_size(&scene, "a@x/f"), 5);
	scene_finish(&scene);
}

static void test_window(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "0123456789abcdef", 0), 16);
	struct call *write = scene_write(&scene, handle, "ghijkl", 16);
	assert_waits(write);
	assert_int_equal(scene_size(&scene, "a@x/f"), 22);

	struct call *nonblock = &scene.calls[scene.calls_length++];
	op_init(&nonblock->op, OP_WRITE, 99, 1, true);
	file_write(&scene.account, handle, &nonblock->op, "m", 22, scene.now_ms);
	scene_settle(&scene);
	assert_result(nonblock, -EAGAIN);
	assert_int_equal(scene_size(&scene, "a@x/f"), 22);

	struct call *beyond = &scene.calls[scene.calls_length++];
	op_init(&beyond->op, OP_WRITE, 100, 1, true);
	file_write(&scene.account, handle, &beyond->op, "m", 25, scene.now_ms);
	scene_settle(&scene);
	assert_result(beyond, -EAGAIN);
	assert_int_equal(scene_size(&scene, "a@x/f"), 22); /* without the zeros of a gap */

	acknowledge(&scene);
	assert_result(write, 6);

	/* An interrupted write succeeds: its bytes were queued. */
	write = scene_write(&scene, handle, "nopq", 22);
	assert_waits(write);
	scene_interrupt(&scene, write);
	assert_result(write, 4);
	scene_flush(&scene, handle);
	scene_play(&scene);
	assert_int_equal(scene.delivered, 26 - 8);
	scene_finish(&scene);
}

/* One writer at a time. */
static void test_second_writer(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	static const int flags[] = {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_NONBLOCK};
	for (size_t i = 0; i < COUNT(flags); i++) {
		assert_result(scene_open(&scene, "a@x/f", flags[i]), -EBUSY);
	}
	scene_is_quiet(&scene);
	assert_result(scene_write(&scene, handle, "still", 0), 5);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);

	/* Nor while it opens. */
	struct call *open = scene_open(&scene, "a@x/g", O_WRONLY);
	assert_result(scene_open(&scene, "a@x/g", O_WRONLY), -EBUSY);
	scene_play(&scene);
	assert_result(open, 0);
	assert_exists(&scene, "a@x/g");
	scene_finish(&scene);
}

/* Sent bytes are not stored, but stat works. */
static void test_read_of_outgoing(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *writer = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_read(&scene, writer, 1), -EBADF);
	struct call *open = scene_open(&scene, "a@x/f", O_RDONLY);
	assert_result(open, 0);
	struct handle *reader = call_handle(open);
	assert_result(scene_read(&scene, reader, 10), -EACCES);
	assert_result(scene_write(&scene, reader, "x", 0), -EBADF);
	assert_result(scene_flush(&scene, reader), 0);
	scene_release(&scene, reader);
	scene_is_quiet(&scene);
	assert_result(scene_write(&scene, writer, "x", 0), 1);
	scene_finish(&scene);
}

/* As touch, truncate and tar open it: nothing is sent before the first write. */
static void test_nonblock_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	assert_result(scene_flush(&scene, handle), 0);
	scene_is_quiet(&scene);
	scene_wait(&scene, 10 * SCENE_TIMEOUT);
	assert_exists(&scene, "a@x/f");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_int_equal(scene_size(&scene, "a@x/f"), 0);

	open = scene_open(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
	handle = call_handle(open);
	assert_result(scene_write(&scene, handle, "one", 0), 3);
	assert_result(scene_write(&scene, handle, "two", 3), 3);
	struct call *flush = scene_flush(&scene, handle);
	scene_sent(&scene, MSG_INFO, PHONE);
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_is_quiet(&scene);
	assert_waits(flush);
	scene_result(&scene);
	scene_play(&scene);
	assert_result(flush, 0);
	assert_int_equal(scene.delivered, 6);
	assert_memory_equal(scene.text, "onetwo", 6);
	scene_release(&scene, handle);
	scene_sent(&scene, MSG_CLOSE, PHONE);

	/* The next call reports the refusal. */
	open = scene_open(&scene, "a@x/g", O_WRONLY | O_NONBLOCK);
	handle = call_handle(open);
	assert_result(scene_write(&scene, handle, "one", 0), 3);
	flush = scene_flush(&scene, handle);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_error(&scene, CONDITION_NOT_ACCEPTABLE);
	assert_result(flush, -ECONNREFUSED);
	assert_result(scene_write(&scene, handle, "two", 3), -ECONNREFUSED);
	scene_finish(&scene);
}

static void test_nonblock_open_of_nobody(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_goes(&scene, PHONE);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
	struct handle *handle = call_handle(open);
	scene_write(&scene, handle, "one", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(flush, -EHOSTDOWN);

	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	open = scene_open(&scene, "a@x/g", O_WRONLY | O_NONBLOCK);
	assert_result(open, 0);
	assert_result(scene_write(&scene, call_handle(open), "one", 0), -ENETDOWN);
	assert_result(scene_flush(&scene, call_handle(open)), -ENETDOWN);
	scene_finish(&scene);
}

static void test_gap(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "ab", 0), 2);
	assert_result(scene_write(&scene, handle, "cd", 5), 2);
	assert_int_equal(scene_size(&scene, "a@x/f"), 7);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	assert_int_equal(scene.delivered, 7);
	assert_memory_equal(scene.text, "ab\0\0\0cd", 7);
	scene_finish(&scene);
}

/* The session fails at a place that cannot be written: the tool may ignore the error. */
static void test_offsets(void **state)
{
	(void)state;
	static const struct {
		int flags;
		uint64_t offset;
		ssize_t result;
	} rows[] = {
		{O_WRONLY, 1, -ESPIPE},
		{O_WRONLY, 0, -ESPIPE},
		{O_WRONLY, (uint64_t)1 << 41, -EFBIG},
		{O_WRONLY, UINT64_MAX, -EFBIG},
		{O_WRONLY, 3, 1},
		{O_WRONLY | O_APPEND, 0, 1},
		{O_WRONLY | O_APPEND, 99, 1},
		{O_RDWR, 0, 1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", rows[i].flags);
		assert_result(scene_write(&scene, handle, "abc", 0), 3);
		scene_play(&scene);
		assert_result(scene_write(&scene, handle, "d", rows[i].offset), rows[i].result);
		if (rows[i].result < 0) {
			assert_true(scene_sent(&scene, MSG_CLOSE, PHONE)->reset);
			assert_result(scene_write(&scene, handle, "d", 3), rows[i].result);
			assert_result(scene_flush(&scene, handle), rows[i].result);
		} else {
			scene_play(&scene);
			assert_memory_equal(scene.text, "abcd", 4);
			assert_int_equal(scene.delivered, 4);
		}
		scene_finish(&scene);
	}
}

static void test_truncate(void **state)
{
	(void)state;
	static const struct {
		int flags;
		bool by_handle;
		uint64_t written, size;
		int result;
		uint64_t then;
	} rows[] = {
		{O_WRONLY, true, 0, 0, 0, 0},
		{O_WRONLY, false, 0, 0, 0, 0},
		{O_WRONLY, true, 3, 3, 0, 3},
		{O_WRONLY, false, 3, 3, 0, 3},
		{O_WRONLY, true, 3, 0, -EINVAL, 3},
		{O_WRONLY, true, 3, 2, -EINVAL, 3},
		{O_WRONLY, true, 3, 7, 0, 7},
		{O_WRONLY, true, 0, 7, 0, 7},
		{O_WRONLY, false, 3, 7, -ESPIPE, 3},
		{O_WRONLY, true, 3, (uint64_t)1 << 41, -EFBIG, 3},
		{O_RDWR, true, 3, 7, -ESPIPE, 3}, /* dd seek= */
		{O_RDWR, true, 3, 3, 0, 3},
		{O_WRONLY | O_NONBLOCK, true, 0, 7, 0, 7},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", rows[i].flags);
		if (rows[i].written > 0) {
			scene_write(&scene, handle, "abc", 0);
		}
		assert_int_equal(truncate_to(&scene, "a@x/f", rows[i].by_handle ? handle : NULL,
					     rows[i].size),
				 rows[i].result);
		assert_int_equal(scene_size(&scene, "a@x/f"), rows[i].then);
		if (rows[i].result == 0) {
			struct call *flush = scene_flush(&scene, handle);
			scene_play(&scene);
			assert_result(flush, 0);
			assert_int_equal(scene.delivered, rows[i].then);
			assert_memory_equal(scene.text, "abc", rows[i].written);
		}
		scene_finish(&scene);
	}
}

static void test_truncate_elsewhere(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	assert_int_equal(truncate_to(&scene, "a@x/in/i", NULL, 0), -EACCES);
	assert_int_equal(truncate_to(&scene, "a@x/in/next", NULL, 0), -EACCES);
	assert_int_equal(truncate_to(&scene, "incoming", NULL, 0), -EACCES);
	assert_int_equal(truncate_to(&scene, "status", NULL, 0), -EACCES);

	/* Finished. */
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	scene_play(&scene);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_int_equal(truncate_to(&scene, "a@x/f", NULL, 4), -EINVAL);
	assert_int_equal(truncate_to(&scene, "a@x/f", NULL, 3), 0);
	assert_int_equal(truncate_to(&scene, "a@x/f", NULL, 0), 0);
	assert_int_equal(scene_size(&scene, "a@x/f"), 0);
	scene_is_quiet(&scene);

	/* After the stream broke, writing zeros fails. */
	handle = scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_goes(&scene, PHONE);
	assert_int_equal(truncate_to(&scene, "a@x/g", handle, 4), -ECONNRESET);
	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	handle = scene_opened(&scene, "a@x/h", O_WRONLY | O_NONBLOCK);
	assert_int_equal(truncate_to(&scene, "a@x/h", handle, 4), -ENETDOWN);
	scene_finish(&scene);
}

static void test_broken_while_written(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct call *write = scene_write(&scene, handle, "0123456789abcdefghij", 0);
	struct call *flush = scene_flush(&scene, handle);
	assert_waits(write);
	scene_goes(&scene, PHONE);
	assert_result(write, -ECONNRESET);
	assert_result(flush, -ECONNRESET);
	assert_result(scene_write(&scene, handle, "k", 20), -ECONNRESET);
	assert_result(scene_write(&scene, handle, "k", 0), -ECONNRESET);
	assert_result(scene_flush(&scene, handle), -ECONNRESET);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_exists(&scene, "a@x/f");
	scene_finish(&scene);
}

/* The peer closes: further writes fail, and earlier bytes are not delivered. */
static void test_peer_closes(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	scene_play(&scene);
	scene_peer_closes(&scene, PHONE, "sid1", false);
	scene_play(&scene);
	assert_result(scene_flush(&scene, handle), 0);
	assert_result(scene_write(&scene, handle, "d", 3), -ECONNRESET);
	assert_result(scene_write(&scene, handle, "d", 0), -ECONNRESET);
	/* The kernel splits a long write, and tells a writer of the parts that succeed only. */
	assert_result(scene_flush(&scene, handle), -ECONNRESET);

	handle = scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_peer_closes(&scene, PHONE, "sid2", false);
	assert_result(flush, -ECONNRESET);
	scene_finish(&scene);
}

/* fsync through any descriptor is about the file, as sync(1) opens it for reading only. */
static void test_sync_of_another(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct handle *other = scene_opened(&scene, "a@x/f", O_RDONLY);
	assert_result(scene_sync(&scene, other), 0); /* nothing was written */
	scene_write(&scene, handle, "abc", 0);
	struct call *sync = scene_sync(&scene, other);
	struct call *interrupted = scene_sync(&scene, other);
	assert_waits(sync);
	scene_interrupt(&scene, interrupted);
	assert_result(interrupted, -EINTR);
	scene_play(&scene);
	assert_result(sync, 0);
	scene_write(&scene, handle, "d", 3);
	sync = scene_sync(&scene, other);
	scene_release(&scene, other); /* the mount is forced away, and its calls go on */
	assert_waits(sync);
	scene_goes(&scene, PHONE);
	assert_result(sync, -ECONNRESET);
	other = scene_opened(&scene, "a@x/f", O_RDONLY);
	assert_result(scene_sync(&scene, other), -ECONNRESET);
	assert_result(scene_flush(&scene, other), 0);
	scene_release(&scene, handle);
	assert_result(scene_sync(&scene, other), -ECONNRESET); /* the session is over */
	assert_result(scene_sync(&scene, scene_opened(&scene, "status", O_RDONLY)), 0);

	/* The name is used again. */
	scene_comes(&scene, PHONE, 0);
	handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_sync(&scene, other), 0);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_result(scene_sync(&scene, other), 0);
	scene_finish(&scene);
}

/* No close has waited for the end, as execve's does not. The peer has still to say how it was. */
static void test_sync_after_the_release(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		int error;
	} rows[] = {{CONDITION_NONE, 0}, {CONDITION_RESOURCE_CONSTRAINT, -ENOSPC}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/phone", 0);
		struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
		struct handle *other = scene_opened(&scene, "a@x/f", O_RDONLY);
		scene_write(&scene, handle, "abc", 0);
		scene_sent(&scene, MSG_INFO, "a@x/phone");
		scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
		scene_sent(&scene, MSG_OPEN, "a@x/phone");
		scene_result(&scene);
		scene_sent(&scene, MSG_DATA, "a@x/phone");
		scene_result(&scene);
		assert_result(scene_flush_shared(&scene, handle), 0);
		scene_release(&scene, handle);
		struct call *sync = scene_sync(&scene, other);
		assert_waits(sync);
		assert_false(scene_sent(&scene, MSG_CLOSE, "a@x/phone")->reset);
		if (rows[i].error) {
			scene_error(&scene, rows[i].condition);
		} else {
			scene_result(&scene);
		}
		assert_result(sync, rows[i].error);
		assert_result(scene_sync(&scene, other), rows[i].error);
		scene_finish(&scene);
	}
}

/* O_DSYNC */
static void test_write_sync(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct call *write = scene_write_sync(&scene, handle, "abc", 0);
	assert_waits(write);
	scene_play(&scene);
	assert_result(write, 3);
	/* Nothing was sent of a write that has to wait for another one. */
	struct call *fills = scene_write(&scene, handle, "0123456789abcdefghij", 7);
	write = scene_write_sync(&scene, handle, "k", 27);
	scene_interrupt(&scene, write);
	assert_result(write, -EINTR);
	write = scene_write_sync(&scene, handle, "k", 27);
	scene_play(&scene);
	assert_result(fills, 20);
	assert_result(write, 1);
	/* If its bytes are sent, it must not be repeated. */
	write = scene_write_sync(&scene, handle, "l", 28);
	struct call *flush = scene_flush(&scene, handle);
	scene_interrupt(&scene, write);
	assert_result(write, -EINTR);
	assert_result(flush, -ECONNRESET);
	assert_result(scene_write_sync(&scene, handle, "l", 28), -ECONNRESET);
	scene_release(&scene, handle);

	handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	write = scene_write_sync(&scene, handle, "abc", 0);
	scene_release(&scene, handle); /* the mount is forced away */
	assert_result(write, -ECONNRESET);
	scene_finish(&scene);
}

static void test_interrupted_flush(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_interrupt(&scene, flush);
	assert_result(flush, -EINTR);
	flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	scene_finish(&scene);
}

/* ---- reading ---- */

static void test_read(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "Hello");
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_int_equal(scene_size(&scene, "a@x/in/i"), 0); /* not known before the end */
	assert_text(scene_read(&scene, handle, 1), "H");
	assert_text(scene_read(&scene, handle, 100), "ello");
	assert_result(scene_write(&scene, handle, "x", 0), -EBADF);

	assert_result(scene_poll(&scene, handle, 1), -EAGAIN);
	struct call *read = scene_read(&scene, handle, 2);
	assert_waits(read);
	scene_peer_sends(&scene, PHONE, "s", 1, "world");
	assert_text(read, "wo");
	assert_text(scene_poll(&scene, handle, 2), "rl");
	scene_peer_closes(&scene, PHONE, "s", false);
	assert_text(scene_read(&scene, handle, 100), "d");
	assert_result(scene_read(&scene, handle, 100), 0);
	assert_result(scene_read(&scene, handle, 100), 0);
	assert_result(scene_flush(&scene, handle), 0);
	scene_play(&scene);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);

	/* It can be read once. */
	assert_int_equal(scene_size(&scene, "a@x/in/i"), 10);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -ENODATA);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/in/i");
	scene_finish(&scene);
}

/* An incomplete file never has a clean end. */
static void test_read_of_broken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		scene_arrives(&scene, "s", "i");
		scene_peer_sends(&scene, PHONE, "s", 0, "abc");
		struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
		assert_text(scene_read(&scene, handle, 1), "a");
		if (i == 0) {
			scene_peer_closes(&scene, PHONE, "s", true);
		} else if (i == 1) {
			scene_goes(&scene, PHONE);
		} else {
			dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
			scene_settle(&scene);
		}
		assert_text(scene_read(&scene, handle, 100), "bc");
		assert_result(scene_read(&scene, handle, 100), -ECONNRESET);
		assert_result(scene_read(&scene, handle, 100), -ECONNRESET);
		scene_release(&scene, handle);
		assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -ENODATA);
		scene_finish(&scene);
	}
}

/* A stream that nobody has opened keeps its bytes, even if its peer is gone. */
static void test_broken_while_it_waits(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	scene_goes(&scene, PHONE);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_text(scene_read(&scene, handle, 100), "abc");
	assert_result(scene_read(&scene, handle, 100), -ECONNRESET);
	scene_finish(&scene);
}

static void test_access(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int flags;
		ssize_t result;
	} rows[] = {
		{"a@x/in/i", O_WRONLY, -EACCES},
		{"a@x/in/i", O_WRONLY | O_TRUNC, -EACCES},
		{"a@x/in/i", O_RDWR | O_TRUNC, -EACCES},
		{"a@x/in/i", O_RDONLY, 0},
		{"a@x/in/i", O_RDWR, 0},
		{"a@x/in/i", O_RDONLY | O_NONBLOCK, 0},
		{"a@x/in/next", O_WRONLY, -EACCES},
		{"a@x/in/next", O_RDWR | O_TRUNC, -EACCES},
		{"a@x/in/next", O_RDONLY, 0},
		{"a@x/in/next", O_RDWR, 0},
		{"incoming", O_WRONLY, -EACCES},
		{"incoming", O_RDWR, -EACCES},
		{"incoming", O_RDONLY, 0},
		{"status", O_WRONLY, -EACCES},
		{"status", O_RDONLY, 0},
		{"a@x", O_RDONLY, -EISDIR},
		{"a@x/in", O_RDONLY, -EISDIR},
		{"", O_RDONLY, -EISDIR},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start_with_phone(&scene);
		scene_arrives(&scene, "s", "i");
		struct call *open = scene_open(&scene, rows[i].path, rows[i].flags);
		assert_result(open, rows[i].result);
		assert_int_equal(scene_find(&scene, rows[i].path)->handles,
				 rows[i].result == 0 ? 1 : 0);
		scene_is_quiet(&scene);
		assert_exists(&scene, "a@x/in/i");
		scene_finish(&scene);
	}
}

static void test_second_reader(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -EBUSY);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDWR), -EBUSY);
	assert_text(scene_read(&scene, handle, 100), "abc");
	scene_finish(&scene);
}

static void test_interrupted_read(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	struct handle *handles[] = {
		scene_opened(&scene, "a@x/in/i", O_RDONLY),
		scene_opened(&scene, "a@x/in/next", O_RDONLY),
		scene_opened(&scene, "incoming", O_RDONLY),
	};
	for (size_t i = 0; i < COUNT(handles); i++) {
		struct call *read = scene_read(&scene, handles[i], 100);
		assert_waits(read);
		scene_interrupt(&scene, read);
		assert_result(read, -EINTR);
		scene_release(&scene, handles[i]);
	}
	/* No call is parked any more. */
	scene_play(&scene);
	scene_arrives(&scene, "t", "j");
	assert_false(scene_find(&scene, "a@x/in/j")->file.opened);
	scene_finish(&scene);
}

/* Also of a write: it is not known what the disk has done with it. */
static void test_interrupted_at_the_disk(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct call calls[2] = {0};
	op_init(&calls[0].op, OP_WRITE, 1000, 5, false);
	op_init(&calls[1].op, OP_FLUSH, 1001, 0, false);
	for (size_t i = 0; i < COUNT(calls); i++) {
		op_park(&calls[i].op, &scene.account.disk_waiters);
		scene_interrupt(&scene, &calls[i]);
		assert_result(&calls[i], -EINTR);
	}
	assert_null(scene.account.disk_waiters);
	scene_finish(&scene);
}

/* ---- in both directions ---- */

static void test_both_directions(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);

	/* We opened it. */
	struct handle *handle = scene_opened(&scene, "a@x/f", O_RDWR);
	struct call *read = scene_read(&scene, handle, 100);
	assert_waits(read);
	assert_result(scene_write(&scene, handle, "ping", 0), 4);
	scene_play(&scene);
	scene_peer_sends(&scene, PHONE, "sid1", 0, "pong");
	assert_text(read, "pong");
	assert_result(scene_write(&scene, handle, "ping", 0), 4);
	scene_play(&scene);
	assert_int_equal(scene.delivered, 8);
	scene_peer_closes(&scene, PHONE, "sid1", false);
	assert_result(scene_read(&scene, handle, 100), 0);
	assert_result(scene_write(&scene, handle, "x", 0), -ECONNRESET);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_int_equal(scene_size(&scene, "a@x/f"), 8);

	/* They opened it. */
	scene_arrives(&scene, "s", "i");
	handle = scene_opened(&scene, "a@x/in/i", O_RDWR);
	read = scene_read(&scene, handle, 100);
	assert_result(scene_write(&scene, handle, "ping", 0), 4);
	assert_memory_equal(scene_sent(&scene, MSG_DATA, PHONE)->data, "ping", 4);
	struct call *flush = scene_flush(&scene, handle);
	assert_waits(flush);
	scene_result(&scene);
	assert_result(flush, 0);
	scene_peer_sends(&scene, PHONE, "s", 0, "pong");
	assert_text(read, "pong");
	scene_peer_closes(&scene, PHONE, "s", false);
	scene_play(&scene);
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* Opened for both and only read: its name stays too. */
static void test_nothing_written_back(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_RDWR);
	scene_peer_sends(&scene, PHONE, "sid1", 0, "abc");
	scene_peer_closes(&scene, PHONE, "sid1", false);
	assert_text(scene_read(&scene, handle, 100), "abc");
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_release(&scene, handle);
	assert_exists(&scene, "a@x/f");
	scene_finish(&scene);
}

/* ---- limits ---- */

/* A failed open leaves no name; an existing name stays. */
static void test_too_many_streams(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/finished", O_WRONLY);
	scene_release(&scene, handle);
	scene_play(&scene);
	for (unsigned i = 0; i < SCENE_STREAMS; i++) {
		char path[16];
		snprintf(path, sizeof(path), "a@x/%u", i);
		scene_opened(&scene, path, O_WRONLY);
	}
	assert_result(scene_open(&scene, "a@x/more", O_WRONLY), -ENFILE);
	assert_result(scene_open(&scene, "a@x/more", O_WRONLY | O_NONBLOCK), -ENFILE);
	assert_no(&scene, "a@x/more");
	assert_result(scene_open(&scene, "a@x/finished", O_WRONLY), -ENFILE);
	assert_exists(&scene, "a@x/finished");
	scene_is_quiet(&scene);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/finished");
	scene_finish(&scene);
}

/* When memory is short, no byte and no line is lost, and every call does what it reports. */
static void test_memory(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	scene_arrives(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");

	failing_malloc_arm(1);
	struct call *open = scene_open(&scene, "a@x/in/i", O_RDONLY);
	assert_true(failing_malloc_disarm());
	assert_result(open, -ENOMEM);

	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	failing_malloc_arm(1);
	struct call *read = scene_read(&scene, handle, 100);
	assert_true(failing_malloc_disarm());
	assert_result(read, -ENOMEM);
	assert_text(scene_read(&scene, handle, 100), "abc");

	scene_arrives(&scene, "t", "j");
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	for (size_t n = 1; n <= 2; n++) {
		failing_malloc_arm(n);
		read = scene_read(&scene, incoming, 100);
		assert_true(failing_malloc_disarm());
		assert_result(read, -ENOMEM);
	}
	assert_text(scene_read(&scene, incoming, 100), "a@x/in/j\n");

	struct handle *status = scene_opened(&scene, "status", O_RDONLY);
	failing_malloc_arm(1);
	assert_result(scene_read(&scene, status, 7), -ENOMEM);
	assert_true(failing_malloc_disarm());
	assert_text(scene_read(&scene, status, 7), "account");

	struct handle *writer = scene_opened(&scene, "a@x/f", O_WRONLY);
	failing_malloc_arm(1);
	assert_result(scene_write(&scene, writer, "abc", 0), -ENOMEM);
	assert_true(failing_malloc_disarm());
	assert_result(scene_write(&scene, writer, "def", 0), 3);
	struct call *flush = scene_flush(&scene, writer);
	scene_play(&scene);
	assert_result(flush, 0);
	assert_int_equal(scene.delivered, 3);
	assert_memory_equal(scene.text, "def", 3);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_finished_name_is_used_again),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_second_writer),
		cmocka_unit_test(test_read_of_outgoing),
		cmocka_unit_test(test_nonblock_open),
		cmocka_unit_test(test_nonblock_open_of_nobody),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_truncate_elsewhere),
		cmocka_unit_test(test_broken_while_written),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_sync_of_another),
		cmocka_unit_test(test_sync_after_the_release),
		cmocka_unit_test(test_write_sync),
		cmocka_unit_test(test_interrupted_flush),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_of_broken),
		cmocka_unit_test(test_broken_while_it_waits),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_second_reader),
		cmocka_unit_test(test_interrupted_read),
		cmocka_unit_test(test_interrupted_at_the_disk),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_nothing_written_back),
		cmocka_unit_test(test_too_many_streams),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
