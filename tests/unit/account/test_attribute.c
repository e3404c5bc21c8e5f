/* SPDX-License-Identifier: MIT */
#include "account/attribute.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PHONE	     "a@x/phone"

/* The attribute of the file at `path` has this value, or does not exist (NULL). */
static void check(const struct scene *scene, const char *path, const char *name, const char *value)
{
	char got[ATTRIBUTE_MAX_BYTES];
	ssize_t length = attribute_get(&scene->account, scene_find(scene, path), name, got);
	if (value) {
		assert_int_equal(length, strlen(value));
		assert_memory_equal(got, value, strlen(value));
	} else {
		assert_int_equal(length, -ENODATA);
	}
}

static int set(const struct scene *scene, const char *path, const char *name, const char *value)
{
	return attribute_set(scene_find(scene, path), name, value, strlen(value));
}

static void test_values(void **state)
{
	(void)state;
	static const struct {
		const char *path, *name, *value;
		int result;
	} rows[] = {
		{"a@x", "user.ibb.block_size", "1", 0},
		{"a@x", "user.ibb.block_size", "65535", 0},
		{"a@x", "user.ibb.block_size", "auto", 0},
		{"a@x", "user.ibb.block_size", "Auto", -EINVAL},
		{"a@x", "user.ibb.block_size", "0", -EINVAL},
		{"a@x", "user.ibb.block_size", "65536", -EINVAL},
		{"a@x", "user.ibb.block_size", "", -EINVAL},
		{"a@x", "user.ibb.block_size", "-1", -EINVAL},
		{"a@x", "user.ibb.block_size", " 1", -EINVAL},
		{"a@x", "user.ibb.block_size", "1 ", -EINVAL},
		{"a@x", "user.ibb.block_size", "0x10", -EINVAL},
		{"a@x", "user.ibb.block_size", "99999999999999999999", -EINVAL},
		{"a@x", "user.ibb.stanza", "iq", 0},
		{"a@x", "user.ibb.stanza", "message", 0},
		{"a@x", "user.ibb.stanza", "Message", -EINVAL},
		{"a@x", "user.ibb.stanza", "", -EINVAL},
		{"a@x/phone", "user.ibb.stanza", "message", 0},
		{"a@x", "user.ibb.sid", "x", -EPERM},
		{"a@x", "user.ibb.other", "x", -ENODATA},
		{"a@x", "user.other", "x", -EOPNOTSUPP},
		{"a@x", "security.capability", "x", -EOPNOTSUPP},
		{"a@x/in", "user.ibb.stanza", "iq", -EPERM},
		{"status", "user.ibb.stanza", "iq", -EPERM},
	};
	struct scene scene;
	scene_start_with_phone(&scene);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int result = set(&scene, rows[i].path, rows[i].name, rows[i].value);
		if (result != rows[i].result) {
			fail_msg("%s %s=%s: %d", rows[i].path, rows[i].name, rows[i].value, result);
		}
	}
	assert_int_equal(attribute_set(scene_find(&scene, "a@x"), "user.ibb.stanza", "iq\0", 3),
			 -EINVAL);
	scene_finish(&scene);
}

static void test_defaults_are_inherited(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	check(&scene, "a@x/phone", "user.ibb.block_size", "8");
	check(&scene, "a@x/phone", "user.ibb.stanza", "iq");

	assert_int_equal(set(&scene, "", "user.ibb.block_size", "7"), 0);
	assert_int_equal(set(&scene, "a@x", "user.ibb.stanza", "message"), 0);
	check(&scene, "a@x/phone", "user.ibb.block_size", "7");
	check(&scene, "a@x/phone", "user.ibb.stanza", "message");

	assert_int_equal(set(&scene, "a@x/phone", "user.ibb.block_size", "5"), 0);
	scene.features = FEATURE_IBB;
	struct call *open = scene_open(&scene, "a@x/phone/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, PHONE);
	scene_says(&scene, FEATURE_IBB);
	const struct msg *msg = scene_sent(&scene, MSG_OPEN, PHONE);
	assert_int_equal(msg->block_size, 5);
	assert_int_equal(msg->stanza, STANZA_MESSAGE);
	scene_result(&scene);
	assert_result(open, 0);
	check(&scene, "a@x/phone/f", "user.ibb.block_size", "5");
	check(&scene, "a@x/phone/f", "user.ibb.stanza", "message");
	scene_release(&scene, call_handle(open));
	scene_play(&scene);

	assert_int_equal(attribute_remove(scene_find(&scene, "a@x/phone"), "user.ibb.block_size"),
			 0);
	assert_int_equal(attribute_remove(scene_find(&scene, "a@x"), "user.ibb.stanza"), 0);
	assert_int_equal(attribute_remove(scene_find(&scene, "a@x"), "user.ibb.other"), -ENODATA);
	check(&scene, "a@x/phone", "user.ibb.block_size", "7");
	check(&scene, "a@x/phone", "user.ibb.stanza", "iq");
	scene_finish(&scene);
}

/* A directory has the value that was set, a stream the one that was negotiated. */
static void test_auto_block_size(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	assert_int_equal(set(&scene, "a@x", "user.ibb.block_size", "auto"), 0);
	check(&scene, "a@x/phone", "user.ibb.block_size", "auto");
	scene.features = FEATURE_IBB;
	struct call *open = scene_open(&scene, "a@x/phone/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, PHONE);
	scene_says(&scene, FEATURE_IBB);
	assert_int_equal(scene_sent(&scene, MSG_OPEN, PHONE)->block_size, 65535);
	check(&scene, "a@x/phone/f", "user.ibb.block_size", "65535");
	scene_result(&scene);
	assert_result(open, 0);
	assert_true(scene_find(&scene, "a@x/phone/f")->file.stream->session.is_auto);
	scene_release(&scene, call_handle(open));
	scene_play(&scene);
	scene_finish(&scene);
}

static void test_a_stream(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "12345", 0), 5);
	check(&scene, "a@x/f", "user.ibb.state", "open");
	check(&scene, "a@x/f", "user.ibb.sent", "0");
	scene_play(&scene);
	check(&scene, "a@x/f", "user.ibb.sent", "5");
	check(&scene, "a@x/f", "user.ibb.peer", PHONE);
	check(&scene, "a@x/f", "user.ibb.window", "16");
	check(&scene, "a@x/f", "user.other", NULL);
	check(&scene, "a@x/f", "user.ibb.", NULL);

	/* The finished file has the same attributes for a minute. */
	assert_result(scene_flush(&scene, handle), 0);
	scene_release(&scene, handle);
	check(&scene, "a@x/f", "user.ibb.state", "finished");
	scene_play(&scene);
	check(&scene, "a@x/f", "user.ibb.state", "finished");
	check(&scene, "a@x/f", "user.ibb.sent", "5");
	check(&scene, "a@x/f", "user.ibb.peer", PHONE);
	scene_finish(&scene);
}

/* Its last close was interrupted when <close/> had been sent, and nothing was acknowledged. */
static void test_a_stream_that_nobody_waits_for(void **state)
{
	(void)state;
	struct scene scene;
	struct call finish = {0};
	scene_start_with_phone(&scene);
	scene.features |= FEATURE_RESUME;
	scene.account.ibb.config.reconnect_ms = SCENE_TIMEOUT;
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	assert_result(scene_write(&scene, handle, "12345", 0), 5);
	op_init(&finish.op, OP_FLUSH, 1000, 0, false);
	file_finish(&scene.account, handle, &finish.op, scene.now_ms);
	scene_settle(&scene);
	scene_sent(&scene, MSG_DATA, PHONE);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_interrupt(&scene, &finish);
	assert_result(&finish, -EINTR);
	scene_release(&scene, handle);
	check(&scene, "a@x/f", "user.ibb.state", "closing");
	check(&scene, "a@x/f", "user.ibb.sent", "0");
	scene_finish(&scene);
}

static void test_a_stream_that_broke(void **state)
{
	(void)state;
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_goes(&scene, PHONE);
	check(&scene, "a@x/f", "user.ibb.state", "broken");
	scene_release(&scene, handle);
	check(&scene, "a@x/f", "user.ibb.state", "broken");
	scene_finish(&scene);
}

static void test_list(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		size_t names;
	} rows[] = {
		{"", 3},       {"a@x", 3},   {"a@x/phone", 3}, {"a@x/in", 0},
		{"status", 0}, {"a@x/f", 9}, {"a@x/g", 8}, /* has no peer yet */
	};
	struct scene scene;
	scene_start_with_phone(&scene);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	struct handle *waiting = scene_opened(&scene, "a@x/g", O_WRONLY | O_NONBLOCK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char names[ATTRIBUTE_MAX_BYTES], value[ATTRIBUTE_MAX_BYTES];
		const struct node *node = scene_find(&scene, rows[i].path);
		ssize_t length = attribute_list(node, names);
		size_t count = 0;
		for (const char *name = names; name < names + length; name += strlen(name) + 1) {
			assert_true(attribute_get(&scene.account, node, name, value) > 0);
			count++;
		}
		assert_int_equal(count, rows[i].names);
	}
	scene_release(&scene, waiting);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults_are_inherited),
		cmocka_unit_test(test_auto_block_size),
		cmocka_unit_test(test_a_stream),
		cmocka_unit_test(test_a_stream_that_nobody_waits_for),
		cmocka_unit_test(test_a_stream_that_broke),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
