/* SPDX-License-Identifier: MIT */
#include "account/attribute.h"
#include "account/entry.h"
#include "account/routing.h"
#include "account/spool_file.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array)	 (sizeof(array) / sizeof((array)[0]))
#define QUERY_TIMEOUT_MS 10000 /* the timeout of a query */

/* The best of several resources is chosen, once the features of each are known; each is queried
 * once. */
static void test_choice(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/chat", 10);
	scene_comes(&scene, "a@x/files", -5);
	scene_is_quiet(&scene);

	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/files");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_INFO, "a@x/chat");
	scene_is_quiet(&scene);
	assert_waits(open);
	dispatch_receive(&scene.account,
			 &(struct msg){.kind = MSG_RESULT, .peer = "a@x/chat", .id = "q2"},
			 scene.now_ms * 1000);
	scene_settle(&scene);
	const struct msg *msg = scene_sent(&scene, MSG_OPEN, "a@x/files");
	assert_string_equal(msg->sid, "sid1");
	assert_int_equal(msg->block_size, SCENE_BLOCK);
	assert_int_equal(msg->stanza, STANZA_IQ);
	assert_waits(open);
	scene_result(&scene);
	assert_result(open, 0);
	scene_is_quiet(&scene);

	/* Known now. */
	open = scene_open(&scene, "a@x/g", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/files");
	scene_result(&scene);
	assert_result(open, 0);

	/* The features of a resource that has just come online, again or for the first time, are
	 * unknown. */
	scene_goes(&scene, "a@x/chat");
	scene_comes(&scene, "a@x/chat", 10);
	open = scene_open(&scene, "a@x/h", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/chat");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "a@x/chat");
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

/* The directory of a resource always means that resource. */
static void test_resource(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/chat", -5);
	scene_comes(&scene, "a@x/files", 10);
	struct call *open = scene_open(&scene, "a@x/chat/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/chat");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "a@x/chat");
	scene_result(&scene);
	assert_result(open, 0);
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_name(void **state)
{
	(void)state;
	static const struct {
		unsigned features;
		bool named;
	} rows[] = {
		{FEATURE_IBB, false},
		{FEATURE_IBB | FEATURE_IBBFS, true},
	};
	static const char *const paths[] = {"a@x/file name", "a@x/r/file name", "bot.x/file name"};
	for (size_t i = 0; i < COUNT(rows) * COUNT(paths); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_contact(&scene, "bot.x");
		scene_comes(&scene, "a@x/r", 0);
		scene_open(&scene, paths[i % COUNT(paths)], O_WRONLY);
		assert_int_equal(scene_next(&scene)->kind, MSG_INFO);
		scene_says(&scene, rows[i / COUNT(paths)].features);
		const struct msg *open = scene_next(&scene);
		assert_int_equal(open->kind, MSG_OPEN);
		if (rows[i / COUNT(paths)].named) {
			assert_string_equal(open->name, "file name");
		} else {
			assert_null(open->name);
		}
		scene_finish(&scene);
	}
}

/* The format of a file: that of user.ibb.format, else one that the peer supports. */
static void test_format(void **state)
{
	(void)state;
	static const struct {
		unsigned features;
		const char *wanted;
		ssize_t result;
		enum format format; /* FORMAT_RAW: opened at once */
	} rows[] = {
		{FEATURE_IBB | FEATURE_IBBFS | FEATURE_JINGLE | FEATURE_SI, "auto", 0, FORMAT_RAW},
		{FEATURE_IBB | FEATURE_JINGLE | FEATURE_SI, "auto", 0, FORMAT_JINGLE},
		{FEATURE_JINGLE | FEATURE_JINGLE_CRASHES | FEATURE_SI, "auto", 0, FORMAT_SI},
		{FEATURE_JINGLE | FEATURE_JINGLE_CRASHES, "auto", -EPROTONOSUPPORT, FORMAT_RAW},
		{FEATURE_JINGLE | FEATURE_JINGLE_CRASHES, "jingle", 0, FORMAT_JINGLE},
		{FEATURE_IBB | FEATURE_SI, "auto", 0, FORMAT_SI},
		{FEATURE_SI, "auto", 0, FORMAT_SI}, /* gloox does not name IBB among its features */
		{FEATURE_IBB, "auto", 0, FORMAT_RAW},
		{0, "auto", -EPROTONOSUPPORT, FORMAT_RAW},
		{FEATURE_IBB | FEATURE_SI, "raw", 0, FORMAT_RAW}, /* slixmpp names SI only */
		{FEATURE_IBB | FEATURE_IBBFS, "si", 0, FORMAT_SI},
		{FEATURE_IBB | FEATURE_IBBFS, "jingle", 0, FORMAT_JINGLE},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		assert_int_equal(attribute_set(scene_find(&scene, "a@x"), "user.ibb.format",
					       rows[i].wanted, strlen(rows[i].wanted)),
				 0);
		struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
		scene_sent(&scene, MSG_INFO, "a@x/r");
		scene_says(&scene, rows[i].features);
		bool opened = rows[i].result == 0 && rows[i].format == FORMAT_RAW;
		if (opened) {
			scene_sent(&scene, MSG_OPEN, "a@x/r");
			scene_result(&scene);
		}
		assert_result(open, rows[i].result);
		if (rows[i].result == 0) {
			const struct handle *handle = call_handle(open);
			assert_int_equal(handle_is_spooled(handle), rows[i].format != FORMAT_RAW);
			assert_true(opened || handle->format == rows[i].format);
		}
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

/* The open of a file that will be offered completes as soon as the features are known, even at
 * once. */
static void test_spooled(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	static const char *const paths[] = {"a@x/f", "a@x/g", "a@x/r/h"};
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct call *open = scene_open(&scene, paths[i], O_WRONLY);
		if (i == 0) {
			scene_sent(&scene, MSG_INFO, "a@x/r");
			assert_waits(open);
			scene_says(&scene, FEATURE_IBB | FEATURE_SI);
		}
		assert_result(open, 0);
		assert_true(handle_is_spooled(call_handle(open)));
		scene_is_quiet(&scene);
	}
	scene_finish(&scene);
}

/* A contact that seems offline: a ping to our server waits for presence in flight. */
static void test_server_is_pinged(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");

	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	scene_is_quiet(&scene);
	assert_waits(open);
	scene_error(&scene, CONDITION_FEATURE_NOT_IMPLEMENTED); /* is an answer too */
	assert_result(open, -EHOSTDOWN);
	assert_no(&scene, "a@x/f");
	scene_is_quiet(&scene);

	/* Presence arrives before the answer. */
	open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	scene_comes(&scene, "a@x/r", 0);
	scene_result(&scene);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_result(&scene);
	assert_result(open, 0);

	/* The peer goes offline during the query. */
	scene_goes(&scene, "a@x/r");
	scene_comes(&scene, "a@x/r", 0);
	open = scene_open(&scene, "a@x/g", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_goes(&scene, "a@x/r");
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(open, -EHOSTDOWN);

	/* No answer. */
	open = scene_open(&scene, "a@x/g", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	scene_wait(&scene, QUERY_TIMEOUT_MS - 1);
	assert_waits(open);
	scene_wait(&scene, 1);
	assert_result(open, -EHOSTDOWN);
	scene_finish(&scene);
}

/* An answer does not count for an open that came after its query. */
static void test_each_waits_for_its_own_ping(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	struct call *first = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	struct call *second = scene_open(&scene, "a@x/g", O_WRONLY);
	scene_result(&scene);
	assert_result(first, -EHOSTDOWN);
	assert_waits(second);
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(second, -EHOSTDOWN);
	scene_finish(&scene);
}

/* A full JID made with mkdir and the domain of a component have no presence to wait for. */
static void test_unseen(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	assert_int_equal(scene_mkdir(&scene, "b@y"), 0);
	assert_int_equal(scene_mkdir(&scene, "b@y/R"), 0);
	assert_int_equal(scene_mkdir(&scene, "bot.x"), 0);
	static const struct {
		const char *path, *peer;
	} rows[] = {{"b@y/R/f", "b@y/R"}, {"bot.x/f", "bot.x"}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct call *open = scene_open(&scene, rows[i].path, O_WRONLY);
		scene_sent(&scene, MSG_INFO, rows[i].peer);
		scene_is_quiet(&scene);
		scene_says(&scene, FEATURE_IBB);
		scene_sent(&scene, MSG_OPEN, rows[i].peer);
		scene_result(&scene);
		assert_result(open, 0);
	}

	/* The bare JID of a person has presence. */
	struct call *open = scene_open(&scene, "b@y/f", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(open, -EHOSTDOWN);

	/* A visible resource of a component is preferred. */
	scene_comes(&scene, "bot.x/r", 0);
	scene_open(&scene, "bot.x/g", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "bot.x/r");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "bot.x/r");
	scene_finish(&scene);
}

/* A contact behind a gateway: its presence comes from the bare JID, which has no directory below
 * the contact's. */
static void test_gateway(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_comes(&scene, "a@gw", 0); /* of a stranger */
	assert_no(&scene, "a@gw");
	scene_contact(&scene, "a@gw");
	scene_comes(&scene, "a@gw", 0);
	assert_names(&scene, "a@gw", "");
	struct call *open = scene_open(&scene, "a@gw/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@gw");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "a@gw");
	scene_result(&scene);
	assert_result(open, 0);
	scene_goes(&scene, "a@gw");
	assert_state(&scene, "a@gw/f", "broken");
	open = scene_open(&scene, "a@gw/g", O_WRONLY);
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(open, -EHOSTDOWN);

	/* The directory is made when it is online already. */
	assert_int_equal(scene_mkdir(&scene, "b@gw"), 0);
	scene_comes(&scene, "b@gw", 0);
	scene_removed(&scene, "b@gw");
	assert_names(&scene, "b@gw", "");
	scene_finish(&scene);
}

/* The peer's answers to <open/>. */
static void test_refused(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		int error;
	} rows[] = {
		{CONDITION_NOT_ACCEPTABLE, -ECONNREFUSED},
		{CONDITION_SERVICE_UNAVAILABLE, -EPROTONOSUPPORT},
		{CONDITION_FORBIDDEN, -EACCES},
		{CONDITION_REMOTE_SERVER_NOT_FOUND, -EHOSTUNREACH},
		{CONDITION_RESOURCE_CONSTRAINT, -ECONNREFUSED},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
		scene_sent(&scene, MSG_INFO, "a@x/r");
		scene_says(&scene, FEATURE_IBB);
		scene_sent(&scene, MSG_OPEN, "a@x/r");
		assert_exists(&scene, "a@x/f");
		scene_error(&scene, rows[i].condition);
		assert_result(open, rows[i].error);
		assert_no(&scene, "a@x/f");
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

static void test_timeout(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_wait(&scene, SCENE_TIMEOUT - 1);
	assert_waits(open);
	scene_wait(&scene, 1);
	assert_result(open, -ETIMEDOUT);
	assert_no(&scene, "a@x/f");
	scene_sent(&scene, MSG_CLOSE, "a@x/r"); /* it may have accepted */
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_offline(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_comes(&scene, "a@x/known", 1);
	scene_opened(&scene, "a@x/first", O_WRONLY);

	/* Opens that wait for the peer's answer, for its features, and for the server. */
	scene_goes(&scene, "a@x/r");
	scene_comes(&scene, "a@x/r", 2);
	struct call *opening = scene_open(&scene, "a@x/known/f", O_WRONLY);
	struct call *asking = scene_open(&scene, "a@x/f", O_WRONLY);
	struct call *pinging = scene_open(&scene, "b@x/f", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/known");
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_sent(&scene, MSG_PING, "");
	dispatch_offline(&scene.account, "gone", 0, scene.now_ms);
	scene_settle(&scene);
	assert_result(opening, -ENETDOWN);
	assert_result(asking, -ENETDOWN);
	assert_result(pinging, -ENETDOWN);
	assert_no(&scene, "a@x/f");
	assert_no(&scene, "b@x/f");

	struct call *open = scene_open(&scene, "b@x/f", O_WRONLY);
	assert_result(open, -ENETDOWN);
	assert_no(&scene, "b@x/f");
	scene_finish(&scene);
}

/* The connection comes back: the queries are sent again, and answered in time. */
static void test_offline_for_a_while(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene.account.ibb.config.reconnect_ms = SCENE_TIMEOUT;
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	struct call *asking = scene_open(&scene, "a@x/f", O_WRONLY);
	struct call *direct = scene_open(&scene, "a@x/r/g", O_WRONLY);
	struct call *pinging = scene_open(&scene, "b@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_sent(&scene, MSG_PING, "");
	scene_wait(&scene, 1000);
	dispatch_offline(&scene.account, "gone", scene.now_ms + 200, scene.now_ms);
	scene_settle(&scene);
	assert_waits(asking);
	assert_waits(direct);
	assert_waits(pinging);
	assert_exists(&scene, "a@x/f");
	assert_exists(&scene, "a@x/r/g");
	assert_result(scene_open(&scene, "a@x/late", O_WRONLY), -ENETDOWN);

	/* No resource is chosen before all presence has arrived. */
	dispatch_roster_reset(&scene.account, scene.now_ms);
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "b@x");
	scene_comes(&scene, "a@x/r", 0);
	dispatch_online(&scene.account, SCENE_ME, scene.now_ms);
	scene_settle(&scene);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_says(&scene, FEATURE_IBB);
	scene_sent(&scene, MSG_PING, "");
	scene_result(&scene);
	assert_result(pinging, -EHOSTDOWN);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_result(&scene);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_result(&scene);
	assert_result(asking, 0);
	assert_result(direct, 0);
	scene_finish(&scene);
}

/* The connection comes back too late, or never. */
static void test_offline_for_too_long(void **state)
{
	(void)state;
	for (int variant = 0; variant < 3; variant++) {
		struct scene scene;
		scene_start(&scene, ACCEPT_CONTACTS);
		scene.account.ibb.config.reconnect_ms = variant == 1 ? 0 : SCENE_TIMEOUT;
		scene_contact(&scene, "a@x");
		scene_comes(&scene, "a@x/r", 0);
		struct call *open = scene_open(&scene, "a@x/r/f", O_WRONLY);
		scene_sent(&scene, MSG_INFO, "a@x/r");
		scene_wait(&scene, 1000);
		int64_t retry_ms = variant == 2 ? 0 : scene.now_ms + 200;
		dispatch_offline(&scene.account, "gone", retry_ms, scene.now_ms);
		scene_settle(&scene);
		if (variant == 0) {
			scene_wait(&scene, SCENE_TIMEOUT - 1001);
			assert_waits(open);
			scene_wait(&scene, 1);
		}
		assert_result(open, variant == 0 ? -ETIMEDOUT : -ENETDOWN);
		assert_no(&scene, "a@x/r/f");
		scene_finish(&scene);
	}
}

/* The resource goes offline during the open, and its directory is removed. */
static void test_directory_goes(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct call *open = scene_open(&scene, "a@x/r/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	scene_goes(&scene, "a@x/r");
	assert_result(open, -EHOSTDOWN);
	scene_says(&scene, FEATURE_IBB);
	scene_is_quiet(&scene);

	/* A file that was looked up before may be opened after; the peer is offline. */
	scene_comes(&scene, "a@x/r", 0);
	struct node *directory = scene_find(&scene, "a@x/r"), *node;
	assert_int_equal(
		entry_mknod(&scene.account, directory, "g", S_IFREG | 0644, scene.now_ms, &node),
		0);
	node->lookups = directory->lookups = 1;
	scene_goes(&scene, "a@x/r");
	struct call *late = &scene.calls[scene.calls_length++];
	op_init(&late->op, OP_OPEN, 77, 0, false);
	file_open(&scene.account, node, O_WRONLY, "s", &late->op, scene.now_ms);
	scene_settle(&scene);
	assert_result(late, -EHOSTDOWN);
	scene_is_quiet(&scene);
	tree_forget(&scene.account.tree, node, 1);
	tree_forget(&scene.account.tree, directory, 1);
	scene_finish(&scene);
}

/* The kernel still caches a name that a refusal removed: ESTALE makes it look up again. */
static void test_name_goes(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct node *directory = scene_find(&scene, "a@x"), *node;
	assert_int_equal(
		entry_mknod(&scene.account, directory, "g", S_IFREG | 0644, scene.now_ms, &node),
		0);
	node->lookups = 1;
	tree_detach(&scene.account.tree, node);
	struct call *late = &scene.calls[scene.calls_length++];
	op_init(&late->op, OP_OPEN, 77, 0, false);
	file_open(&scene.account, node, O_WRONLY, "s", &late->op, scene.now_ms);
	scene_settle(&scene);
	assert_result(late, -ESTALE);
	scene_is_quiet(&scene);
	tree_forget(&scene.account.tree, node, 1);
	scene_finish(&scene);
}

static void test_interrupted(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);

	/* During the query: nothing is sent to the peer. */
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "a@x/r");
	op_interrupt(&open->op, &scene.account.ibb.effects.done);
	scene_settle(&scene);
	assert_result(open, -EINTR);
	assert_no(&scene, "a@x/f");
	scene_says(&scene, FEATURE_IBB);
	scene_is_quiet(&scene);

	/* During <open/>: the stream is closed at the peer. */
	open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	op_interrupt(&open->op, &scene.account.ibb.effects.done);
	scene_settle(&scene);
	assert_result(open, -EINTR);
	assert_no(&scene, "a@x/f");
	scene_result(&scene);
	scene_sent(&scene, MSG_CLOSE, "a@x/r");
	scene_is_quiet(&scene);
	scene_finish(&scene);
}

static void test_stop(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	assert_result(open, -ECONNABORTED);
	open = scene_open(&scene, "a@x/f", O_WRONLY);
	assert_result(open, -ENETDOWN);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_resource),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_spooled),
		cmocka_unit_test(test_server_is_pinged),
		cmocka_unit_test(test_each_waits_for_its_own_ping),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_offline_for_a_while),
		cmocka_unit_test(test_offline_for_too_long),
		cmocka_unit_test(test_directory_goes),
		cmocka_unit_test(test_name_goes),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
