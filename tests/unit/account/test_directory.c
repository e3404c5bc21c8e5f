/* SPDX-License-Identifier: MIT */
#include "account/directory.h"
#include "account/entry.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_contacts(void **state)
{
	(void)state;
	struct scene scene;
	char longest[257];
	memset(longest, 'a', 256);
	longest[256] = '\0';
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "b@x");
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "a@x");
	scene_contact(&scene, "bot.x");
	scene_contact(&scene, "status");
	scene_contact(&scene, "incoming");
	scene_contact(&scene, "a%2fb@x");
	scene_contact(&scene, longest); /* one byte too long for a name */
	assert_names(&scene, "", "b@x a@x bot.x %73tatus %69ncoming a%252fb@x ");
	assert_int_equal(scene_find(&scene, "status")->kind, NODE_STATUS);
	assert_string_equal(scene_find(&scene, "%73tatus")->directory.jid, "status");
	assert_exists(&scene, "a@x/in/next");

	scene_removed(&scene, "a@x");
	scene_removed(&scene, "status");
	scene_removed(&scene, "never@x");
	assert_names(&scene, "", "b@x bot.x %69ncoming a%252fb@x ");
	scene_finish(&scene);
}

/* A gateway may be on the roster under a full JID. */
static void test_contact_with_a_resource(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	for (int i = 0; i < 2; i++) {
		scene_contact(&scene, "gw.x/registered");
		assert_names(&scene, "", "gw.x ");
	}
	scene_comes(&scene, "gw.x/registered", 0);
	assert_names(&scene, "gw.x", "registered ");
	scene_removed(&scene, "gw.x/registered");
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

static void test_resources(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_comes(&scene, "a@x/early", 0); /* presence of strangers is not stored */
	assert_no(&scene, "a@x");
	scene_contact(&scene, "a@x");
	assert_names(&scene, "a@x", "");
	scene_comes(&scene, "a@x/early", 0);
	assert_names(&scene, "a@x", "early ");
	scene_comes(&scene, "a@x/in", 0);
	scene_comes(&scene, "a@x/a/b", 0);
	scene_comes(&scene, "a@x/.hidden", 0);
	scene_comes(&scene, "a@x/My Phone", 0);
	scene_comes(&scene, "a@x/My Phone", 5);
	scene_comes(&scene, "a@x", 0);
	assert_names(&scene, "a@x", "early %69n a%2Fb %2Ehidden My Phone ");
	assert_string_equal(scene_find(&scene, "a@x/%69n")->directory.jid, "a@x/in");
	assert_int_equal(scene_find(&scene, "a@x/in")->kind, NODE_IN);

	scene_goes(&scene, "a@x/a/b");
	scene_goes(&scene, "a@x/never");
	scene_goes(&scene, "a@x/in");
	assert_names(&scene, "a@x", "early %2Ehidden My Phone ");
	assert_exists(&scene, "a@x/in/next");
	scene_goes(&scene, "a@x");
	assert_names(&scene, "a@x", "");
	scene_finish(&scene);
}

/* A file of that name exists already. The names stay UTF-8. */
static void test_resource_like_a_file(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_opened(&scene, "a@x/file", O_WRONLY);
	scene_opened(&scene, "a@x/\xc3\xa9t\xc3\xa9", O_WRONLY);
	scene_comes(&scene, "a@x/file", 0);
	scene_comes(&scene, "a@x/\xc3\xa9t\xc3\xa9", 0);
	assert_names(&scene, "a@x", "r file \xc3\xa9t\xc3\xa9 %66ile %C3%A9t\xc3\xa9 ");
	scene_finish(&scene);
}

/* ---- contacts that go while files are open ---- */

static void test_removed_while_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	struct handle *handle = scene_opened(&scene, "a@x/f", O_WRONLY);
	scene_removed(&scene, "a@x");
	assert_exists(&scene, "a@x/f");
	assert_result(scene_write(&scene, handle, "abc", 0), 3);
	struct call *flush = scene_flush(&scene, handle);
	scene_play(&scene);
	assert_result(flush, 0);
	scene_release(&scene, handle);
	scene_play(&scene);
	assert_exists(&scene, "a@x/f");
	scene_wait(&scene, ACCOUNT_FINISHED_MS);
	assert_names(&scene, "", "");

	/* Opened only for its attributes, or to wait for arrivals. */
	scene_contact(&scene, "a@x");
	handle = scene_opened(&scene, "a@x/in/next", O_RDONLY);
	struct call *read = scene_read(&scene, handle, 1);
	scene_removed(&scene, "a@x");
	assert_waits(read);
	op_interrupt(&read->op, &scene.account.ibb.effects.done);
	scene_settle(&scene);
	assert_exists(&scene, "a@x");
	scene_release(&scene, handle);
	assert_names(&scene, "", "");

	/* An open that fails. */
	scene_contact(&scene, "a@x");
	struct call *open = scene_open(&scene, "a@x/f", O_WRONLY);
	scene_removed(&scene, "a@x");
	scene_sent(&scene, MSG_OPEN, "a@x/r");
	scene_error(&scene, CONDITION_NOT_ACCEPTABLE);
	assert_result(open, -ECONNREFUSED);
	assert_names(&scene, "", "");

	/* In the directory of a resource, which is removed as well. */
	scene_contact(&scene, "a@x");
	scene_opened(&scene, "a@x/r/f", O_WRONLY);
	scene_removed(&scene, "a@x");
	assert_exists(&scene, "a@x/r/f");
	scene_goes(&scene, "a@x/r");
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

/* A directory made by mkdir exists as long as the mount and its parent. */
static void test_removed_above_what_was_made(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_mkdir(&scene, "a@x/made");
	scene_removed(&scene, "a@x");
	assert_names(&scene, "a@x", "made ");
	assert_int_equal(scene_rmdir(&scene, "a@x"), -EBUSY);
	assert_int_equal(scene_rmdir(&scene, "a@x/made"), 0);
	assert_names(&scene, "", "");
	scene_finish(&scene);
}

static void test_resource_goes_while_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_contact(&scene, "a@x");
	scene_comes(&scene, "a@x/r", 0);
	scene_mkdir(&scene, "a@x/made");
	struct handle *below = scene_opened(&scene, "a@x/r/f", O_WRONLY);
	struct handle *beside = scene_opened(&scene, "a@x/g", O_WRONLY);
	struct handle *other = scene_opened(&scene, "a@x/made/h", O_WRONLY);
	scene_write(&scene, below, "abc", 0);
	struct call *flush = scene_flush(&scene, below);
	scene_comes(&scene, "a@x/made", 0);
	scene_goes(&scene, "a@x/r");
	assert_names(&scene, "a@x", "made g ");
	assert_result(flush, -ECONNRESET);
	assert_result(scene_write(&scene, below, "d", 3), -ECONNRESET);
	assert_result(scene_write(&scene, beside, "d", 0), -ECONNRESET);
	assert_result(scene_write(&scene, other, "d", 0), 1);
	scene_release(&scene, below);
	scene_release(&scene, beside);
	scene_goes(&scene, "a@x/made");
	assert_names(&scene, "a@x", "made g ");
	assert_result(scene_write(&scene, other, "d", 1), -ECONNRESET);
	scene_finish(&scene);
}

/* Our own account: there while another resource of it is online, and without our own resource. */
static void test_own_account(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_CONTACTS);
	scene_comes(&scene, SCENE_ME, 0);
	assert_names(&scene, "", "");
	scene_comes(&scene, "me@home.example/server", 0);
	scene_comes(&scene, "me@home.example/tablet", 0);
	scene_comes(&scene, SCENE_ME, 5);
	assert_names(&scene, "", "me@home.example ");
	assert_names(&scene, "me@home.example", "server tablet ");
	assert_int_equal(scene_rmdir(&scene, "me@home.example"), -EBUSY);
	scene_goes(&scene, "me@home.example/tablet");
	assert_names(&scene, "me@home.example", "server ");

	/* The best resource is never our own. */
	scene.features = FEATURE_IBB;
	scene_open(&scene, "me@home.example/f", O_WRONLY);
	scene_sent(&scene, MSG_INFO, "me@home.example/server");
	scene_goes(&scene, "me@home.example/server");
	scene_wait(&scene, SCENE_TIMEOUT + ACCOUNT_FINISHED_MS + ACCOUNT_EXPIRY_MS);
	assert_names(&scene, "", "");

	/* What mkdir made stays. */
	struct node *node;
	assert_int_equal(
		entry_mkdir(&scene.account, scene.account.tree.root, "me@home.example", &node), 0);
	scene_comes(&scene, "me@home.example/server", 0);
	scene_goes(&scene, "me@home.example/server");
	assert_names(&scene, "", "me@home.example ");
	assert_int_equal(scene_rmdir(&scene, "me@home.example"), 0);

	/* After a broken connection, presence says who is there. */
	scene_comes(&scene, "me@home.example/server", 0);
	scene_offline(&scene);
	assert_names(&scene, "me@home.example", "");
	scene_online(&scene);
	assert_names(&scene, "", "a@x ");
	scene_comes(&scene, "me@home.example/server", 0);
	assert_names(&scene, "", "a@x me@home.example ");
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contacts),
		cmocka_unit_test(test_contact_with_a_resource),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_resource_like_a_file),
		cmocka_unit_test(test_removed_while_open),
		cmocka_unit_test(test_removed_above_what_was_made),
		cmocka_unit_test(test_resource_goes_while_open),
		cmocka_unit_test(test_own_account),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
