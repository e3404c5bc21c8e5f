/* SPDX-License-Identifier: MIT */
/* candidates: which address is tried next, and when. The clock is the test's. */
#include "xmpp/candidates.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct candidates candidates;

static int set_up(void **state)
{
	(void)state;
	candidates = (struct candidates){0};
	return 0;
}

static struct target *add(uint16_t priority)
{
	struct srv_target srv = {.host = "host.example", .port = 5222, .priority = priority};

	candidates_add(&candidates, &srv);
	return &candidates.targets[candidates.count - 1];
}

/* The addresses of `family` have come. */
static void answer(struct target *target, enum family family, const char *text, int64_t now_ms)
{
	struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6};
	struct sockaddr_in inet = {.sin_family = AF_INET};
	struct addrinfo info = {
		.ai_family = family == FAMILY_INET6 ? AF_INET6 : AF_INET,
		.ai_addrlen = family == FAMILY_INET6 ? sizeof(inet6) : sizeof(inet),
	};

	if (family == FAMILY_INET6) {
		assert_int_equal(inet_pton(AF_INET6, text, &inet6.sin6_addr), 1);
		info.ai_addr = (struct sockaddr *)&inet6;
	} else {
		assert_int_equal(inet_pton(AF_INET, text, &inet.sin_addr), 1);
		info.ai_addr = (struct sockaddr *)&inet;
	}
	target_add_addresses(target, &info);
	target_resolved(target, family, NULL, now_ms);
}

static void describe(const struct step *step, char *text, size_t size)
{
	if (step->address == NULL) {
		snprintf(text, size, "resolve %d", (int)(step->target - candidates.targets));
		return;
	}
	assert_int_equal(getnameinfo((struct sockaddr *)&step->address->name, step->address->length,
				     text, (socklen_t)size, NULL, 0, NI_NUMERICHOST),
			 0);
}

/* Takes the steps that are due at `now_ms`, as the caller of the candidates does. Returns them, and
 * when the next one is due: "resolve 0, 192.0.2.1, then 250", "never". */
static const char *steps(int64_t now_ms)
{
	static char text[500];
	struct step step;
	int64_t due_ms;

	text[0] = '\0';
	while ((due_ms = candidates_next(&candidates, now_ms, &step)) <= now_ms) {
		char name[100];

		if (step.address == NULL) {
			step.target->pending[FAMILY_INET6] = true;
			step.target->pending[FAMILY_INET] = true;
		}
		describe(&step, name, sizeof(name));
		strcat(text, name);
		strcat(text, ", ");
	}
	if (due_ms == INT64_MAX) {
		strcat(text, "never");
	} else {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "then %d", (int)due_ms);
	}
	return text;
}

static struct address *connecting(void)
{
	for (size_t i = 0; i < candidates.count; i++) {
		for (size_t j = 0; j < candidates.targets[i].count; j++) {
			if (candidates.targets[i].addresses[j].state == ADDRESS_CONNECTING) {
				return &candidates.targets[i].addresses[j];
			}
		}
	}
	return NULL;
}

static void fail_attempt(void)
{
	address_fail(connecting(), ECONNREFUSED);
	candidates_hurry(&candidates);
}

static void test_families_take_turns(void **state)
{
	(void)state;
	struct target *target = add(0);

	assert_string_equal(steps(0), "resolve 0, never");
	answer(target, FAMILY_INET, "192.0.2.1", 10);
	answer(target, FAMILY_INET, "192.0.2.2", 10);
	answer(target, FAMILY_INET6, "2001:db8::1", 10);
	answer(target, FAMILY_INET6, "2001:db8::2", 10);
	assert_string_equal(steps(10), "2001:db8::1, then 260");
	assert_string_equal(steps(259), "then 260");
	assert_string_equal(steps(260), "192.0.2.1, then 510");
	assert_string_equal(steps(510), "2001:db8::2, then 760");
	assert_string_equal(steps(800), "192.0.2.2, never");

	const struct sockaddr_in *name = (struct sockaddr_in *)&target->addresses[0].name;
	assert_int_equal(ntohs(name->sin_port), 5222);
}

/* RFC 8305 section 3 */
static void test_resolution_delay(void **state)
{
	(void)state;
	struct target *target = add(0);

	assert_string_equal(steps(0), "resolve 0, never");
	assert_true(candidates_limit_ms(&candidates) == INT64_MAX);
	answer(target, FAMILY_INET, "192.0.2.1", 100);
	assert_string_equal(steps(100), "never");
	assert_int_equal(candidates_limit_ms(&candidates), 150);
	assert_string_equal(steps(149), "never");
	assert_string_equal(steps(150), "192.0.2.1, never");
	answer(target, FAMILY_INET6, "2001:db8::1", 160);
	assert_string_equal(steps(160), "then 400");
	assert_string_equal(steps(400), "2001:db8::1, never");
}

static void test_ipv6_within_resolution_delay(void **state)
{
	(void)state;
	struct target *target = add(0);

	assert_string_equal(steps(0), "resolve 0, never");
	answer(target, FAMILY_INET, "192.0.2.1", 100);
	answer(target, FAMILY_INET6, "2001:db8::1", 149);
	assert_string_equal(steps(149), "2001:db8::1, then 399");
}

static void test_ipv6_alone_does_not_wait(void **state)
{
	(void)state;
	struct target *target = add(0);

	assert_string_equal(steps(0), "resolve 0, never");
	answer(target, FAMILY_INET6, "2001:db8::1", 5);
	assert_string_equal(steps(5), "2001:db8::1, never");
}

static void test_priorities(void **state)
{
	(void)state;
	add(1);
	struct target *second = add(1);
	add(2);

	assert_string_equal(steps(0), "resolve 0, then 250");
	assert_string_equal(steps(250), "resolve 1, then 1250");
	/* An address is tried before a look-up, and the first at once. */
	answer(second, FAMILY_INET6, "2001:db8::1", 300);
	assert_string_equal(steps(300), "2001:db8::1, then 1300");
	assert_string_equal(steps(1299), "then 1300");
	assert_string_equal(steps(1300), "resolve 2, never");
}

static void test_failure_lets_the_next_begin(void **state)
{
	(void)state;
	struct target *target = add(1);
	add(2);

	assert_string_equal(steps(0), "resolve 0, then 1000");
	answer(target, FAMILY_INET6, "2001:db8::1", 0);
	answer(target, FAMILY_INET, "192.0.2.1", 0);
	assert_string_equal(steps(0), "2001:db8::1, then 250");
	fail_attempt();
	assert_string_equal(steps(20), "192.0.2.1, then 1020");
	fail_attempt();
	assert_string_equal(steps(30), "resolve 1, never");
	target_resolved(&candidates.targets[1], FAMILY_INET6, "not found", 40);
	assert_true(candidates_is_busy(&candidates));
	assert_false(candidates_is_exhausted(&candidates, TURN_OVERTAKEN));
	target_resolved(&candidates.targets[1], FAMILY_INET, "not found", 40);
	assert_string_equal(steps(40), "never");
	assert_false(candidates_is_busy(&candidates));
	assert_true(candidates_is_exhausted(&candidates, TURN_OVERTAKEN));
}

/* A target with an address of each family, of which the first is being tried. */
static struct target *begin_with_inet6(void)
{
	struct target *target = add(1);

	steps(0);
	answer(target, FAMILY_INET6, "2001:db8::1", 0);
	answer(target, FAMILY_INET, "192.0.2.1", 0);
	assert_string_equal(steps(0), "2001:db8::1, then 250");
	return target;
}

static void test_postponed_comes_last(void **state)
{
	(void)state;
	begin_with_inet6();
	struct address *address = connecting();
	address->state = ADDRESS_WAITING;
	address->turn = TURN_POSTPONED;
	candidates_hurry(&candidates);
	assert_string_equal(steps(20), "192.0.2.1, never");
	assert_string_equal(steps(5000), "never");
	assert_false(candidates_is_exhausted(&candidates, TURN_POSTPONED));
	fail_attempt();
	assert_true(candidates_is_exhausted(&candidates, TURN_FIRST));
	assert_false(candidates_is_exhausted(&candidates, TURN_POSTPONED));
	assert_string_equal(steps(5000), "2001:db8::1, never");
	fail_attempt();
	assert_true(candidates_is_exhausted(&candidates, TURN_OVERTAKEN));
}

/* An address that is silent while a later one takes a connection is likely to be dead. */
static void test_overtaken_comes_last(void **state)
{
	(void)state;
	struct target *target = begin_with_inet6();

	assert_string_equal(steps(250), "192.0.2.1, never");
	candidates_win(&candidates, &target->addresses[1]);
	assert_true(candidates_is_exhausted(&candidates, TURN_POSTPONED));
	assert_false(candidates_is_exhausted(&candidates, TURN_OVERTAKEN));
	candidates_hurry(&candidates);
	assert_string_equal(steps(300), "2001:db8::1, never");
}

/* One that was tried later had less time. */
static void test_later_attempt_is_not_overtaken(void **state)
{
	(void)state;
	struct target *target = begin_with_inet6();

	assert_string_equal(steps(250), "192.0.2.1, never");
	candidates_win(&candidates, &target->addresses[0]);
	assert_false(candidates_is_exhausted(&candidates, TURN_FIRST));
	candidates_hurry(&candidates);
	assert_string_equal(steps(300), "192.0.2.1, never");
}

static void test_searching_keeps_busy(void **state)
{
	(void)state;
	candidates.searching = true;
	assert_string_equal(steps(0), "never");
	assert_true(candidates_is_busy(&candidates));
	candidates.searching = false;
	assert_true(candidates_is_exhausted(&candidates, TURN_OVERTAKEN));
}

static void test_time_limit_of_an_attempt(void **state)
{
	(void)state;
	struct target *target = add(0);

	steps(0);
	answer(target, FAMILY_INET6, "2001:db8::1", 0);
	answer(target, FAMILY_INET, "192.0.2.1", 0);
	steps(0);
	steps(250);
	assert_int_equal(candidates_limit_ms(&candidates), 10000);
	assert_false(address_is_overdue(connecting(), 9999));
	assert_true(address_is_overdue(connecting(), 10000));
	fail_attempt();
	assert_int_equal(target->addresses[0].error, ECONNREFUSED);
	assert_int_equal(candidates_limit_ms(&candidates), 10250);
}

/* Many addresses of one family, perhaps all dead, do not keep those of the other from being tried.
 */
static void test_room_for_addresses(void **state)
{
	(void)state;
	struct target *target = add(0);

	assert_string_equal(steps(0), "resolve 0, never");
	for (int i = 0; i < FAMILY_MAX_ADDRESSES + 1; i++) {
		answer(target, FAMILY_INET6, "2001:db8::1", 0);
	}
	assert_int_equal(target->count, FAMILY_MAX_ADDRESSES);
	answer(target, FAMILY_INET, "192.0.2.1", 0);
	assert_string_equal(steps(0), "2001:db8::1, then 250");
	assert_string_equal(steps(250), "192.0.2.1, then 500");
	for (int i = 0; i < FAMILY_MAX_ADDRESSES; i++) {
		answer(target, FAMILY_INET, "192.0.2.1", 250);
	}
	assert_int_equal(target->count, TARGET_MAX_ADDRESSES);
}

/* The answer for IPv4 counts: many hosts have no IPv6 address. */
static void test_reason(void **state)
{
	(void)state;
	struct target *target = add(0);

	steps(0);
	target_resolved(target, FAMILY_INET, "no IPv4", 0);
	assert_true(target_is_pending(target));
	target_resolved(target, FAMILY_INET6, "no IPv6", 0);
	assert_false(target_is_pending(target));
	assert_string_equal(target->reason, "no IPv4");

	target = add(0);
	target_resolved(target, FAMILY_INET6, "no IPv6", 0);
	assert_string_equal(target->reason, "no IPv6");
	target_resolved(target, FAMILY_INET, "no IPv4", 0);
	assert_string_equal(target->reason, "no IPv4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_families_take_turns, set_up),
		cmocka_unit_test_setup(test_resolution_delay, set_up),
		cmocka_unit_test_setup(test_ipv6_within_resolution_delay, set_up),
		cmocka_unit_test_setup(test_ipv6_alone_does_not_wait, set_up),
		cmocka_unit_test_setup(test_priorities, set_up),
		cmocka_unit_test_setup(test_failure_lets_the_next_begin, set_up),
		cmocka_unit_test_setup(test_postponed_comes_last, set_up),
		cmocka_unit_test_setup(test_overtaken_comes_last, set_up),
		cmocka_unit_test_setup(test_later_attempt_is_not_overtaken, set_up),
		cmocka_unit_test_setup(test_searching_keeps_busy, set_up),
		cmocka_unit_test_setup(test_time_limit_of_an_attempt, set_up),
		cmocka_unit_test_setup(test_room_for_addresses, set_up),
		cmocka_unit_test_setup(test_reason, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
