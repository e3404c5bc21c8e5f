/* SPDX-License-Identifier: MIT */
#include "account/query.h"
#include "scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array)	 (sizeof(array) / sizeof((array)[0]))
#define QUERY_TIMEOUT_MS 10000 /* the timeout of a query */

/* Two opens at the same time send one query. */
static void test_asked_once(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_open(&scene, "a@x/f", O_WRONLY);
	scene_open(&scene, "a@x/r/g", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_is_quiet(&scene);
	scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
	assert_string_equal(scene_sent(&scene, MSG_OPEN, "a@x/r")->name, "f");
	assert_string_equal(scene_sent(&scene, MSG_OPEN, "a@x/r")->name, "g");
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* A peer that has no service discovery gets an <open/> without a name, and is not queried again.
 * One that does not answer gets it, too, and is queried again. */
static void test_no_answer(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "bot.x");
	scene_comes(&scene, "a@x/silent", 1);
	scene_comes(&scene, "a@x/refusing", 0);

	scene_open(&scene, "a@x/refusing/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/refusing");
	scene_error(&scene, CONDITION_SERVICE_UNAVAILABLE);
	assert_null(scene_sent(&scene, MSG_OPEN, "a@x/refusing")->name);
	scene_open(&scene, "a@x/refusing/g", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/refusing");

	scene_open(&scene, "a@x/f", O_WRONLY);
	scene_open(&scene, "bot.x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/silent");
	scene_sent(&scene, MSG_INFO, "bot.x");
	scene_wait(&scene, QUERY_TIMEOUT_MS - 1);
	scene_is_quiet(&scene);
	scene_wait(&scene, 1);
	assert_null(scene_sent(&scene, MSG_OPEN, "a@x/silent")->name);
	assert_null(scene_sent(&scene, MSG_OPEN, "bot.x")->name);
	scene_is_quiet(&scene);
	/* not again at once: a file after the other would wait for it */
	scene_open(&scene, "a@x/silent/e", O_WRONLY);
	assert_null(scene_sent(&scene, MSG_OPEN, "a@x/silent")->name);
	scene_wait(&scene, ROSTER_RETRY_MS);
	while (scene_next(&scene)) {
		/* what becomes of the streams that have no answer */
	}
	scene_open(&scene, "a@x/silent/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/silent");
	scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
	assert_string_equal(scene_sent(&scene, MSG_OPEN, "a@x/silent")->name, "f");
	scene_finish(&scene);
}

/* An ibbfs never gets a file without its name because an answer is late or lost. */
static void test_no_answer_of_an_ibbfs(void **state)
{
	(void)state;
	static const struct {
		enum condition condition; /* NONE: no answer comes */
		int error;
	} rows[] = {
		{CONDITION_NONE, -ETIMEDOUT},
		{CONDITION_REMOTE_SERVER_TIMEOUT, -EHOSTUNREACH},
		{CONDITION_RESOURCE_CONSTRAINT, -ECONNREFUSED},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		dispatch_presence(&scene.account, "a@x/r", true, 0, FEATURE_ANNOUNCED,
				  scene.now_ms);
		for (unsigned attempt = 0; attempt < 2; attempt++) {
			const char *path = attempt == 0 ? "a@x/f" : "a@x/r/f";
			struct call *open = scene_open(&scene, path, O_WRONLY);
			scene_sent(&scene, MSG_INFO, "a@x/r");
			if (rows[i].condition) {
				scene_error(&scene, rows[i].condition);
			} else {
				scene_wait(&scene, QUERY_TIMEOUT_MS);
			}
			assert_result(open, rows[i].error);
			scene_is_quiet(&scene);
		}
		scene_open(&scene, "a@x/f", O_WRONLY);
		scene_sent(&scene, MSG_INFO, "a@x/r");
		scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
		assert_string_equal(scene_sent(&scene, MSG_OPEN, "a@x/r")->name, "f");
		scene_finish(&scene);
	}
}

/* Its presence shows that it is there, and an open that waits for another resource asks again. */
static void test_presence_after_no_answer(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/1", 0);
	scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/1");
	scene_wait(&scene, QUERY_TIMEOUT_MS - 1);
	scene_comes(&scene, "a@x/2", 0);
	scene_sent(&scene, MSG_INFO, "a@x/2");
	scene_wait(&scene, 1);
	scene_is_quiet(&scene);
	scene_comes(&scene, "a@x/1", 5);
	scene_sent(&scene, MSG_INFO, "a@x/1");
	scene_says(&scene, FEATURE_IBB | FEATURE_IBBFS);
	assert_string_equal(scene_sent(&scene, MSG_OPEN, "a@x/1")->name, "f");
	scene_finish(&scene);
}

static void answer_info(struct scene *scene, const char *peer, const char *id)
{
	scene_receive(scene, &(struct msg){.kind = MSG_RESULT,
					   .peer = peer,
					   .id = id,
					   .features = FEATURE_IBB | FEATURE_IBBFS});
}

/* An answer from a peer that was not queried is ignored. */
static void test_wrong_answers(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_ANYONE);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	char id[32];
	snprintf(id, sizeof(id), "%s", scene_sent(&scene, MSG_INFO, "a@x/r")->id);
	answer_info(&scene, "a@x/other", id);
	answer_info(&scene, "a@x", id);
	answer_info(&scene, "", id);
	answer_info(&scene, "home.example", id);
	answer_info(&scene, "a@x/r", "q77");
	answer_info(&scene, "a@x/r", "q");
	answer_info(&scene, "a@x/r", "");
	scene_is_quiet(&scene);
	answer_info(&scene, "a@x/r", id);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	answer_info(&scene, "a@x/r", id);
	scene_is_quiet(&scene);
	assert_waits(open);
	scene_finish(&scene);
}

static void test_who_answers_for_the_server(void **state)
{
	(void)state;
	static const struct {
		const char *peer;
		bool counts;
	} rows[] = {
		{"", true},
		{"me@home.example", true},
		{"me@home.example/ibbfs", true},
		{"home.example", true},
		{"a@x", false},
		{"a@x/r", false},
		{"x", false},
		{"home.example.x", false},
		{"home", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_ANYONE);
		scene_contact(&scene, "a@x");
		struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
		const struct msg *ping = scene_sent(&scene, MSG_PING, "");
		struct msg result = {.kind = MSG_RESULT, .peer = rows[i].peer, .id = ping->id};
		scene_receive(&scene, &result);
		assert_int_equal(call_is_done(open), rows[i].counts);
		scene_finish(&scene);
	}
}

/* A contact whose resources change faster than they answer. */
static void test_timeout_of_queries(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/0", 0);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	char last[16] = "a@x/0", next[16];
	for (unsigned i = 1; (i - 1) * (QUERY_TIMEOUT_MS - 1) < SCENE_TIMEOUT; i++) {
		assert_waits(open);
		scene_sent(&scene, MSG_INFO, last);
		scene_is_quiet(&scene);
		scene_wait(&scene, QUERY_TIMEOUT_MS - 1);
		snprintf(next, sizeof(next), "a@x/%u", i);
		scene_comes(&scene, next, 0);
		scene_goes(&scene, last);
		strcpy(last, next);
	}
	assert_result(open, -ETIMEDOUT);
	assert_no(&scene, "a@x/f");
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* After a reconnect, answers to old queries are ignored. */
static void test_reconnect(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_open(&scene, "a@x/f", O_WRONLY);
	scene_open(&scene, "b@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_sent(&scene, MSG_PING, "");
	assert_true(query_is_pending(&scene.account, "a@x/r"));
	assert_true(query_is_pending(&scene.account, ""));
	assert_int_equal(query_deadline(&scene.account), scene.now_ms + QUERY_TIMEOUT_MS);
	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	assert_false(query_is_pending(&scene.account, ""));
	assert_int_equal(query_deadline(&scene.account), STREAM_NO_DEADLINE);

	scene_contact(&scene, "b@x");
	dispatch_online(&scene.account, SCENE_ME, scene.now_ms);
	assert_int_equal(query_deadline(&scene.account), STREAM_NO_DEADLINE);
	struct call *open = scene_open(&scene, "b@x/f", O_WRONLY);
	answer_info(&scene, "", "q1");
	answer_info(&scene, "", "q2");
	answer_info(&scene, "", "q4");
	assert_waits(open);
	scene_sent(&scene, MSG_PING, "");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_once),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_no_answer_of_an_ibbfs),
		cmocka_unit_test(test_presence_after_no_answer),
		cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_who_answers_for_the_server),
		cmocka_unit_test(test_timeout_of_queries),
		cmocka_unit_test(test_reconnect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
