/* SPDX-License-Identifier: MIT */
/* part: what the receiver has already is skipped by the peer. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream whose receiver has told that it has something. */
#define OFFERED BRACED("j: open a x1 8 name=n resume pieces; take a; defer a", "x1 result j pieces")

static void test_offer(void **state)
{
	(void)state;
	STEPS(steps) = {
		/* not on a stream that cannot be resumed */
		{"j: open b x2 8 name=n pieces; take b", "x2 result j"},
		{"j: open c x3 8 name=n resume; take c", "x3 result j"},
		{"part c 20; j: pieces c g1 0", "g1 error j item-not-found cancel"},
		{"j: pieces unknown g2 0", "g2 error j item-not-found cancel"},
		OFFERED,
		/* a retransmission */
		{"j: open a x1 8 name=n resume pieces", "x1 result j pieces"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_pages(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		/* before it is known what is there; the last question counts */
		{"j: pieces a g1 0", ""},
		{"j: pieces a g2 0; part a 20", "g1 error j unexpected-request cancel"},
		{"read a r 100", "r=page 0"},
		{"page a 1 1; page a 0 1", "g2 result j pieces size=20 1"},
		/* a reader that waits; nothing is there from the second piece on */
		{"read a s 100; j: pieces a g3 0", "s=page 0"},
		{"j: pieces a g4 1",
		 "g3 error j unexpected-request cancel; g4 result j pieces size=20 0"},
		{"j: pieces a g5 9223372036854775807", "g5 result j pieces size=20 0"},
		{"j: pieces a g6 0; abort a",
		 "c1.0 close j a reset; g6 error j item-not-found cancel"},
		{"release a", ""},
	};
	STEPS(nothing) = {
		OFFERED,
		{"j: pieces a g1 0; part a 0", "g1 result j pieces size=0 0"},
		{"j: skip a x2 0 1", "x2 error j bad-request cancel; c1.0 close j a reset"},
		{"release a", ""},
	};
	PLAY(steps);
	PLAY(nothing);
}

/* Each question may cost 64 MiB of reading. */
static void test_many_questions(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"part a 20; j: pieces a g1 1; j: pieces a g2 1; j: pieces a g3 1; j: pieces a g4 "
		 "1",
		 "g1 result j pieces size=20 0; g2 result j pieces size=20 0; "
		 "g3 result j pieces size=20 0; g4 result j pieces size=20 0"},
		{"j: pieces a g5 1; j: pieces a g6 1; j: pieces a g7 1; j: pieces a g8 1",
		 "g5 result j pieces size=20 0; g6 result j pieces size=20 0; "
		 "g7 result j pieces size=20 0; g8 result j pieces size=20 0"},
		{"j: pieces a g9 0; state a", "g9 error j resource-constraint modify; open"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_skips(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"part a 20; read a r 100; commit a", ""},
		/* in order, and acknowledged when it is read and committed */
		{"j: skip a x2 0 6", "r=skip 6"},
		{"j: data a x3 1 2; j: skip a x4 2 3; j: skip a x5 3 4; j: data a x6 4 8", ""},
		{"commit a", "x2 result j"},
		{"read a s 100", "s=2"},
		{"commit a", "x3 result j"},
		{"read a t 100", "t=skip 15"},
		{"commit a", "x4 result j; x5 result j"},
		{"read a u 100; commit a", "u=8; x6 result j"},
		/* a duplicate */
		{"j: skip a x7 3 4", "x7 result j"},
		/* one that is early */
		{"j: skip a x8 6 1", "x8 error j resource-constraint wait"},
		{"size a; read a v 100", "size 23"},
		{"j: close a x9 size=23 digest", "v=0"},
		{"keep a; state a; release a", "x9 result j; finished"},
	};
	PLAY(steps);
}

static void test_beyond(void **state)
{
	(void)state;
	static const char *const skips[] = {
		"j: skip a x3 1 14",
		"j: skip a x3 1 9223372036854775807",
	};
	for (size_t i = 0; i < COUNT(skips); i++) {
		const struct script_step steps[] = {
			OFFERED,
			{"part a 20; j: skip a x2 0 7", ""},
			{skips[i], "x3 error j bad-request cancel; c1.0 close j a reset; "
				   "x2 error j item-not-found cancel"},
			{"release a", ""},
		};
		PLAY(steps);
	}
}

/* Who skips has to say what the whole is. */
static void test_end(void **state)
{
	(void)state;
	STEPS(without) = {
		OFFERED,
		{"part a 20; read a r 100; commit a; j: skip a x2 0 6", "r=skip 6"},
		{"commit a", "x2 result j"},
		{"j: close a x3 size=6", "x3 error j not-acceptable cancel"},
		{"state a; release a", "broken"},
	};
	STEPS(nothing_skipped) = {
		OFFERED,
		{"part a 20; read a r 100; commit a; j: data a x2 0 6", "r=6"},
		{"commit a", "x2 result j"},
		{"j: close a x3 size=6; keep a; release a", "x3 result j"},
	};
	STEPS(wrong) = {
		OFFERED,
		{"part a 20; read a r 100; commit a; j: skip a x2 0 6", "r=skip 6"},
		{"commit a; read a s 100", "x2 result j"},
		{"j: close a x3 size=6 digest", "s=0"},
		{"wrong a; release a", "x3 error j conflict cancel"},
	};
	PLAY(without);
	PLAY(nothing_skipped);
	PLAY(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),	       cmocka_unit_test(test_pages),
		cmocka_unit_test(test_many_questions), cmocka_unit_test(test_skips),
		cmocka_unit_test(test_beyond),	       cmocka_unit_test(test_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
