/* SPDX-License-Identifier: MIT */
/* inbox_part: files that broke off, and their names. */
#include "account/inbox_file.h"
#include "account/inbox_part.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PART "a@x/f.part"

static void start(struct scene *scene)
{
	scene_start_with_phone(scene);
	scene->account.has_inbox = true;
	scene->account.ibb.config.reconnect_ms = SCENE_TIMEOUT;
}

/* Her phone sends a file called "f"; `pieces`: it can skip what is there; `has_part`: it goes on
 * with it. Returns the node's number. */
static uint64_t arrives(struct scene *scene, const char *sid, bool pieces, bool has_part)
{
	scene_receive(scene, &(struct msg){.kind = MSG_OPEN,
					   .id = "o",
					   .peer = SCENE_PHONE,
					   .sid = sid,
					   .name = "f",
					   .size = -1,
					   .block_size = SCENE_BLOCK,
					   .resumable = true,
					   .pieces = pieces});
	assert_int_equal(scene_sent(scene, MSG_RESULT, SCENE_PHONE)->pieces, pieces && has_part);
	struct inbox_arrival *arrival = inbox_file_take_arrivals(&scene->account);
	assert_non_null(arrival);
	uint64_t ino = arrival->ino;
	assert_int_equal(arrival->has_part, has_part);
	free(arrival);
	return ino;
}

/* The inbox writes it to `path`. */
static void begins(struct scene *scene, uint64_t ino, const char *path)
{
	struct call call = {0};
	op_init(&call.op, OP_FLUSH, 0, 0, false);
	inbox_file_begin(&scene->account, ino, path, 0, &call.op, scene->now_ms);
	scene_settle(scene);
	assert_result(&call, 0);
	op_finish(&call.op);
}

static struct stat status_of(off_t size, time_t modified)
{
	return (struct stat){.st_size = size, .st_mtim = {.tv_sec = modified}};
}

/* Its stream breaks, and so many bytes are there. */
static void breaks(struct scene *scene, uint64_t ino, const char *path, off_t size)
{
	const struct stat status = status_of(size, 1);
	inbox_part_leave(&scene->account, path, &status);
	assert_int_equal(inbox_file_end(&scene->account, ino, path, -ECONNRESET, scene->now_ms), 0);
	scene_settle(scene);
	while (scene_next(scene)) {
	}
}

static void restore(struct scene *scene, const char *path, off_t size, time_t modified)
{
	const struct stat status = status_of(size, modified);
	inbox_part_restore(&scene->account, path, &status, scene->now_ms);
}

/* "f" stands for its part, of that size. */
static void assert_part(struct scene *scene, const char *path, uint64_t size)
{
	assert_state(scene, path, "broken");
	assert_int_equal(scene_size(scene, path), size);
	assert_result(scene_open(scene, path, O_RDONLY), -ECONNRESET);
}

/* The name stays, and the next stream of that name takes it over. */
static void test_breaks_and_goes_on(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	uint64_t ino = arrives(&scene, "s1", true, false);
	begins(&scene, ino, PART);
	struct handle *reader = scene_opened(&scene, "a@x/in/f", O_RDONLY);
	breaks(&scene, ino, PART, 5);
	scene_wait(&scene, 10 * ACCOUNT_FINISHED_MS);
	assert_names(&scene, "a@x/in", "f ");
	assert_part(&scene, "a@x/in/f", 5);

	/* A reader has it open: it is told of the break, whatever comes. */
	ino = arrives(&scene, "s2", true, true);
	assert_names(&scene, "a@x/in", "f ");
	char path[64];
	assert_int_equal(inbox_entry_path(reader, path, sizeof(path)), -ECONNRESET);
	scene_release(&scene, reader);
	begins(&scene, ino, PART);
	assert_state(&scene, "a@x/in/f", "open");
	assert_null(parts_oldest(scene.account.parts));

	/* It breaks again. */
	breaks(&scene, ino, PART, 6);
	assert_names(&scene, "a@x/in", "f ");
	assert_part(&scene, "a@x/in/f", 6);
	scene_finish(&scene);
}

/* Her laptop sends it while the session of her phone may have been left behind: the phone is asked
 * whether it still has the stream. */
static void test_another_resource(void **state)
{
	(void)state;
	struct scene scene;
	const struct msg open = {.kind = MSG_OPEN,
				 .id = "o",
				 .peer = "a@x/laptop",
				 .sid = "s2",
				 .name = "f",
				 .size = -1,
				 .block_size = SCENE_BLOCK,
				 .resumable = true,
				 .pieces = true};
	for (int i = 0; i < 2; i++) {
		bool is_there = i == 0;
		start(&scene);
		uint64_t ino = arrives(&scene, "s1", true, false);
		begins(&scene, ino, PART);
		scene_receive(&scene, &open);
		scene_sent(&scene, MSG_RESUME, SCENE_PHONE);
		if (is_there) {
			scene_result(&scene);
		} else {
			scene_error(&scene, CONDITION_ITEM_NOT_FOUND);
		}
		assert_int_equal(scene_sent(&scene, MSG_ERROR, "a@x/laptop")->condition,
				 CONDITION_RESOURCE_CONSTRAINT);
		if (!is_there) {
			breaks(&scene, ino, PART, 5);
		}
		scene_receive(&scene, &open);
		assert_int_equal(scene_sent(&scene, MSG_RESULT, "a@x/laptop")->pieces, !is_there);
		assert_names(&scene, "a@x/in", is_there ? "f f (2) " : "f ");
		scene_finish(&scene);
	}
}

/* A sender that can skip nothing of it replaces it. */
static void test_nothing_is_skipped(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	restore(&scene, PART, 5, 1);
	assert_part(&scene, "a@x/in/f", 5);
	uint64_t ino = arrives(&scene, "s1", false, true);
	assert_names(&scene, "a@x/in", "f ");
	begins(&scene, ino, PART);
	assert_state(&scene, "a@x/in/f", "open");
	breaks(&scene, ino, PART, 6);
	assert_part(&scene, "a@x/in/f", 6);
	scene_finish(&scene);
}

/* The inbox finds that the stream cannot go on with it, or has no room for the rest. */
static void test_does_not_go_on(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	restore(&scene, PART, 5, 1);
	uint64_t ino = arrives(&scene, "s1", true, true);
	assert_names(&scene, "a@x/in", "f ");
	begins(&scene, ino, "a@x/f (2).part");
	assert_state(&scene, "a@x/in/f", "open");
	assert_names(&scene, "a@x/in", "f f.part ");
	assert_part(&scene, "a@x/in/f.part", 5);
	assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
	scene_finish(&scene);

	start(&scene);
	restore(&scene, PART, 5, 1);
	ino = arrives(&scene, "s1", true, true);
	inbox_file_decline(&scene.account, ino, -EDQUOT, scene.now_ms);
	assert_names(&scene, "a@x/in", "f ");
	assert_part(&scene, "a@x/in/f", 5);
	scene_finish(&scene);
}

static void test_restore(void **state)
{
	(void)state;
	struct scene scene;
	char path[64];
	const struct timespec modified = {.tv_sec = 1};
	const struct inbox_path whole = {"b@x", "d/e", "f"};
	start(&scene);
	restore(&scene, "no jid/f.part", 5, 1);
	restore(&scene, "@/f.part", 5, 1);
	assert_no(&scene, "no jid");
	assert_int_equal(inbox_entry_restore(&scene.account, &whole, 1, &modified, scene.now_ms),
			 0);
	restore(&scene, "b@x/d/e/f.part", 7, 1);
	restore(&scene, "b@x/d/e/f.part", 8, 1);
	assert_names(&scene, "b@x/in/d/e", "f f.part ");
	assert_part(&scene, "b@x/in/d/e/f.part", 7);
	assert_string_equal(scene_attribute(&scene, "b@x/in/d/e/f.part", "received"), "7");

	/* rm asks the disk for it, and then for the name. */
	const struct node *folder = scene_find(&scene, "b@x/in/d/e");
	assert_int_equal(
		inbox_entry_find(&scene.account.tree, folder, "f.part", path, sizeof(path)),
		strlen("b@x/d/e/f.part"));
	assert_string_equal(path, "b@x/d/e/f.part");
	assert_int_equal(scene_unlink(&scene, "b@x/in/d/e/f.part"), 0);
	assert_false(parts_have(scene.account.parts, "b@x/d/e/f.part"));
	scene_finish(&scene);
}

/* One that a stream writes stays. */
static void test_oldest(void **state)
{
	(void)state;
	struct scene scene;
	char path[64];
	start(&scene);
	restore(&scene, "a@x/young.part", 1, 9);
	restore(&scene, "b@x/d/old.part", 1, 8);
	restore(&scene, PART, 1, 7);
	begins(&scene, arrives(&scene, "s1", true, true), PART);
	assert_true(inbox_part_take_oldest(&scene.account, path, sizeof(path), scene.now_ms));
	assert_string_equal(path, "b@x/d/old.part");
	assert_no(&scene, "b@x");
	assert_true(inbox_part_take_oldest(&scene.account, path, sizeof(path), scene.now_ms));
	assert_string_equal(path, "a@x/young.part");
	assert_false(inbox_part_take_oldest(&scene.account, path, sizeof(path), scene.now_ms));
	assert_names(&scene, "a@x/in", "f ");
	scene_finish(&scene);
}

/* The inbox has removed it: its name goes as that of any finished file. */
static void test_remove(void **state)
{
	(void)state;
	struct scene scene;
	start(&scene);
	uint64_t ino = arrives(&scene, "s1", true, false);
	begins(&scene, ino, PART);
	breaks(&scene, ino, PART, 0);
	inbox_part_remove(&scene.account, PART, scene.now_ms);
	assert_state(&scene, "a@x/in/f", "broken");
	scene_wait(&scene, ACCOUNT_FINISHED_MS + ACCOUNT_EXPIRY_MS);
	assert_names(&scene, "a@x/in", "");
	inbox_part_remove(&scene.account, PART, scene.now_ms);
	scene_finish(&scene);
}

/* What the disk says of a part comes when its name is that of the next stream. */
static void test_a_late_answer(void **state)
{
	(void)state;
	struct scene scene;
	struct stat status = status_of(9, 2);
	status.st_mode = S_IFREG;
	start(&scene);
	restore(&scene, PART, 5, 1);
	struct node *in = scene_find(&scene, "a@x/in");
	inbox_entry_refresh(&scene.account.tree, in, "f", "a@x/g.part", &status);
	inbox_entry_forget(&scene.account, in, "f", "a@x/g.part", scene.now_ms);
	assert_part(&scene, "a@x/in/f", 5);

	uint64_t ino = arrives(&scene, "s1", true, true);
	inbox_entry_forget(&scene.account, in, "f", PART, scene.now_ms);
	inbox_entry_refresh(&scene.account.tree, in, "f", PART, &status);
	assert_state(&scene, "a@x/in/f", "open");
	begins(&scene, ino, PART);
	breaks(&scene, ino, PART, 6);
	assert_part(&scene, "a@x/in/f", 6);

	inbox_entry_refresh(&scene.account.tree, in, "f", PART, &status);
	assert_part(&scene, "a@x/in/f", 9);
	inbox_entry_forget(&scene.account, in, "f", PART, scene.now_ms);
	assert_names(&scene, "a@x/in", "");
	assert_false(parts_have(scene.account.parts, PART));
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breaks_and_goes_on),
		cmocka_unit_test(test_nothing_is_skipped),
		cmocka_unit_test(test_another_resource),
		cmocka_unit_test(test_does_not_go_on),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_oldest),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_a_late_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
