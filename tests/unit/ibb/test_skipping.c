/* SPDX-License-Identifier: MIT */
/* skipping, paging: pieces that the peer has are not sent. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream whose peer has told that it has something. */
#define OFFERED                                                                         \
	BRACED("dial s j ibbfs resume name=n", "o1.0 open j s 8 name=n resume pieces"), \
		BRACED("j: result o1.0 pieces; state s", "h1.1 pieces j s 0; open")

static void test_asks(void **state)
{
	(void)state;
	STEPS(steps) = {
		/* only of a named file, on a stream that can be resumed, and without a reader */
		{"dial s j ibbfs resume", "o1.0 open j s 8 resume"},
		{"dial t j ibbfs name=n", "o2.0 open j t 8 name=n"},
		{"create u; reading u; dial u j ibbfs resume name=n",
		 "o3.0 open j u 8 name=n resume"},
		/* a peer that has nothing, and one that says so although it was not asked */
		{"dial v j ibbfs resume name=n", "o4.0 open j v 8 name=n resume pieces"},
		{"j: result o4.0; write v w 5", "w=5; d4.0 data j v 0 5"},
		{"j: result o1.0 pieces; write s x 5", "x=5; d1.0 data j s 0 5"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_skips(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		/* bytes are held until they are a piece */
		{"write s w 10", "w=10"},
		{"j: result h1.1 pieces size=20 page=r", ""},
		{"write s v 10", "v=10; d1.0 skip j s 0 20"},
		/* what follows is sent, and acknowledged in order */
		{"write s u 9; flush s f", "u=9; d1.1 data j s 1 8; d1.2 data j s 2 1"},
		{"j: result d1.1; j: result d1.2", ""},
		{"j: result d1.0", "f=0"},
		{"finish s g", "c1.0 close j s size=29 digest"},
		{"j: result c1.0; state s", "g=0; finished"},
		{"release s", ""},
	};
	PLAY(steps);
}

static void test_wrong_piece(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"j: result h1.1 pieces size=20 page=w; write s w 12", "w=12"},
		{"write s v 10", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		/* nothing was skipped, so nobody wants to know a digest */
		{"j: result d1.0; j: result d1.1; finish s g", "v=10; d1.2 data j s 2 6; "
							       "c1.0 close j s size=22"},
		{"j: result d1.2; j: result c1.0; release s", "g=0"},
	};
	PLAY(steps);
}

static void test_flush(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		/* it waits for the answer, but for no more bytes */
		{"write s w 10; flush s f", "w=10"},
		{"j: result h1.1 pieces size=20 page=r", "d1.0 data j s 0 8; d1.1 data j s 1 2"},
		{"j: result d1.0; j: result d1.1", "f=0"},
		/* the rest of the piece is sent as well */
		{"write s v 10; flush s g", "v=10; d1.2 data j s 2 8; d1.3 data j s 3 2"},
		{"j: result d1.2; j: result d1.3; disconnect", "g=0"},
	};
	STEPS(end) = {
		/* what is held belongs to the file */
		OFFERED,
		{"write s w 20; size s; finish s f", "w=20; size 20"},
		{"j: result h1.1 pieces size=20 page=r", "d1.0 skip j s 0 20"},
		{"j: result d1.0", "c1.0 close j s size=20 digest"},
		/* it is not what the peer has: a piece has changed there meanwhile */
		{"j: error c1.0 conflict", "f=EIO"},
		{"release s", ""},
	};
	STEPS(behind) = {
		/* a writer waits, whose bytes belong to the piece that is held */
		OFFERED,
		{"write s w 1048580; write s v 1048575; flush s f", ""},
		{"j: result h1.1 pieces size=2097155 page=rrr",
		 "w=1048580; v=1048575; d1.0 skip j s 0 2097155"},
		{"j: result d1.0; finish s g", "f=0; c1.0 close j s size=2097155 digest"},
		{"j: result c1.0; release s", "g=0"},
	};
	STEPS(zeros) = {
		OFFERED,
		{"j: result h1.1 pieces size=20 page=w; zeros s 10", ""},
		{"write s w 10", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.0; j: result d1.1", "w=10; d1.2 data j s 2 4"},
		{"disconnect", ""},
	};
	PLAY(steps);
	PLAY(end);
	PLAY(behind);
	PLAY(zeros);
}

/* A writer waits while a whole piece is held. */
static void test_back_pressure(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"write s w 1000000; can s", "w=1000000; can write"},
		{"write s v 48576; can s; try-write s u 1", "can nothing; u=EAGAIN"},
		{"write s x 5", ""},
		/* the second piece is shorter */
		{"j: result h1.1 pieces size=1048578 page=rr",
		 "v=48576; x=5; d1.0 skip j s 0 1048578; d1.1 data j s 1 3"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_bad_answers(void **state)
{
	(void)state;
	static const char *const answers[] = {
		"result h1.1",
		"result h1.1 pieces",
		"result h1.1 pieces size=20 page=rr",
		"result h1.1 pieces size=20",
		"result h1.1 pieces size=0 page=r",
		"result h1.1 seq=1",
		"error h1.1 item-not-found",
		"error h1.1 service-unavailable cancel",
	};
	for (size_t i = 0; i < COUNT(answers); i++) {
		char answer[80];
		snprintf(answer, sizeof(answer), "j: %s; state s", answers[i]);
		const char *expect =
			i == COUNT(answers) - 1 ? "suspended" : "d1.0 data j s 0 5; open";
		const struct script_step steps[] = {
			OFFERED,
			{"write s w 5", "w=5"},
			{answer, expect},
			{"disconnect", ""},
		};
		PLAY(steps);
	}
	STEPS(strangers) = {
		OFFERED,
		{"write s w 20", "w=20"},
		/* another peer; another question; an answer that comes again */
		{"e: result h1.1 pieces size=20 page=r; j: result h1.2 pieces size=20 page=r", ""},
		{"j: result h1.1 pieces size=20 page=r", "d1.0 skip j s 0 20"},
		{"j: result h1.1 pieces size=20 page=w", ""},
		{"disconnect", ""},
	};
	PLAY(strangers);
}

static void test_no_answer(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"write s w 5; wait 29000", "w=5"},
		/* it is asked at the same time whether the peer still has the stream */
		{"wait 1000", "h1.2 pieces j s 0; p1.0 resume j s"},
		{"j: result p1.0; wait 30000", "h1.3 pieces j s 0; p1.0 resume j s"},
		{"j: result p1.0; wait 29000", ""},
		{"wait 1000", "d1.0 data j s 0 5"},
		{"j: result d1.0; write s v 5", "v=5; d1.1 data j s 1 5"},
		{"disconnect", ""},
	};
	PLAY(steps);
	STEPS(late) = {
		OFFERED,
		{"write s w 5; wait 30000", "w=5; h1.2 pieces j s 0; p1.0 resume j s"},
		/* the peer was asked again while it computed them */
		{"j: error h1.1 unexpected-request", ""},
		{"j: result h1.1 pieces size=5 page=r", "d1.0 skip j s 0 5"},
		{"j: result h1.2 pieces size=5 page=r", ""},
		{"disconnect", ""},
	};
	PLAY(late);
}

static void test_broken_connection(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"write s w 5; disconnect; connect", "w=5; r1.0 resume j s"},
		/* the question, or its answer, may have been lost */
		{"j: result r1.0", "h1.2 pieces j s 0"},
		{"j: result h1.1 pieces size=5 page=r", ""},
		{"j: result h1.2 pieces size=5 page=r", "d1.0.1 skip j s 0 5"},
		/* as a block, a skip is retransmitted */
		{"disconnect; connect", "r1.0 resume j s"},
		{"j: result r1.0", "d1.0.2 skip j s 0 5"},
		{"j: error d1.0.2 resource-constraint wait; wait 100", "d1.0.3 skip j s 0 5"},
		{"wait 30000", "p1.0 resume j s; a1.0.3 skip j s 0 5"},
		{"j: result a1.0.3; write s v 3", "v=3; d1.1.3 data j s 1 3"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

/* The peer has been restarted: nobody knows what became of <close/>, and of what was skipped. */
static void test_close_that_nobody_knows(void **state)
{
	(void)state;
	STEPS(steps) = {
		OFFERED,
		{"write s w 5; finish s f", "w=5"},
		{"j: result h1.1 pieces size=5 page=r", "d1.0 skip j s 0 5"},
		{"j: result d1.0", "c1.0 close j s size=5 digest"},
		{"disconnect; connect", "c1.0 close j s size=5 digest"},
		{"j: error c1.0 item-not-found; state s", "f=ECONNRESET; broken"},
		{"release s", ""},
	};
	PLAY(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_skips),
		cmocka_unit_test(test_wrong_piece),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_close_that_nobody_knows),
		cmocka_unit_test(test_broken_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
