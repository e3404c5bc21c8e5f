/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "ibb/msg.h"
#include "xmpp/jid.h"
#include "xmpp/roster.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MANY 500 /* contacts: the table grows several times */

static void come(struct roster *roster, const char *jid, int priority)
{
	assert_int_equal(roster_presence(roster, jid, true, priority, 0), 0);
}

static void go(struct roster *roster, const char *jid)
{
	assert_int_equal(roster_presence(roster, jid, false, 0, 0), 0);
}

static void list(struct roster *roster, const char *jid)
{
	assert_int_equal(roster_item(roster, jid, false), 0);
}

static size_t count_resources(const struct roster *roster, const char *jid)
{
	const struct contact *contact = roster_find(roster, jid);
	struct resource *resource;
	size_t count = 0;
	DL_FOREACH (contact->resources, resource) {
		count++;
	}
	return count;
}

static void test_empty(void **state)
{
	(void)state;
	struct roster roster = {0};
	assert_null(roster_find(&roster, "a@b"));
	assert_null(roster_find_resource(&roster, "a@b/c"));
	roster_reset(&roster);
	roster_settle(&roster);
	go(&roster, "a@b/c");
	go(&roster, "a@b");
	assert_int_equal(roster_item(&roster, "a@b", true), 0);
	assert_null(roster.contacts);
	roster_finish(&roster);
}

static void test_items(void **state)
{
	(void)state;
	struct roster roster = {0};
	list(&roster, "b@x");
	list(&roster, "a@x");
	list(&roster, "x");
	list(&roster, "a@x");
	assert_int_equal(HASH_COUNT(roster.contacts), 3);

	/* In order of arrival. */
	assert_string_equal(roster.contacts->jid, "b@x");
	struct contact *second = roster.contacts->hh.next;
	assert_string_equal(second->jid, "a@x");

	/* Found by any address below it, and by nothing else. */
	assert_ptr_equal(roster_find(&roster, "a@x"), second);
	assert_ptr_equal(roster_find(&roster, "a@x/y"), second);
	assert_null(roster_find(&roster, "a@xx"));
	assert_null(roster_find(&roster, "a@"));
	assert_string_equal(roster_find(&roster, "x/a@x")->jid, "x");

	assert_int_equal(roster_item(&roster, "a@x", true), 0);
	assert_null(roster_find(&roster, "a@x"));
	assert_int_equal(HASH_COUNT(roster.contacts), 2);
	roster_finish(&roster);
	assert_null(roster.contacts);
}

static void test_presence(void **state)
{
	(void)state;
	struct roster roster = {0};

	/* A contact that is not on the roster exists as long as its presence. */
	come(&roster, "s@x/1", 0);
	assert_false(roster_find(&roster, "s@x")->listed);
	go(&roster, "s@x/2");
	assert_non_null(roster_find(&roster, "s@x"));
	go(&roster, "s@x/1");
	assert_null(roster_find(&roster, "s@x"));

	/* A contact stays. */
	list(&roster, "a@x");
	come(&roster, "a@x/1", 5);
	come(&roster, "a@x/2", -5);
	struct resource *one = roster_find_resource(&roster, "a@x/1");
	assert_string_equal(one->jid, "a@x/1");
	assert_int_equal(one->priority, 5);
	assert_int_equal(one->features_state, FEATURES_UNKNOWN);
	assert_null(roster_find_resource(&roster, "a@x/3"));
	assert_null(roster_find_resource(&roster, "a@x"));
	assert_string_equal(roster_find(&roster, "a@x")->resources->jid, "a@x/2");

	/* A new priority keeps the features, and makes the resource the most recent. */
	one->features_state = FEATURES_KNOWN;
	one->features = FEATURE_IBB;
	come(&roster, "a@x/1", 7);
	assert_ptr_equal(roster_find_resource(&roster, "a@x/1"), one);
	assert_ptr_equal(roster_find(&roster, "a@x")->resources, one);
	assert_int_equal(one->priority, 7);
	assert_int_equal(one->features, FEATURE_IBB);
	assert_int_equal(count_resources(&roster, "a@x"), 2);

	/* The features are lost when the resource goes offline. */
	go(&roster, "a@x/1");
	come(&roster, "a@x/1", 7);
	assert_int_equal(roster_find_resource(&roster, "a@x/1")->features_state, FEATURES_UNKNOWN);

	/* A bare JID: all resources are offline. */
	go(&roster, "a@x");
	assert_null(roster_find(&roster, "a@x")->resources);
	assert_true(roster_find(&roster, "a@x")->listed);
	come(&roster, "s@x/1", 0);
	come(&roster, "s@x/2", 0);
	go(&roster, "s@x");
	assert_null(roster_find(&roster, "s@x"));

	/* A contact behind a gateway: its presence comes from the bare JID. */
	come(&roster, "a@x", 0);
	come(&roster, "a@x/1", 0);
	assert_string_equal(roster_find_resource(&roster, "a@x")->jid, "a@x");
	assert_int_equal(count_resources(&roster, "a@x"), 2);
	go(&roster, "a@x/1");
	assert_int_equal(count_resources(&roster, "a@x"), 1);
	come(&roster, "a@x/1", 0);
	go(&roster, "a@x");
	assert_null(roster_find(&roster, "a@x")->resources);

	/* Removed from the roster while online. */
	come(&roster, "a@x/1", 0);
	assert_int_equal(roster_item(&roster, "a@x", true), 0);
	assert_false(roster_find(&roster, "a@x")->listed);
	go(&roster, "a@x/1");
	assert_null(roster.contacts);

	come(&roster, "a@x/1", 0);
	list(&roster, "b@x");
	roster_finish(&roster);
	assert_null(roster.contacts);
}

static void test_reset(void **state)
{
	(void)state;
	struct roster roster = {0};
	list(&roster, "a@x");
	list(&roster, "b@x");
	list(&roster, "c@x");
	come(&roster, "a@x/1", 0);
	come(&roster, "c@x/1", 0);
	come(&roster, "s@x/1", 0);

	roster_reset(&roster);
	assert_null(roster_find(&roster, "s@x"));
	const char *jids[] = {"a@x", "b@x", "c@x"};
	for (size_t i = 0; i < COUNT(jids); i++) {
		/* The contacts are shown until the new list is complete. */
		assert_true(roster_find(&roster, jids[i])->listed);
		assert_true(roster_find(&roster, jids[i])->stale);
		assert_null(roster_find(&roster, jids[i])->resources);
	}

	list(&roster, "a@x");
	come(&roster, "c@x/1", 0);
	roster_settle(&roster);
	assert_true(roster_find(&roster, "a@x")->listed);
	assert_false(roster_find(&roster, "a@x")->stale);
	assert_null(roster_find(&roster, "b@x"));
	assert_false(roster_find(&roster, "c@x")->listed);
	assert_int_equal(count_resources(&roster, "c@x"), 1);

	/* Nothing is stale any more. */
	roster_settle(&roster);
	assert_true(roster_find(&roster, "a@x")->listed);
	roster_finish(&roster);
}

static void test_choose(void **state)
{
	(void)state;
	/* The resources, oldest presence first; the chosen one is "a@x/1". */
	static const struct {
		const char *jid;
		int priority;
		enum features_state state;
		unsigned features;
	} rows[][3] = {
		{{"a@x/1", 0, FEATURES_UNKNOWN, 0}},
		{{"a@x/1", -128, FEATURES_KNOWN, 0}},
		/* IBB goes before priority. */
		{{"a@x/1", -1, FEATURES_KNOWN, FEATURE_IBB}, {"a@x/2", 9, FEATURES_UNKNOWN, 0}},
		{{"a@x/2", 9, FEATURES_KNOWN, 0},
		 {"a@x/1", -1, FEATURES_KNOWN, FEATURE_IBB | FEATURE_IBBFS},
		 {"a@x/3", 9, FEATURES_ASKED, FEATURE_IBB}},
		/* Unknown features go before missing ones. */
		{{"a@x/1", 0, FEATURES_ASKED, 0}, {"a@x/2", 9, FEATURES_KNOWN, FEATURE_IBBFS}},
		/* Priority. */
		{{"a@x/2", 1, FEATURES_KNOWN, FEATURE_IBB},
		 {"a@x/1", 2, FEATURES_KNOWN, FEATURE_IBB},
		 {"a@x/3", -3, FEATURES_KNOWN, FEATURE_IBB}},
		/* The most recent. */
		{{"a@x/2", 1, FEATURES_UNKNOWN, 0},
		 {"a@x/3", 1, FEATURES_UNKNOWN, 0},
		 {"a@x/1", 1, FEATURES_ASKED, 0}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct roster roster = {0};
		for (size_t j = 0; j < COUNT(rows[i]) && rows[i][j].jid; j++) {
			come(&roster, rows[i][j].jid, rows[i][j].priority);
			struct resource *resource = roster_find_resource(&roster, rows[i][j].jid);
			resource->features_state = rows[i][j].state;
			resource->features = rows[i][j].features;
		}
		assert_string_equal(roster_choose(roster_find(&roster, "a@x"), FEATURE_IBB)->jid,
				    "a@x/1");
		roster_finish(&roster);
	}

	struct roster roster = {0};
	list(&roster, "a@x");
	assert_null(roster_choose(roster_find(&roster, "a@x"), FEATURE_IBB));
	roster_finish(&roster);
}

/* Every allocation fails once; the roster is then unchanged, and the next attempt succeeds. */
static void test_memory(void **state)
{
	(void)state;
	bool failed;
	size_t n = 0, failures = 0;
	do {
		struct roster roster = {0};
		failing_malloc_arm(++n);
		for (unsigned i = 0; i < MANY; i++) {
			char jid[32];
			snprintf(jid, sizeof(jid), i % 2 ? "%u@x" : "%u@x/r", i);
			int error = i % 2 ? roster_item(&roster, jid, false)
					  : roster_presence(&roster, jid, true, 0, 0);
			if (error) {
				assert_int_equal(error, -ENOMEM);
				assert_null(roster_find(&roster, jid));
				assert_int_equal(HASH_COUNT(roster.contacts), i);
				failures++;
				i--;
			}
		}
		failed = failing_malloc_disarm();

		assert_int_equal(HASH_COUNT(roster.contacts), MANY);
		struct contact *contact, *next;
		unsigned i = 0;
		HASH_ITER (hh, roster.contacts, contact, next) {
			char jid[32];
			snprintf(jid, sizeof(jid), "%u@x", i++);
			assert_string_equal(contact->jid, jid);
			assert_ptr_equal(roster_find(&roster, jid), contact);
		}
		roster_finish(&roster);
	} while (failed);
	assert_int_equal(failures, n - 1);

	/* A second resource. */
	struct roster roster = {0};
	come(&roster, "a@x/1", 0);
	failing_malloc_arm(1);
	assert_int_equal(roster_presence(&roster, "a@x/2", true, 0, 0), -ENOMEM);
	assert_true(failing_malloc_disarm());
	assert_int_equal(count_resources(&roster, "a@x"), 1);
	roster_finish(&roster);
}

/* Presence with known capabilities saves the query; presence without capabilities removes no
 * features. */
static void test_capabilities(void **state)
{
	struct roster roster = {0};
	(void)state;
	assert_int_equal(roster_presence(&roster, "a@x/1", true, 0, FEATURE_IBB), 0);
	const struct resource *resource = roster_find_resource(&roster, "a@x/1");
	assert_int_equal(resource->features_state, FEATURES_KNOWN);
	assert_int_equal(resource->features, FEATURE_IBB);
	assert_int_equal(roster_presence(&roster, "a@x/1", true, 5, 0), 0);
	assert_int_equal(resource->features, FEATURE_IBB);
	assert_int_equal(roster_presence(&roster, "a@x/1", true, 5, FEATURE_IBBFS), 0);
	assert_int_equal(resource->features, FEATURE_IBBFS);
	assert_int_equal(roster_presence(&roster, "a@x/2", true, 0, 0), 0);
	resource = roster_find_resource(&roster, "a@x/2");
	assert_int_equal(resource->features_state, FEATURES_UNKNOWN);
	assert_false(resource->announced);
	/* What a program is says nothing of its features; a later presence does not take it back.
	 */
	assert_int_equal(roster_presence(&roster, "a@x/2", true, 0, FEATURE_ANNOUNCED), 0);
	assert_int_equal(roster_presence(&roster, "a@x/2", true, 0, 0), 0);
	assert_int_equal(resource->features_state, FEATURES_UNKNOWN);
	assert_true(resource->announced);
	roster_finish(&roster);
}

/* ---- limits ---- */

/* "NUMBER@x/NUMBER" */
static const char *name(char jid[64], unsigned contact, unsigned resource)
{
	snprintf(jid, 64, "%u@x/%u", contact, resource);
	return jid;
}

/* As the account does it. */
static void come_and_settle(struct roster *roster, const char *jid, int priority)
{
	come(roster, jid, priority);
	struct contact *contact = roster_find(roster, jid);
	if (roster_is_crowded(roster, contact)) {
		struct resource *surplus = roster_surplus(contact);
		assert_non_null(surplus);
		roster_forget(roster, contact, surplus);
	}
	assert_false(roster_is_crowded(roster, contact));
}

static void test_resources_of_one_contact(void **state)
{
	(void)state;
	struct roster roster = {0};
	char jid[64];
	list(&roster, "1@x");
	for (unsigned i = 0; i < 2 * ROSTER_MAX_RESOURCES; i++) {
		come_and_settle(&roster, name(jid, 1, i), 0);
	}
	assert_int_equal(count_resources(&roster, "1@x"), ROSTER_MAX_RESOURCES);
	/* The oldest ones went. */
	assert_null(roster_find_resource(&roster, name(jid, 1, ROSTER_MAX_RESOURCES - 1)));
	assert_non_null(roster_find_resource(&roster, name(jid, 1, ROSTER_MAX_RESOURCES)));
	/* One that is sent again is not the oldest any more, and nothing goes. */
	come_and_settle(&roster, name(jid, 1, ROSTER_MAX_RESOURCES), 0);
	come_and_settle(&roster, "1@x/new", 0);
	assert_non_null(roster_find_resource(&roster, name(jid, 1, ROSTER_MAX_RESOURCES)));
	assert_null(roster_find_resource(&roster, name(jid, 1, ROSTER_MAX_RESOURCES + 1)));
	go(&roster, "1@x");
	assert_int_equal(roster.pooled, 0);
	assert_int_equal(roster_find(&roster, "1@x")->count, 0);
	roster_finish(&roster);
}

/* Those that can take a stream stay, then those with a high priority. */
static void test_surplus(void **state)
{
	(void)state;
	static const struct {
		const char *jid;
		int priority;
		enum features_state state;
		unsigned features;
		bool used;
	} rows[] = {
		/* In the order in which they go. */
		{"a@x/1", 9, FEATURES_KNOWN, FEATURE_TOLD, false},
		{"a@x/2", -5, FEATURES_UNKNOWN, 0, false},
		{"a@x/3", 0, FEATURES_ASKED, 0, false},
		{"a@x/4", 0, FEATURES_UNKNOWN, 0, false},
		{"a@x/5", 1, FEATURES_UNKNOWN, 0, false},
		{"a@x/6", -9, FEATURES_KNOWN, FEATURE_SI, false},
		{"a@x/7", 0, FEATURES_KNOWN, FEATURE_JINGLE, false},
		{"a@x/8", 9, FEATURES_KNOWN, FEATURE_IBB, false},
		{"a@x/9", -9, FEATURES_KNOWN, 0, true},
	};
	struct roster roster = {0};
	for (size_t i = 0; i < COUNT(rows); i++) {
		come(&roster, rows[i].jid, rows[i].priority);
		struct resource *resource = roster_find_resource(&roster, rows[i].jid);
		resource->features_state = rows[i].state;
		resource->features = rows[i].features;
		resource->used = rows[i].used;
	}
	struct contact *contact = roster_find(&roster, "a@x");
	for (size_t i = 0; i + 1 < COUNT(rows); i++) {
		struct resource *surplus = roster_surplus(contact);
		assert_string_equal(surplus->jid, rows[i].jid);
		roster_forget(&roster, contact, surplus);
	}
	assert_null(roster_surplus(contact));
	assert_int_equal(contact->count, 1);
	roster_finish(&roster);
}

/* Contacts with many resources take nothing from the share of others. */
static void test_resources_of_all(void **state)
{
	(void)state;
	struct roster roster = {0};
	char jid[64];
	unsigned contacts = 2 * ROSTER_POOL / ROSTER_MAX_RESOURCES;
	for (unsigned i = 0; i < contacts; i++) {
		for (unsigned j = 0; j < ROSTER_MAX_RESOURCES + 1; j++) {
			come_and_settle(&roster, name(jid, i, j), 0);
		}
	}
	unsigned total = 0;
	for (unsigned i = 0; i < contacts; i++) {
		unsigned count = roster_find(&roster, name(jid, i, 0))->count;
		assert_in_range(count, ROSTER_SHARE, ROSTER_MAX_RESOURCES);
		total += count;
	}
	assert_int_equal(total, contacts * ROSTER_SHARE + ROSTER_POOL);
	for (unsigned i = 0; i < ROSTER_SHARE; i++) {
		come_and_settle(&roster, name(jid, contacts, i), 0);
	}
	assert_int_equal(count_resources(&roster, jid), ROSTER_SHARE);
	/* What one gives back, another one gets. */
	come_and_settle(&roster, name(jid, contacts, ROSTER_SHARE), 0);
	assert_int_equal(count_resources(&roster, jid), ROSTER_SHARE);
	go(&roster, "0@x");
	come_and_settle(&roster, name(jid, contacts, ROSTER_SHARE + 1), 0);
	assert_int_equal(count_resources(&roster, jid), ROSTER_SHARE + 1);
	roster_reset(&roster);
	assert_int_equal(roster.pooled, 0);
	roster_finish(&roster);
}

static void test_contacts(void **state)
{
	(void)state;
	struct roster roster = {0};
	char jid[64];
	for (unsigned i = 0; i < ROSTER_MAX_CONTACTS; i++) {
		snprintf(jid, sizeof(jid), "%u@x", i);
		list(&roster, jid);
	}
	assert_int_equal(roster_item(&roster, "new@x", false), -ENOSPC);
	assert_int_equal(roster_presence(&roster, "new@x/1", true, 0, 0), -ENOSPC);
	assert_null(roster_find(&roster, "new@x"));
	list(&roster, "7@x");
	come(&roster, "7@x/1", 0);
	assert_int_equal(roster_item(&roster, "8@x", true), 0);
	list(&roster, "new@x");
	assert_int_equal(HASH_COUNT(roster.contacts), ROSTER_MAX_CONTACTS);
	roster_finish(&roster);
}

/* No server sends such a JID. */
static void test_long_jids(void **state)
{
	(void)state;
	struct roster roster = {0};
	char jid[JID_MAX + 2];
	memset(jid, 'a', sizeof(jid));
	jid[JID_MAX + 1] = '\0';
	assert_int_equal(roster_item(&roster, jid, false), -EINVAL);
	jid[1] = '/';
	assert_int_equal(roster_presence(&roster, jid, true, 0, 0), -EINVAL);
	assert_null(roster.contacts);
	jid[JID_MAX] = '\0';
	come(&roster, jid, 0);
	assert_non_null(roster_find_resource(&roster, jid));
	roster_finish(&roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_resources_of_one_contact),
		cmocka_unit_test(test_surplus),
		cmocka_unit_test(test_resources_of_all),
		cmocka_unit_test(test_contacts),
		cmocka_unit_test(test_long_jids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
