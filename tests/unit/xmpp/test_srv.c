/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"
#include "xmpp/srv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a DNS message ---- */

struct message {
	unsigned char bytes[65536];
	size_t length;
	unsigned records;
};

static void put16(struct message *message, unsigned value)
{
	message->bytes[message->length++] = (unsigned char)(value >> 8);
	message->bytes[message->length++] = (unsigned char)value;
}

static void put_name(struct message *message, const char *name)
{
	for (const char *at = name; *at != '\0' && strcmp(at, ".") != 0;) {
		size_t length = strcspn(at, ".");

		message->bytes[message->length++] = (unsigned char)length;
		memcpy(message->bytes + message->length, at, length);
		message->length += length;
		at += length + (at[length] == '.');
	}
	message->bytes[message->length++] = 0;
}

static void begin(struct message *message)
{
	memset(message, 0, sizeof(*message));
	put16(message, 1);
	put16(message, 0x8180);
	put16(message, 1);
	message->length = 12;
	put_name(message, "_xmpp-client._tcp.example.org");
	put16(message, 33);
	put16(message, 1);
}

static void add(struct message *message, unsigned priority, unsigned weight, unsigned port,
		const char *host)
{
	put16(message, 0xc00c);
	put16(message, 33);
	put16(message, 1);
	put16(message, 0);
	put16(message, 60);
	size_t at = message->length;
	put16(message, 0);
	put16(message, priority);
	put16(message, weight);
	put16(message, port);
	put_name(message, host);
	size_t length = message->length - at - 2;
	message->bytes[at] = (unsigned char)(length >> 8);
	message->bytes[at + 1] = (unsigned char)length;
	message->records++;
	message->bytes[6] = (unsigned char)(message->records >> 8);
	message->bytes[7] = (unsigned char)message->records;
}

static int parse(struct srv_targets *targets, const struct message *message)
{
	return srv_add(targets, message->bytes, message->length, false);
}

/* ---- parsing ---- */

static void test_a_record(void **state)
{
	static struct message message;
	struct srv_targets targets = {0};

	(void)state;
	begin(&message);
	add(&message, 10, 20, 5222, "xmpp.example.org");
	assert_int_equal(srv_add(&targets, message.bytes, message.length, true), 0);
	assert_int_equal(targets.count, 1);
	assert_string_equal(targets.at[0].host, "xmpp.example.org");
	assert_int_equal(targets.at[0].port, 5222);
	assert_int_equal(targets.at[0].priority, 10);
	assert_int_equal(targets.at[0].weight, 20);
	assert_true(targets.at[0].direct_tls);
}

static void test_both_kinds_are_one_list(void **state)
{
	static struct message message;
	struct srv_targets targets = {0};

	(void)state;
	begin(&message);
	add(&message, 5, 0, 1, "b");
	add(&message, 9, 0, 2, "d");
	assert_int_equal(parse(&targets, &message), 0);
	begin(&message);
	add(&message, 7, 0, 3, "c");
	add(&message, 0, 0, 4, "a");
	assert_int_equal(srv_add(&targets, message.bytes, message.length, true), 0);
	assert_int_equal(targets.count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(targets.at[i].host[0], "abcd"[i]);
		assert_int_equal(targets.at[i].direct_tls, i % 2 == 0);
	}
}

static void test_no_records(void **state)
{
	static struct message message;
	struct srv_targets targets = {0};

	(void)state;
	begin(&message);
	assert_int_equal(parse(&targets, &message), -ENOENT);
	add(&message, 1, 0, 0, "port.zero");
	add(&message, 1, 0, 5222, "a b");
	add(&message, 1, 0, 5222, "new\nline");
	assert_int_equal(parse(&targets, &message), -ENOENT);
	assert_int_equal(targets.count, 0);
}

static void test_no_service(void **state)
{
	static struct message message;
	struct srv_targets targets = {0};

	(void)state;
	begin(&message);
	add(&message, 0, 0, 0, ".");
	assert_int_equal(parse(&targets, &message), -ENOTSUP);
	assert_int_equal(targets.count, 0);
	add(&message, 0, 0, 5222, "but.this");
	assert_int_equal(parse(&targets, &message), 0);
	assert_int_equal(targets.count, 1);
}

static void test_cut_anywhere(void **state)
{
	static struct message message;

	(void)state;
	begin(&message);
	add(&message, 1, 2, 5222, "one.example.org");
	add(&message, 1, 2, 5222, "two.example.org");
	for (size_t length = 0; length < message.length; length++) {
		struct srv_targets targets = {0};
		unsigned char *copy = malloc(length + 1);

		assert_non_null(copy);
		memcpy(copy, message.bytes, length);
		assert_int_equal(srv_add(&targets, copy, length, false), -EBADMSG);
		assert_int_equal(targets.count, 0);
		free(copy);
	}
}

static void test_the_best_are_kept(void **state)
{
	static struct message message;
	struct srv_targets targets = {0};

	(void)state;
	begin(&message);
	for (unsigned i = 0; i < 500; i++) {
		add(&message, 500 - i, 0, 1 + i, "host");
	}
	assert_int_equal(parse(&targets, &message), 0);
	assert_int_equal(targets.count, SRV_MAX_TARGETS);
	for (unsigned i = 0; i < SRV_MAX_TARGETS; i++) {
		assert_int_equal(targets.at[i].priority, i + 1);
	}
}

/* ---- order ---- */

struct dice {
	uint32_t next;
	uint32_t step;
};

static uint32_t roll(void *context)
{
	struct dice *dice = context;

	return dice->next += dice->step;
}

static void test_priorities_come_first(void **state)
{
	struct srv_targets targets = {.count = 4};
	struct dice dice = {7, 12345};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		targets.at[i].priority = (uint16_t)(i / 2);
		targets.at[i].weight = (uint16_t)(i % 2 ? 65535 : 0);
	}
	for (int i = 0; i < 100; i++) {
		srv_sort(&targets, roll, &dice);
		for (unsigned j = 0; j < 4; j++) {
			assert_int_equal(targets.at[j].priority, j / 2);
		}
	}
}

/* RFC 2782: a target is the first in proportion to its weight, and 0 has a small chance. */
static void test_weights(void **state)
{
	static const uint16_t weights[] = {60, 0, 30, 10};
	unsigned first[4] = {0};
	struct dice dice = {0, 1};

	(void)state;
	for (int i = 0; i < 10100; i++) {
		struct srv_targets targets = {.count = 4};
		unsigned sum = 0;

		for (unsigned j = 0; j < 4; j++) {
			targets.at[j].weight = weights[j];
			targets.at[j].port = (uint16_t)(1 + j);
		}
		dice.next = (uint32_t)i;
		srv_sort(&targets, roll, &dice);
		first[targets.at[0].port - 1]++;
		for (unsigned j = 0; j < 4; j++) {
			sum += targets.at[j].port;
		}
		assert_int_equal(sum, 1 + 2 + 3 + 4);
	}
	assert_int_equal(first[0], 6000);
	assert_int_equal(first[1], 100);
	assert_int_equal(first[2], 3000);
	assert_int_equal(first[3], 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record),
		cmocka_unit_test(test_both_kinds_are_one_list),
		cmocka_unit_test(test_no_records),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_the_best_are_kept),
		cmocka_unit_test(test_priorities_come_first),
		cmocka_unit_test(test_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
