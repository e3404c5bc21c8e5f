/* SPDX-License-Identifier: MIT */
/* dispatch: the stream of each stanza, and the answer if there is none. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_unknown_streams(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: data s i1 0 5", "i1 error j item-not-found cancel"},
		{"j: close s i2", "i2 error j item-not-found cancel"},
		/* A message has no answer, but its sender must not take it for delivered. */
		{"j: data s i3 0 5 message", "c0.0 close j s"},
		{"j: result c0.0; j: error c0.0 item-not-found", ""},
		{"j: result d1.0; j: error d1.0 forbidden; j: bounce d1.0 forbidden", ""},
		{"j: result o1.0; j: result c1.0; j: result p1.0; j: result b1.1", ""},
	};
	PLAY(steps);
}

static void test_foreign_senders(void **state)
{
	(void)state;
	/* The same sid with another peer is another stream. */
	static const struct script_step steps[] = {
		{"j: open s i0 8; take s", "i0 result j"},
		{"k: data s i1 0 5", "i1 error k item-not-found cancel"},
		{"k: close s i2 reset", "i2 error k item-not-found cancel"},
		{"state s; size s", "open; size 0"},
		{"k: open s i3 8; take t", "i3 result k"},
		{"k: data s i4 0 3; read t a 9", "i4 result k; a=3"},
		{"j: data s i5 0 5; read s b 9", "i5 result j; b=5"},
		{"k: close s i6; state s; state t", "i6 result k; open; finished"},
		{"j: data s i7 1 1", "i7 result j"},
		/* the resource belongs to the name */
		{"j/phone: data s i8 2 1", "i8 error j/phone item-not-found cancel"},
	};
	PLAY(steps);
}

static void test_foreign_answers(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; open s o", "o1.0 open j s 8"},
		{"k: result o1.0", ""},
		{"k: error o1.0 forbidden", ""},
		{"state s; j: result o1.0", "opening; o=0"},
		{"write s w 5; flush s f", "w=5; d1.0 data j s 0 5"},
		{"k: result d1.0; k: error d1.0 item-not-found; k: bounce d1.0 gone", ""},
		{"wait 30000", "p1.0 info j"},
		{"k: error p1.0 gone", ""},
		{"state s", "open"},
		{"j: result d1.0", "f=0"},
		{"release s", "c1.0 close j s"},
		{"k: result c1.0; k: error c1.0 gone", ""},
		{"count; j: result c1.0; count", "count 1; count 0"},
	};
	PLAY(steps);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0; dial t j; j: result o2.0",
		 "o1.0 open j s 8; o2.0 open j t 8"},
		{"write s a 16; write t b 16; flush s f; flush t g",
		 "a=16; d1.0 data j s 0 8; d1.1 data j s 1 8; b=16; d2.0 data j t 0 8; d2.1 data j "
		 "t "
		 "1 8"},
		/* to blocks that were never sent, to requests that were never made */
		{"j: result d1.2; j: result d1.10000; j: result d1.ffffffffffffffff", ""},
		{"j: error d3.0 gone; j: error d0.0 gone; j: error d1 gone; j: error d1. gone", ""},
		{"j: error d1.0x gone; j: error 1.0 gone; j: error d.0 gone; j: error d1.0.0 gone",
		 ""},
		{"j: error e1.0 gone; j: error d1.2 gone", ""},
		{"j: error o1.1 gone; j: error o1.0 gone; j: result c1.0; j: error c2.0 gone", ""},
		{"state s; state t", "open; open"},
		/* out of order; twice */
		{"j: result d2.1; j: result d2.1", ""},
		{"j: result d2.0", "g=0"},
		{"j: error d2.0 gone; j: error d2.1 gone; state t", "open"},
		{"j: result d1.0; j: result d1.0", ""},
		{"j: result d1.1", "f=0"},
	};
	PLAY(steps);
}

/* Peers that may not open streams do not learn that we are online. */
static void test_strangers(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"eve! open x i1 8", "i1 error eve service-unavailable cancel"},
		{"eve! open x i2 9999", "i2 error eve service-unavailable cancel"},
		{"eve! data x i3 0 1", "i3 error eve service-unavailable cancel"},
		{"eve! data x i4 0 1 message", ""},
		{"eve! close x i5", "i5 error eve service-unavailable cancel"},
		{"eve! ping i6", "i6 error eve service-unavailable cancel"},
		{"eve! unknown i7", "i7 error eve service-unavailable cancel"},
		{"eve! result o1.0; eve! error o1.0 gone", ""},
		{"count", "count 0"},
		/* but streams that we opened to them continue */
		{"dial s eve; open s o", "o1.0 open eve s 8"},
		{"eve! result o1.0", "o=0"},
		{"reading s; read s r 9; eve! data s i8 0 3", "r=3; i8 result eve"},
		{"eve! open s i9 8", "i9 error eve service-unavailable cancel"},
		{"eve! data t j1 0 3", "j1 error eve service-unavailable cancel"},
		{"eve! close s j2", "j2 result eve"},
		{"eve! close s j3", "j3 error eve service-unavailable cancel"},
	};
	PLAY(steps);
}

static void test_requests(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: ping i1", "i1 result j"},
		{"j: unknown i2", "i2 error j bad-request cancel"},
		{"count", "count 0"},
	};
	PLAY(steps);
}

static void test_open_refused(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i1 9", "i1 error j resource-constraint modify"},
		{"count", "count 0"},
		{"j: open s i2 8; j: open t i3 1", "i2 result j; i3 result j"},
		/* the sid is in use, whichever side opened it; the first stream continues */
		{"j: open s i4 8", "i4 error j not-acceptable cancel"},
		{"take s; state s", "open"},
		{"dial u j; j: open u i5 8", "o3.0 open j u 8; i5 error j not-acceptable cancel"},
		{"k: open u i6 8; count", "i6 result k; count 4"},
		/* not any more */
		{"j: close s i7; j: open s i8 8", "i7 result j; i8 result j"},
		{"abort u", "c3.0 close j u"},
		{"j: open u i9 8", "i9 result j"},
	};
	PLAY(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_streams), cmocka_unit_test(test_foreign_senders),
		cmocka_unit_test(test_foreign_answers), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_strangers),	cmocka_unit_test(test_requests),
		cmocka_unit_test(test_open_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
