/* SPDX-License-Identifier: MIT */
/* file, and status: what one of them shows. */
#include "account/file.h"
#include "failing_malloc.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

/* a@x with her phone, an ibbfs. */
static void start(struct scene *scene)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene_contact(scene, "a@x");
	scene_comes(scene, PHONE, 0);
}

/* A stream of hers waits in in/ under its name. */
static void arrive(struct scene *scene, const char *sid, const char *name)
{
	scene_peer_opens(scene, PHONE, sid, name);
	scene_play(scene);
}

static uint64_t size_of(const struct scene *scene, const char *path)
{
	struct stat attributes;
	const struct node *node = scene_find(scene, path);
	assert_non_null(node);
	node_attributes(node, &attributes);
	return (uint64_t)attributes.st_size;
}

static void interrupt(struct scene *scene, struct call *call)
{
	op_interrupt(&call->op, &scene->account.ibb.effects.done);
	scene_settle(scene);
}

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
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_int_equal(size_of(&scene, "a@x/f"), 0);
	assert_result(scene_write(&scene, handle, "Hello", 0), 5);
	const struct msg *msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 5);
	scene_is_quiet(&scene);

	/* A partial block waits while another is out, until the file is flushed. */
	assert_result(scene_write(&scene, handle, ", world", 5), 7);
	assert_int_equal(size_of(&scene, "a@x/f"), 12);
	scene_is_quiet(&scene);
	struct call *flush = scene_flush(&scene, handle);
	msg = scene_sent(&scene, MSG_DATA, PHONE);
	assert_int_equal(msg->data_length, 7);
	assert_memory_equal(msg->data, ", world", 7);
	assert_waits(flush);
	scene_finish(&scene);
}

/* Answers one block, the next one that leaves. */
static void acknowledge(struct scene *scene)
{
	scene_sent(scene, MSG_DATA, PHONE);
	scene_result(scene);
}

static void test_close(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
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

	/* The name stays for a while: mc, install and gio come back to it. */
	assert_int_equal(size_of(&scene, "a@x/f"), 12);
	assert_int_equal(truncate_to(&scene, "a@x/f", NULL, 12), 0);
	scene_wait(&scene, ACCOUNT_FINISHED_MS - 1);
	assert_int_equal(size_of(&scene, "a@x/f"), 12);
	scene_wait(&scene, 1);
	assert_no(&scene, "a@x/f");
	assert_exists(&scene, "a@x");
	scene_finish(&scene);
}

static void test_finished_name_is_used_again(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
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
	assert_int_equal(size_of(&scene, "a@x/f"), 0);
	handle = call_handle(open);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_result(scene_write(&scene, handle, "three", 0), 5);
	scene_flush(&scene, handle);
	scene_play(&scene);
	scene_release(&scene, handle);
	assert_int_equal(size_of(&scene, "a@x/f"), 5);
	scene_finish(&scene);
}

static void test_window(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "0123456789abcdef", 0), 16);
	struct call *write = scene_write(&scene, handle, "ghijkl", 16);
	assert_waits(write);
	assert_int_equal(size_of(&scene, "a@x/f"), 22);

	struct call *nonblock = &scene.calls[scene.calls_length++];
	op_init(&nonblock->op, OP_WRITE, 99, 1, true);
	file_write(&scene.account, handle, &nonblock->op, "m", 22, scene.now_ms);
	scene_settle(&scene);
	assert_result(nonblock, -EAGAIN);
	assert_int_equal(size_of(&scene, "a@x/f"), 22);

	acknowledge(&scene);
	assert_result(write, 6);

	/* An interrupted write has been done: its bytes are taken over. */
	write = scene_write(&scene, handle, "nopq", 22);
	assert_waits(write);
	interrupt(&scene, write);
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
	start(&scene);
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

/* What is sent is not kept, but may be looked at. */
static void test_read_of_outgoing(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
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

/* As touch, truncate and tar open: nothing is sent until something is written. */
static void test_nonblock_open(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY | O_NONBLOCK);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	assert_result(scene_flush(&scene, handle), 0);
	scene_is_quiet(&scene);
	scene_wait(&scene, 10 * SCENE_TIMEOUT);
	assert_exists(&scene, "a@x/f");
	scene_release(&scene, handle);
	scene_is_quiet(&scene);
	assert_int_equal(size_of(&scene, "a@x/f"), 0);

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

	/* A refusal reaches the next call. */
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
	start(&scene);
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
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "ab", 0), 2);
	assert_result(scene_write(&scene, handle, "cd", 5), 2);
	assert_int_equal(size_of(&scene, "a@x/f"), 7);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	assert_int_equal(scene.delivered, 7);
	assert_memory_equal(scene.text, "ab\0\0\0cd", 7);
	scene_finish(&scene);
}

/* Where it cannot write, the session fails: the tool may not look. */
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
		start(&scene);
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
		start(&scene);
		struct handle *handle = scene_opened(&scene, "a@x/f", rows[i].flags);
		if (rows[i].written > 0) {
			scene_write(&scene, handle, "abc", 0);
		}
		assert_int_equal(truncate_to(&scene, "a@x/f", rows[i].by_handle ? handle : NULL,
					     rows[i].size),
				 rows[i].result);
		assert_int_equal(size_of(&scene, "a@x/f"), rows[i].then);
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
	start(&scene);
	arrive(&scene, "s", "i");
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
	assert_int_equal(size_of(&scene, "a@x/f"), 0);
	scene_is_quiet(&scene);

	/* Broken: zeros that go nowhere are no success. */
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
	start(&scene);
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

/* The peer closes: nothing more can be written; what was before is not delivered. */
static void test_peer_closes(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	scene_play(&scene);
	scene_peer_closes(&scene, PHONE, "sid1", false);
	scene_play(&scene);
	assert_result(scene_flush(&scene, handle), 0);
	assert_result(scene_write(&scene, handle, "d", 3), -ECONNRESET);
	assert_result(scene_write(&scene, handle, "d", 0), -ECONNRESET);

	handle = scene_opened(&scene, "a@x/g", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	scene_peer_closes(&scene, PHONE, "sid2", false);
	assert_result(flush, -ECONNRESET);
	scene_finish(&scene);
}

/* Without a flush that came to its end, the file is not whole, and the peer must know. */
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
		start(&scene);
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

static void test_interrupted_flush(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "abc", 0);
	struct call *flush = scene_flush(&scene, handle);
	interrupt(&scene, flush);
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
	start(&scene);
	arrive(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "Hello");
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_int_equal(size_of(&scene, "a@x/in/i"), 0); /* not known before the end */
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
	assert_int_equal(size_of(&scene, "a@x/in/i"), 10);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -ENODATA);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/in/i");
	scene_finish(&scene);
}

/* Never a clean end for what is not whole. */
static void test_read_of_broken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct scene scene;
		start(&scene);
		arrive(&scene, "s", "i");
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

/* A stream that nobody has opened keeps what it has, whatever becomes of its peer. */
static void test_broken_while_it_waits(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s", "i");
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
		start(&scene);
		arrive(&scene, "s", "i");
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
	start(&scene);
	arrive(&scene, "s", "i");
	scene_peer_sends(&scene, PHONE, "s", 0, "abc");
	struct handle *handle = scene_opened(&scene, "a@x/in/i", O_RDONLY);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDONLY), -EBUSY);
	assert_result(scene_open(&scene, "a@x/in/i", O_RDWR), -EBUSY);
	assert_text(scene_read(&scene, handle, 100), "abc");
	scene_finish(&scene);
}

/* `file` and a shell's test open and close without reading. */
static void test_only_looked_at(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s", "i");
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

/* And those who wait for a stream get it then. */
static void test_only_looked_at_while_others_wait(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s", "i");
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
	start(&scene);
	arrive(&scene, "s", "i");
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

static void test_interrupted_read(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s", "i");
	struct handle *handles[] = {
		scene_opened(&scene, "a@x/in/i", O_RDONLY),
		scene_opened(&scene, "a@x/in/next", O_RDONLY),
		scene_opened(&scene, "incoming", O_RDONLY),
	};
	for (size_t i = 0; i < COUNT(handles); i++) {
		struct call *read = scene_read(&scene, handles[i], 100);
		assert_waits(read);
		interrupt(&scene, read);
		assert_result(read, -EINTR);
		scene_release(&scene, handles[i]);
	}
	/* Nobody waits any more. */
	scene_play(&scene);
	arrive(&scene, "t", "j");
	assert_false(scene_find(&scene, "a@x/in/j")->file.opened);
	scene_finish(&scene);
}

/* ---- in both directions ---- */

static void test_both_directions(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);

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
	assert_int_equal(size_of(&scene, "a@x/f"), 8);

	/* They opened it. */
	arrive(&scene, "s", "i");
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

/* Read only, though it could be written: its name stays too. */
static void test_nothing_written_back(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_RDWR);
	scene_peer_sends(&scene, PHONE, "sid1", 0, "abc");
	scene_peer_closes(&scene, PHONE, "sid1", false);
	assert_text(scene_read(&scene, handle, 100), "abc");
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_release(&scene, handle);
	assert_exists(&scene, "a@x/f");
	scene_finish(&scene);
}

/* ---- next ---- */

static void test_next(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s1", "c");
	arrive(&scene, "s2", "b");
	arrive(&scene, "s3", "a");
	scene_peer_sends(&scene, PHONE, "s1", 0, "1");
	scene_peer_sends(&scene, PHONE, "s2", 0, "2");
	scene_peer_sends(&scene, PHONE, "s3", 0, "3");
	scene_play(&scene);
	scene_opened(&scene, "a@x/in/c", O_RDONLY);

	/* The oldest that nobody has opened. */
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

/* Each that waits gets one of its own, in order; of its own contact. */
static void test_next_waits(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	scene_contact(&scene, "b@x");
	struct handle *handles[3];
	struct call *reads[3];
	for (size_t i = 0; i < COUNT(reads); i++) {
		handles[i] = scene_opened(&scene, i < 2 ? "a@x/in/next" : "b@x/in/next", O_RDONLY);
		reads[i] = scene_read(&scene, handles[i], 100);
		assert_waits(reads[i]);
	}
	arrive(&scene, "s1", "one");
	assert_waits(reads[0]);
	arrive(&scene, "s2", "two");
	scene_peer_sends(&scene, PHONE, "s2", 0, "2");
	assert_text(reads[1], "2");
	assert_waits(reads[0]);
	scene_peer_sends(&scene, PHONE, "s1", 0, "1");
	assert_text(reads[0], "1");
	assert_waits(reads[2]);
	assert_result(scene_open(&scene, "a@x/in/one", O_RDONLY), -EBUSY);

	/* Signals and processes that go. */
	interrupt(&scene, reads[2]);
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
	start(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *reads[] = {
		scene_read(&scene, handle, 1),
		scene_read(&scene, handle, 1),
		scene_read(&scene, handle, 1),
	};
	struct handle *other = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *others = scene_read(&scene, other, 1);
	arrive(&scene, "s1", "one");
	arrive(&scene, "s2", "two");
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

/* ---- incoming ---- */

static void test_incoming(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	scene_contact(&scene, "b@x");
	arrive(&scene, "s1", "z");
	scene_peer_opens(&scene, "b@x/r", "s2", "y");
	arrive(&scene, "s3", "x");
	scene_opened(&scene, "a@x/in/x", O_RDONLY);

	/* First what waits unopened, the oldest first; one line a read. */
	struct handle *handle = scene_opened(&scene, "incoming", O_RDONLY);
	assert_text(scene_read(&scene, handle, 4096), "a@x/in/z\n");
	assert_text(scene_read(&scene, handle, 4096), "b@x/in/y\n");
	assert_result(scene_poll(&scene, handle, 4096), -EAGAIN);

	/* Then each that arrives; several readers get every line. */
	struct handle *other = scene_opened(&scene, "incoming", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 4096);
	assert_waits(read);
	arrive(&scene, "s4", "w");
	assert_text(read, "a@x/in/w\n");
	assert_text(scene_read(&scene, other, 4096), "a@x/in/z\n");
	assert_text(scene_read(&scene, other, 4096), "b@x/in/y\n");
	assert_text(scene_read(&scene, other, 4096), "a@x/in/w\n");
	struct call *both[] = {scene_read(&scene, handle, 4096), scene_read(&scene, other, 4096)};
	arrive(&scene, "s5", "a\nb");
	assert_text(both[0], "a@x/in/a%0Ab\n");
	assert_text(both[1], "a@x/in/a%0Ab\n");

	/* Also of one that is opened before the line is read. */
	struct handle *next = scene_opened(&scene, "b@x/in/next", O_RDONLY);
	scene_read(&scene, next, 1);
	struct call *taken = scene_read(&scene, next, 1);
	assert_waits(taken);
	arrive(&scene, "s6", "v");
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
	start(&scene);
	arrive(&scene, "s1", "one");
	struct handle *handle = scene_opened(&scene, "incoming", O_RDONLY);
	for (size_t i = 0; i < sizeof(expected) - 1; i++) {
		struct call *read = scene_read(&scene, handle, 1);
		if (i == strlen("a@x/in/one\n")) {
			assert_waits(read);
			arrive(&scene, "s2", "two");
		}
		assert_result(read, 1);
		assert_int_equal(read->op.data[0], expected[i]);
	}
	assert_result(scene_poll(&scene, handle, 1), -EAGAIN);
	scene_release(&scene, handle);

	/* What one reader has begun changes nothing for another. */
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
	start(&scene);
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

/* ---- status ---- */

/* The whole of it, read in pieces, each run of spaces as one. */
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

static void test_status(void **state)
{
	(void)state;
	char text[8192];
	struct scene scene;
	start(&scene);
	read_status(&scene, text);
	assert_string_equal(text, "account " SCENE_ME "\nconnection online\nstreams 0\n");

	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_write(&scene, handle, "Hello", 0);
	scene_play(&scene);
	scene_write(&scene, handle, "!", 5);
	arrive(&scene, "s", "i");
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

	/* Sizes as people write them; what was announced, and how long it may take. */
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
		scene_find(&scene, "a@x/in/i")->file.stream->announced = rows[i].bytes;
		read_status(&scene, text);
		assert_non_null(strstr(text, "\nin open "));
		assert_non_null(strstr(text, rows[i].text));
	}

	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	read_status(&scene, text);
	assert_non_null(strstr(text, "connection down: gone\n"));
	assert_non_null(strstr(text, "\nout broken 6 B - - - a@x/f"));
	scene_finish(&scene);
}

/* What has to wait for a connection, also if nobody has opened it: how long. */
static void test_status_of_what_is_suspended(void **state)
{
	(void)state;
	char text[8192];
	struct scene scene;
	start(&scene);
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

/* ---- limits ---- */

/* A failed open leaves no name; one that was there stays. */
static void test_too_many_streams(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
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

/* Short of memory, no byte and no line is lost, and no call does what it has not said. */
static void test_memory(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	arrive(&scene, "s", "i");
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

	arrive(&scene, "t", "j");
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
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_interrupted_flush),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_of_broken),
		cmocka_unit_test(test_broken_while_it_waits),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_second_reader),
		cmocka_unit_test(test_only_looked_at),
		cmocka_unit_test(test_only_looked_at_while_others_wait),
		cmocka_unit_test(test_reader_leaves_early),
		cmocka_unit_test(test_interrupted_read),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_nothing_written_back),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_waits),
		cmocka_unit_test(test_next_shared),
		cmocka_unit_test(test_incoming),
		cmocka_unit_test(test_incoming_in_pieces),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_of_what_is_suspended),
		cmocka_unit_test(test_too_many_streams),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
