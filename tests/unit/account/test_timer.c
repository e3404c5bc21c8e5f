/* SPDX-License-Identifier: MIT */
/* timer: how long names stay. */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define A_FEW 100

/* So many files that a@x has sent have come and are read. */
static void finish_files(struct scene *scene, const char *prefix, unsigned count)
{
	struct tree *tree = &scene->account.tree;
	struct node *in = scene_find(scene, "a@x/in");
	for (unsigned i = 0; i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s%u", prefix, i);
		struct node *node = tree_add(tree, in, NODE_ARRIVED, name, NULL);
		assert_non_null(node);
		node->file.summary.state = "finished";
		account_finish_file(&scene->account, node, true, scene->now_ms);
	}
}

static unsigned count_files(const struct scene *scene)
{
	const struct node *node = scene_find(scene, "a@x/in")->children;
	unsigned count = 0;
	for (; node; node = node->next) {
		count += node->kind == NODE_ARRIVED;
	}
	return count;
}

static void start(struct scene *scene)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene_contact(scene, "a@x");
}

static void test_a_minute(void **state)
{
	struct scene scene;
	(void)state;
	start(&scene);
	finish_files(&scene, "f", ACCOUNT_MANY_FINISHED);
	scene_wait(&scene, ACCOUNT_FINISHED_MS - 1);
	assert_int_equal(count_files(&scene), ACCOUNT_MANY_FINISHED);
	scene_wait(&scene, 1 + ACCOUNT_EXPIRY_MS);
	assert_int_equal(count_files(&scene), 0);
	scene_finish(&scene);
}

/* Ten thousand files a second for a minute: what has just finished is still there. */
static void test_many(void **state)
{
	struct scene scene;
	unsigned most = 0;
	(void)state;
	start(&scene);
	assert_int_equal(scene_mkdir(&scene, "b@x"), 0);
	for (unsigned i = 0; i < 600; i++) {
		char prefix[32];
		snprintf(prefix, sizeof(prefix), "%u-", i);
		finish_files(&scene, prefix, 1000);
		scene_wait(&scene, 100);
		most = count_files(&scene) > most ? count_files(&scene) : most;
		snprintf(prefix, sizeof(prefix), "a@x/in/%u-999", i < 10 ? 0 : i - 10);
		assert_exists(&scene, prefix);
	}
	assert_in_range(most, ACCOUNT_MANY_FINISHED, 40 * 1000);
	/* Then it is as ever. */
	scene_wait(&scene, ACCOUNT_HURRY_MS + ACCOUNT_EXPIRY_MS);
	unsigned left = count_files(&scene);
	finish_files(&scene, "last", A_FEW);
	scene_wait(&scene, ACCOUNT_FINISHED_MS / 2);
	assert_in_range(count_files(&scene), A_FEW, left + A_FEW);
	assert_exists(&scene, "a@x/in/last0");
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_int_equal(count_files(&scene), 0);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_minute),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
