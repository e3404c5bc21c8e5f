/* SPDX-License-Identifier: MIT */
/* restoring: streams that are made anew after a restart, and those that are left to it. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* It is as after a broken connection. */
static void test_restored(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"restore s j 3; state s; size s", "suspended; size 24"},
		{"connect; state s", "r1.0 resume j s seq=3; suspended"},
		/* the acknowledgement was lost; so was a block */
		{"j: data s x1 2 8 from=16; j: data s x2 4 8 from=32",
		 "x1 result j; x2 error j resource-constraint wait"},
		{"j: result r1.0 seq=0; state s", "open"},
		{"read s a 100", ""},
		{"j: data s x3 3 8 from=24", "a=8"},
		{"commit s", "x3 result j"},
		{"j: data s x4 4 8 from=32; j: close s x5 size=40", ""},
		{"read s b 100; commit s; read s c 100", "b=8; x4 result j; c=0"},
		{"keep s; state s; release s", "x5 result j; finished"},
	};
	PLAY(steps);
}

/* The peer is first. */
static void test_peer_asks(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"restore s j 3; j: resume s x1 seq=0; state s", "x1 result j seq=3; open"},
		{"read s a 100; j: data s x2 3 8 from=24; commit s", "a=8; x2 result j"},
		{"connect; count", "count 1"},
		{"abort s; release s", "c1.0 close j s reset"},
	};
	PLAY(steps);
}

static void test_seq_wraps(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"restore s j 65537; connect", "r1.0 resume j s seq=1"},
		{"j: result r1.0 seq=0; j: data s x1 0 8", "x1 result j"},
		{"abort s; release s", "c1.0 close j s reset"},
	};
	PLAY(steps);
}

static void test_not_twice(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x1 8 resume; take s", "x1 result j"},
		{"restore s j 3", "s=EEXIST"},
		{"reset s", "c1.0 close j s"},
	};
	PLAY(steps);
}

static void test_given_up(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"restore s j 3; connect", "r1.0 resume j s seq=3"},
		{"j: error r1.0 item-not-found; state s; release s", "broken"},
		{"restore t j 3; wait 29999; state t", "suspended"},
		{"wait 1; state t; release t", "c2.0 close j t reset; broken"},
	};
	PLAY(steps);
}

/* Whole blocks only, where one fits. */
static void test_reads_of_whole_blocks(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x1 8 resume; take s; defer s", "x1 result j"},
		{"j: data s x2 0 8; j: data s x3 1 3; j: data s x4 2 8", ""},
		{"read s a 18; read s b 3", "a=11; b=3"},
		{"commit s", "x2 result j; x3 result j"},
		{"read s c 9; commit s", "c=5; x4 result j"},
		{"reset s", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* The peer is told nothing: neither an answer nor <close/>. */
static void test_left(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x1 8 resume; take s; defer s; journaled s", "x1 result j"},
		{"j: open t y1 8 resume; take t; defer t", "y1 result j"},
		{"j: data s x2 0 8; read s a 100; read s b 100", "a=8"},
		{"hand-over", "b=ESHUTDOWN"},
		{"commit s; j: data s x3 1 8; j: resume s x4; j: close s x5", ""},
		{"read s c 10; abort s; gone j; back j; wait 400", "c=ESHUTDOWN; r2.0 resume j t"},
		{"drained; release s; drained", "drained; drained"},
		{"reset t", "c2.0 close j t"},
	};
	PLAY(steps);
}

/* What is about to be stored is not left at first. */
static void test_left_at_its_end(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x1 8 resume; take s; defer s; journaled s", "x1 result j"},
		{"j: data s x2 0 8; read s a 100; commit s", "a=8; x2 result j"},
		{"j: close s x3; read s b 100; hand-over; drained", "b=0; not drained"},
		{"keep s; state s; release s", "x3 result j; finished"},
		{"j: open t y1 8 resume; take t; defer t; journaled t", "y1 result j"},
		{"j: close t y2; hand-over all; keep t; state t", "suspended"},
		{"release t; drained", "drained"},
	};
	PLAY(steps);
}

/* The receiver has lost what it had acknowledged, or says so. */
static void test_peer_goes_back(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s w 20; j: result d1.0", "d1.0 data j s 0 8; d1.1 data j s 1 8; w=20"},
		{"gone j; back j", "r1.0 resume j s"},
		{"j: result r1.0 seq=0; state s; reset s", "c1.0 close j s; broken"},
		{"dial t j resume; j: result o2.0", "o2.0 open j t 8 resume"},
		{"write t v 8; j: result d2.0", "v=8; d2.0 data j t 0 8"},
		{"j: resume t q1 seq=2; state t; reset t",
		 "q1 error j item-not-found cancel; c2.0 close j t; broken"},
	};
	PLAY(steps);
}

/* A part that is gone on with: the peer skips as before. */
static void test_part(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"restore s j 3 100; j: resume s x1 seq=0", "x1 result j seq=3"},
		/* before it is known that the file is as it was */
		{"j: skip s x2 3 16; j: pieces s g1 0", ""},
		{"read s a 100; page s 0 1", "a=page 0; g1 result j pieces size=100 1"},
		{"read s b 100; commit s", "b=skip 40; x2 result j"},
		{"j: skip s x3 4 61", "x3 error j bad-request cancel; c1.0 close j s reset"},
		{"release s", ""},
	};
	STEPS(end) = {
		{"restore s j 3 100 skipped; j: resume s x1 seq=0", "x1 result j seq=3"},
		{"j: close s x2 size=24", "x2 error j not-acceptable cancel"},
		{"release s", ""},
		{"restore t j 3 100 skipped; j: resume t x3 seq=0", "x3 result j seq=3"},
		{"j: close t x4 size=24 digest; read t a 100", "a=0"},
		{"keep t; release t", "x4 result j"},
		{"restore u j 3; j: resume u x5 seq=0", "x5 result j seq=3"},
		{"j: skip u x6 3 16", "x6 error j bad-request cancel; c3.0 close j u reset"},
		{"release u", ""},
	};
	PLAY(steps);
	PLAY(end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restored),       cmocka_unit_test(test_peer_asks),
		cmocka_unit_test(test_seq_wraps),      cmocka_unit_test(test_not_twice),
		cmocka_unit_test(test_given_up),       cmocka_unit_test(test_reads_of_whole_blocks),
		cmocka_unit_test(test_left),	       cmocka_unit_test(test_left_at_its_end),
		cmocka_unit_test(test_peer_goes_back), cmocka_unit_test(test_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
