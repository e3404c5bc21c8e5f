/* SPDX-License-Identifier: MIT */
/* resumption: streams that outlive a broken connection, and retransmitted blocks. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define OPENED(peers) BRACED("dial s j " peers "; j: result o1.0", "o1.0 open j s 8 resume")

static void test_agreed_on(void **state)
{
	(void)state;
	STEPS(steps) = {
		/* only with a peer that supports it, and not for messages */
		{"dial s j ibbfs resume name=n", "o1.0 open j s 8 name=n resume pieces"},
		{"dial t j ibbfs", "o2.0 open j t 8"},
		{"j: open a x1 8 resume; take a", "x1 result j"},
		{"j: open b x2 8 message resume; take b", "x2 result j"},
		{"j: open c x3 8; take c", "x3 result j"},
		{"j: result o1.0; j: result o2.0; disconnect", ""},
		{"state s; state t", "suspended; broken"},
		{"state a; state b; state c", "suspended; broken; broken"},
	};
	PLAY(steps);
}

static void test_own_connection(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 20", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.0; flush s f", "w=20; d1.2 data j s 2 4"},
		{"disconnect; state s", "suspended"},
		/* calls wait; writes succeed while there is room */
		{"write s v 3; write s u 16; wait 20000", "v=3"},
		{"connect", "r1.0 resume j s"},
		/* the oldest unacknowledged block, and those after it */
		{"j: result r1.0; state s", "d1.1.1 data j s 1 8; d1.2.1 data j s 2 4; open"},
		{"j: result d1.1.1", "d1.3.1 data j s 3 8"},
		{"j: result d1.2.1; flush s g", "f=0; d1.4.1 data j s 4 8"},
		{"j: result d1.3.1", "u=16; d1.5.1 data j s 5 3"},
		{"j: result d1.4.1; j: result d1.5.1", "g=0"},
		{"release s", "c1.0 close j s"},
		{"j: result c1.0; count", "count 0"},
	};
	PLAY(steps);
}

/* The answer to the first transmission may still arrive; an error for it means nothing. */
static void test_late_answers(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 16; flush s f", "w=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"gone j; wait 600", "r1.0 resume j s"},
		{"j: result d1.0", ""},
		{"j: error d1.1 item-not-found", ""},
		{"j: result r1.0", "d1.1.1 data j s 1 8"},
		{"j: error d1.1 item-not-found", ""},
		{"j: result d1.1", "f=0"},
		{"release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

static void test_peers_connection(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 8; flush s f", "w=8; d1.0 data j s 0 8"},
		{"j: error d1.0 service-unavailable; state s", "suspended"},
		{"gone j; wait 499", ""},
		{"wait 1", "r1.0 resume j s"},
		{"j: error r1.0 service-unavailable; wait 499", ""},
		{"wait 1", "r1.1 resume j s"},
		/* its presence is a better sign than a timeout, and its <resume/> the best */
		{"back j", "r1.2 resume j s"},
		{"j: resume s q1", "q1 result j; d1.0.1 data j s 0 8"},
		{"j: result r1.2; j: result d1.0.1", "f=0"},
		{"release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* The peer was back before we learned that it had gone. */
static void test_peer_asks_first(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 8", "w=8; d1.0 data j s 0 8"},
		{"j: resume s q1", "q1 result j; d1.0.1 data j s 0 8"},
		{"j: result d1.0.1; release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* This holds however often it asks, and however often it seemed offline. */
static void test_peer_that_asks_without_end(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 16", "w=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: resume s q1", "q1 result j; d1.0.1 data j s 0 8; d1.1.1 data j s 1 8"},
		{"j: resume s q2; j: resume s q3; wait 999", "q2 result j; q3 result j"},
		{"j: resume s q4; wait 1", "q4 result j; d1.0.2 data j s 0 8; d1.1.2 data j s 1 8"},
		{"j: error d1.0.2 service-unavailable; j: resume s q5; wait 999", "q5 result j"},
		{"wait 1", "d1.0.3 data j s 0 8; d1.1.3 data j s 1 8"},
		{"gone j; back j; j: result r1.0; wait 999", "r1.0 resume j s"},
		{"gone j; back j; j: result r1.1; wait 100", "r1.1 resume j s; "
							     "d1.0.4 data j s 0 8; "
							     "d1.1.4 data j s 1 8"},
		/* the reason no longer holds when the deadline comes */
		{"j: resume s q6; gone j; wait 499", "q6 result j"},
		{"wait 1; wait 600", "r1.0 resume j s; r1.1 resume j s"},
		{"j: result r1.0", "d1.0.5 data j s 0 8; d1.1.5 data j s 1 8"},
		/* where nothing would be retransmitted */
		{"j: resume s q7; j: result d1.0.5; j: result d1.1.5; wait 1000", "q7 result j"},
		{"gone j; j: resume s q8; state s", "q8 result j; open"},
		{"write s v 8; j: resume s q9; j: result d1.2.7; reset s",
		 "v=8; d1.2.7 data j s 2 8; q9 result j; d1.2.8 data j s 2 8; c1.0 close j s"},
	};
	PLAY(steps);
}

/* No connection broke, but a block or its acknowledgement was lost. */
static void test_lost_on_the_way(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("ibbfs resume"),
		{"write s w 20; flush s f", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.1; wait 30000", "p1.0 resume j s; a1.0 data j s 0 8"},
		/* a block as old as the oldest is retransmitted after the oldest was
		 * acknowledged */
		{"j: result p1.0", ""},
		{"j: result a1.0", "w=20; d1.2 data j s 2 4"},
		{"j: result d1.2", "f=0"},
		{"write s v 16; flush s g", "v=16; d1.3 data j s 3 8; d1.4 data j s 4 8"},
		{"wait 30000; j: result a1.3",
		 "p1.0 resume j s; a1.3 data j s 3 8; d1.4.1 data j s 4 8"},
		{"j: result a1.3; j: result d1.4.1", "g=0"},
		/* a reader that pauses acknowledges it like the first transmission */
		{"write s u 16; flush s h", "u=16; d1.5.1 data j s 5 8; d1.6.1 data j s 6 8"},
		{"wait 30000; j: result p1.0", "p1.0 resume j s; a1.5.1 data j s 5 8"},
		{"wait 30000; j: result p1.0", "p1.0 resume j s; a1.5.1 data j s 5 8"},
		{"wait 29999; j: result d1.5.1; j: result a1.5.1; j: result d1.6.1", "h=0"},
		/* only the peer has lost the stream */
		{"write s t 8; flush s i", "t=8; d1.7.1 data j s 7 8"},
		{"wait 30000", "p1.0 resume j s; a1.7.1 data j s 7 8"},
		{"j: error p1.0 item-not-found", "i=ECONNRESET"},
	};
	PLAY(steps);
}

/* A reader asks whether the writer still knows the stream, not only whether the writer is
 * online. */
static void test_lost_close(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume name=n; take s; read s r 8; wait 60000",
		 "x result j; p1.0 resume j s"},
		{"j: result p1.0; wait 60000", "p1.0 resume j s"},
		{"j: error p1.0 item-not-found", "r=ECONNRESET"},
		/* but while the reader holds back acknowledgements, the writer is not told to
		 * retransmit */
		{"j: open t y 8 resume name=n; take t", "y result j"},
		{"j: data t a1 0 8; j: data t a2 1 8; j: data t a3 2 8; j: data t a4 3 8",
		 "a1 result j; a2 result j; a3 result j; a4 result j"},
		{"j: data t a5 4 8; wait 60000", "p2.0 ping j"},
	};
	PLAY(steps);
}

/* Everything was acknowledged. But if the peer forgets the stream, its reader gets no end of file,
 * so close(2) must fail here too. */
static void test_flush_while_suspended(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		/* Nothing was written. */
		{"gone j; flush s a", ""},
		{"j: resume s q1", "q1 result j; b1.0 resume j s"},
		{"j: result b1.0", "a=0"},
		{"write s w 8; j: result d1.0.1", "w=8; d1.0.1 data j s 0 8"},
		{"gone j; flush s b; wait 500", "r1.0 resume j s"},
		{"j: result r1.0", "b=0"},
		{"gone j; flush s c", "c=0"}, /* nor since then */
		{"j: resume s q2; write s v 8; flush s d; j: result d1.1.3",
		 "q2 result j; v=8; d1.1.3 data j s 1 8; d=0"},
		{"gone j; flush s e; j: resume s q3", "e=0; q3 result j"},
		{"write s u 8", "u=8; d1.2.4 data j s 2 8"},
		/* not even with the late last acknowledgement */
		{"gone j; flush s f; j: result d1.2.4; wait 500", "r1.0 resume j s"},
		{"j: error r1.0 item-not-found", "f=ECONNRESET"},
	};
	PLAY(steps);
}

/* Of an empty file, only the peer can say that it has a place for it. */
static void test_flush_of_an_empty_file(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"disconnect; flush s a; flush s b; state s", "suspended"},
		{"connect", "r1.0 resume j s"},
		{"j: result r1.0", "b1.0 resume j s"},
		/* the question was lost; so was its answer */
		{"gone j; back j; j: result r1.0", "r1.0 resume j s; b1.0 resume j s"},
		{"wait 30000", "p1.0 resume j s; b1.0 resume j s"},
		{"j: result p1.0; wait 30000", "p1.0 resume j s; b1.0 resume j s"},
		/* that it knows the stream does not say it */
		{"j: resume s q1", "q1 result j; b1.0 resume j s"},
		/* its server says that it is offline */
		{"j: error b1.0 service-unavailable; state s", "suspended"},
		{"wait 500", "r1.0 resume j s"},
		{"j: result r1.0", "b1.0 resume j s"},
		{"j: result b1.0; state s", "a=0; b=0; open"},
		{"flush s c; gone j; flush s d", "c=0; d=0"},
		/* it has none */
		{"dial t j ibbfs resume; j: result o2.0; gone j; flush t e",
		 "o2.0 open j t 8 resume"},
		{"j: resume t q2", "q2 result j; b2.0 resume j t"},
		{"j: error b2.0 item-not-found", "e=ECONNRESET"},
		/* of a first byte, its acknowledgement does */
		{"dial u j ibbfs resume; j: result o3.0; flush u f",
		 "o3.0 open j u 8 resume; b3.0 resume j u"},
		{"write u w 5; j: resume u q3",
		 "w=5; d3.0 data j u 0 5; q3 result j; d3.0.1 data j u 0 5"},
		{"j: result d3.0.1", "f=0"},
	};
	PLAY(steps);
}

static void test_not_in_time(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"reading s; write s w 8; flush s f; read s r 8", "w=8; d1.0 data j s 0 8"},
		{"disconnect; wait 29999; state s", "suspended"},
		{"wait 1; state s", "f=ECONNRESET; r=ECONNRESET; c1.0 close j s; broken"},
	};
	PLAY(steps);
}

/* Neither end takes lost bytes for delivered. */
static void test_forgotten(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 8; flush s f", "w=8; d1.0 data j s 0 8"},
		{"disconnect; connect", "r1.0 resume j s"},
		{"j: error r1.0 item-not-found", "f=ECONNRESET"},
		{"j: resume s q1; j: resume t q2", "q1 error j item-not-found cancel; "
						   "q2 error j item-not-found cancel"},
		/* nor does a peer that may not open streams learn anything */
		{"k! resume s q3", "q3 error k service-unavailable cancel"},
	};
	PLAY(steps);
}

static void test_receiver(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume; take s", "x result j"},
		{"j: data s a1 0 8; j: data s a2 1 8", "a1 result j; a2 result j"},
		{"read s r 10", "r=10"},
		{"disconnect; connect", "r1.0 resume j s seq=2"},
		{"j: result r1.0", ""},
		/* a block that it has is acknowledged again, and not stored again */
		{"j: data s b1 0 8 from=0; j: data s b2 1 8", "b1 result j; b2 result j"},
		{"j: data s b3 2 8; read s q 100", "b3 result j; q=14"},
		/* an early block means that another was lost */
		{"j: data s b5 4 8 from=32", "b5 error j resource-constraint wait"},
		{"j: data s b4 3 8 from=24; j: data s b5 4 8; read s p 100",
		 "b4 result j; b5 result j; p=16"},
		{"read s o 8; j: close s c1", "o=0; c1 result j"},
	};
	PLAY(steps);
}

/* The buffer holds 32 bytes. An acknowledgement that waited before waits after it. */
static void test_held_acknowledgements(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume; take s", "x result j"},
		{"j: data s a1 0 8; j: data s a2 1 8; j: data s a3 2 8; j: data s a4 3 8",
		 "a1 result j; a2 result j; a3 result j; a4 result j"},
		{"j: data s a5 4 8", ""},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s seq=5"},
		{"j: data s b5 4 8", ""},
		{"read s r 8", "r=8; a5 result j; b5 result j"},
		{"j: data s b5 4 8", "b5 result j"},
		{"reset s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* The reader has closed, but the bytes that were read count as delivered. */
static void test_lost_acknowledgement_of_a_reader_that_left(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume; take s", "x result j"},
		{"j: data s a1 0 8; read s r 8", "a1 result j; r=8"},
		{"release s", "c1.0 close j s"},
		{"j: error c1.0 service-unavailable", ""},
		{"j: resume s q1", "q1 result j seq=1"},
		{"j: data s b1 0 8 from=0", "b1 result j"},
		{"j: data s b2 1 8", "b2 error j item-not-found cancel"},
		{"wait 500", "c1.0 close j s"},
		{"j: result c1.0; count", "count 0"},
	};
	PLAY(steps);
}

static void test_opening(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j ibbfs resume; open s o", "o1.0 open j s 8 resume"},
		{"disconnect; state s", "suspended"},
		/* too late, and it will be asked for again */
		{"j: result o1.0; state s", "suspended"},
		{"connect", "o1.0 open j s 8 resume"},
		{"j: result o1.0", "o=0"},
		{"release s; j: result c1.0", "c1.0 close j s size=0"},
		/* the answer was lost, not the request */
		{"j: open t x1 8 resume; take t", "x1 result j"},
		{"j: open t x2 8 resume", "x2 result j"},
		{"j: open t x3 4 resume; j: open t x4 8",
		 "x3 error j not-acceptable cancel; x4 error j not-acceptable cancel"},
		{"j: data t a1 0 8; j: open t x5 8 resume",
		 "a1 result j; x5 error j not-acceptable cancel"},
	};
	PLAY(steps);
}

/* The peer's connection broke as well, and ours is back earlier. */
static void test_opening_again(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j ibbfs resume; open s o", "o1.0 open j s 8 resume"},
		{"disconnect; connect", "o1.0 open j s 8 resume"},
		{"j: error o1.0 service-unavailable; state s", "suspended"},
		{"wait 500", "o1.0 open j s 8 resume"},
		{"j: error o1.0 recipient-unavailable; state s", "suspended"},
		{"back j", "o1.0 open j s 8 resume"},
		{"j: result o1.0; state s", "o=0; open"},
		/* a peer that was never online is not waited for */
		{"dial t k ibbfs resume; open t p", "o2.0 open k t 8 resume"},
		{"k: error o2.0 service-unavailable", "p=EPROTONOSUPPORT"},
		/* nor one who says no */
		{"dial u j ibbfs resume; open u q", "o3.0 open j u 8 resume"},
		{"disconnect; connect", "r1.0 resume j s; o3.0 open j u 8 resume"},
		{"j: error o3.0 not-acceptable", "q=ECONNREFUSED"},
	};
	PLAY(steps);
}

static void test_closing(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"release s", "c1.0 close j s"},
		{"disconnect; drained", "not drained"},
		{"connect", "c1.0 close j s"},
		{"j: error c1.0 service-unavailable; count", "count 1"},
		{"back j", "c1.0 close j s"},
		/* it had been closed already, or was broken */
		{"j: error c1.0 item-not-found; count", "count 0"},
		/* the peer's, which waits for our bytes to leave */
		{"j: open t x 8 resume; take t; write t w 8", "x result j; w=8; d2.0 data j t 0 8"},
		{"j: close t c1", ""},
		{"disconnect; connect; j: result r2.0", "r2.0 resume j t; d2.0.1 data j t 0 8"},
		{"j: close t c2", ""},
		{"j: result d2.0.1; state t", "c1 result j; c2 result j; finished"},
	};
	PLAY(steps);
}

/* RFC 6120 section 8.3.3.18: whoever sends the error, the same block is retransmitted alone, after
 * a pause. */
static void test_wait_and_repeat(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s w 24; flush s f", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.0", "w=24; d1.2 data j s 2 8"},
		{"j: error d1.1 resource-constraint wait", ""},
		{"j: error d1.2 resource-constraint wait", ""},
		{"wait 99", ""},
		{"wait 1", "d1.1.1 data j s 1 8"},
		{"j: error d1.1.1 resource-constraint wait; wait 199", ""},
		{"wait 1", "d1.1.2 data j s 1 8"},
		{"j: result d1.1.2", "d1.2.2 data j s 2 8"},
		{"j: result d1.2.2", "f=0"},
		{"release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* XEP-0047 section 2.2: a temporary error of delivery suspends the stream with any peer; but a
 * bounced message is lost. */
static void test_wait_for_delivery(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s w 16; flush s f", "w=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: error d1.0 recipient-unavailable wait; j: error d1.1 recipient-unavailable "
		 "wait; wait 99",
		 ""},
		{"wait 1", "d1.0.1 data j s 0 8"},
		{"j: error d1.0.1 remote-server-timeout wait; wait 200", "d1.0.2 data j s 0 8"},
		{"j: result d1.0.2", "d1.1.2 data j s 1 8"},
		{"j: result d1.1.2", "f=0"},
		/* not for ever */
		{"write s v 8; flush s g", "v=8; d1.2.2 data j s 2 8"},
		{"j: error d1.2.2 recipient-unavailable wait; hold; wait 60000", "g=ETIMEDOUT"},
		{"next; go", "p1.0 info j; c1.0 close j s"},
		{"dial t j; j: result o2.0; write t u 8; flush t h",
		 "o2.0 open j t 8; u=8; d2.0 data j t 0 8"},
		{"j: error d2.0 recipient-unavailable cancel", "h=ECONNRESET"},
	};
	static const struct script_step messages[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		{"write s w 8; flush s f", "w=8; d1.0 data j s 0 8 message; b1.1 info j"},
		{"j: bounce d1.0 recipient-unavailable", "f=ECONNRESET"},
	};
	PLAY(steps);
	struct stream_config config = script_config;
	struct script script;
	config.stanza = STANZA_MESSAGE;
	script_start(&script, &config, 1);
	script_run(&script, messages, COUNT(messages));
	script_finish(&script);
}

/* Blocks that a full receiver has refused: reading makes room for them. */
static void test_wait_ends_with_an_acknowledgement(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s w 16; flush s f", "w=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: error d1.1 resource-constraint wait", ""},
		{"j: result d1.0", "d1.1.1 data j s 1 8"},
		{"j: result d1.1.1", "f=0"},
		{"release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* An early block of a peer that can resume: the block before it may be lost. */
static void test_wait_goes_back_to_the_oldest(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 16; flush s f", "w=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: error d1.1 resource-constraint wait; wait 100", "d1.0.1 data j s 0 8"},
		{"j: result d1.0.1", "d1.1.1 data j s 1 8"},
		{"j: result d1.1.1", "f=0"},
		{"release s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY(steps);
}

/* Not for ever. */
static void test_wait_without_end(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s w 8; flush s f", "w=8; d1.0 data j s 0 8"},
		{"j: error d1.0 resource-constraint wait; hold; wait 60000", "f=ETIMEDOUT"},
		{"go", "p1.0 info j; c1.0 close j s"},
	};
	PLAY(steps);
}

static void test_a_block_that_breaks_the_connection(void **state)
{
	(void)state;
	STEPS(steps) = {
		OPENED("resume"),
		{"write s w 8; flush s f", "w=8; d1.0 data j s 0 8"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.1 data j s 0 8"},
		/* not for want of a connection */
		{"disconnect; connect; disconnect; connect", "r1.0 resume j s; r1.1 resume j s"},
		{"j: result r1.1", "d1.0.2 data j s 0 8"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.3 data j s 0 8"},
		{"disconnect", "f=ECONNRESET"},
	};
	PLAY(steps);
}

/* ---- blocks that our server does not carry ---- */

/* A server that takes no blocks of 16384 bytes breaks the connection for each of them. */
static void play_long(uint32_t block_size, const struct script_step *steps, size_t count)
{
	struct stream_config config = script_config;
	config.block_size = block_size;
	config.window = config.buffer = 131072;
	struct script script;
	script_start(&script, &config, 16);
	script_run(&script, steps, count);
	script_finish(&script);
}
#define PLAY_LONG(block_size, steps) play_long(block_size, steps, COUNT(steps))

static void test_shorter_blocks(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 65535 resume"),
		{"write s w 70000; flush s f", "d1.0 data j s 0 65535"},
		/* any connection may break once */
		{"disconnect; connect; j: result r1.0 seq=0",
		 "r1.0 resume j s; d1.0.1 data j s 0 65535"},
		{"disconnect; connect; j: result r1.0 seq=0",
		 "r1.0 resume j s; d1.0.2 data j s 0 16383"},
		/* it arrived, and its acknowledgement was lost */
		{"disconnect; connect; j: resume s q1 seq=1",
		 "r1.0 resume j s; q1 result j; d1.0.3 data j s 0 16383"},
		{"j: result d1.0.3", "w=70000; d1.1.3 data j s 1 4096; d1.2.3 data j s 2 4096; "
				     "d1.3.3 data j s 3 4096; d1.4.3 data j s 4 4096"},
		/* what was learnt is remembered */
		{"dial t j resume; reset s",
		 "o2.0 open j t 4096 resume; f=ECONNRESET; c1.0 close j s"},
	};
	PLAY_LONG(65535, steps);
}

/* Nothing is cut anew unless the peer says what it has. */
static void test_shorter_blocks_and_older_peers(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 16384; flush s f", "w=16384; d1.0 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.1 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.2 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.3 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0", "r1.0 resume j s; d1.0.4 data j s 0 16384"},
		{"disconnect", "f=ECONNRESET"},
	};
	PLAY_LONG(16384, steps);
}

/* A block that was acknowledged once was not too long. */
static void test_connections_that_break(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 32768", "w=32768; d1.0 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0 seq=0",
		 "r1.0 resume j s; d1.0.1 data j s 0 16384"},
		{"j: result d1.0.1", "d1.1.1 data j s 1 16384"},
		{"disconnect; connect; j: result r1.0 seq=1",
		 "r1.0 resume j s; d1.1.2 data j s 1 16384"},
		{"disconnect; connect; j: result r1.0 seq=1",
		 "r1.0 resume j s; d1.1.3 data j s 1 16384"},
		{"j: result d1.1.3; dial t j resume", "o2.0 open j t 16384 resume"},
		{"reset s; j: result c1.0", "c1.0 close j s"},
	};
	PLAY_LONG(16384, steps);
}

/* The long block was in flight all the time: the peer has accepted it, and drops the short one. */
static void test_long_block_that_arrives_after_all(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 16384; flush s f", "w=16384; d1.0 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0 seq=0",
		 "r1.0 resume j s; d1.0.1 data j s 0 16384"},
		{"disconnect; connect; j: result r1.0 seq=0",
		 "r1.0 resume j s; d1.0.2 data j s 0 4096; d1.1.2 data j s 1 4096; "
		 "d1.2.2 data j s 2 4096; d1.3.2 data j s 3 4096"},
		{"j: result d1.0.1", "f=ECONNRESET; c1.0 close j s"},
	};
	PLAY_LONG(16384, steps);
}

/* A server on the path answers for the peer. */
static void test_error_of_a_long_block(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 16384; flush s f", "w=16384; d1.0 data j s 0 16384"},
		{"j: error d1.0 policy-violation modify",
		 "d1.0.1 data j s 0 4096; d1.1.1 data j s 1 4096; d1.2.1 data j s 2 4096; "
		 "d1.3.1 data j s 3 4096"},
		{"j: error d1.0 policy-violation", ""},
		/* it was not for the length */
		{"j: error d1.0.1 policy-violation", "f=EACCES; c1.0 close j s"},
	};
	PLAY_LONG(16384, steps);
}

/* Only a shorter block than the longest that has passed is not to blame. */
static void test_error_of_a_block_as_long_as_others(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 32768; flush s f; j: result d1.0",
		 "w=32768; d1.0 data j s 0 16384; d1.1 data j s 1 16384"},
		{"j: error d1.1 policy-violation", "f=EACCES; c1.0 close j s"},
		/* for other peers nothing can be cut anew: another session takes its place */
		{"dial t j; j: result o2.0", "o2.0 open j t 16384"},
		{"write t v 16384; flush t g", "v=16384; d2.0 data j t 0 16384"},
		{"j: error d2.0 policy-violation", "c2.0 close j t; o2-2.0 open j t-2 4096"},
		{"reset t", "g=ECONNRESET; c2-2.0 close j t-2"},
	};
	PLAY_LONG(16384, steps);
}

/* The peer is asked soon whether a long block has arrived. */
static void test_silence_about_a_long_block(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 65535 resume"),
		{"write s w 65535; flush s f", "w=65535; d1.0 data j s 0 65535"},
		{"wait 3000", "p1.1 resume j s"},
		/* no answer to that question */
		{"j: result p1.0 seq=0; wait 3000", "p1.2 resume j s"},
		{"j: result p1.1 seq=0", ""},
		{"j: result p1.2 seq=0", "d1.0.1 data j s 0 16383"},
		{"j: result d1.0.1", "d1.1.1 data j s 1 16383; d1.2.1 data j s 2 16383"},
		/* a length that has passed is not asked about; another block may be lost as ever */
		{"wait 3000; wait 27000", "p1.0 resume j s; a1.1.1 data j s 1 16383"},
		/* the domain of the peer is remembered */
		{"dial t j resume; dial u k resume",
		 "o2.0 open j t 16383 resume; o3.0 open k u 65535 resume"},
		{"reset s", "f=ECONNRESET; c1.0 close j s"},
	};
	PLAY_LONG(65535, steps);
}

static void test_slow_reader_of_a_long_block(void **state)
{
	(void)state;
	STEPS(steps) = {
		BRACED("dial s j resume; j: result o1.0", "o1.0 open j s 16384 resume"),
		{"write s w 16384; flush s f", "w=16384; d1.0 data j s 0 16384"},
		{"wait 3000; j: result p1.1 seq=1; wait 3000", "p1.1 resume j s"},
		{"wait 27000; j: result p1.0 seq=1", "p1.0 resume j s; a1.0 data j s 0 16384"},
		{"j: result d1.0", "f=0"},
		/* an older ibbfs does not say what has arrived */
		{"dial t j resume; j: result o2.0; write t v 16384; flush t g",
		 "o2.0 open j t 16384 resume; v=16384; d2.0 data j t 0 16384"},
		{"wait 3000; j: result p2.1; wait 3000", "p2.1 resume j t"},
		{"wait 27000; j: result p2.0", "p2.0 resume j t; a2.0 data j t 0 16384"},
		{"j: result d2.0", "g=0"},
		{"reset s; reset t", "c1.0 close j s; c2.0 close j t"},
	};
	PLAY_LONG(16384, steps);
}

/* Each end says which block it expects next. */
static void test_expected_next(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume; take s; j: data s a1 0 8; j: data s a2 1 8",
		 "x result j; a1 result j; a2 result j"},
		{"j: resume s q1; disconnect; connect", "q1 result j seq=2; r1.0 resume j s seq=2"},
		{"wait 500; reset s", "r1.1 resume j s seq=2; c1.0 close j s"},
	};
	PLAY(steps);
}

/* Another stream for the same file is opened. Its sender may be another resource. */
static void test_sender_of_another_resource(void **state)
{
	(void)state;
	STEPS(steps) = {
		{"j: open s x 8 resume; take s; sender s k",
		 "x result j; unknown; r1.0 resume j s"},
		{"j: result r1.0; sender s k; sender s j", "there; there"},
		/* our connection breaks: that says nothing of the sender */
		{"disconnect; connect; sender s k", "r1.0 resume j s; unknown"},
		{"wait 9999; sender s k",
		 "r1.1 resume j s; r1.2 resume j s; r1.3 resume j s; r1.4 resume j s; unknown"},
		{"j: result r1.1; sender s k; j: result r1.0; sender s k",
		 "unknown; r1.0 resume j s; there"},
		/* nor is it asked while we are offline */
		{"disconnect; wait 20000; connect; sender s k", "r1.0 resume j s; unknown"},
		{"j: result r1.0", ""},
		/* it does not answer */
		{"disconnect; connect; wait 9999; sender s k",
		 "r1.0 resume j s; r1.1 resume j s; r1.2 resume j s; r1.3 resume j s; r1.4 resume "
		 "j s; unknown"},
		{"wait 1; sender s k; j: result r1.4", "gone"},
		/* its server says that it is offline */
		{"disconnect; connect; j: error r1.0 service-unavailable; sender s k",
		 "r1.0 resume j s; gone"},
		/* it is back, and away again */
		{"back j; sender s k; j: result r1.1", "r1.1 resume j s; unknown"},
		{"gone j; sender s k", "gone"},
		{"disconnect; connect; sender s k", "r1.0 resume j s; unknown"},
		/* the same resource opens it, too: it is asked anew */
		{"sender s j; sender s k", "unknown; r1.1 resume j s; unknown"},
		{"wait 5000; sender s k; sender s j",
		 "r1.2 resume j s; r1.3 resume j s; gone; gone"},
	};
	STEPS(restored) = {
		{"restore s j 3; connect; sender s k", "r1.0 resume j s seq=3; unknown"},
		{"wait 10000; sender s k",
		 "r1.1 resume j s seq=3; r1.2 resume j s seq=3; r1.3 resume j s seq=3; r1.4 resume "
		 "j s seq=3; gone"},
	};
	PLAY(steps);
	PLAY(restored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreed_on),
		cmocka_unit_test(test_own_connection),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_peers_connection),
		cmocka_unit_test(test_peer_asks_first),
		cmocka_unit_test(test_peer_that_asks_without_end),
		cmocka_unit_test(test_lost_on_the_way),
		cmocka_unit_test(test_lost_close),
		cmocka_unit_test(test_flush_while_suspended),
		cmocka_unit_test(test_flush_of_an_empty_file),
		cmocka_unit_test(test_not_in_time),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_a_block_that_breaks_the_connection),
		cmocka_unit_test(test_receiver),
		cmocka_unit_test(test_held_acknowledgements),
		cmocka_unit_test(test_lost_acknowledgement_of_a_reader_that_left),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_opening_again),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_wait_and_repeat),
		cmocka_unit_test(test_wait_for_delivery),
		cmocka_unit_test(test_wait_ends_with_an_acknowledgement),
		cmocka_unit_test(test_wait_goes_back_to_the_oldest),
		cmocka_unit_test(test_wait_without_end),
		cmocka_unit_test(test_shorter_blocks),
		cmocka_unit_test(test_shorter_blocks_and_older_peers),
		cmocka_unit_test(test_connections_that_break),
		cmocka_unit_test(test_long_block_that_arrives_after_all),
		cmocka_unit_test(test_error_of_a_long_block),
		cmocka_unit_test(test_error_of_a_block_as_long_as_others),
		cmocka_unit_test(test_silence_about_a_long_block),
		cmocka_unit_test(test_slow_reader_of_a_long_block),
		cmocka_unit_test(test_expected_next),
		cmocka_unit_test(test_sender_of_another_resource),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
