/* SPDX-License-Identifier: MIT */
/* poll_start: the events of poll(2), and when it is notified of new ones. */
#include "account/inbox_entry.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define PHONE "a@x/phone"

/* Waits for `events`, as the kernel does for a process in poll(2); returns the current events. */
static short watch(struct scene *scene, struct handle *handle, short events, struct call **call)
{
	*call = &scene->calls[scene->calls_length++];
	op_init(&(*call)->op, OP_POLL, 0, 0, false);
	(*call)->op.events = events;
	short now = poll_start(&scene->account, handle, &(*call)->op);
	scene_settle(scene);
	return now;
}

static short look(struct scene *scene, struct handle *handle)
{
	return poll_start(&scene->account, handle, NULL);
}

static void test_a_reader(void **state)
{
	(void)state;
	struct scene scene;
	struct call *call;
	scene_start_with_phone(&scene);
	scene_peer_opens(&scene, PHONE, "s", "f");
	struct handle *handle = scene_opened(&scene, "a@x/in/f", O_RDONLY);
	assert_int_equal(watch(&scene, handle, POLLIN, &call), 0);
	assert_waits(call);

	scene_peer_sends(&scene, PHONE, "s", 0, "12");
	assert_result(call, 0);
	assert_int_equal(look(&scene, handle), POLLIN);
	/* A further block is no new event. */
	assert_int_equal(watch(&scene, handle, POLLIN, &call), POLLIN);
	scene_peer_sends(&scene, PHONE, "s", 1, "34");
	assert_waits(call);
	/* After everything was read, a block is a new event. */
	assert_text(scene_read(&scene, handle, 8), "1234");
	assert_int_equal(look(&scene, handle), 0);
	scene_peer_sends(&scene, PHONE, "s", 2, "5");
	assert_result(call, 0);

	assert_text(scene_read(&scene, handle, 8), "5");
	assert_int_equal(watch(&scene, handle, POLLIN, &call), 0);
	scene_peer_closes(&scene, PHONE, "s", false);
	assert_result(call, 0);
	assert_int_equal(look(&scene, handle), POLLIN | POLLHUP);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_a_reader_whose_stream_breaks(void **state)
{
	(void)state;
	struct scene scene;
	struct call *call;
	scene_start_with_phone(&scene);
	scene_peer_opens(&scene, PHONE, "s", "f");
	struct handle *handle = scene_opened(&scene, "a@x/in/f", O_RDONLY);
	scene_peer_sends(&scene, PHONE, "s", 0, "12");
	scene_goes(&scene, PHONE);
	assert_int_equal(look(&scene, handle), POLLIN);
	assert_text(scene_read(&scene, handle, 8), "12");
	assert_int_equal(watch(&scene, handle, 0, &call), POLLIN | POLLHUP | POLLERR);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_a_writer(void **state)
{
	(void)state;
	struct scene scene;
	struct call *call;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_int_equal(look(&scene, handle), POLLOUT);
	struct call *write = scene_write(&scene, handle, "123456789012345678901234", 0);
	assert_waits(write);
	assert_int_equal(watch(&scene, handle, POLLOUT, &call), 0);
	scene_sent(&scene, MSG_DATA, PHONE);
	assert_waits(call);
	scene_result(&scene);
	assert_result(write, 24);
	assert_result(call, 0);
	assert_int_equal(watch(&scene, handle, 0, &call), POLLOUT);
	scene_goes(&scene, PHONE);
	assert_result(call, 0); /* errors are reported even if no event was asked for */
	assert_int_equal(look(&scene, handle), POLLOUT | POLLERR);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_both_ways(void **state)
{
	(void)state;
	struct scene scene;
	struct call *call;
	scene_start_with_phone(&scene);
	scene_peer_opens(&scene, PHONE, "s", "f");
	struct handle *handle = scene_opened(&scene, "a@x/in/f", O_RDWR);
	/* A writable file must still report that it becomes readable. */
	assert_int_equal(watch(&scene, handle, POLLIN | POLLOUT, &call), POLLOUT);
	assert_waits(call);
	scene_peer_sends(&scene, PHONE, "s", 0, "12");
	assert_result(call, 0);
	assert_int_equal(look(&scene, handle), POLLIN | POLLOUT);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

/* Two threads poll one open file, each for its own events; or one polls again and again. */
static void test_two_pollers(void **state)
{
	(void)state;
	struct scene scene;
	struct call *reader, *writer, *again;
	scene_start_with_phone(&scene);
	scene_peer_opens(&scene, PHONE, "s", "f");
	struct handle *handle = scene_opened(&scene, "a@x/in/f", O_RDWR);
	assert_int_equal(watch(&scene, handle, POLLIN, &reader), 0 | POLLOUT);
	assert_int_equal(watch(&scene, handle, POLLOUT, &writer), POLLOUT);
	assert_result(reader, -ECANCELED); /* the other one stands for it */
	assert_waits(writer);
	assert_int_equal(watch(&scene, handle, POLLOUT, &again), POLLOUT);
	assert_result(writer, -ECANCELED);
	scene_peer_sends(&scene, PHONE, "s", 0, "12");
	assert_result(again, 0);
	/* What was notified is forgotten. */
	assert_text(scene_read(&scene, handle, 8), "12");
	assert_int_equal(watch(&scene, handle, POLLOUT, &writer), POLLOUT);
	scene_peer_sends(&scene, PHONE, "s", 1, "34");
	assert_waits(writer);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_next_and_incoming(void **state)
{
	(void)state;
	struct scene scene;
	struct call *first, *second;
	scene_start_with_phone(&scene);
	struct handle *next = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct handle *incoming = scene_opened(&scene, "incoming", O_RDONLY);
	struct handle *status = scene_opened(&scene, "status", O_RDONLY);
	assert_int_equal(look(&scene, status) & POLLIN, POLLIN);
	assert_int_equal(watch(&scene, next, POLLIN, &first), 0);
	assert_int_equal(watch(&scene, incoming, POLLIN, &second), 0);

	scene_peer_opens(&scene, PHONE, "s", "f");
	assert_result(second, 0);
	assert_waits(first); /* a read of it would still wait */
	scene_peer_sends(&scene, PHONE, "s", 0, "12");
	assert_result(first, 0);
	assert_text(scene_read(&scene, next, 8), "12");
	assert_int_equal(look(&scene, next), 0);
	assert_text(scene_read(&scene, incoming, 3), "a@x");
	assert_int_equal(look(&scene, incoming), POLLIN); /* the rest of the line */
	assert_text(scene_read(&scene, incoming, 99), "/in/f\n");
	assert_int_equal(look(&scene, incoming), 0);
	scene_release(&scene, next);
	scene_release(&scene, incoming);
	scene_release(&scene, status);
	scene_finish(&scene);
}

/* The kernel polls again after each notification, so its answer must not notify it again. */
static void test_asked_anew(void **state)
{
	(void)state;
	struct scene scene;
	struct call *first, *second;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	watch(&scene, handle, POLLIN, &first);
	watch(&scene, handle, POLLIN, &second);
	assert_result(first, -ECANCELED);
	assert_waits(second);
	scene_release(&scene, handle);
	assert_result(second, -ECANCELED);
	scene_finish(&scene);
}

/* Processor time of a thousand calls and stanzas, in us. */
static int64_t time_of_a_thousand(struct scene *scene)
{
	struct timespec begin, end;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (int i = 0; i < 1000; i++) {
		scene_settle(scene);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return (int64_t)(end.tv_sec - begin.tv_sec) * 1000000 +
	       (end.tv_nsec - begin.tv_nsec) / 1000;
}

/* Who waits for something to arrive costs nothing while other things happen, however full the inbox
 * is. */
static void test_a_full_inbox(void **state)
{
	(void)state;
	static const char *const paths[] = {"incoming", "a@x/in/next"};
	for (size_t i = 0; i < 2; i++) {
		struct scene scene;
		struct call *call;
		const struct timespec modified = {.tv_sec = 1};
		scene_start_with_phone(&scene);
		scene_arrives(&scene, "s", "old");
		scene_release(&scene, scene_opened(&scene, "a@x/in/old", O_RDONLY));
		scene_unlink(&scene, "a@x/in/old");
		for (int n = 0; n < 5000; n++) {
			char name[16];
			const struct inbox_path path = {"a@x", "", name};
			snprintf(name, sizeof(name), "%d", n);
			assert_int_equal(inbox_entry_restore(&scene.account, &path, 1, &modified,
							     scene.now_ms),
					 0);
		}
		struct handle *handle = scene_opened(&scene, paths[i], O_RDONLY);
		int64_t alone_us = time_of_a_thousand(&scene);
		assert_int_equal(watch(&scene, handle, POLLIN, &call), 0);
		int64_t watched_us = time_of_a_thousand(&scene);
		if (watched_us > 5 * alone_us + 2000) {
			fail_msg("%s: %lld us, %lld without a poll", paths[i],
				 (long long)watched_us, (long long)alone_us);
		}
		scene_arrives(&scene, "t", "new");
		scene_peer_sends(&scene, PHONE, "t", 0, "x");
		assert_result(call, 0);
		scene_finish(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_inbox),
		cmocka_unit_test(test_a_reader),
		cmocka_unit_test(test_a_reader_whose_stream_breaks),
		cmocka_unit_test(test_a_writer),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_two_pollers),
		cmocka_unit_test(test_next_and_incoming),
		cmocka_unit_test(test_asked_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
