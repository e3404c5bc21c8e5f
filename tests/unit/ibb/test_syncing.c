/* SPDX-License-Identifier: MIT */
/* syncing: a flush waits until the peer has made the bytes durable; the peer is j. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the sender ---- */

/* A stream of ours to an ibbfs, of which 8 bytes are acknowledged. */
#define SENT                                                                              \
	BRACED("dial s j ibbfs resume sync; j: result o1.0; write s w 8; j: result d1.0", \
	       "o1.0 open j s 8 resume; w=8; d1.0 data j s 0 8")

static void test_flush(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"flush s a; flush s b", "s1.8 sync j s 8"},
		{"j: result s1.8; flush s c", "a=0; b=0; c=0"}, /* nothing was written since */
		/* first the acknowledgement */
		{"write s v 8; flush s d", "v=8; d1.1 data j s 1 8"},
		{"j: result d1.1", "s1.10 sync j s 16"},
		/* of bytes that another writer sends meanwhile, only those before the flush */
		{"write s u 8", "u=8; d1.2 data j s 2 8"},
		{"flush s e; j: result s1.10", "d=0"},
		{"j: result d1.2", "s1.18 sync j s 24"},
		{"write s t 4; flush s f; interrupt e", "t=4; d1.3 data j s 3 4; e=EINTR"},
		/* one request at a time */
		{"j: result d1.3", ""},
		{"j: result s1.18", "s1.1c sync j s 28"},
		{"j: result s1.1c", "f=0"},
		/* the last close needs no request of its own */
		{"write s x 8; finish s g; j: result d1.4",
		 "x=8; d1.4 data j s 4 8; c1.0 close j s size=36"},
		{"flush s h", ""},
		{"j: result c1.0", "g=0; h=0"},
	};
	PLAY(steps);
}

/* A write with O_DSYNC waits as a flush after it does. */
static void test_write(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		/* also a part of a block is sent at once */
		{"sync-write s a 8; sync-write s b 3", "d1.1 data j s 1 8; d1.2 data j s 2 3"},
		{"j: result d1.1", "s1.10 sync j s 16"},
		{"j: result s1.10", "a=8"},
		{"j: result d1.2; j: result s1.13", "s1.13 sync j s 19; b=3"},
		/* behind another writer, and where the window is full */
		{"write s c 40; sync-write s d 24; sync-write s e 5; can s",
		 "d1.3 data j s 3 8; d1.4 data j s 4 8; can nothing"},
		{"j: result d1.3; j: result d1.4; j: result d1.5; j: result d1.6",
		 "d1.5 data j s 5 8; d1.6 data j s 6 8; c=40; d1.7 data j s 7 8; "
		 "d1.8 data j s 8 8"},
		{"j: result d1.7; j: result d1.8; j: result d1.9; j: result d1.a",
		 "d1.9 data j s 9 8; d1.a data j s 10 8; d1.b data j s 11 5; s1.53 sync j s 83"},
		{"j: result s1.53; j: result d1.b; j: result s1.58",
		 "d=24; s1.58 sync j s 88; e=5"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_write_to_any_other(void **state)
{
	(void)state;
	STEPS(steps) = {
		/* the peer has acknowledged it */
		{"dial a j; j: result o1.0; sync-write a w 3",
		 "o1.0 open j a 8; d1.0 data j a 0 3"},
		{"j: result d1.0; try-read a r 1", "w=3; r=EAGAIN"},
		{"sync-write a v 3; j: close a i1", "d1.1 data j a 1 3; v=ECONNRESET; i1 result j"},
		/* before the answer to <open/> */
		{"dial b j; sync-write b u 3", "o2.0 open j b 8"},
		{"j: result o2.0", "d2.0 data j b 0 3"},
		{"interrupt u; j: result d2.0", "u=EINTR"},
		{"sync-write b t 3; flush b f; j: error d2.1 item-not-found",
		 "d2.1 data j b 1 3; t=ECONNRESET; f=ECONNRESET"},
		{"sync-write b x 3", "x=ECONNRESET"},
		/* the last bytes before our own <close/> */
		{"dial c j ibbfs resume; j: result o3.0; sync-write c y 3; finish c g",
		 "o3.0 open j c 8 resume; d3.0 data j c 0 3; c3.0 close j c size=3"},
		{"j: result c3.0", "y=3; g=0"},
	};
	PLAY(steps);
}

static void test_who_is_asked(void **state)
{
	(void)state;
	STEPS(steps) = {
		/* an older ibbfs */
		{"dial a j ibbfs resume; j: result o1.0; write a w 8; j: result d1.0; flush a f",
		 "o1.0 open j a 8 resume; w=8; d1.0 data j a 0 8; f=0"},
		/* the receiver of an offered file */
		{"create b; offered b; dial b j ibbfs sync; j: result o2.0; write b v 8; "
		 "j: result d2.0; flush b g",
		 "o2.0 open j b 8; v=8; d2.0 data j b 0 8; g=0"},
		/* nothing was written */
		{"dial c j ibbfs sync; j: result o3.0; flush c h", "o3.0 open j c 8; h=0"},
		/* who has opened the stream */
		{"j: open d i0 8; take d; write d u 8; j: result d4.0; flush d k",
		 "i0 result j; u=8; d4.0 data j d 0 8; k=0"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_refused(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"flush s a; j: error s1.8 resource-constraint wait",
		 "s1.8 sync j s 8; a=ENOSPC; c1.0 close j s reset"},
		{"dial t j ibbfs sync; j: result o2.0; write t wt 8; j: result d2.0; flush t b; "
		 "j: error s2.8 not-acceptable",
		 "o2.0 open j t 8; wt=8; d2.0 data j t 0 8; s2.8 sync j t 8; b=ECONNRESET; "
		 "c2.0 close j t reset"},
		/* the peer has lost the stream */
		{"dial u j ibbfs sync; j: result o3.0; write u wu 8; j: result d3.0; flush u c; "
		 "j: error s3.8 item-not-found; state u",
		 "o3.0 open j u 8; wu=8; d3.0 data j u 0 8; s3.8 sync j u 8; c=ECONNRESET; broken"},
		/* by a server, of a stream that cannot be resumed */
		{"dial v j ibbfs sync; j: result o4.0; write v wv 8; j: result d4.0; flush v d; "
		 "j: error s4.8 service-unavailable; state v",
		 "o4.0 open j v 8; wv=8; d4.0 data j v 0 8; s4.8 sync j v 8; d=ECONNRESET; broken"},
	};
	PLAY(steps);
}

/* Only the answer to the request counts. */
static void test_answers_that_say_nothing(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"j: result s1.8; j: error s1.8 not-acceptable", ""},
		{"flush s a", "s1.8 sync j s 8"},
		{"j: result s1.10; j: result s1.ffffffffffffffff; j: result s1.0; k: result s1.8",
		 ""},
		{"j: result s1.8; j: result s1.8", "a=0"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_resumption(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"flush s a; disconnect; j: result s1.8; connect",
		 "s1.8 sync j s 8; r1.0 resume j s"},
		/* it was durable before */
		{"j: result r1.0", "a=0"},
		{"write s v 8; j: result d1.1.1; flush s b; gone j; wait 500",
		 "v=8; d1.1.1 data j s 1 8; s1.10 sync j s 16; r1.0 resume j s"},
		/* the request was lost */
		{"j: result r1.0", "s1.10 sync j s 16"},
		/* or the peer comes back before we know that it was away */
		{"j: resume s q1", "q1 result j; s1.10 sync j s 16"},
		/* while suspended, nothing that is durable is known to be whole */
		{"gone j; flush s c; interrupt b; wait 500", "b=EINTR; r1.0 resume j s"},
		{"j: result r1.0; j: result s1.10", "s1.10 sync j s 16; c=0"},
		{"gone j; flush s d", "d=0"},
		{"reset s", "c1.0 close j s reset"},
		{"j: result c1.0", ""},
	};
	PLAY(steps);
}

/* Its server answers for it, but it knows the stream whenever it is asked. */
static void test_peer_that_seems_away(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"flush s a; j: error s1.8 service-unavailable; wait 500",
		 "s1.8 sync j s 8; r1.0 resume j s"},
		{"j: result r1.0; j: error s1.8 service-unavailable; wait 500",
		 "s1.8 sync j s 8; r1.0 resume j s"},
		{"j: result r1.0; j: error s1.8 service-unavailable; wait 500",
		 "s1.8 sync j s 8; r1.0 resume j s"},
		{"j: result r1.0; j: error s1.8 service-unavailable; state s",
		 "s1.8 sync j s 8; a=ECONNRESET; broken"},
	};
	PLAY(steps);
}

/* A disk may take long. The request is sent again, as it may be lost between servers. */
static void test_time(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"flush s a; wait 30000", "s1.8 sync j s 8; p1.0 resume j s; s1.8 sync j s 8"},
		{"j: result p1.0; wait 30000", "p1.0 resume j s; s1.8 sync j s 8"},
		{"j: result p1.0; j: result s1.8; wait 60000; deadline", "a=0; deadline never"},
		{"write s v 8; j: result d1.1; flush s b; wait 60000; state s",
		 "v=8; d1.1 data j s 1 8; s1.10 sync j s 16; p1.0 resume j s; s1.10 sync j s 16; "
		 "suspended"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

/* The close of the last writer, before everything was read, is a flush. */
static void test_close_that_is_no_end(void **state)
{
	(void)state;
	STEPS(steps) = {
		SENT,
		{"reading s; write s v 8; finish s a; j: data s i1 0 3; j: result d1.1",
		 "v=8; d1.1 data j s 1 8; i1 result j; s1.10 sync j s 16"},
		{"j: result s1.10", "a=0"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

/* ---- the receiver ---- */

static void test_in_memory(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s i0 8; take s; j: data s i1 0 8", "i0 result j; i1 result j"},
		{"j: sync s q1 8; j: sync s q2 0", "q1 result j; q2 result j"},
		{"j: sync s q3 9", "q3 error j bad-request cancel"},
		{"k: sync s q4 8; j: sync t q5 8",
		 "q4 error k item-not-found cancel; q5 error j item-not-found cancel"},
		{"k! sync s q6 8", "q6 error k service-unavailable cancel"},
		{"state s; abort s; j: sync s q7 8",
		 "open; c1.0 close j s; q7 error j item-not-found cancel"},
		{"release s", ""},
	};
	PLAY(steps);
}

/* A stream whose blocks are acknowledged when they are written. */
#define STORED                                                                                   \
	BRACED("j: open s i0 8 resume; take s; defer s; syncs s; read s a 99; j: data s i1 0 8", \
	       "i0 result j; a=8")

static void test_on_disk(void **state)
{
	(void)state;
	STEPS(steps) = {
		STORED,
		/* not even written */
		{"j: sync s q1 8", ""},
		{"commit s; read s b 99", "i1 result j; b=sync"},
		{"synced s; read s c 99", "q1 result j"},
		/* nothing has come since */
		{"j: sync s q2 8; j: sync s q3 3", "q2 result j; q3 result j"},
		{"j: data s i2 1 8; commit s; read s d 99", "c=8; i2 result j"},
		/* a reader that waits; a second request, and a retransmission */
		{"j: sync s q4 16", "d=sync"},
		{"j: sync s q5 10; j: sync s q4 16", ""},
		/* blocks that come meanwhile wait behind it */
		{"j: data s i3 2 8", ""},
		{"synced s; read s e 99", "q4 result j; q5 result j; q4 result j; e=8"},
		{"commit s", "i3 result j"},
		{"disconnect", ""},
	};
	PLAY(steps);
}

static void test_not_synced_by_wish(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s i0 8 resume; take s; defer s; read s a 99; j: data s i1 0 8",
		 "i0 result j; a=8"},
		{"j: sync s q1 8", ""},
		{"commit s; read s b 99", "i1 result j; q1 result j"},
		{"j: sync s q2 8", "q2 result j"},
		{"disconnect", ""},
	};
	STEPS(message) = {
		{"j: open s i0 8 message; take s; defer s; syncs s; read s a 99", "i0 result j"},
		{"j: data s i1 0 8 message; j: sync s q1 8", "a=8"},
		{"commit s; read s b 99", "b=sync"},
		{"synced s", "q1 result j"},
		{"disconnect", ""},
	};
	PLAY(steps);
	PLAY(message);
}

/* The error comes before the <reset/>. */
static void test_failing_disk(void **state)
{
	(void)state;
	STEPS(steps) = {
		STORED,
		{"commit s; j: sync s q1 8; j: sync s q2 8; read s b 99", "i1 result j; b=sync"},
		{"full s",
		 "q1 error j resource-constraint wait; q2 error j resource-constraint wait; "
		 "c1.0 close j s"},
		{"release s", ""},
		{"j: open t j0 8 resume; take t; defer t; syncs t; read t c 99; j: data t j1 0 8; "
		 "commit t; j: sync t q3 8; j: data t j2 1 8; abort t",
		 "j0 result j; c=8; j1 result j; q3 error j not-acceptable cancel; "
		 "c2.0 close j t; j2 error j item-not-found cancel"},
		{"release t", ""},
	};
	PLAY(steps);
}

/* The end answers what still waits. */
static void test_close_meanwhile(void **state)
{
	(void)state;
	STEPS(steps) = {
		STORED,
		{"commit s; j: sync s q1 8; j: close s q2 size=8", "i1 result j"},
		{"j: sync s q3 8", ""},
		{"read s b 99; keep s", "b=0; q1 result j; q2 result j; q3 result j"},
		{"release s; j: sync s q4 8", "q4 error j item-not-found cancel"},
		{"j: open t j0 8 resume; take t; defer t; syncs t; read t c 99; j: data t j1 0 8; "
		 "commit t; j: sync t q5 8; j: close t q6 size=8; full t",
		 "j0 result j; c=8; j1 result j; q5 error j resource-constraint wait; "
		 "q6 error j resource-constraint wait"},
		{"release t", ""},
	};
	PLAY(steps);
}

/* The sender asks again. */
static void test_restart(void **state)
{
	(void)state;
	STEPS(steps) = {
		STORED,
		{"commit s; journaled s; j: sync s q1 8; hand-over", "i1 result j"},
		{"j: sync s q2 8", ""},
		{"abort s; release s", ""},
	};
	STEPS(restored) = {
		{"restore s j 1; syncs s; connect", "r1.0 resume j s seq=1"},
		{"j: result r1.0; j: sync s q1 8", ""},
		{"commit s; read s a 99", "a=sync"},
		{"synced s", "q1 result j"},
		{"disconnect", ""},
	};
	PLAY(steps);
	PLAY(restored);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_to_any_other),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_who_is_asked),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_answers_that_say_nothing),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_peer_that_seems_away),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_close_that_is_no_end),
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_on_disk),
		cmocka_unit_test(test_not_synced_by_wish),
		cmocka_unit_test(test_failing_disk),
		cmocka_unit_test(test_close_meanwhile),
		cmocka_unit_test(test_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
