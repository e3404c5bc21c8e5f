/* SPDX-License-Identifier: MIT */
/* closing: <close/>, ours or the peer's; the peer is j. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream of ours that is open. */
#define OPENED BRACED("dial s j; j: result o1.0", "o1.0 open j s 8")

/* A stream of the peer that is open. */
#define ARRIVED BRACED("j: open s i0 8; take s", "i0 result j")

static void test_peer_closes(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8; read s a 5", "i1 result j; a=5"},
		{"j: close s i2", "i2 result j"},
		{"state s; can s", "finished; can read write"},
		{"read s b 5", "b=3"},
		{"can s", "can read write end"},
		{"read s c 5; try-read s d 5", "c=0; d=0"},
		{"write s e 1; try-write s f 1; flush s g", "e=ECONNRESET; f=ECONNRESET; g=0"},
		{"open s h", "h=ECONNRESET"},
		{"j: data s i3 1 1", "i3 error j item-not-found cancel"},
		{"j: close s i4", "i4 error j item-not-found cancel"},
		{"read s k 5", "k=0"},
		{"gone j; abort s; read s l 5", "l=0"},
		{"disconnect; read s m 5", "m=0"},
		{"release s; count", "count 0"},
		/* a reader that waits */
		{"j: open t i5 8; take t; read t n 1; j: close t i6",
		 "i5 result j; n=0; i6 result j"},
	};
	PLAY(steps);
}

static void test_peer_closes_what_is_written_only(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 5; flush s f1; j: result d1.0", "a=5; d1.0 data j s 0 5; f1=0"},
		{"j: close s i1", "i1 result j"},
		{"state s; flush s f2", "finished; f2=0"},
		{"write s b 1", "b=ECONNRESET"},
		{"dial t j; j: result o2.0; write t c 17; flush t f3",
		 "o2.0 open j t 8; d2.0 data j t 0 8; d2.1 data j t 1 8"},
		{"j: close t i2", "c=ECONNRESET; f3=ECONNRESET; i2 result j"},
		{"state t; flush t f4", "broken; f4=ECONNRESET"},
		{"j: result d2.0; flush t f5", "f5=ECONNRESET"},
	};
	PLAY(steps);
}

static void test_peer_closes_in_a_dialogue(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8; read s a 6", "i1 result j; a=6"},
		{"write s b 20; write s c 5; flush s f", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		/* Queued bytes are sent first; new writes are refused. */
		{"j: close s i2", "b=ECONNRESET; c=ECONNRESET"},
		{"can s", "can read write"},
		{"write s d 1; try-write s e 1", "d=ECONNRESET; e=ECONNRESET"},
		{"read s g 9; read s h 9", "g=2; h=0"},
		{"can s; state s", "can read write end; open"},
		{"j: result d1.0", "d1.2 data j s 2 4"},
		{"j: result d1.1", ""},
		{"j: result d1.2", "f=0; i2 result j"},
		{"state s; read s i 9; flush s k", "finished; i=0; k=0"},
		{"release s; count", "count 0"},
	};
	PLAY(steps);
}

static void test_peer_closes_twice(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"read s a 1; write s b 5", "b=5; d1.0 data j s 0 5"},
		{"j: close s i1", "a=0"},
		{"j: close s i2", "i2 error j unexpected-request cancel"},
		{"j: result d1.0; state s", "i1 result j; finished"},
	};
	PLAY(steps);
}

static void test_peer_closes_and_then(void **state)
{
	(void)state;
	/* sends data; resets; does not acknowledge; refuses; goes */
	static const struct script_step steps[] = {
		{"j: open s i0 8; take s; write s a 5; flush s f1; j: close s i1",
		 "i0 result j; a=5; d1.0 data j s 0 5"},
		{"j: data s i2 0 1", "f1=EPROTO; i2 error j unexpected-request cancel; i1 error j "
				     "not-acceptable cancel"},
		{"j: open t i3 8; take t; write t b 5; flush t f2; j: close t i4",
		 "i3 result j; b=5; d2.0 data j t 0 5"},
		{"j: close t i5 reset",
		 "f2=ECONNRESET; i5 result j; i4 error j not-acceptable cancel"},
		{"j: open u i6 8; take u; write u c 5; flush u f3; j: close u i7",
		 "i6 result j; c=5; d3.0 data j u 0 5"},
		{"wait 60000", "p3.0 info j; f3=ETIMEDOUT; i7 error j not-acceptable cancel"},
		{"j: open v i8 8; take v; write v d 5; flush v f4; j: close v i9",
		 "i8 result j; d=5; d4.0 data j v 0 5"},
		{"j: error d4.0 bad-request", "f4=EPROTO; i9 error j not-acceptable cancel"},
		{"j: open w j0 8; take w; write w e 5; flush w f5; j: close w j1",
		 "j0 result j; e=5; d5.0 data j w 0 5"},
		{"gone j; flush w f6",
		 "f5=ECONNRESET; j1 error j not-acceptable cancel; f6=ECONNRESET"},
	};
	PLAY(steps);
}

/* Held blocks wait no longer than the answer to <close/>. */
static void test_peer_closes_without_waiting(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"hold; j: data s i1 0 8; j: data s i2 1 8; j: data s i3 2 8; j: data s i4 3 8",
		 ""},
		{"go; j: data s i5 4 8", "i1 result j; i2 result j; i3 result j; i4 result j"},
		{"write s a 5; j: close s i6", "a=5; d1.0 data j s 0 5; i5 result j"},
		{"j: result d1.0", "i6 result j"},
		{"read s r 99; read s q 99", "r=40; q=0"},
	};
	PLAY(steps);
}

/* <close/> is answered when the file has its name. */
static void test_peer_closes_what_is_stored(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"defer s; j: data s i1 0 8; j: data s i2 1 4; j: close s i3", ""},
		{"read s a 99", "a=12"},
		{"commit s", "i1 result j; i2 result j"},
		{"read s b 9; gone j; wait 999999; state s", "b=0; open"},
		/* an ibbfs that waits for long sends it again */
		{"j: close s i4", ""},
		{"keep s; state s", "i3 result j; i4 result j; finished"},
		{"release s; count", "count 0"},
		/* it reads when everything is there; a reader that waits */
		{"j: open t j0 8; take t; defer t; j: close t j1; read t c 9; keep t",
		 "j0 result j; c=0; j1 result j"},
		{"j: open u j2 8; take u; defer u; read u d 9; j: close u j3; keep u",
		 "j2 result j; d=0; j3 result j"},
		/* a retransmission after a connection broke */
		{"j: open v j4 8 resume; take v; defer v; j: close v j5; j: close v j5; keep v",
		 "j4 result j; j5 result j; j5 result j"},
	};
	PLAY(steps);
}

/* Nothing more is expected of the peer then, however long that takes. */
static void test_storing_takes_long(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i0 8 resume; take s; defer s; j: data s i1 0 8; read s a 99; commit s",
		 "i0 result j; a=8; i1 result j"},
		{"j: close s i2; j: resume s i3", "i3 result j seq=1"},
		{"wait 999999; deadline; j: close s i4; keep s",
		 "deadline never; i2 result j; i4 result j"},
		/* it had been asked just before */
		{"j: open t j0 8 resume; take t; defer t; read t b 9; wait 60000",
		 "j0 result j; p2.0 resume j t"},
		{"j: close t j1; j: result p2.0; wait 999999; deadline", "b=0; deadline never"},
		{"j: error p2.0 service-unavailable; state t", "open"},
		{"keep t", "j1 result j"},
		/* and so after a break */
		{"j: open u k0 8 resume; take u; defer u; disconnect; connect",
		 "k0 result j; r3.0 resume j u"},
		{"j: close u k1; wait 999999; state u", "open"},
		{"keep u", "k1 result j"},
	};
	PLAY(steps);
}

static void test_peer_closes_what_cannot_be_stored(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"defer s; j: data s i1 0 8; j: data s i2 1 4; j: close s i3", ""},
		{"read s a 8; commit s", "a=8; i1 result j"},
		{"full s; state s", "i2 error j item-not-found cancel; i3 error j "
				    "resource-constraint wait; broken"},
		{"j: open t j0 8; take t; defer t; j: close t j1; abort t",
		 "j0 result j; j1 error j not-acceptable cancel"},
		/* before the <close/> */
		{"j: open u j2 8; take u; defer u; j: data u j3 0 8; full u",
		 "j2 result j; c3.0 close j u; j3 error j item-not-found cancel"},
		{"j: close u j4", "j4 error j item-not-found cancel"},
		/* another number of bytes; a reset */
		{"j: open v j5 8; take v; defer v; j: data v j6 0 8; j: close v j7 size=9",
		 "j5 result j; j7 error j not-acceptable cancel; j6 error j item-not-found "
		 "cancel"},
		{"j: open w j8 8; take w; defer w; j: data w j9 0 8; j: close w k1 reset",
		 "j8 result j; k1 result j; j9 error j item-not-found cancel"},
	};
	PLAY(steps);
}

/* Before the first <close/> came, the stream was broken here; its sender was offline then. */
static void test_verdict_without_close(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		/* the sender was away for too long */
		{"j: open s i0 8 resume; take s; defer s; j: data s i1 0 8; read s a 99; commit s",
		 "i0 result j; a=8; i1 result j"},
		{"disconnect; wait 30000; connect; release s; j: close s i2 size=8",
		 "c1.0 close j s; i2 error j not-acceptable cancel"},
		/* another stream took its part over, or it was removed; a full disk */
		{"j: open t i3 8 resume; take t; defer t; gone j; abort t; j: close t i4 size=0",
		 "i3 result j; c2.0 close j t; i4 error j not-acceptable cancel"},
		{"j: open u i5 8 resume; take u; defer u; gone j; full u; j: close u i6 size=0",
		 "i5 result j; c3.0 close j u; i6 error j resource-constraint wait"},
		/* its reader was killed */
		{"j: open v i7 8 resume; take v; j: data v i8 0 8; gone j; reset v",
		 "i7 result j; i8 result j; c4.0 close j v"},
		{"j: close v i9 size=8; j: resume v j0",
		 "i9 error j not-acceptable cancel; j0 error j item-not-found cancel"},
		/* one that cannot be resumed */
		{"j: open w j1 8 name=n; take w; gone j; j: close w j2 size=0",
		 "j1 result j; j2 error j not-acceptable cancel"},
		{"j: open x j3 8; take x; defer x; j: close x j4 size=0; full x; j: close x j5 "
		 "size=0",
		 "j3 result j; j4 error j resource-constraint wait; j5 error j resource-constraint "
		 "wait"},
		/* bytes were missing; <sent/> was not */
		{"j: open y j6 8; take y; j: close y j7 size=1; j: close y j8 size=1",
		 "j6 result j; j7 error j not-acceptable cancel; j8 error j not-acceptable "
		 "cancel"},
	};
	PLAY(steps);
}

/* item-not-found to a <close/> that comes again would say that nothing is known of the file. */
static void test_verdict_is_remembered(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i0 8 resume; take s; defer s; j: data s i1 0 8; j: close s i2",
		 "i0 result j"},
		{"full s; j: close s i3", "i1 error j item-not-found cancel; i2 error j "
					  "resource-constraint wait; i3 error j "
					  "resource-constraint wait"},
		/* of that stream, and of that peer */
		{"j: close t i4; k: close s i5",
		 "i4 error j item-not-found cancel; i5 error k item-not-found cancel"},
		/* also after a connection broke */
		{"j: open u i6 8 resume; take u; defer u; j: close u i7; disconnect; abort u; "
		 "connect; j: close u i7",
		 "i6 result j; i7 error j not-acceptable cancel; i7 error j not-acceptable "
		 "cancel"},
		/* another number of bytes */
		{"j: open w k0 8 resume; take w; defer w; j: data w k9 0 8; j: close w k1 size=7; "
		 "j: close w k2",
		 "k0 result j; k1 error j not-acceptable cancel; "
		 "k9 error j item-not-found cancel; k2 error j not-acceptable cancel"},
		/* stored; a reset is nobody's verdict */
		{"j: open v i8 8 resume; take v; defer v; j: close v i9; keep v; j: close v j0",
		 "i8 result j; i9 result j; j0 result j"},
		{"j: open x k3 8 resume; take x; defer x; j: close x k4 reset; j: close x k5",
		 "k3 result j; k4 result j; k5 error j item-not-found cancel"},
		/* answered at once; of a stream that cannot be resumed; but not of other clients */
		{"j: open y k6 8 resume; take y; j: close y k7; j: close y k8",
		 "k6 result j; k7 result j; k8 result j"},
		{"j: open z l0 8; take z; j: close z l1 size=0; j: close z l2 size=0",
		 "l0 result j; l1 result j; l2 result j"},
		{"j: open a l3 8; take a; j: close a l4; j: close a l5",
		 "l3 result j; l4 result j; l5 error j item-not-found cancel"},
		/* an earlier process has answered */
		{"verdict j b; verdict j c resource-constraint; j: close b l6; j: close c l7; "
		 "k: close b l8",
		 "l6 result j; l7 error j resource-constraint wait; l8 error k item-not-found "
		 "cancel"},
	};
	PLAY(steps);
}

/* The answer to a probe says that everything before it is stored. */
static void test_messages_that_are_stored(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i0 8 message resume; take s; defer s", "i0 result j"},
		{"j: resume s p1", ""},
		{"commit s", "p1 result j"},
		{"j: data s x 0 5 message; j: resume s p2; read s a 9", "a=5"},
		{"j: resume s p3", ""},
		{"commit s; j: resume s p4",
		 "p2 result j seq=1; p3 result j seq=1; p4 result j seq=1"},
		{"j: data s x 1 5 message; j: resume s p5", ""},
		{"full s", "c1.0 close j s; p5 error j item-not-found cancel"},
		{"j: resume s p6", "p6 error j item-not-found cancel"},
	};
	PLAY(steps);
}

static void test_reset(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8; write s a 17",
		 "i1 result j; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: close s i2 reset", "a=ECONNRESET; i2 result j"},
		{"read s b 99; read s c 99", "b=8; c=ECONNRESET"},
		{"state s; write s d 1; flush s f", "broken; d=ECONNRESET; f=ECONNRESET"},
		{"j: open t i3 8; take t; read t e 1; j: close t i4 reset",
		 "i3 result j; e=ECONNRESET; i4 result j"},
	};
	PLAY(steps);
}

/* A writer learns why; a reader has nothing to do with it. */
static void test_reset_for_lack_of_room(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0; write s a 17; flush s f",
		 "o1.0 open j s 8; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: close s i1 reset no-room", "a=ENOSPC; f=ENOSPC; i1 result j"},
		{"write s b 1; flush s g", "b=ENOSPC; g=ENOSPC"},
		{"j: open t i2 8; take t; read t c 9; j: close t i3 reset no-room",
		 "i2 result j; c=ECONNRESET; i3 result j"},
		{"j: open u i4 8 name=n; take u; full u",
		 "i4 result j; c3.0 close j u reset no-room"},
		{"j: open v i5 8; take v; full v", "i5 result j; c4.0 close j v"},
		{"dial w j ibbfs; j: result o5.0; full w", "o5.0 open j w 8; c5.0 close j w reset"},
	};
	PLAY(steps);
}

static void test_announced_size(void **state)
{
	(void)state;
	static const struct {
		const char *open, *sent, *outcome;
		bool unsent; /* bytes of ours */
	} rows[] = {
		{"size=8", "j: data s i1 0 8", "r2=0", false},
		{"size=9", "j: data s i1 0 8", "r2=ECONNRESET", false},
		{"size=7", "j: data s i1 0 8", "r2=ECONNRESET", false},
		{"size=0", "j: data s i1 0 0", "r2=0", false},
		{"size=1", "j: data s i1 0 0", "r2=ECONNRESET", false},
		{"name=x", "j: data s i1 0 8", "r2=0", false},
		{"size=8", "j: data s i1 0 8", "r2=0", true},
		{"size=9", "j: data s i1 0 8", "r2=ECONNRESET", true},
		{"size=7", "j: data s i1 0 8", "r2=ECONNRESET", true},
	};
	/* with a reader that is parked, or comes later */
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct script script;
		char act[200];
		bool waits = i % 2, unsent = rows[i / 2].unsent;
		script_start(&script, &script_config, 1);
		snprintf(act, sizeof(act), "j: open s i0 8 %s; take s; %s; read s r1 99%s",
			 rows[i / 2].open, rows[i / 2].sent, unsent ? "; write s w 5" : "");
		script_play(&script, act);
		if (script.ops[0].completed == 0) {
			script_play(&script, "interrupt r1");
		}
		const char *out = script_play(&script, waits ? "read s r2 99; j: close s i2"
							     : "j: close s i2; read s r2 99");
		if (!strstr(out, rows[i / 2].outcome)) {
			fail_msg("row %zu: %s", i / 2, out);
		}
		snprintf(act, sizeof(act), "r3%s", rows[i / 2].outcome + 2);
		assert_string_equal(script_play(&script, "read s r3 1"), act);
		script_finish(&script);
	}
}

/* Between two ibbfs <close/> has the count of bytes, so bytes that a server has dropped are
 * noticed. */
static void test_bytes_sent(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 12; flush s f", "a=12; d1.0 data j s 0 8; d1.1 data j s 1 4"},
		{"j: result d1.0; j: result d1.1; release s", "f=0; c1.0 close j s size=12"},
		{"j: result c1.0", ""},
		{"dial t j ibbfs; j: result o2.0; reset t",
		 "o2.0 open j t 8; c2.0 close j t reset"},
		{"j: open u i1 8 message name=n; take u; j: data u i2 0 8 message", "i1 result j"},
		{"j: close u i3 size=8; read u r 99; read u q 99", "i3 result j; r=8; q=0"},
		{"j: open v i4 8 message name=n; take v; j: data v i5 0 8 message", "i4 result j"},
		{"j: close v i6 size=9; read v p 99; read v o 99",
		 "i6 error j not-acceptable cancel; p=8; o=ECONNRESET"},
		/* with bytes of ours in flight */
		{"j: open w i7 8 name=n; take w; write w b 5",
		 "i7 result j; b=5; d5.0 data j w 0 5"},
		{"j: close w i8 size=1; state w", "i8 error j not-acceptable cancel; broken"},
		{"j: open x i9 8 name=n; take x; write x c 5",
		 "i9 result j; c=5; d6.0 data j x 0 5"},
		{"j: close x k1 size=0; j: result d6.0; state x", "k1 result j; finished"},
		/* after our own <close/>; and of one that was aborted there, or is no ibbfs's */
		{"j: open y k2 8 name=n; take y; release y", "k2 result j; c7.0 close j y size=0"},
		{"j: close y k3 size=1; count", "k3 error j not-acceptable cancel; count 4"},
		{"j: open z k4 8 name=n; take z; j: close z k5 reset size=1",
		 "k4 result j; k5 result j"},
	};
	PLAY(steps);
}

/* The last writer waits for the answer to <close/>: only then an ibbfs has the whole file. */
static void test_finish(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5"},
		{"j: result d1.0", "c1.0 close j s size=5"},
		{"write s b 1", "b=ECONNRESET"},
		{"j: result c1.0; state s", "f=0; finished"},
		{"flush s g; release s; count", "g=0; count 0"},
		/* an empty one, of which it has no room */
		{"dial t j ibbfs; j: result o2.0; finish t f2",
		 "o2.0 open j t 8; c2.0 close j t size=0"},
		{"j: error c2.0 resource-constraint wait; state t", "f2=ENOSPC; broken"},
		/* one that it could not store for another reason, or does not know */
		{"dial u j ibbfs; j: result o3.0; finish u f3",
		 "o3.0 open j u 8; c3.0 close j u size=0"},
		{"j: error c3.0 not-acceptable", "f3=ECONNRESET"},
		{"dial v j ibbfs; j: result o4.0; finish v f4",
		 "o4.0 open j v 8; c4.0 close j v size=0"},
		{"j: error c4.0 item-not-found", "f4=ECONNRESET"},
		/* nor one that came again: the stream was broken, or its peer restarted */
		{"dial w j ibbfs; j: result o5.0; finish w f5",
		 "o5.0 open j w 8; c5.0 close j w size=0"},
		{"wait 60000; j: error c5.0 item-not-found",
		 "c5.0 close j w size=0; f5=ECONNRESET"},
		/* there is no answer */
		{"dial x j ibbfs; j: result o6.0; finish x f6",
		 "o6.0 open j x 8; c6.0 close j x size=0"},
		{"wait 60000; wait 60000", "c6.0 close j x size=0; c6.0 close j x size=0"},
		{"wait 60000; state x", "f6=ETIMEDOUT; broken"},
		{"dial y j ibbfs; j: result o7.0; finish y f7",
		 "o7.0 open j y 8; c7.0 close j y size=0"},
		{"gone j", "f7=ECONNRESET"},
	};
	PLAY(steps);
}

/* A peer that can resume the stream and says so is storing the file, for as long as it needs. */
static void test_finish_takes_long(void **state)
{
	(void)state;
	struct script script;
	static const struct script_step begin[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5; c1.0 close j s size=5"},
		{"j: result d1.0", ""},
	};
	static const struct script_step alive[] = {
		{"wait 30000; j: result p1.0", "p1.0 resume j s"},
		/* the <close/> may be lost */
		{"wait 30500; state s", "c1.0 close j s size=5; closing"},
	};
	static const struct script_step end[] = {
		/* over, or lost: the answer to <close/> will say it */
		{"wait 30000; j: error p1.0 item-not-found; state s", "p1.0 resume j s; closing"},
		{"j: result c1.0; state s", "f=0; finished"},
		/* it is offline, and back */
		{"dial t j ibbfs resume; j: result o2.0; finish t g",
		 "o2.0 open j t 8 resume; c2.0 close j t size=0"},
		{"wait 30000; j: error p2.0 service-unavailable; state t",
		 "p2.0 resume j t; suspended"},
		{"back j; j: result p2.0; j: result c2.0", "c2.0 close j t size=0; g=0"},
		/* it says nothing */
		{"dial u j ibbfs resume; j: result o3.0; finish u h",
		 "o3.0 open j u 8 resume; c3.0 close j u size=0"},
		{"wait 60500; wait 60000; wait 60000",
		 "p3.0 resume j u; c3.0 close j u size=0; p3.0 resume j u; c3.0 close j u size=0; "
		 "p3.0 resume j u; c3.0 close j u size=0"},
		{"wait 60000; state u", "p3.0 resume j u; h=ETIMEDOUT; broken"},
	};
	script_start(&script, &script_config, 4);
	script_run(&script, begin, COUNT(begin));
	for (unsigned i = 0; i < 100; i++) {
		script_run(&script, alive, COUNT(alive));
	}
	script_run(&script, end, COUNT(end));
	script_finish(&script);
}

/* To a peer that can resume the stream, <close/> follows the last block. */
static void test_close_behind(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		/* the window is full */
		{"write s a 20; finish s f", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.0; state s",
		 "a=20; d1.2 data j s 2 4; c1.0 close j s size=20; closing"},
		{"j: result d1.1; j: result d1.2; state s", "closing"},
		{"j: result c1.0; state s", "f=0; finished"},
		/* the answer says as much as the acknowledgements */
		{"dial t j ibbfs resume; j: result o2.0", "o2.0 open j t 8 resume"},
		{"write t b 5; finish t g", "b=5; d2.0 data j t 0 5; c2.0 close j t size=5"},
		{"j: result c2.0; state t; size t", "g=0; finished; size 5"},
		/* a peer that cannot resume it, and one that sends to us as well */
		{"dial u j ibbfs; j: result o3.0", "o3.0 open j u 8"},
		{"write u c 5; finish u h", "c=5; d3.0 data j u 0 5"},
		{"create v; reading v; dial v j ibbfs resume; j: result o4.0",
		 "o4.0 open j v 8 resume"},
		{"write v d 5; finish v i", "d=5; d4.0 data j v 0 5"},
		{"j: result d3.0; j: result d4.0", "c3.0 close j u size=5; c4.0 close j v size=5"},
		{"j: result c3.0; j: result c4.0", "h=0; i=0"},
	};
	PLAY(steps);
}

/* The peer misses what was sent before <close/>: it is sent again, and <close/> later. */
static void test_close_too_early(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s a 12; finish s f",
		 "a=12; d1.0 data j s 0 8; d1.1 data j s 1 4; c1.0 close j s size=12"},
		/* the peer had no room for a block */
		{"j: result d1.0; j: error d1.1 resource-constraint wait", ""},
		{"j: error c1.0 unexpected-request; state s", "open"},
		{"wait 100", "d1.1.1 data j s 1 4"},
		{"j: result d1.1.1", "c1.0 close j s size=12"},
		{"j: result c1.0", "f=0"},
		/* nobody has refused a block */
		{"dial t j ibbfs resume; j: result o2.0", "o2.0 open j t 8 resume"},
		{"write t b 5; finish t g", "b=5; d2.0 data j t 0 5; c2.0 close j t size=5"},
		{"j: error c2.0 unexpected-request", "d2.0.1 data j t 0 5"},
		{"j: result d2.0.1", "c2.0 close j t size=5"},
		/* it has lost what it had acknowledged */
		{"j: error c2.0 unexpected-request", "g=ECONNRESET; c2.0 close j t reset"},
		/* nobody waits any more */
		{"dial u j ibbfs resume; j: result o3.0", "o3.0 open j u 8 resume"},
		{"write u c 5; finish u h; interrupt h; release u",
		 "c=5; d3.0 data j u 0 5; c3.0 close j u size=5; h=EINTR"},
		{"j: error c3.0 unexpected-request", "d3.0.1 data j u 0 5"},
		{"j: result d3.0.1", "c3.0 close j u size=5"},
		{"j: result c3.0; count", "count 2"},
		/* the block was about something else */
		{"dial v j ibbfs resume; j: result o4.0", "o4.0 open j v 8 resume"},
		{"write v d 5; finish v i", "d=5; d4.0 data j v 0 5; c4.0 close j v size=5"},
		{"j: error d4.0 bad-request", "i=EPROTO; c4.0 close j v reset"},
	};
	PLAY(steps);
}

/* A peer that can resume a stream, and is no ibbfs: nothing succeeds before it is delivered. */
static void test_no_close_behind(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; write s a 5; finish s f; dial s j resume",
		 "a=5; o1.0 open j s 8 resume"},
		{"j: result o1.0; state s", "d1.0 data j s 0 5; open"},
		{"j: result d1.0; state s", "f=0; open"},
		{"create t; write t b 5; finish t g; dial t j resume sync; j: result o2.0",
		 "b=5; o2.0 open j t 8 resume; d2.0 data j t 0 5"},
		{"j: result d2.0", "s2.5 sync j t 5"},
		{"j: result s2.5; state t", "g=0; open"},
	};
	PLAY(steps);
}

/* A connection breaks behind <close/>, and another one when the first would have been given up. */
static void test_breaks_far_apart(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5; c1.0 close j s size=5"},
		{"disconnect; connect", "c1.0 close j s size=5"},
		{"j: error c1.0 unexpected-request", "d1.0.1 data j s 0 5"},
		{"wait 29999; wait 1", "p1.0 resume j s; a1.0.1 data j s 0 5"},
		{"j: result p1.0; disconnect; state s", "suspended"},
		{"connect", "r1.0 resume j s"},
		{"j: result r1.0", "d1.0.2 data j s 0 5"},
		{"j: result d1.0.2; j: result c1.0", "c1.0 close j s size=5; f=0"},
	};
	PLAY(steps);
}

/* Who flushes while the last writer waits learns of the same end. */
static void test_flush_during_finish(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5"},
		{"j: result d1.0", "c1.0 close j s size=5"},
		{"flush s g; finish s h", ""},
		{"j: error c1.0 resource-constraint wait", "f=ENOSPC; g=ENOSPC; h=ENOSPC"},
		/* before it is delivered */
		{"dial t j ibbfs resume; j: result o2.0", "o2.0 open j t 8 resume"},
		{"write t b 5; finish t i", "b=5; d2.0 data j t 0 5; c2.0 close j t size=5"},
		{"flush t k; j: result d2.0", ""},
		{"interrupt i; j: error c2.0 not-acceptable", "i=EINTR; k=ECONNRESET"},
		/* bytes are missing there */
		{"dial u j ibbfs resume; j: result o3.0", "o3.0 open j u 8 resume"},
		{"write u c 5; finish u l; flush u m",
		 "c=5; d3.0 data j u 0 5; c3.0 close j u size=5"},
		{"j: error c3.0 unexpected-request", "d3.0.1 data j u 0 5"},
		{"j: result d3.0.1; j: result c3.0", "c3.0 close j u size=5; l=0; m=0"},
	};
	PLAY(steps);
}

/* A connection breaks behind <close/>: it is the question, as its answer may be lost. */
static void test_close_behind_is_lost(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5; c1.0 close j s size=5"},
		{"disconnect; connect", "c1.0 close j s size=5"},
		{"j: error c1.0 unexpected-request", "d1.0.1 data j s 0 5"},
		{"j: result d1.0.1", "c1.0 close j s size=5"},
		{"j: result c1.0", "f=0"},
		{"dial t j ibbfs resume; j: result o2.0", "o2.0 open j t 8 resume"},
		{"write t b 5; finish t g", "b=5; d2.0 data j t 0 5; c2.0 close j t size=5"},
		{"disconnect; connect", "c2.0 close j t size=5"},
		{"j: result c2.0; size t", "g=0; size 5"},
		/* the peer's */
		{"dial u j ibbfs resume; j: result o3.0", "o3.0 open j u 8 resume"},
		{"write u c 5; finish u h", "c=5; d3.0 data j u 0 5; c3.0 close j u size=5"},
		{"j: resume u r1 seq=0", "r1 result j; c3.0 close j u size=5"},
		{"j: error c3.0 unexpected-request", "d3.0.1 data j u 0 5"},
		{"j: error d3.0.1 service-unavailable; state u", "suspended"},
		{"back j", "r3.0 resume j u"},
		{"j: result r3.0", "d3.0.2 data j u 0 5"},
		{"j: result d3.0.2; j: result c3.0", "c3.0 close j u size=5; h=0"},
		/* nobody's: a probe tells that the reader is slow, or that blocks are lost */
		{"dial v j ibbfs resume; j: result o4.0", "o4.0 open j v 8 resume"},
		{"write v d 5; finish v i", "d=5; d4.0 data j v 0 5; c4.0 close j v size=5"},
		{"wait 30000; j: result p4.0", "p4.0 resume j v; c4.0 close j v size=5"},
		{"wait 30000; j: result p4.0", "p4.0 resume j v; c4.0 close j v size=5"},
		{"j: error c4.0 unexpected-request", "d4.0.1 data j v 0 5"},
		{"j: result d4.0.1; j: result c4.0", "c4.0 close j v size=5; i=0"},
	};
	PLAY(steps);
}

/* The peer's <close/> comes before its blocks were read, or before they have come at all. */
static void test_peer_closes_behind(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i0 8 resume; take s; j: data s i1 0 8", "i0 result j; i1 result j"},
		{"j: close s i2 size=12", "i2 error j unexpected-request cancel"},
		{"j: data s i3 1 4; j: close s i2 size=12; state s",
		 "i3 result j; i2 result j; finished"},
		/* the buffer of 32 bytes is full: the answers wait for the reader */
		{"j: open t k0 8 resume; take t; j: data t k1 0 8; j: data t k2 1 8; "
		 "j: data t k3 2 8; j: data t k4 3 8; j: data t k5 4 8",
		 "k0 result j; k1 result j; k2 result j; k3 result j; k4 result j"},
		{"j: close t k6 size=40; j: close t k7 size=40; state t", "open"},
		{"read t a 3; can t", "a=3; can read write"},
		{"read t b 5", "b=5; k5 result j; k6 result j; k7 result j"},
		{"state t; read t c 99; read t d 99", "finished; c=32; d=0"},
		/* which has come to the end before anything could be sent */
		{"j: open v n0 8 resume; take v; j: data v n1 0 8; j: data v n2 1 8; "
		 "j: data v n3 2 8; j: data v n4 3 8; j: data v n5 4 8; j: close v n6 size=40",
		 "n0 result j; n1 result j; n2 result j; n3 result j; n4 result j"},
		{"hold; read v e 99; read v f 99; reset v; next; next; go",
		 "e=40; f=0; n5 result j; n6 result j"},
		/* or for its end */
		{"j: open u m0 8 resume; take u; j: data u m1 0 8; j: data u m2 1 8; "
		 "j: data u m3 2 8; j: data u m4 3 8; j: data u m5 4 8",
		 "m0 result j; m1 result j; m2 result j; m3 result j; m4 result j"},
		{"j: close u m6 size=40; abort u",
		 "m5 error j item-not-found cancel; m6 error j not-acceptable cancel"},
	};
	PLAY(steps);
}

/* Nothing is closed for a writer that was interrupted before everything was delivered. */
static void test_finish_interrupted(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 5; finish s f; interrupt f", "a=5; d1.0 data j s 0 5; f=EINTR"},
		{"j: result d1.0; state s", "open"},
		{"finish s g; interrupt g", "c1.0 close j s size=5; g=EINTR"},
		{"release s; j: result c1.0; count", "count 0"},
	};
	PLAY(steps);
}

/* Of both directions, the end is that of the whole stream, if everything was read. */
static void test_finish_both_directions(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; reading s; dial s j ibbfs; j: result o1.0", "o1.0 open j s 8"},
		{"j: data s i1 0 3; read s r 3", "i1 result j; r=3"},
		{"write s a 5; finish s f; j: result d1.0",
		 "a=5; d1.0 data j s 0 5; c1.0 close j s size=5"},
		{"j: data s i2 1 3", "i2 error j item-not-found cancel"},
		{"j: error c1.0 resource-constraint wait; state s", "f=ENOSPC; broken"},
		/* unread at first, or then; or there is a reader: it does not end in good order */
		{"create t; reading t; dial t j ibbfs; j: result o2.0", "o2.0 open j t 8"},
		{"j: data t i3 0 3; finish t g; state t", "i3 result j; g=0; open"},
		{"create u; reading u; dial u j ibbfs; j: result o3.0", "o3.0 open j u 8"},
		{"write u b 5; finish u h; j: data u i4 0 3",
		 "b=5; d3.0 data j u 0 5; i4 result j"},
		{"j: result d3.0; state u", "h=0; open"},
		{"create v; reading v; dial v j ibbfs; j: result o4.0", "o4.0 open j v 8"},
		{"read v q 1; finish v k; state v", "k=0; open"},
	};
	PLAY(steps);
}

/* To other clients it is a flush. */
static void test_finish_is_flush(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5"},
		{"j: result d1.0; state s", "f=0; open"},
	};
	PLAY(steps);
}

static void test_release(void **state)
{
	(void)state;
	/* all bytes are sent: any answer ends the wait, and so does the timeout */
	static const struct script_step steps[] = {
		OPENED,
		{"read s a 1; release s", "a=ECONNRESET; c1.0 close j s"},
		{"count; drained", "count 1; not drained"},
		{"j: data s i1 0 1", "i1 error j item-not-found cancel"},
		{"j: data s i2 0 1 message", ""},
		{"eve: result c1.0; count", "count 1"},
		{"j: error c1.0 item-not-found; count; drained", "count 0; drained"},
		{"dial t j; j: result o2.0; release t", "o2.0 open j t 8; c2.0 close j t"},
		{"wait 9999; count", "count 1"},
		{"wait 1; count", "count 0"},
		/* an ibbfs that does not answer has not received it */
		{"dial x j ibbfs; j: result o3.0; release x",
		 "o3.0 open j x 8; c3.0 close j x size=0"},
		{"wait 10000; wait 10000", "c3.0 close j x size=0; c3.0 close j x size=0"},
		{"wait 9999; count; wait 1; count", "count 1; count 0"},
		/* both at once */
		{"dial u j; j: result o4.0; release u", "o4.0 open j u 8; c4.0 close j u"},
		{"j: close u i3; count", "i3 result j; count 0"},
		{"j: result c4.0", ""},
		{"dial v j; j: result o5.0; release v", "o5.0 open j v 8; c5.0 close j v"},
		{"j: close v i4 reset; count", "i4 result j; count 0"},
		{"dial w j; j: result o6.0; release w", "o6.0 open j w 8; c6.0 close j w"},
		{"gone j; count", "count 0"},
	};
	PLAY(steps);
}

static void test_release_with_bytes_unsent(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 22; interrupt a; release s",
		 "d1.0 data j s 0 8; d1.1 data j s 1 8; a=22"},
		{"drained; count", "not drained; count 1"},
		{"j: data s i1 0 1", "i1 error j item-not-found cancel"},
		{"j: result d1.0", "d1.2 data j s 2 6"},
		{"j: result d1.2", ""},
		{"j: result c1.0; count", "count 1"}, /* it was not sent yet */
		{"wait 59999", ""},
		{"j: result d1.1", "c1.0 close j s"},
		{"j: result d1.1; count", "count 1"},
		{"j: result c1.0; count", "count 0"},
		/* ended earlier: an error; the timeout; the peer's <close/>, its reset; the peer
		 * is gone */
		{"dial t j; j: result o2.0; write t b 5; release t",
		 "o2.0 open j t 8; b=5; d2.0 data j t 0 5"},
		{"j: error d2.0 bad-request; count", "c2.0 close j t; count 0"},
		{"dial u j ibbfs; j: result o3.0; write u c 5; release u",
		 "o3.0 open j u 8; c=5; d3.0 data j u 0 5"},
		{"wait 60000; count", "p3.0 ping j; c3.0 close j u reset; count 0"},
		{"dial v j; j: result o4.0; write v d 5; release v",
		 "o4.0 open j v 8; d=5; d4.0 data j v 0 5"},
		{"j: close v i2; count", "i2 result j; count 0"},
		{"dial w j; j: result o5.0; write w e 5; release w",
		 "o5.0 open j w 8; e=5; d5.0 data j w 0 5"},
		{"gone j; count", "count 0"},
		{"deadline; wait 60000; deadline", "deadline 30000; deadline never"},
	};
	PLAY(steps);
}

/* Writers that are parked after the last release: their bytes are sent at once. */
static void test_release_with_writers(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 24; write s b 3; release s", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"j: result d1.0", "a=24; b=3; d1.2 data j s 2 8"},
		{"j: result d1.1", "d1.3 data j s 3 3"},
		{"j: result d1.2; j: result d1.3", "c1.0 close j s"},
	};
	PLAY(steps);
}

static void test_release_not_in_good_order(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 17; flush s f; read s r 1; reset s",
		 "d1.0 data j s 0 8; d1.1 data j s 1 8; a=ECONNRESET; f=ECONNRESET; r=ECONNRESET; "
		 "c1.0 close j s"},
		{"count; drained", "count 0; drained"},
		{"j: result d1.0; j: result c1.0", ""},
		{"dial t j ibbfs; j: result o2.0; reset t",
		 "o2.0 open j t 8; c2.0 close j t reset"},
		{"j: open u i1 8; take u; j: data u i2 0 8; reset u",
		 "i1 result j; i2 result j; c3.0 close j u"},
		{"j: data u i3 1 8", "i3 error j item-not-found cancel"},
		/* a name means that an ibbfs has opened the stream */
		{"j: open v i4 8 name=x; take v; reset v", "i4 result j; c4.0 close j v reset"},
	};
	PLAY(steps);
}

/* Both sides have closed, but our bytes are in flight. */
static void test_release_after_the_peer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"write s a 12; j: close s i1", "a=12; d1.0 data j s 0 8; d1.1 data j s 1 4"},
		{"release s; count; drained", "count 1; not drained"},
		{"j: result d1.0; drained", "not drained"},
		{"j: result d1.1; count; drained", "i1 result j; count 0; drained"},
		{"j: open t i2 8; take t; write t b 5; j: close t i3",
		 "i2 result j; b=5; d2.0 data j t 0 5"},
		{"reset t; count", "i3 error j not-acceptable cancel; count 0"},
	};
	PLAY(steps);
}

/* Bytes that a reader did not read are never acknowledged. */
static void test_release_with_blocks_held(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8; j: data s i2 1 8; j: data s i3 2 8; j: data s i4 3 8; j: data "
		 "s "
		 "i5 4 8",
		 "i1 result j; i2 result j; i3 result j; i4 result j"},
		{"release s", "c1.0 close j s"},
		{"j: close s i6; count", "i6 result j; i5 error j item-not-found cancel; count 0"},
	};
	PLAY(steps);
}

static void test_abort(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"read s r 1; write s w 17", "d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"abort s", "w=EIO; r=EIO; c1.0 close j s"},
		{"state s; abort s", "broken"},
		{"read s r2 1; write s w2 1; flush s f; open s o", "r2=EIO; w2=EIO; f=EIO; o=EIO"},
		{"release s; count", "count 0"},
	};
	PLAY(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_peer_closes_what_is_written_only),
		cmocka_unit_test(test_peer_closes_in_a_dialogue),
		cmocka_unit_test(test_peer_closes_twice),
		cmocka_unit_test(test_peer_closes_and_then),
		cmocka_unit_test(test_peer_closes_without_waiting),
		cmocka_unit_test(test_peer_closes_what_is_stored),
		cmocka_unit_test(test_storing_takes_long),
		cmocka_unit_test(test_peer_closes_what_cannot_be_stored),
		cmocka_unit_test(test_messages_that_are_stored),
		cmocka_unit_test(test_verdict_without_close),
		cmocka_unit_test(test_verdict_is_remembered),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_for_lack_of_room),
		cmocka_unit_test(test_announced_size),
		cmocka_unit_test(test_bytes_sent),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_finish_takes_long),
		cmocka_unit_test(test_finish_both_directions),
		cmocka_unit_test(test_close_behind),
		cmocka_unit_test(test_close_too_early),
		cmocka_unit_test(test_no_close_behind),
		cmocka_unit_test(test_breaks_far_apart),
		cmocka_unit_test(test_flush_during_finish),
		cmocka_unit_test(test_close_behind_is_lost),
		cmocka_unit_test(test_peer_closes_behind),
		cmocka_unit_test(test_finish_interrupted),
		cmocka_unit_test(test_finish_is_flush),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_with_bytes_unsent),
		cmocka_unit_test(test_release_with_writers),
		cmocka_unit_test(test_release_not_in_good_order),
		cmocka_unit_test(test_release_after_the_peer),
		cmocka_unit_test(test_release_with_blocks_held),
		cmocka_unit_test(test_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
