/* SPDX-License-Identifier: MIT */
/* stream: one of them, from its first to its last state; the peer is j. */
#include "braced.h"
#include "failing_malloc.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PLAY(steps)  script_test(steps, COUNT(steps))

/* A stream of ours that runs, and one of the peer's. */
#define OPENED	BRACED("dial s j; j: result o1.0", "o1.0 open j s 8")
#define ARRIVED BRACED("j: open s i0 8; take s", "i0 result j")

/* ---- XEP-0047's own examples ---- */

#define ROMEO  "romeo@montague.net/orchard"
#define JULIET "juliet@capulet.com/balcony"

static void test_examples_of_the_initiator(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		/* 1 and 2 */
		{"dial i781hf64 " JULIET "; open i781hf64 o", "o1.0 open " JULIET " i781hf64 4096"},
		{JULIET ": result o1.0", "o=0"},
		/* 6 to 9 */
		{"write i781hf64 w 5000", "w=5000; d1.0 data " JULIET " i781hf64 0 4096"},
		{"flush i781hf64 f", "d1.1 data " JULIET " i781hf64 1 904"},
		{JULIET ": result d1.0", ""},
		{JULIET ": result d1.1", "f=0"},
		/* 11 and 12 */
		{"release i781hf64", "c1.0 close " JULIET " i781hf64"},
		{"count", "count 1"},
		{JULIET ": result c1.0", ""},
		{"count", "count 0"},
	};
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.window = 65536;
	struct script script;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

static void test_examples_of_the_responder(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{ROMEO ": open i781hf64 jn3h8g65 4096", "jn3h8g65 result " ROMEO},
		{"take i781hf64; state i781hf64", "open"},
		{ROMEO ": data i781hf64 kr91n475 0 100", "kr91n475 result " ROMEO},
		{ROMEO ": data i781hf64 kr91n476 1 4096", "kr91n476 result " ROMEO},
		{"read i781hf64 r1 10000", "r1=4196"},
		/* section 2.4: both ways */
		{"write i781hf64 w 10", "w=10; d1.0 data " ROMEO " i781hf64 0 10"},
		{ROMEO ": result d1.0", ""},
		{ROMEO ": close i781hf64 us71g45j", "us71g45j result " ROMEO},
		{"state i781hf64; read i781hf64 r2 10000", "finished; r2=0"},
	};
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.window = config.buffer = 65536;
	struct script script;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

/* ---- opening ---- */

static void test_new(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; state s; size s", "new; size 0"},
		{"can s", "can write"},
		{"flush s f1", "f1=0"},
		{"open s o", ""},
		{"try-read s r1 1", "r1=EAGAIN"},
		{"read s r2 1", ""},
		{"write s w 5", "w=5"},
		{"flush s f2", ""},
		{"size s", "size 5"},
		{"deadline", "deadline never"},
		{"dial s j", "o1.0 open j s 8"},
		{"state s; can s", "opening; can write"},
		{"write s w2 12", ""},
		{"can s", "can nothing"},
		{"try-write s w3 1", "w3=EAGAIN"},
		/* Nothing leaves before the peer has accepted. */
		{"j: result o1.0", "o=0; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"state s; open s o2", "open; o2=0"},
		{"j: result o1.0", ""},
		{"j: error o1.0 not-acceptable", ""},
		{"j: result d1.0", "w2=12; f2=0; d1.2 data j s 2 1"},
		{"j: result d1.1", ""},
		{"j: result d1.2", ""},
		{"state s", "open"},
	};
	PLAY(steps);
}

static void test_new_ends(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; open s o; flush s f0", "f0=0"},
		/* Whoever still waits is not told that all went well. */
		{"write s w 20; flush s f; read s r 1", ""},
		{"release s", "o=ECONNRESET; w=ECONNRESET; f=ECONNRESET; r=ECONNRESET"},
		{"count; drained", "count 0; drained"},
		{"create t; open t p", ""},
		{"reset t", "p=ECONNRESET"},
		{"create u; open u q; write u x 5; flush u g", "x=5"},
		{"abort u", "q=EIO; g=EIO"},
		{"state u", "broken"},
		{"write u y 1", "y=EIO"},
		{"create v; open v n", ""},
		{"abort v; release v; count", "n=EIO; count 1"},
	};
	PLAY(steps);
}

static void test_await(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; open s o; await s; deadline", "deadline 60000"},
		{"wait 59999", ""},
		{"wait 1", "o=ETIMEDOUT"},
		{"state s", "broken"},
		{"open s o2", "o2=ETIMEDOUT"},
		/* Dialled in time, the peer has all of it again. */
		{"create t; open t p; await t; wait 50000; dial t j", "o2.0 open j t 8"},
		{"wait 59999", ""},
		{"wait 1", "p=ETIMEDOUT; c2.0 close j t"},
		/* One that is over awaits nothing, or its deadline would never pass. */
		{"create u; abort u; await u; deadline", "deadline never"},
	};
	PLAY(steps);
}

static void test_dial(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial a j name=x", "o1.0 open j a 8"}, /* a name is for an ibbfs */
		{"dial b j ibbfs name=x", "o2.0 open j b 8 name=x"},
		{"dial c j ibbfs", "o3.0 open j c 8"},
	};
	PLAY(steps);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *error, *name;
	} rows[] = {
		{"bad-request", "EPROTO"},
		{"feature-not-implemented", "EPROTONOSUPPORT"},
		{"forbidden", "EACCES"},
		{"gone", "EHOSTDOWN"},
		{"item-not-found", "EPROTONOSUPPORT"},
		{"not-acceptable", "ECONNREFUSED"},
		{"not-allowed", "EACCES"},
		{"not-authorized", "EACCES"},
		{"recipient-unavailable", "EHOSTDOWN"},
		{"remote-server-not-found", "EHOSTUNREACH"},
		{"remote-server-timeout", "EHOSTUNREACH"},
		{"resource-constraint modify", "ECONNREFUSED"}, /* 4 bytes are too few */
		{"resource-constraint cancel", "ECONNREFUSED"},
		{"resource-constraint wait", "ECONNREFUSED"},
		{"service-unavailable", "EPROTONOSUPPORT"},
		{"unexpected-request", "EPROTO"},
		{"made-up", "ECONNREFUSED"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct script script;
		char act[80], expect[160];
		const char *name = rows[i].name;
		script_start(&script, &script_config, 1);
		script_play(&script, "dial s j; open s o; write s w 20; flush s f; read s r 1");
		snprintf(act, sizeof(act), "j: error o1.0 %s", rows[i].error);
		snprintf(expect, sizeof(expect), "o=%s; w=%s; f=%s; r=%s", name, name, name, name);
		assert_string_equal(script_play(&script, act), expect);
		/* It stays so, and nothing is said to the peer. */
		snprintf(expect, sizeof(expect), "broken; o2=%s; w2=%s; f2=%s; r2=%s", name, name,
			 name, name);
		assert_string_equal(script_play(&script, "state s; open s o2; write s w2 1; "
							 "flush s f2; read s r2 1"),
				    expect);
		assert_string_equal(script_play(&script, "j: result o1.0; state s"), "broken");
		assert_string_equal(script_play(&script, "deadline; wait 100000; deadline"),
				    "deadline 60000; deadline never");
		assert_string_equal(script_play(&script, "release s; count"), "count 0");
		script_finish(&script);
	}
}

static void test_negotiation(void **state)
{
	(void)state;
	static const struct script_step accepted[] = {
		{"dial s j; open s o", "o1.0 open j s 600"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 300"},
		/* answers to what is no longer asked */
		{"j: result o1.0", ""},
		{"j: error o1.0 resource-constraint modify", ""},
		{"j: error o1.0 not-acceptable", ""},
		{"j: result o1.2", ""},
		{"state s", "opening"},
		/* slixmpp says cancel; each attempt has all the time */
		{"wait 59999", ""},
		{"j: error o1.1 resource-constraint cancel", "o1.2 open j s 150"},
		{"wait 59999", ""},
		{"j: result o1.2", "o=0"},
		{"write s w 400; flush s f",
		 "w=400; d1.0 data j s 0 150; d1.1 data j s 1 150; d1.2 data j s 2 100"},
	};
	static const struct script_step floor[] = {
		{"dial s j; open s o", "o1.0 open j s 600"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 300"},
		{"j: error o1.1 resource-constraint modify", "o1.2 open j s 150"},
		{"j: error o1.2 resource-constraint modify", "o=ECONNREFUSED"},
	};
	/* slixmpp from 1.9 on says wait, which is RFC 6120's own type for that condition */
	static const struct script_step wait[] = {
		{"dial s j; open s o", "o1.0 open j s 600"},
		{"j: error o1.0 resource-constraint wait", "o1.1 open j s 300"},
		{"j: error o1.1 resource-constraint wait", "o1.2 open j s 150"},
		{"j: error o1.2 resource-constraint wait", "o=ECONNREFUSED"},
		{"wait 100000; state s", "broken"},
	};
	static const struct script_step other[] = {
		{"dial s j; open s o", "o1.0 open j s 600"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 300"},
		{"j: error o1.1 not-acceptable", "o=ECONNREFUSED"},
	};
	static const struct {
		const struct script_step *steps;
		size_t count;
	} plays[] = {
		{accepted, COUNT(accepted)},
		{floor, COUNT(floor)},
		{wait, COUNT(wait)},
		{other, COUNT(other)},
	};
	struct stream_config config = script_config;
	config.block_size = 600;
	config.window = 1000;
	for (size_t i = 0; i < COUNT(plays); i++) {
		struct script script;
		script_start(&script, &config, 1);
		script_run(&script, plays[i].steps, plays[i].count);
		script_finish(&script);
	}
	/* An ibbfs means it by modify only. */
	static const struct script_step ibbfs[] = {
		{"dial s j ibbfs; open s o", "o1.0 open j s 600"},
		{"j: error o1.0 resource-constraint wait; wait 100", "o1.1 open j s 600"},
		{"j: error o1.1 resource-constraint modify", "o1.2 open j s 300"},
		{"j: error o1.2 resource-constraint wait; wait 200", "o1.3 open j s 300"},
		{"j: result o1.3", "o=0"},
	};
	struct script script;
	script_start(&script, &config, 1);
	script_run(&script, ibbfs, COUNT(ibbfs));
	script_finish(&script);
	/* 128 is the smallest that is tried. */
	static const struct script_step least[] = {
		{"dial s j", "o1.0 open j s 256"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 128"},
		{"j: error o1.1 resource-constraint modify; state s", "broken"},
	};
	config.block_size = 256;
	script_start(&script, &config, 1);
	script_run(&script, least, COUNT(least));
	script_finish(&script);
	/* From the largest down to what others take. */
	static const struct script_step powers[] = {
		{"dial s j; open s o", "o1.0 open j s 65535"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 32768"},
		{"j: error o1.1 resource-constraint modify", "o1.2 open j s 16384"},
		{"j: error o1.2 resource-constraint modify", "o1.3 open j s 8192"},
		{"j: error o1.3 resource-constraint modify", "o1.4 open j s 4096"},
		{"j: result o1.4", "o=0"},
	};
	config.block_size = 65535;
	script_start(&script, &config, 1);
	script_run(&script, powers, COUNT(powers));
	script_finish(&script);
}

/* The server has a limit: what is asked for, and what is sent on streams of others, fits in. */
static void test_limited_stanzas(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"limit 1000; dial s j; open s o",
		 "o1.0 open j s 363"}, /* (1000 - 512 - 2) / 4 * 3 */
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 182"},
		{"j: result o1.1", "o=0"},
		{"j: open t i1 600; take t; write t a 600",
		 "i1 result j; a=600; d2.0 data j t 0 363"},
		{"flush t f", "d2.1 data j t 1 237"},
		{"j: data t i2 0 600; read t r 600", "i2 result j; r=600"},
		{"j: result d2.0; j: result d2.1", "f=0"},
		/* another connection, another limit */
		{"limit 2000; write t b 600", "b=600; d2.2 data j t 2 600"},
		{"j: result d2.2; limit 900; write t c 300; flush t g",
		 "c=300; d2.3 data j t 3 288; d2.4 data j t 4 12"},
		{"limit 0; dial u k", "o3.0 open k u 600"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.block_size = 600;
	config.window = config.buffer = 1000;
	script_start(&script, &config, 9);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

/* The largest is agreed on, and what is sent is as long as is best, repeated blocks as they were.
 */
static void test_auto_block_size(void **state)
{
	(void)state;
	static const struct script_step begin[] = {
		{"dial s j resume; open s o", "o1.0 open j s 65535 resume"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 32768 resume"},
		{"j: result o1.1", "o=0"},
		{"write s a 9000; flush s f",
		 "a=9000; d1.0 data j s 0 4096; d1.1 data j s 1 4096; d1.2 data j s 2 808"},
		{"j: open t i1 65535; take t; write t b 5000",
		 "i1 result j; b=5000; d2.0 data j t 0 4096"},
		{"j: open u i2 1000; take u; write u c 1500",
		 "i2 result j; c=1500; d3.0 data j u 0 1000"},
	};
	/* auto_size.current is 2 */
	static const struct script_step longer[] = {
		{"disconnect; connect", "r1.0 resume j s"},
		{"j: result r1.0",
		 "d1.0.1 data j s 0 4096; d1.1.1 data j s 1 4096; d1.2.1 data j s 2 808"},
		{"j: result d1.0.1; j: result d1.1.1; j: result d1.2.1", "f=0"},
		{"write s d 70000; flush s g", "d1.3.1 data j s 3 32768"},
		{"limit 10000; j: result d1.3.1",
		 "d=70000; d1.4.1 data j s 4 7113; d1.5.1 data j s 5 7113"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.block_size = STREAM_AUTO_BLOCK;
	config.window = config.buffer = 1 << 20;
	script_start(&script, &config, 9);
	script_run(&script, begin, COUNT(begin));
	script.ibb.auto_size.current = 2;
	script_run(&script, longer, COUNT(longer));
	script_finish(&script);
}

/* What a peer has refused is not offered to it again, until it has gone. */
static void test_refused_block_sizes(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; open s o", "o1.0 open j s 65535"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 32768"},
		{"j: error o1.1 resource-constraint modify", "o1.2 open j s 16384"},
		{"j: result o1.2", "o=0"},
		{"dial t j; dial u k", "o2.0 open j t 16384; o3.0 open k u 65535"},
		{"j: error o2.0 resource-constraint modify", "o2.1 open j t 8192"},
		/* of something else */
		{"k: error o3.0 not-acceptable cancel; dial v k", "o4.0 open k v 65535"},
		{"reset s; reset t", "c1.0 close j s; c2.0 close j t"},
		{"dial w j", "o5.0 open j w 8192"},
		{"gone j; dial x j", "o6.0 open j x 65535"},
		{"j: error o6.0 resource-constraint wait", "o6.1 open j x 32768"},
		{"j: error o6.1 resource-constraint wait", "o6.2 open j x 16384"},
		{"j: error o6.2 resource-constraint wait", "o6.3 open j x 8192"},
		{"j: error o6.3 resource-constraint wait", "o6.4 open j x 4096"},
		{"j: error o6.4 resource-constraint wait", "o6.5 open j x 2048"},
		{"j: error o6.5 resource-constraint wait", "o6.6 open j x 1024"},
		{"j: error o6.6 resource-constraint wait", "o6.7 open j x 512"},
		{"j: error o6.7 resource-constraint wait", "o6.8 open j x 256"},
		{"j: error o6.8 resource-constraint wait", "o6.9 open j x 128"},
		/* not even the smallest: so it was not the length */
		{"j: error o6.9 resource-constraint wait; state x", "broken"},
		{"dial y j", "o7.0 open j y 65535"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.block_size = STREAM_AUTO_BLOCK;
	script_start(&script, &config, 9);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

static void test_opening_ends(void **state)
{
	(void)state;
	/* in time; by whoever opened it; by the peer, with what must not come yet; with the
	 * connection */
	static const struct script_step steps[] = {
		{"dial s j; open s o; write s w 5; flush s f", "o1.0 open j s 8; w=5"},
		{"wait 60000", "o=ETIMEDOUT; f=ETIMEDOUT; c1.0 close j s"},
		{"j: result o1.0", ""},
		{"state s; release s; count", "broken; count 0"},
		{"dial t j ibbfs; open t p", "o2.0 open j t 8"},
		{"release t", "p=ECONNRESET; c2.0 close j t reset"},
		{"j: result o2.0; count", "count 0"},
		{"dial u j; open u q", "o3.0 open j u 8"},
		{"reset u", "q=ECONNRESET; c3.0 close j u"},
		{"dial v j; open v r", "o4.0 open j v 8"},
		{"j: close v i1; state v", "r=ECONNRESET; i1 result j; broken"},
		{"dial x j; open x y", "o5.0 open j x 8"},
		{"j: data x i2 0 1",
		 "y=EPROTO; i2 error j unexpected-request cancel; c5.0 close j x"},
		{"dial z j; open z a", "o6.0 open j z 8"},
		{"disconnect", "a=ENETDOWN"},
	};
	PLAY(steps);
}

/* ---- writing ---- */

static void test_nagle(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		/* alone, a partial block leaves at once */
		{"write s a 3", "a=3; d1.0 data j s 0 3"},
		/* behind another one when it is full */
		{"write s b 4", "b=4"},
		{"write s c 3", "c=3"},
		{"write s d 1", "d=1; d1.1 data j s 1 8"},
		/* or when that is acknowledged */
		{"write s e 2", "e=2"},
		{"j: result d1.0", ""},
		{"j: result d1.1", "d1.2 data j s 2 2"},
		/* or flushed */
		{"write s f 2", "f=2"},
		{"flush s g", "d1.3 data j s 3 2"},
		/* what was written later waits again, but no longer than while somebody flushes */
		{"write s h 2", "h=2"},
		{"j: result d1.2", "d1.4 data j s 4 2"},
		{"j: result d1.3", "g=0"},
		{"j: result d1.4", ""},
		{"write s i 1", "i=1; d1.5 data j s 5 1"},
		{"write s k 2", "k=2"},
		/* or when this is the end of it */
		{"release s", "d1.6 data j s 6 2"},
		{"j: result d1.5", ""},
		{"j: result d1.6", "c1.0 close j s"},
		{"j: result c1.0; count", "count 0"},
	};
	PLAY(steps);
}

static void test_window(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 16", "a=16; d1.0 data j s 0 8; d1.1 data j s 1 8"},
		{"can s", "can write"},
		{"write s b 1", ""},
		{"size s; can s", "size 17; can nothing"},
		{"try-write s c 1", "c=EAGAIN"},
		{"size s", "size 17"},
		/* behind another writer each keeps its own bytes */
		{"write s d 3; write s e 30; write s f 1", ""},
		{"size s", "size 17"},
		{"j: result d1.0", "b=1; d=3; e=30; d1.2 data j s 2 8"},
		{"size s", "size 50"},
		{"j: result d1.1", "d1.3 data j s 3 8"},
		{"j: result d1.2", "d1.4 data j s 4 8"},
		{"j: result d1.4", ""},
		{"j: result d1.3", "f=1; d1.5 data j s 5 8"},
		{"can s", "can write"},
		{"size s", "size 51"},
	};
	PLAY(steps);
}

static void test_flush(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"flush s f0", "f0=0"},
		{"write s a 12", "a=12; d1.0 data j s 0 8"},
		{"flush s f1", "d1.1 data j s 1 4"},
		{"flush s f2", ""},
		{"j: result d1.1", ""}, /* out of order */
		{"j: result d1.0", "f1=0; f2=0"},
		{"flush s f3", "f3=0"},
		/* with writers that wait */
		{"write s b 17; write s c 5; flush s f4", "d1.2 data j s 2 8; d1.3 data j s 3 8"},
		{"j: result d1.2", "b=17; c=5; d1.4 data j s 4 6"},
		{"j: result d1.3", ""},
		{"j: result d1.4", "f4=0"},
	};
	PLAY(steps);
}

/* Whoever flushes waits for what was written before, not for whoever goes on writing: a command
 * that has inherited the file closes it at its end, and may be what the peer waits for. */
static void test_flush_of_what_was_written_before(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 8; flush s f; write s b 8",
		 "a=8; d1.0 data j s 0 8; b=8; d1.1 data j s 1 8"},
		{"j: result d1.0", "f=0"},
		{"j: result d1.1", ""},
		/* with a writer that waits, of whose bytes some are on their way */
		{"write s c 9; flush s g; write s d 20",
		 "c=9; d1.2 data j s 2 8; d1.3 data j s 3 1"},
		{"j: result d1.2", "d1.4 data j s 4 8"},
		{"j: result d1.4; j: result d1.3",
		 "d=20; g=0; d1.5 data j s 5 8; d1.6 data j s 6 4"},
		{"reset s", "c1.0 close j s"},
		/* with one that keeps its bytes, and one that takes them back */
		{"dial t j; j: result o2.0; write t h 20; write t i 3; flush t k; write t l 4; "
		 "flush t m; interrupt l; write t n 9",
		 "o2.0 open j t 8; d2.0 data j t 0 8; d2.1 data j t 1 8; l=EINTR"},
		{"j: result d2.0", "h=20; i=3; n=9; d2.2 data j t 2 8"},
		{"j: result d2.1", "d2.3 data j t 3 8"},
		{"j: result d2.2", "k=0"},
		{"j: result d2.3", "m=0"},
	};
	PLAY(steps);
}

static void test_interrupts(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; open s a; open s b", "o1.0 open j s 8"},
		{"interrupt a", "a=EINTR"},
		{"j: result o1.0", "b=0"},
		{"reading s; read s c 1; read s d 1; interrupt c", "c=EINTR"},
		/* a write whose bytes were taken over has succeeded */
		{"write s e 20; interrupt e", "d1.0 data j s 0 8; d1.1 data j s 1 8; e=20"},
		{"size s", "size 20"},
		{"write s f 5; interrupt f", "f=5"},
		{"size s", "size 25"},
		{"write s g 3; write s h 4; interrupt h", "h=EINTR"},
		{"size s", "size 28"},
		{"flush s i; flush s k; interrupt i", "i=EINTR"},
		{"j: result d1.0", "d1.2 data j s 2 8"},
		{"j: result d1.1", "g=3; d1.3 data j s 3 4"},
		{"j: result d1.2", ""},
		{"j: result d1.3", "k=0"},
		{"j: data s i1 0 1", "d=1; i1 result j"},
	};
	PLAY(steps);
}

/* Answers blocks from `first` on, one by one, until the calls that waited are done. */
static uint64_t acknowledge_until(struct script *script, uint64_t first, const char *done)
{
	char act[80];
	for (;; first++) {
		snprintf(act, sizeof(act), "j: result d1.%llx", (unsigned long long)first);
		if (strstr(script_play(script, act), done)) {
			return first + 1;
		}
		assert_true(first < 100000);
	}
}

static void test_beyond_the_slack(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.block_size = 65535;
	config.window = 70000;
	struct script script;
	script_start(&script, &config, 1);
	/* Interrupted writers leave a window and 1 MiB behind, not more. */
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s a 1118576; interrupt a", "d1.0 data j s 0 65535; a=1118576"},
		{"write s b 1; interrupt b", "b=1"},
		{"size s", "size 1118577"},
		{"write s c 100; interrupt c", "c=EINTR"},
		{"size s", "size 1118577"},
		{"write s d 100000", ""},
		{"flush s f", ""},
	};
	script_run(&script, steps, COUNT(steps));
	uint64_t next = acknowledge_until(&script, 0, "d=100000");
	acknowledge_until(&script, next, "f=0");
	assert_int_equal(script.streams[0].sent, 1218577);
	script_finish(&script);
}

static void test_zeros(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 3", "a=3; d1.0 data j s 0 3"},
		{"zeros s 5; size s", "size 8"},
		{"write s b 2; size s", "b=2; size 10"},
		{"flush s f", "d1.1 data j s 1 7"},
		{"j: result d1.0; j: result d1.1", "f=0"},
		{"zeros s 2", "d1.2 data j s 2 2"},
		{"j: result d1.2; deadline", "deadline 30000"},
		{"wait 60000; state s", "open"},
		{"j: close s i1; zeros s 1", "i1 result j; zeros=ECONNRESET"},
	};
	PLAY(steps);
}

static void test_many_zeros(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.window = 16384;
	struct script script;
	script_start(&script, &config, 1);
	script_play(&script,
		    "hold; dial s j; go; j: result o1.0; write s a 5; zeros s 1000000000000");
	const struct stream *stream = script.streams[0].stream;
	assert_true(stream->outgoing.sender.out.length < 200000);
	assert_string_equal(script_play(&script, "size s; can s; try-write s t 1"),
			    "size 1000000000005; can nothing; t=EAGAIN");
	assert_string_equal(script_play(&script, "reset s"), "c1.0 close j s");

	static const struct script_step steps[] = {
		{"dial t j; j: result o2.0", "o2.0 open j t 4096"},
		{"zeros t 1000", "d2.0 data j t 0 1000"},
		{"zeros t 1000000; write t b 10; write t c 10; size t", /* what they keep is no
									   part of it yet */
		 "d2.1 data j t 1 4096; d2.2 data j t 2 4096; d2.3 data j t 3 4096; size 1001000"},
		{"interrupt c; flush t f", "c=EINTR"},
	};
	script_run(&script, steps, COUNT(steps));
	stream = script.streams[1].stream;
	bool done = false;
	char act[40];
	for (unsigned block = 0; !done; block++) {
		snprintf(act, sizeof(act), "j: result d2.%x", block);
		done = strstr(script_play(&script, act), "f=0") != NULL;
		assert_true(stream->outgoing.sender.out.length < 200000 && block < 1000);
	}
	assert_int_equal(script.ops[2].completed, 1);
	assert_int_equal(script.ops[2].op.result, 10);
	assert_int_equal(script.streams[1].sent, 1001010);
	script_finish(&script);
}

static void test_block_sizes(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	struct script script;
	config.block_size = config.window = 65535;
	config.buffer = 1;
	static const struct script_step large[] = {
		{"dial s j; reading s; j: result o1.0", "o1.0 open j s 65535"},
		{"write s a 70000", "d1.0 data j s 0 65535"},
		{"j: result d1.0", "a=70000; d1.1 data j s 1 4465"},
		{"j: data s i1 0 65535; read s r 100000", "i1 result j; r=65535"},
		{"j: data s i2 1 65536", "i2 error j bad-request cancel; c1.0 close j s"},
	};
	script_start(&script, &config, 1);
	script_run(&script, large, COUNT(large));
	script_finish(&script);

	config.block_size = config.window = 1;
	static const struct script_step small[] = {
		{"dial s j; reading s; j: result o1.0", "o1.0 open j s 1"},
		{"write s a 2", "d1.0 data j s 0 1"},
		{"j: result d1.0", "a=2; d1.1 data j s 1 1"},
		{"j: result d1.1", ""},
		{"j: data s i1 0 1; read s r1 9", "i1 result j; r1=1"},
		{"j: data s i2 1 2", "i2 error j bad-request cancel; c1.0 close j s"},
	};
	script_start(&script, &config, 1);
	script_run(&script, small, COUNT(small));
	script_finish(&script);
}

static void test_seq_wraps(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.block_size = config.window = 1;
	struct script script;
	script_start(&script, &config, 1);
	script_play(&script, "dial s j; j: result o1.0");
	assert_string_equal(script_play(&script, "write s a 65540; flush s f"),
			    "d1.0 data j s 0 1");
	for (unsigned i = 1; i < 65540; i++) {
		char act[40], expect[80];
		snprintf(act, sizeof(act), "j: result d1.%x", i - 1);
		snprintf(expect, sizeof(expect), "%sd1.%x data j s %u 1",
			 i == 65539 ? "a=65540; " : "", i, i % 65536);
		assert_string_equal(script_play(&script, act), expect);
	}
	/* the first block with this seq was answered long ago */
	assert_string_equal(script_play(&script, "j: result d1.3"), "");
	assert_string_equal(script_play(&script, "j: result d1.10003"), "f=0");
	script_finish(&script);
}

static void test_data_refused(void **state)
{
	(void)state;
	static const struct {
		const char *condition, *name;
		bool closes;
	} rows[] = {
		{"bad-request", "EPROTO", true},
		{"unexpected-request", "EPROTO", true},
		{"not-acceptable", "EPROTO", true},
		{"forbidden", "EACCES", true},
		{"resource-constraint", "ECONNRESET", true},
		{"internal-server-error", "ECONNRESET", true},
		{"feature-not-implemented", "ECONNRESET", true},
		{"made-up", "ECONNRESET", true},
		/* nobody is there to be told */
		{"item-not-found", "ECONNRESET", false},
		{"service-unavailable", "ECONNRESET", false},
		{"recipient-unavailable cancel", "ECONNRESET", false},
		{"gone", "ECONNRESET", false},
		{"remote-server-not-found", "ECONNRESET", false},
		{"remote-server-timeout cancel", "ECONNRESET", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct script script;
		char act[80], expect[160];
		const char *name = rows[i].name;
		script_start(&script, &script_config, 1);
		script_play(&script,
			    "dial s j; reading s; j: result o1.0; write s a 17; write s b 9; "
			    "flush s f; j: data s i1 0 3; read s r1 2");
		/* none of these is in flight */
		snprintf(act, sizeof(act), "j: error d1.2 %s; state s", rows[i].condition);
		assert_string_equal(script_play(&script, act), "open");
		snprintf(act, sizeof(act), "j: error d1.1 %s", rows[i].condition);
		snprintf(expect, sizeof(expect), "a=%s; b=%s; f=%s%s", name, name, name,
			 rows[i].closes ? "; c1.0 close j s" : "");
		assert_string_equal(script_play(&script, act), expect);
		assert_int_equal(script.streams[0].stream->outgoing.sender.acknowledged, 0);
		snprintf(expect, sizeof(expect), "broken; w=%s; r2=1; r3=%s; g=%s", name, name,
			 name);
		assert_string_equal(script_play(&script, "state s; write s w 1; read s r2 9; "
							 "read s r3 9; flush s g"),
				    expect);
		assert_string_equal(script_play(&script, "j: result d1.0; release s; count"),
				    "count 0");
		script_finish(&script);
	}
}

static void test_refused_bytes_are_not_delivered(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 1);
	script_play(&script, "dial s j; j: result o1.0; write s a 16; j: result d1.0");
	const struct stream *stream = script.streams[0].stream;
	assert_int_equal(stream->outgoing.sender.acknowledged, 8);
	script_play(&script, "j: error d1.1 bad-request");
	assert_int_equal(stream->outgoing.sender.acknowledged, 8);
	script_finish(&script);
}

/* ---- blocks by message ---- */

static void run_by_message(const struct script_step *steps, size_t count)
{
	struct stream_config config = script_config;
	struct script script;
	config.carrier = CARRIER_MESSAGE;
	script_start(&script, &config, 4);
	script_run(&script, steps, count);
	script_finish(&script);
}

static void test_messages(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		/* Nobody answers a message: something else is asked behind the last of them. */
		{"write s a 5", "a=5; d1.0 data j s 0 5 message; b1.1 info j"},
		{"write s b 2; flush s f", "b=2; d1.1 data j s 1 2 message; b1.2 info j"},
		{"j: result b1.1", ""},
		{"j: result b1.1", ""},
		{"j: result b1.2", "f=0"},
		/* and after half a window */
		{"write s c 17",
		 "d1.2 data j s 2 8 message; d1.3 data j s 3 8 message; b1.4 info j"},
		{"j: result b1.4", "c=17; d1.4 data j s 4 1 message; b1.5 info j"},
		/* a message that comes back has not arrived */
		{"write s d 2; flush s g", "d=2; d1.5 data j s 5 2 message; b1.6 info j"},
		{"eve: bounce d1.5 service-unavailable", ""},
		{"j: bounce d1.5 service-unavailable", "g=ECONNRESET"},
		{"j: result b1.6; state s", "broken"},
		/* an ibbfs can be pinged */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8 message"},
		{"write t e 5; flush t h", "e=5; d2.0 data j t 0 5 message; b2.1 ping j"},
		{"j: error b2.1 service-unavailable", "h=ECONNRESET"},
		/* more than was ever sent is delivered: no harm */
		{"dial u j; j: result o3.0", "o3.0 open j u 8 message"},
		{"write u i 5; flush u k", "i=5; d3.0 data j u 0 5 message; b3.1 info j"},
		{"j: result b3.ffffffffffffffff", "k=0"},
	};
	run_by_message(steps, COUNT(steps));
}

/* Who has sent <close/> drops the messages that cross it, and would answer any question after
 * them: what it did not confirm before is lost. */
static void test_messages_that_cross_a_close(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i1 8 message; take s", "i1 result j"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 info j"},
		{"j: close s i2", "f=ECONNRESET; i2 result j"},
		{"j: result b1.1; read s r 1; write s b 1", "r=ECONNRESET; b=ECONNRESET"},
		/* What it confirmed has arrived. */
		{"j: open t i3 8 message; take t", "i3 result j"},
		{"write t c 5; flush t g", "c=5; d2.0 data j t 0 5 message; b2.1 info j"},
		{"j: result b2.1; j: close t i4; read t p 1", "g=0; i4 result j; p=0"},
		/* Nor do we confirm what comes while nobody reads and ours still leaves. */
		{"j: open u i5 8 message; take u", "i5 result j"},
		{"write u d 5; release u", "d=5; d3.0 data j u 0 5 message; b3.1 info j"},
		{"j: data u i6 0 1 message; j: ping i7", "c3.0 close j u; i7 result j"},
		{"count", "count 2"},
	};
	run_by_message(steps, COUNT(steps));
}

/* Stanzas stay in order, so a question that is answered before an earlier one says that this, or
 * its answer, was lost; and then messages may have been. */
static void test_messages_and_a_lost_question(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8 message"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 ping j"},
		{"wait 30000", "p1.0 ping j"},
		{"j: result p1.0", "f=ECONNRESET; c1.0 close j s reset"},
		/* only what was asked before counts */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8 message"},
		{"write t b 5; flush t g", "b=5; d2.0 data j t 0 5 message; b2.1 ping j"},
		{"wait 30000; j: result b2.1", "p2.0 ping j; g=0"},
		{"write t c 5; flush t h", "c=5; d2.1 data j t 1 5 message; b2.2 ping j"},
		{"j: result p2.0; j: result b2.2; state t", "h=0; open"},
	};
	run_by_message(steps, COUNT(steps));
}

/* Nor is it forgotten to ask when the window shrinks before it is full. */
static void test_messages_in_a_window_that_shrinks(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	struct script script;
	config.carrier = CARRIER_MESSAGE;
	script_start(&script, &config, 16);
	static const struct script_step before[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		{"hold; write s w 24; next", "d1.0 data j s 0 8 message"},
	};
	static const struct script_step after[] = {
		{"next", "b1.1 info j"},
		{"next", "nothing"},
	};
	script_run(&script, before, COUNT(before));
	script.streams[0].stream->outgoing.window.size = 8;
	script_run(&script, after, COUNT(after));
	script_play(&script, "abort s; release s");
	script_finish(&script);
}

/* Delivery is asked for each time that half a window has left. */
static void test_messages_in_a_large_window(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		{"hold; write s a 40", "a=40"},
		{"next; next; next; next", "d1.0 data j s 0 8 message; d1.1 data j s 1 8 message; "
					   "d1.2 data j s 2 8 message; b1.3 info j"},
		{"next; next; next; next", "d1.3 data j s 3 8 message; d1.4 data j s 4 8 message; "
					   "b1.5 info j; nothing"},
		{"write s b 3; j: result b1.3", "b=3"},
		{"next; flush s f; next; next", "nothing; d1.5 data j s 5 3 message; b1.6 info j"},
		{"j: result b1.6", "f=0"},
		{"j: result b1.5; state s", "open"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.carrier = CARRIER_MESSAGE;
	config.window = 40;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

static void test_messages_that_come(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i0 8 message; take s", "i0 result j"},
		{"j: data s x 0 8 message", ""},
		{"j: data s x 1 8 message; j: data s x 2 8 message; j: data s x 3 8 message", ""},
		{"read s r1 1", "r1=1"},
		{"j: data s x 4 1 message", ""},
		/* they cannot be held back */
		{"j: data s x 5 1 message", "c1.0 close j s"},
		{"read s r2 99", "r2=32"},
		{"read s r3 99", "r3=ECONNRESET"},
		{"j: data s x 6 1 message", "c0.0 close j s"}, /* what still comes, neither */
		{"j: open t i1 8 message; take t; read t r4 9", "i1 result j"},
		{"j: data t x 1 8 message", "r4=EPROTO; c2.0 close j t"},
		{"j: open u i2 8 message; take u", "i2 result j"},
		{"j: data u x 0 bad message", "c3.0 close j u"},
		/* ours go the same way */
		{"j: open v i3 8 message; take v; write v w 3",
		 "i3 result j; w=3; d4.0 data j v 0 3 message; b4.1 info j"},
		{"release v", ""},
		{"j: result b4.1", "c4.0 close j v"},
		{"j: data v x 0 1 message", ""},
	};
	PLAY(steps);
}

/* ---- reading ---- */

static void test_read(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"state s; can s; size s", "open; can write; size 0"},
		{"try-read s a 1", "a=EAGAIN"},
		{"read s b 4; read s c 2; read s d 9", ""},
		{"j: data s i1 0 8", "b=4; c=2; d=2; i1 result j"},
		{"can s; size s", "can write; size 8"},
		{"read s e 9; interrupt e", "e=EINTR"},
		{"j: data s i2 1 8", "i2 result j"},
		{"can s", "can read write"},
		{"read s f 3", "f=3"},
		{"try-read s g 9", "g=5"},
		{"read s h 9; j: data s i3 2 0", "i3 result j"},
		{"j: data s i4 3 1", "h=1; i4 result j"},
		{"size s; deadline", "size 17; deadline 60000"},
	};
	PLAY(steps);
}

static void test_held(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8; j: data s i2 1 8; j: data s i3 2 8; j: data s i4 3 8",
		 "i1 result j; i2 result j; i3 result j; i4 result j"},
		{"j: data s i5 4 8; j: data s i6 5 8; j: data s i7 6 1", ""},
		{"read s a 7", "a=7"},
		{"read s b 1", "b=1; i5 result j"},
		{"read s c 20", "c=20; i6 result j; i7 result j"},
		{"j: data s i8 7 8", "i8 result j"},
		{"read s d 99", "d=29"},
		/* one read goes beyond several that are held */
		{"j: data s k1 8 8; j: data s k2 9 8; j: data s k3 10 8; j: data s k4 11 8",
		 "k1 result j; k2 result j; k3 result j; k4 result j"},
		{"j: data s k5 12 8; j: data s k6 13 8; j: data s k7 14 8", ""},
		{"read s h 99", "h=56; k5 result j; k6 result j; k7 result j"},
		/* a sender that does not wait has closed: its bytes are here */
		{"j: data s j1 15 8; j: data s j2 16 8; j: data s j3 17 8; j: data s j4 18 8",
		 "j1 result j; j2 result j; j3 result j; j4 result j"},
		{"j: data s j5 19 8; j: data s j6 20 8", ""},
		{"j: close s j7", "j5 result j; j6 result j; j7 result j"},
		{"size s", "size 161"},
		{"read s e 99", "e=48"},
		{"read s f 9", "f=0"},
		{"read s g 9", "g=0"},
	};
	PLAY(steps);
}

/* What was held when it broke is not acknowledged, but can be read. */
static void test_held_and_broken(void **state)
{
	(void)state;
	static const struct {
		const char *act, *expect, *outcome;
	} rows[] = {
		{"j: close s x reset", "x result j", "r2=ECONNRESET"},
		{"abort s", "c1.0 close j s", "r2=EIO"},
		{"gone j", "", "r2=ECONNRESET"},
		{"disconnect", "", "r2=ECONNRESET"},
		{"j: data s x 6 8", "x error j unexpected-request cancel; c1.0 close j s",
		 "r2=EPROTO"},
		{"j: data s x 5 bad", "x error j bad-request cancel; c1.0 close j s", "r2=EPROTO"},
		{"j: data s x 5 9", "x error j bad-request cancel; c1.0 close j s", "r2=EPROTO"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct script script;
		script_start(&script, &script_config, 1);
		script_play(&script, "j: open s i0 8; take s; j: data s i1 0 8; j: data s i2 1 8; "
				     "j: data s i3 2 8; j: data s i4 3 8; j: data s i5 4 8");
		assert_string_equal(script_play(&script, rows[i].act), rows[i].expect);
		assert_string_equal(script_play(&script, "state s; can s; read s r1 99"),
				    "broken; can read write; r1=40");
		assert_string_equal(script_play(&script, "can s; read s r2 99"),
				    rows[i].outcome[3] == 'E' && rows[i].outcome[4] == 'C'
					    ? "can read write end; r2=ECONNRESET"
				    : strcmp(rows[i].outcome, "r2=EIO") == 0
					    ? "can read write end; r2=EIO"
					    : "can read write end; r2=EPROTO");
		assert_string_equal(script_play(&script, "j: data s y 5 1"),
				    "y error j item-not-found cancel");
		script_finish(&script);
	}
}

/* What nobody reads is not acknowledged: whoever sends it must not take it for delivered. Our own
 * bytes go on. */
static void test_blocks_for_nobody(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5"},
		{"j: data s i1 0 8", "i1 error j item-not-found cancel"},
		{"j: data s i2 0 bad; size s", "i2 error j item-not-found cancel; size 5"},
		{"j: result d1.0; state s", "f=0; open"},
		{"release s; j: result c1.0; count", "c1.0 close j s; count 0"},
		/* a message has no answer but the end of the stream */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8"},
		{"j: data t x 0 1 message; state t", "c2.0 close j t reset; broken"},
		/* one that can be resumed, too */
		{"dial u j ibbfs resume; j: result o3.0", "o3.0 open j u 8 resume"},
		{"j: data u i3 0 8", "i3 error j item-not-found cancel"},
		{"reading u; j: data u i4 0 8 from=0; read u r 9", "i4 result j; r=8"},
	};
	PLAY(steps);
}

static void test_overflow(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.block_size = config.buffer = 65535;
	struct script script;
	script_start(&script, &config, 1);
	script_play(&script, "j: open s i0 65535; take s");
	assert_string_equal(script_play(&script, "j: data s a 0 65535"), "a result j");
	char act[40];
	unsigned seq = 1;
	const char *out;
	do {
		snprintf(act, sizeof(act), "j: data s a %u 65535", seq++);
		out = script_play(&script, act);
	} while (*out == '\0' && seq < 100);
	assert_string_equal(out, "a error j resource-constraint modify; c1.0 close j s");
	assert_int_equal(seq - 1, (65535 + 1024 * 1024) / 65535);
	/* What was taken is there, then the error. */
	snprintf(act, sizeof(act), "r1=%u", 65535 * (seq - 1));
	assert_string_equal(script_play(&script, "read s r1 10000000"), act);
	assert_string_equal(script_play(&script, "read s r2 1; read s r3 1"),
			    "r2=ECONNRESET; r3=ECONNRESET");
	script_finish(&script);
}

static void test_bad_data(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ARRIVED,
		{"j: data s i1 0 8", "i1 result j"},
		{"read s a 5; read s b 3; read s c 1", "a=5; b=3"},
		{"j: data s i2 0 8",
		 "c=EPROTO; i2 error j unexpected-request cancel; c1.0 close j s"},
		{"state s; read s d 1; write s e 1", "broken; d=EPROTO; e=EPROTO"},
		{"j: result c1.0; j: close s i3", "i3 error j item-not-found cancel"},
		/* after good bytes, with bytes of ours under way */
		{"j: open t i4 8; take t; j: data t i5 0 8", "i4 result j; i5 result j"},
		{"write t f 17; flush t g", "d2.0 data j t 0 8; d2.1 data j t 1 8"},
		{"j: data t i6 1 bad",
		 "f=EPROTO; g=EPROTO; i6 error j bad-request cancel; c2.0 close j t"},
		{"read t h 99; read t i 99", "h=8; i=EPROTO"},
		{"j: result d2.0; flush t k", "k=EPROTO"},
	};
	PLAY(steps);
}

/* ---- the peer closes ---- */

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
		/* Our bytes leave first; nothing new is taken. */
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
		{"j: data s i2 0 1",
		 "f1=EPROTO; i2 error j unexpected-request cancel; c1.0 close j s"},
		{"j: open t i3 8; take t; write t b 5; flush t f2; j: close t i4",
		 "i3 result j; b=5; d2.0 data j t 0 5"},
		{"j: close t i5 reset", "f2=ECONNRESET; i5 result j"},
		{"j: open u i6 8; take u; write u c 5; flush u f3; j: close u i7",
		 "i6 result j; c=5; d3.0 data j u 0 5"},
		{"wait 60000", "p3.0 info j; f3=ETIMEDOUT; c3.0 close j u"},
		{"j: open v i8 8; take v; write v d 5; flush v f4; j: close v i9",
		 "i8 result j; d=5; d4.0 data j v 0 5"},
		{"j: error d4.0 bad-request", "f4=EPROTO; c4.0 close j v"},
		{"j: open w j0 8; take w; write w e 5; flush w f5; j: close w j1",
		 "j0 result j; e=5; d5.0 data j w 0 5"},
		{"gone j; flush w f6", "f5=ECONNRESET; f6=ECONNRESET"},
	};
	PLAY(steps);
}

/* What was held waits no longer than the answer to <close/>. */
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
	/* whether the reader waits for its end, or comes later */
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

/* Between two ibbfs <close/> says how many bytes there were: what a server has dropped is missed.
 */
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
		 "i6 result j; p=8; o=ECONNRESET"},
		/* with bytes of ours under way */
		{"j: open w i7 8 name=n; take w; write w b 5",
		 "i7 result j; b=5; d5.0 data j w 0 5"},
		{"j: close w i8 size=1; state w", "i8 result j; broken"},
		{"j: open x i9 8 name=n; take x; write x c 5",
		 "i9 result j; c=5; d6.0 data j x 0 5"},
		{"j: close x k1 size=0; j: result d6.0; state x", "k1 result j; finished"},
	};
	PLAY(steps);
}

/* ---- the user closes ---- */

static void test_release(void **state)
{
	(void)state;
	/* nothing is unsent: the answer is awaited, whatever it is, but not for ever */
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
		/* an ibbfs that answers nothing has not got it */
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
		/* ends before: an error; the time; the peer's <close/>, its reset; the peer */
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

/* Writers that still wait when everybody has gone: what they wrote leaves, at once. */
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
		/* a name says that it is an ibbfs which has opened it */
		{"j: open v i4 8 name=x; take v; reset v", "i4 result j; c4.0 close j v reset"},
	};
	PLAY(steps);
}

/* Both have closed, but our bytes are under way. */
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
		{"reset t; count", "c2.0 close j t; count 0"},
	};
	PLAY(steps);
}

/* What a reader left behind is never acknowledged. */
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
		{"j: close s i6; count", "i6 result j; count 0"},
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

/* ---- time ---- */

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
		/* any block that is acknowledged is progress, but out of turn */
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

/* A peer that acknowledges nothing is asked whether it is there. */
static void test_overdue(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		/* its server says no */
		{"dial s j; j: result o1.0", "o1.0 open j s 8"},
		{"write s a 1; flush s f", "a=1; d1.0 data j s 0 1"},
		{"wait 30000", "p1.0 info j"},
		{"j: error p1.0 service-unavailable; state s", "f=ECONNRESET; broken"},
		/* an ibbfs that is there has a reader that pauses: it may take any time */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8"},
		{"write t b 1; flush t g", "b=1; d2.0 data j t 0 1"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"wait 30000; j: result p2.0", "p2.0 ping j"},
		{"j: result d2.0", "g=0"},
		/* but not without a word */
		{"write t c 1; flush t h", "c=1; d2.1 data j t 1 1"},
		{"wait 30000", "p2.0 ping j"},
		{"wait 30000", "h=ETIMEDOUT; c2.0 close j t reset"},
	};
	PLAY(steps);
}

/* A peer whose presence is not seen may go without a word; who reads from it must learn that. */
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

/* ---- memory ---- */

/* A gap that memory is too short for breaks the stream; it does not end well after that. */
static void test_no_memory_for_zeros(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 1);
	script_play(&script,
		    "j: open s i0 8; take s; hold; zeros s 200000; flush s f; j: close s i1; go");
	struct stream *stream = script.streams[0].stream;
	assert_int_equal(stream->state, STREAM_OPEN);
	char act[40];
	const char *out = "";
	for (unsigned block = 0; *out == '\0' || !strchr(out, '='); block++) {
		snprintf(act, sizeof(act), "j: result d1.%x", block);
		/* the next chunk is asked for when less than a window waits */
		bool last = stream->outgoing.sender.out.length <= 24;
		if (last) {
			failing_malloc_arm(1);
		}
		out = script_play(&script, act);
		assert_int_equal(failing_malloc_disarm(), last);
		assert_true(block < 10000);
	}
	assert_string_equal(out, "f=ENOMEM; c1.0 close j s");
	assert_string_equal(script_play(&script, "state s; flush s g; read s r 1"),
			    "broken; g=ENOMEM; r=ENOMEM");
	script_finish(&script);
}

/* An acknowledgement that there was no memory for leaves later, even if there is nothing to
 * read: else both sides would wait for ever. */
static void test_no_memory_for_an_answer(void **state)
{
	(void)state;
	struct script script;
	for (int way = 0; way < 2; way++) {
		script_start(&script, &script_config, 1);
		script_play(&script, "j: open s i0 8; take s; j: data s i1 0 8; j: data s i2 1 8; "
				     "j: data s i3 2 8; j: data s i4 3 8; j: data s i5 4 8");
		failing_malloc_arm(2); /* the first is for the bytes read */
		assert_string_equal(script_play(&script, "read s r1 99"), "r1=40");
		assert_true(failing_malloc_disarm());
		if (way == 0) {
			assert_string_equal(script_play(&script, "read s r2 99"), "i5 result j");
			assert_string_equal(script_play(&script, "interrupt r2"), "r2=EINTR");
		} else {
			failing_malloc_arm(1);
			assert_string_equal(script_play(&script, "read s r2 99"), "");
			assert_true(failing_malloc_disarm());
			assert_string_equal(script_play(&script, "j: data s i6 5 8"),
					    "r2=8; i5 result j; i6 result j");
		}
		script_finish(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_of_the_initiator),
		cmocka_unit_test(test_examples_of_the_responder),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_new_ends),
		cmocka_unit_test(test_await),
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_limited_stanzas),
		cmocka_unit_test(test_auto_block_size),
		cmocka_unit_test(test_refused_block_sizes),
		cmocka_unit_test(test_opening_ends),
		cmocka_unit_test(test_nagle),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_flush_of_what_was_written_before),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_beyond_the_slack),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_many_zeros),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_seq_wraps),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_refused_bytes_are_not_delivered),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_messages_that_cross_a_close),
		cmocka_unit_test(test_messages_and_a_lost_question),
		cmocka_unit_test(test_messages_in_a_window_that_shrinks),
		cmocka_unit_test(test_messages_in_a_large_window),
		cmocka_unit_test(test_messages_that_come),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_held_and_broken),
		cmocka_unit_test(test_blocks_for_nobody),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_bad_data),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_peer_closes_what_is_written_only),
		cmocka_unit_test(test_peer_closes_in_a_dialogue),
		cmocka_unit_test(test_peer_closes_twice),
		cmocka_unit_test(test_peer_closes_and_then),
		cmocka_unit_test(test_peer_closes_without_waiting),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_announced_size),
		cmocka_unit_test(test_bytes_sent),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_with_bytes_unsent),
		cmocka_unit_test(test_release_with_writers),
		cmocka_unit_test(test_release_not_in_good_order),
		cmocka_unit_test(test_release_after_the_peer),
		cmocka_unit_test(test_release_with_blocks_held),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_no_progress),
		cmocka_unit_test(test_overdue),
		cmocka_unit_test(test_silent_peer_of_a_reader),
		cmocka_unit_test(test_time_begins_when_something_is_to_be_sent),
		cmocka_unit_test(test_peer_is_gone),
		cmocka_unit_test(test_no_memory_for_zeros),
		cmocka_unit_test(test_no_memory_for_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
