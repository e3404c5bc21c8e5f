/* SPDX-License-Identifier: MIT */
/* opening: <open/>, ours or the peer's, and its answer; the peer is j. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
		/* No data is sent before the peer has accepted. */
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
		/* Parked calls do not succeed. */
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
		/* When it is dialled in time, the peer has the full timeout again. */
		{"create t; open t p; await t; wait 50000; dial t j", "o2.0 open j t 8"},
		{"wait 59999", ""},
		{"wait 1", "p=ETIMEDOUT; c2.0 close j t"},
		/* A stream that is over awaits nothing: its deadline would never pass. */
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
		/* The stream stays refused, and nothing is sent to the peer. */
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
		/* answers to other requests than the current one */
		{"j: result o1.0", ""},
		{"j: error o1.0 resource-constraint modify", ""},
		{"j: error o1.0 not-acceptable", ""},
		{"j: result o1.2", ""},
		{"state s", "opening"},
		/* slixmpp says cancel; each attempt has the full timeout */
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
	/* From the largest down to what others accept. */
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

/* The server has a limit: our <open/> asks for blocks that fit, and blocks on the peers' streams
 * fit. */
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

/* The largest block is negotiated. New blocks have the best size, and retransmitted ones the size
 * that they had. */
static void test_auto_block_size(void **state)
{
	(void)state;
	static const struct script_step begin[] = {
		{"dial s j resume; open s o", "o1.0 open j s 65535 resume"},
		{"j: error o1.0 resource-constraint modify", "o1.1 open j s 32768 resume"},
		{"j: result o1.1", "o=0"},
		{"write s a 9000; flush s f", "a=9000; d1.0 data j s 0 9000"},
		{"j: open t i1 65535; take t; write t b 20000",
		 "i1 result j; b=20000; d2.0 data j t 0 16384"},
		{"j: open u i2 1000; take u; write u c 1500",
		 "i2 result j; c=1500; d3.0 data j u 0 1000"},
	};
	/* auto_size.current is 1 */
	static const struct script_step longer[] = {
		{"disconnect; connect", "r1.0 resume j s"},
		{"j: result r1.0", "d1.0.1 data j s 0 9000"},
		{"j: result d1.0.1", "f=0"},
		{"write s d 70000; flush s g", "d1.1.1 data j s 1 32768"},
		{"limit 10000; j: result d1.1.1",
		 "d=70000; d1.2.1 data j s 2 7113; d1.3.1 data j s 3 7113; "
		 "d1.4.1 data j s 4 7113; d1.5.1 data j s 5 7113; d1.6.1 data j s 6 7113; "
		 "d1.7.1 data j s 7 1667"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.block_size = STREAM_AUTO_BLOCK;
	config.window = config.buffer = 1 << 20;
	script_start(&script, &config, 9);
	script_run(&script, begin, COUNT(begin));
	script.ibb.auto_size.current = 1;
	script_run(&script, longer, COUNT(longer));
	script_finish(&script);
}

/* A size that a peer has refused is not offered to it again, until it goes offline. */
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
		/* not even the smallest: so the length was not the reason */
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
	/* by the timeout; by its user; by the peer, with a stanza that is too early; with the
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
