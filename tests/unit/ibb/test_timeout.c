/* SPDX-License-Identifier: MIT */
/* timeout: what happens when an answer is overdue; the peer is j. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream of ours that is open. */
#define OPENED BRACED("dial s j; j: result o1.0", "o1.0 open j s 8")

static void test_no_progress(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"deadline", "deadline 60000"},
		{"wait 100000; deadline; state s", "deadline never; open"},
		{"write s a 17; flush s f; read s r 1; deadline",
		 "d1.0 data j s 0 8; d1.1 data j s 1 8; deadline 30000"},
		{"wait 29999", ""},
		{"wait 1", "p1.0 info j"},
		{"j: result p1.0", ""},
		{"wait 29999", ""},
		/* any acknowledged block is progress, except out of order */
		{"j: result d1.0", "a=17; d1.2 data j s 2 1"},
		{"wait 29999", ""},
		{"wait 1", "p1.0 info j"},
		{"eve: error p1.0 recipient-unavailable", ""},
		{"wait 29999", ""},
		{"wait 1", "f=ETIMEDOUT; r=ETIMEDOUT; c1.0 close j s"},
		{"state s; write s b 1; wait 100000", "broken; b=ETIMEDOUT"},
		{"deadline", "deadline never"},
	};
	PLAY(steps);
}

/* A peer that acknowledges nothing is pinged. */
static void test_overdue(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		/* its server says no */
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 1; flush s f", "a=1; d1.0 data j s 0 1"},
		{"wait 30000", "p1.0 info j"},
		{"j: error p1.0 service-unavailable; state s", "f=ECONNRESET; broken"},
		/* an ibbfs that answers has a reader that pauses, for any time */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8"},
		{"write t b 1; flush t g", "b=1; d2.0 data j t 0 1"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"j: result d2.0", "g=0"},
		/* but it must answer */
		{"write t c 1; flush t h", "c=1; d2.1 data j t 1 1"},
		{"wait 30000", "p2.0 ping j"},
		{"wait 30000", "h=ETIMEDOUT; c2.0 close j t reset"},
	};
	PLAY(steps);
}

/* A peer whose presence is not seen may vanish silently; its reader must learn that. */
static void test_silent_peer_of_a_reader(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i1 8; take s", "i1 result j"},
		{"read s r 9", ""},
		{"wait 50000; j: data s i2 0 1", "r=1; i2 result j"},
		{"read s q 9; wait 59999", ""},
		{"wait 1", "p1.0 info j"},
		{"j: result p1.0; wait 59999", ""},
		{"wait 1", "p1.0 info j"},
		{"wait 29999", ""},
		{"wait 1", "q=ETIMEDOUT; c1.0 close j s"},
		{"j: open t i3 8; take t; read t p 9", "i3 result j"},
		{"wait 60000", "p2.0 info j"},
		{"j: error p2.0 service-unavailable; state t", "p=ECONNRESET; broken"},
	};
	PLAY(steps);
}

static void test_time_begins_when_something_is_to_be_sent(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"wait 100000; write s a 5; flush s f", "a=5; d1.0 data j s 0 5"},
		{"wait 20000", ""},
		{"write s b 8", "b=8; d1.1 data j s 1 8"},
		{"wait 9999", ""},
		{"wait 1", "p1.0 info j"},
		{"j: result d1.0; j: result d1.1", "f=0"},
		{"wait 100000; state s", "open"},
		/* each time anew */
		{"write s c 5", "c=5; d1.2 data j s 2 5"},
		{"wait 29999", ""},
		{"wait 1", "p1.0 info j"},
		{"j: result d1.2; wait 100000; state s", "open"},
	};
	PLAY(steps);
}

static void test_peer_is_gone(void **state)
{
	(void)state;
	static const struct {
		const char *condition;
		bool gone;
	} rows[] = {
		{"recipient-unavailable cancel", true},
		{"gone", true},
		{"remote-server-not-found", true},
		{"remote-server-timeout cancel", true},
		{"service-unavailable", true},
		{"feature-not-implemented", false},
		{"item-not-found", false},
		{"forbidden", false},
		/* it may be back in time */
		{"recipient-unavailable wait", false},
		{"remote-server-timeout wait", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct script script;
		char act[80];
		script_start(&script, &script_config, 1);
		script_play(&script, "dial s j; j: result o1.0; write s w 5; flush s f");
		assert_string_equal(script_play(&script, "wait 30000"), "p1.0 info j");
		snprintf(act, sizeof(act), "j: error p1.0 %s; state s", rows[i].condition);
		assert_string_equal(script_play(&script, act),
				    rows[i].gone ? "f=ECONNRESET; broken" : "open");
		script_finish(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_progress),
		cmocka_unit_test(test_overdue),
		cmocka_unit_test(test_silent_peer_of_a_reader),
		cmocka_unit_test(test_time_begins_when_something_is_to_be_sent),
		cmocka_unit_test(test_peer_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
