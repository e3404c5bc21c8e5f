/* SPDX-License-Identifier: MIT */
/* Files that are spooled and offered by their close; tests/unit/offer has the protocol. */
#include "account/directory.h"
#include "failing_malloc.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"
#define TEXT	     "Hello, world"

/* a@x with her phone, which takes files by SI. */
static void start(struct scene *scene)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene->features = FEATURE_IBB | FEATURE_SI;
	scene_contact(scene, "a@x");
	scene_comes(scene, PHONE, 0);
}

static struct handle *spooled(struct scene *scene, const char *path)
{
	struct handle *handle = scene_opened(scene, path, O_WRONLY);
	assert_true(handle_is_spooled(handle));
	return handle;
}

static uint64_t size_of(const struct scene *scene, const char *path)
{
	struct stat attributes;
	const struct node *node = scene_find(scene, path);
	assert_non_null(node);
	node_attributes(node, &attributes);
	return (uint64_t)attributes.st_size;
}

static int truncate_to(struct scene *scene, const char *path, uint64_t size)
{
	int error =
		file_truncate(&scene->account, scene_find(scene, path), NULL, size, scene->now_ms);
	scene_settle(scene);
	return error;
}

/* Before its close, it is a file like any other. */
static void test_while_it_is_written(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	assert_false(spool_file_is_unoffered(scene_opened(&scene, "status", O_RDONLY)));
	assert_true(spool_file_is_unoffered(handle));
	assert_int_equal(size_of(&scene, "a@x/f"), 0);
	assert_int_equal(spool_file_resize(handle, 5), 0);
	assert_int_equal(size_of(&scene, "a@x/f"), 5);
	assert_int_equal(truncate_to(&scene, "a@x/f", 5), 0);
	assert_int_equal(truncate_to(&scene, "a@x/f", 4), -EINVAL);
	assert_int_equal(spool_file_resize(handle, 3), 0);
	assert_int_equal(size_of(&scene, "a@x/f"), 3);
	assert_int_equal(poll_start(&scene.account, handle, NULL), POLLIN | POLLOUT);
	assert_result(scene_open(&scene, "a@x/f", O_WRONLY), -EBUSY);
	assert_result(scene_open(&scene, "a@x/f", O_RDONLY), 0);
	scene_wait(&scene, 10 * SCENE_TIMEOUT); /* however long it takes */
	scene_is_quiet(&scene);
	assert_int_equal(spool_file_resize(handle, 3), 0);
	assert_string_equal(scene_attribute(&scene, "a@x/f", "state"), "new");
	assert_string_equal(scene_attribute(&scene, "a@x/f", "format"), "auto");

	/* It cannot be changed any more. */
	struct call *close = scene_offer(&scene, handle, "Hel", 3, NULL);
	assert_int_equal(spool_file_resize(handle, 4), -ECONNRESET);
	scene_play(&scene);
	assert_result(close, 0);
	assert_int_equal(spool_file_resize(handle, 4), -ECONNRESET);
	assert_int_equal(size_of(&scene, "a@x/f"), 3);
	assert_string_equal(scene_attribute(&scene, "a@x/f", "format"), "si");
	scene_release(&scene, handle);
	assert_int_equal(size_of(&scene, "a@x/f"), 3);
	assert_int_equal(truncate_to(&scene, "a@x/f", 3), 0);

	/* A spooled file whose session broke cannot be changed either. */
	handle = spooled(&scene, "a@x/g");
	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	assert_int_equal(spool_file_resize(handle, 1), -ENETDOWN);
	assert_result(scene_offer(&scene, handle, "H", 1, NULL), -ENETDOWN);
	scene_finish(&scene);
}

/* Before its close, nothing is sent. So fsync cannot do what it promises. */
static void test_sync(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	struct handle *other = scene_opened(&scene, "a@x/f", O_RDONLY);
	assert_result(scene_sync(&scene, handle), -EINVAL); /* an empty file is offered, too */
	assert_int_equal(spool_file_resize(handle, 12), 0);
	assert_result(scene_sync(&scene, handle), -EINVAL);
	assert_result(scene_sync(&scene, other), -EINVAL);
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	assert_result(scene_sync(&scene, handle), -EINVAL);
	scene_play(&scene);
	assert_result(close, 0);
	scene_release(&scene, handle);
	assert_result(scene_sync(&scene, other), 0);

	/* What has become of a file is known after its end, too. */
	handle = spooled(&scene, "a@x/f");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	scene_error(&scene, CONDITION_FORBIDDEN);
	assert_result(close, -ECONNREFUSED);
	scene_release(&scene, handle);
	assert_result(scene_sync(&scene, other), -ECONNREFUSED);

	/* As a write with O_DSYNC fails, not all of the file is there. */
	handle = spooled(&scene, "a@x/f");
	assert_result(scene_write_sync(&scene, handle, TEXT, 0), -EINVAL);
	assert_int_equal(spool_file_resize(handle, 12), -EINVAL);
	assert_result(scene_offer(&scene, handle, TEXT, 12, NULL), -EINVAL);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* Opened with O_NONBLOCK, the file becomes spooled between the moment that a write looks and the
 * write itself: bytes for the stream would never be sent. */
static void test_becomes_spooled_before_a_write(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = call_handle(scene_open(&scene, "a@x/f", O_WRONLY | O_NONBLOCK));
	file_begin(&scene.account, handle, scene.now_ms);
	assert_false(handle_is_spooled(handle));
	scene_play(&scene);
	assert_true(handle_is_spooled(handle));
	assert_result(scene_write(&scene, handle, TEXT, 0), -EINVAL);
	assert_int_equal(stream_written(handle->node->file.stream), 0);
	assert_int_equal(spool_file_error(handle), -EINVAL);
	assert_result(scene_offer(&scene, handle, "", 0, NULL), -EINVAL);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* Not everything was written, unless the write is repeated. */
static void test_last_write_interrupted(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	assert_int_equal(spool_file_resize(handle, 5), 0);
	struct call *write = &scene.calls[scene.calls_length++];
	op_init(&write->op, OP_WRITE, 99, 7, false);
	write->op.context = handle;
	op_park(&write->op, &scene.account.disk_waiters);
	scene_interrupt(&scene, write);
	assert_result(write, -EINTR);
	assert_int_equal(spool_file_error(handle), -EIO);
	assert_int_equal(spool_file_make_offer(&scene.account, handle, 5, NULL, scene.now_ms),
			 -EIO);
	scene_is_quiet(&scene);
	assert_int_equal(spool_file_resize(handle, 12), 0);
	assert_int_equal(spool_file_error(handle), 0);
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	assert_int_equal(spool_file_error(handle), 0);
	scene_play(&scene);
	assert_result(close, 0);
	assert_int_equal(spool_file_error(handle), 0);
	scene_finish(&scene);
}

/* The connection breaks and comes back: the file was not offered yet, so it is unchanged. */
static void test_connection_breaks_while_it_is_written(void **state)
{
	(void)state;
	static const char *const paths[] = {"a@x/f", "a@x/phone/f"};
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct scene scene;
		start(&scene);
		scene.account.ibb.config.reconnect_ms = SCENE_TIMEOUT;
		struct handle *handle = spooled(&scene, paths[i]);
		assert_int_equal(spool_file_resize(handle, 5), 0);
		dispatch_offline(&scene.account, "gone", scene.now_ms + 200, scene.now_ms);
		scene_settle(&scene);
		assert_int_equal(spool_file_resize(handle, 12), 0);
		assert_exists(&scene, paths[i]);
		dispatch_roster_reset(&scene.account, scene.now_ms);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, PHONE, 0);
		dispatch_online(&scene.account, SCENE_ME, scene.now_ms);
		scene_settle(&scene);
		assert_int_equal(spool_file_resize(handle, 12), 0);
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_play(&scene);
		assert_result(close, 0);
		assert_int_equal(scene.delivered, 12);
		scene_finish(&scene);
	}
}

/* The name may be used again: spooled again, or, for another peer, not. */
static void test_name_is_used_again(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_play(&scene);
	assert_result(close, 0);
	scene_release(&scene, handle);
	scene_goes(&scene, PHONE);
	scene_comes(&scene, "a@x/laptop", 0);
	scene.features = FEATURE_IBB | FEATURE_IBBFS;
	scene.delivered = 0;
	handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_false(handle_is_spooled(handle));
	assert_int_equal(size_of(&scene, "a@x/f"), 0);
	assert_result(scene_write(&scene, handle, "raw", 0), 3);
	scene_play(&scene);
	assert_int_equal(scene.delivered, 3);
	assert_string_equal(scene_attribute(&scene, "a@x/f", "format"), "raw");
	scene_finish(&scene);
}

/* touch and tar: if the peer's features are known, later writes are spooled. */
static void test_nonblock_open(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	scene_release(&scene, spooled(&scene, "a@x/f"));
	scene_play(&scene);
	struct call *open = scene_open(&scene, "a@x/g", O_WRONLY | O_NONBLOCK);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	assert_false(handle_is_spooled(handle));
	file_begin(&scene.account, handle, scene.now_ms);
	scene_settle(&scene);
	assert_true(handle_is_spooled(handle));
	file_begin(&scene.account, handle, scene.now_ms);
	scene_settle(&scene);
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_play(&scene);
	assert_result(close, 0);

	/* If they are unknown, the bytes go to a bytestream, which the peer does not support. */
	scene_comes(&scene, "a@x/laptop", 0);
	open = scene_open(&scene, "a@x/laptop/h", O_WRONLY | O_NONBLOCK);
	handle = call_handle(open);
	assert_result(scene_write(&scene, handle, "H", 0), 1);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, -EPROTONOSUPPORT);
	scene_finish(&scene);
}

/* A peer of the roster whose presence is not seen: it cannot have become unavailable. */
static void test_unseen_peer(void **state)
{
	(void)state;
	static const char *const paths[] = {"bot.x/f", "b@y/R/f"};
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct scene scene;
		start(&scene);
		scene_contact(&scene, "bot.x");
		scene_contact(&scene, "b@y");
		assert_int_equal(scene_mkdir(&scene, "b@y%2FR"), 0);
		struct handle *handle = spooled(&scene, paths[i]);
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_play(&scene);
		assert_result(close, 0);
		assert_int_equal(scene.delivered, 12);
		scene_finish(&scene);
	}
}

/* ---- nobody waits ---- */

/* The close did not seem to be the last one, so it did not offer the file. */
static void test_leave(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	assert_int_equal(spool_file_resize(handle, 12), 0);
	scene_leave(&scene, handle, TEXT, 12);
	scene_sent(&scene, MSG_SI, PHONE);
	assert_state(&scene, "a@x/f", "offered");
	scene_accept(&scene);
	scene_play(&scene);
	assert_int_equal(scene.delivered, 12);
	assert_memory_equal(scene.text, TEXT, 12);
	assert_state(&scene, "a@x/f", "unconfirmed");
	assert_null(scene.account.handles);
	assert_int_equal(size_of(&scene, "a@x/f"), 12);
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_no(&scene, "a@x/f");
	assert_null(scene.account.offers.all);

	/* It was offered by a close. */
	handle = spooled(&scene, "a@x/g");
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_play(&scene);
	assert_result(close, 0);
	scene_leave(&scene, handle, TEXT, 12);
	scene_is_quiet(&scene);
	assert_null(scene.account.handles);

	/* Its writer was killed. */
	handle = spooled(&scene, "a@x/h");
	scene_killed(&scene, handle);
	scene_leave(&scene, handle, TEXT, 12);
	scene_is_quiet(&scene);
	assert_null(scene.account.handles);
	assert_state(&scene, "a@x/h", "broken"); /* nothing was delivered */

	/* And one to nobody. */
	handle = spooled(&scene, "a@x/i");
	scene_goes(&scene, PHONE);
	scene_leave(&scene, handle, TEXT, 12);
	scene_is_quiet(&scene);
	assert_null(scene.account.handles);
	assert_state(&scene, "a@x/i", "broken");
	scene_finish(&scene);
}

enum fate {
	REFUSED,
	TIMES_OUT,
	GOES,
	OFFLINE,
	REMOVED,
	STOPPED,
	UNMOUNTED,
	ABANDONED,
	FATES
};

/* The handle is freed in every case. */
static void test_left_and_lost(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * FATES; i++) {
		enum fate fate = i % FATES;
		bool begun = i >= FATES;
		struct scene scene;
		start(&scene);
		scene_leave(&scene, spooled(&scene, "a@x/f"), TEXT, 12);
		scene_sent(&scene, MSG_SI, PHONE);
		if (begun) {
			scene_accept(&scene);
			scene_sent(&scene, MSG_OPEN, PHONE);
			scene_result(&scene);
			scene_sent(&scene, MSG_DATA, PHONE);
		}
		bool goes_on = begun && (fate == STOPPED || fate == UNMOUNTED);
		switch (fate) {
		case REFUSED:
			scene_error(&scene, CONDITION_FORBIDDEN);
			break;
		case TIMES_OUT:
			scene_wait(&scene, SCENE_ANSWER_TIMEOUT + SCENE_TIMEOUT);
			break;
		case GOES:
			scene_goes(&scene, PHONE);
			break;
		case OFFLINE:
			dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
			break;
		case REMOVED:
			assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
			break;
		case STOPPED:
		case UNMOUNTED:
			shutdown_begin(&scene.account, fate == UNMOUNTED, scene.now_ms);
			break;
		default:
			shutdown_abandon(&scene.account, scene.now_ms);
		}
		scene_settle(&scene);
		if (goes_on) {
			/* As with bytes written to a bytestream. */
			assert_false(shutdown_is_complete(&scene.account));
			scene_result(&scene);
			scene_play(&scene);
			assert_int_equal(scene.delivered, 4); /* beside those above */
			assert_state(&scene, "a@x/f", "unconfirmed");
		}
		assert_null(scene.account.handles);
		scene_play(&scene);
		if (fate == STOPPED || fate == UNMOUNTED) {
			assert_true(shutdown_is_complete(&scene.account));
		}
		scene_finish(&scene);
	}
}

/* ---- the upload ---- */

/* The spool cannot be read. */
static void test_end_with_an_error(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	struct handle *handle = spooled(&scene, "a@x/f");
	/* The upload has not begun yet. */
	struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_sent(&scene, MSG_SI, PHONE);
	spool_file_end(&scene.account, handle->node->file.offer->number, -EIO, scene.now_ms);
	scene_settle(&scene);
	assert_result(close, -EIO);
	scene_release(&scene, handle);

	/* The file is shorter than the offer said, which is a failure. */
	handle = spooled(&scene, "a@x/g");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene.uploads[1].length = 11;
	scene_play(&scene);
	assert_result(close, -EIO);
	scene_release(&scene, handle);

	/* Or more. */
	handle = spooled(&scene, "a@x/h");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene.uploads[2].length = 13;
	scene_play(&scene);
	assert_result(close, -EPROTO);
	scene_release(&scene, handle);

	/* The number of no offer. */
	spool_file_end(&scene.account, 99, 0, scene.now_ms);
	spool_file_end(&scene.account, 99, -EIO, scene.now_ms);
	scene_settle(&scene);
	scene_finish(&scene);
}

/* The user interrupts while the upload waits for the stream to open, and for room. */
static void test_upload_is_ended(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 3; steps++) {
		struct scene scene;
		start(&scene);
		struct handle *handle = spooled(&scene, "a@x/f");
		static const char text[] = "0123456789012345678901234567890123456789";
		struct call *close = scene_offer(&scene, handle, text, 40, NULL);
		scene_sent(&scene, MSG_SI, PHONE);
		if (steps >= 1) {
			scene_accept(&scene);
			scene_sent(&scene, MSG_OPEN, PHONE);
		}
		if (steps >= 2) {
			scene_result(&scene);
		}
		assert_false(scene.uploads[0].over);
		scene_interrupt(&scene, close);
		assert_true(scene.uploads[0].over);
		scene_finish(&scene);
	}
}

/* ---- short of memory ---- */

static struct handle *handle_of(const struct call *call)
{
	return call && call_is_done(call) && call->op.result == 0 ? call_handle(call) : NULL;
}

/* Peers that answer: each is offered a file, and offers one. Failures are skipped, but a success
 * means a complete file. Returns whether all succeeded. */
static bool play_offers(struct scene *scene, bool jingle)
{
	if (scene_try_start(scene, ACCEPT_CONTACTS)) {
		return false;
	}
	bool well = true;
	scene->features = FEATURE_IBB | (jingle ? FEATURE_JINGLE : FEATURE_SI);
	scene_contact(scene, "a@x");
	scene_comes(scene, PHONE, 0);
	bool found = scene_find(scene, "a@x") != NULL;

	struct call *open = found ? scene_open(scene, "a@x/f", O_WRONLY) : NULL;
	scene_play(scene);
	scene_wait(scene, 2 * SCENE_TIMEOUT);
	scene_play(scene);
	struct handle *handle = handle_of(open);
	assert_true(!open || call_is_done(open));
	if (handle && handle_is_spooled(handle)) {
		scene->delivered = 0;
		struct call *close = scene_offer(scene, handle, TEXT, 12, NULL);
		scene_play(scene);
		if (jingle && scene->delivered == 12) {
			struct metadata received = {.action = JINGLE_RECEIVED};
			scene_peer_says(scene, PHONE, handle->sid, &received);
		}
		scene_wait(scene, SCENE_ANSWER_TIMEOUT);
		scene_play(scene);
		assert_true(call_is_done(close));
		if (close->op.result == 0) {
			assert_int_equal(scene->delivered, 12);
			assert_memory_equal(scene->text, TEXT, 12);
		} else {
			well = false;
		}
		scene_release(scene, handle);
		scene_play(scene);
	} else {
		well = false;
	}

	struct metadata metadata = jingle ? scene_session("i", 12, "t") : scene_file("i", 12);
	const char *sid = jingle ? "t" : "s";
	if (jingle) {
		metadata.file.digest = (struct digest){.algorithm = HASH_SHA_256};
		scene_peer_says(scene, PHONE, "s", &metadata);
	} else {
		scene_peer_offers(scene, PHONE, "s", &metadata);
	}
	scene_play(scene);
	open = scene_find(scene, "a@x/in/i") ? scene_open(scene, "a@x/in/i", O_RDONLY) : NULL;
	scene_play(scene);
	scene_peer_begins(scene, PHONE, sid, 8);
	scene_peer_sends(scene, PHONE, sid, 0, "Hello, w");
	scene_peer_sends(scene, PHONE, sid, 1, "orld");
	scene_play(scene);
	scene_wait(scene, 2 * SCENE_TIMEOUT);
	scene_play(scene);
	handle = handle_of(open);
	assert_true(!open || call_is_done(open));
	if (handle) {
		struct call *read = scene_read(scene, handle, 100);
		struct call *end = scene_read(scene, handle, 100);
		if (call_is_done(read) && call_is_done(end) && read->op.result > 0 &&
		    end->op.result == 0) {
			assert_text(read, TEXT);
		} else {
			well = false;
		}
	} else {
		well = false;
	}
	scene_finish(scene);
	return well;
}

static void test_memory(void **state)
{
	(void)state;
	for (unsigned jingle = 0; jingle < 2; jingle++) {
		bool well, failed;
		size_t n = 0;
		do {
			struct scene scene;
			failing_malloc_arm(++n);
			well = play_offers(&scene, jingle > 0);
			failed = failing_malloc_disarm();
		} while (failed);
		assert_true(well);
		assert_true(n > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_while_it_is_written),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_becomes_spooled_before_a_write),
		cmocka_unit_test(test_last_write_interrupted),
		cmocka_unit_test(test_connection_breaks_while_it_is_written),
		cmocka_unit_test(test_name_is_used_again),
		cmocka_unit_test(test_nonblock_open),
		cmocka_unit_test(test_unseen_peer),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_left_and_lost),
		cmocka_unit_test(test_end_with_an_error),
		cmocka_unit_test(test_upload_is_ended),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
