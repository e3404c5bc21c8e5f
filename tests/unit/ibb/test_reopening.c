/* SPDX-License-Identifier: MIT */
/* reopening: another session where the first block is not carried; the peer is j. */
#include "failing_malloc.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array)		       (sizeof(array) / sizeof((array)[0]))
#define PLAY_BLOCKS(block_size, steps) play(block_size, STANZA_IQ, steps, COUNT(steps))
#define PLAY_MESSAGES(bs, steps)       play(bs, STANZA_MESSAGE, steps, COUNT(steps))

static void play(uint32_t block_size, enum stanza stanza, const struct script_step *steps,
		 size_t count)
{
	struct stream_config config = script_config;
	config.block_size = block_size;
	config.stanza = stanza;
	config.window = config.buffer = 131072;
	struct script script;
	script_start(&script, &config, 16);
	script_run(&script, steps, count);
	script_finish(&script);
}

static void test_error(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		/* the first block goes alone */
		{"write s w 70000; flush s f", "d1.0 data j s 0 65535"},
		{"j: error d1.0 policy-violation modify",
		 "c1.0 close j s; o1-2.0 open j s-2 16383"},
		/* answers to the session before */
		{"j: error c1.0 item-not-found; j: result d1.0; j: result o1.0; state s",
		 "opening"},
		{"j: result o1-2.0", "d1-2.0 data j s-2 0 16383"},
		{"j: error d1-2.0 not-acceptable", "c1-2.0 close j s-2; o1-3.0 open j s-2-3 4096"},
		{"j: result o1-3.0", "d1-3.0 data j s-2-3 0 4096; d1-3.1 data j s-2-3 1 4096; "
				     "d1-3.2 data j s-2-3 2 4096; d1-3.3 data j s-2-3 3 4096"},
		{"j: data s i1 0 1; j: data s-2 i2 0 1",
		 "i1 error j item-not-found cancel; i2 error j item-not-found cancel"},
		/* from here on it is an error like any other */
		{"j: result d1-3.0", "d1-3.4 data j s-2-3 4 4096; d1-3.5 data j s-2-3 5 4096"},
		{"j: error d1-3.1 policy-violation", "w=EACCES; f=EACCES; c1-3.0 close j s-2-3"},
		/* what was learnt is remembered, of this domain */
		{"dial t j; dial u k; j: result o2.0", "o2.0 open j t 4096; o3.0 open k u 65535"},
	};
	PLAY_BLOCKS(65535, steps);
}

/* It was not for the length. */
static void test_error_of_short_blocks(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 5000"},
		{"write s w 6000; flush s f", "w=6000; d1.0 data j s 0 5000"},
		{"j: error d1.0 resource-constraint cancel; j: result o1-2.0",
		 "c1.0 close j s; o1-2.0 open j s-2 4096; d1-2.0 data j s-2 0 4096; "
		 "d1-2.1 data j s-2 1 1904"},
		{"j: error d1-2.0 resource-constraint cancel", "f=ECONNRESET; c1-2.0 close j s-2"},
		{"dial t j; j: error o2.0 forbidden", "o2.0 open j t 5000"},
	};
	PLAY_BLOCKS(5000, steps);
}

/* Errors that are the peer's own. */
static void test_end_by_the_peer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0; write s w 9000; flush s f",
		 "o1.0 open j s 9000; w=9000; d1.0 data j s 0 9000"},
		{"j: error d1.0 item-not-found", "f=ECONNRESET"},
		{"dial t j; j: result o2.0; write t v 9000; flush t g",
		 "o2.0 open j t 9000; v=9000; d2.0 data j t 0 9000"},
		{"j: error d2.0 bad-request", "g=EPROTO; c2.0 close j t"},
		{"dial u j; j: result o3.0; write u x 9000; flush u h",
		 "o3.0 open j u 9000; x=9000; d3.0 data j u 0 9000"},
		{"j: close u i1", "h=ECONNRESET; i1 result j"},
		{"j: error d3.0 policy-violation", ""},
	};
	PLAY_BLOCKS(9000, steps);
}

/* Once anything was acknowledged, or has come, the bytes belong to this session. */
static void test_too_late(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0; write s a 5; flush s b",
		 "o1.0 open j s 9000; a=5; d1.0 data j s 0 5"},
		{"j: result d1.0; write s w 9000; flush s f", "b=0; w=9000; d1.1 data j s 1 9000"},
		{"j: error d1.1 policy-violation", "f=EACCES; c1.0 close j s"},
		/* but a later one is better off */
		{"dial t j; j: result o2.0; reset t", "o2.0 open j t 4096; c2.0 close j t"},
		{"dial u k; reading u; k: result o3.0; write u v 9000; flush u g",
		 "o3.0 open k u 9000; v=9000; d3.0 data k u 0 9000"},
		{"k: data u i1 0 1; k: error d3.0 policy-violation",
		 "i1 result k; g=EACCES; c3.0 close k u"},
	};
	PLAY_BLOCKS(9000, steps);
}

/* The peer answers a question that was sent after the block, and not the block. */
static void test_silence(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s w 65535; flush s f", "w=65535; d1.0 data j s 0 65535"},
		{"wait 2999", ""},
		{"wait 1", "p1.1 info j"},
		{"j: result p1.1; wait 999", ""},
		{"wait 1", "c1.0 close j s; o1-2.0 open j s-2 16383"},
		{"j: result d1.0; j: result o1-2.0; wait 3000",
		 "d1-2.0 data j s-2 0 16383; p1-2.1 info j"},
		/* it comes a moment after the answer */
		{"j: result p1-2.1; wait 500; j: result d1-2.0; wait 500",
		 "d1-2.1 data j s-2 1 16383; d1-2.2 data j s-2 2 16383; d1-2.3 data j s-2 3 16383; "
		 "d1-2.4 data j s-2 4 3"},
		{"j: result d1-2.1; j: result d1-2.2; j: result d1-2.3; j: result d1-2.4", "f=0"},
		{"dial t j; j: result o2.0; release s", "o2.0 open j t 16383; c1-2.0 close j s-2"},
		/* nobody is there */
		{"write t x 16383; flush t g; wait 3000",
		 "x=16383; d2.0 data j t 0 16383; p2.1 info j"},
		{"wait 57000", "g=ETIMEDOUT; c2.0 close j t"},
	};
	PLAY_BLOCKS(65535, steps);
}

static void test_silence_and_nobody_there(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s w 65535; flush s f; wait 3000",
		 "w=65535; d1.0 data j s 0 65535; p1.1 info j"},
		{"j: error p1.1 service-unavailable", "f=ECONNRESET"},
	};
	PLAY_BLOCKS(65535, steps);
}

/* The offer of a file has named its only session. */
static void test_offered(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; offered s; dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s w 65535; flush s f; wait 3000",
		 "w=65535; d1.0 data j s 0 65535; p1.1 info j"},
		{"j: result p1.1; wait 56999", ""},
		{"wait 1", "f=ETIMEDOUT; c1.0 close j s"},
		/* the next one is better off */
		{"create t; offered t; dial t j; j: result o2.0", "o2.0 open j t 16383"},
		{"write t v 16383; flush t g", "v=16383; d2.0 data j t 0 16383"},
		{"j: error d2.0 policy-violation", "g=EACCES; c2.0 close j t"},
		{"create u; offered u; dial u j; j: result o3.0; reset u",
		 "o3.0 open j u 4096; c3.0 close j u"},
	};
	PLAY_BLOCKS(65535, steps);
}

/* Another ibbfs that does not resume streams learns that the first one is no whole file. */
static void test_another_ibbfs(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs name=n; j: result o1.0", "o1.0 open j s 9000 name=n"},
		{"write s w 9000; finish s f", "w=9000; d1.0 data j s 0 9000"},
		{"j: error d1.0 policy-violation; j: result o1-2.0",
		 "c1.0 close j s reset; o1-2.0 open j s-2 4096 name=n; "
		 "d1-2.0 data j s-2 0 4096; d1-2.1 data j s-2 1 4096; d1-2.2 data j s-2 2 808"},
		{"j: result d1-2.0; j: result d1-2.1; j: result d1-2.2",
		 "c1-2.0 close j s-2 size=9000"},
		{"j: result c1.0; j: result c1-2.0", "f=0"},
	};
	PLAY_BLOCKS(9000, steps);
}

/* A server may end the connection. */
static void test_broken_connection(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s w 70000; flush s f", "d1.0 data j s 0 65535"},
		{"disconnect; state s; wait 1000", "suspended"},
		{"connect; state s", "c1.0 close j s; o1-2.0 open j s-2 16383; opening"},
		{"j: result o1-2.0; disconnect; connect",
		 "d1-2.0 data j s-2 0 16383; c1-2.0 close j s-2; o1-3.0 open j s-2-3 4096"},
		{"j: result o1-3.0", "d1-3.0 data j s-2-3 0 4096; d1-3.1 data j s-2-3 1 4096; "
				     "d1-3.2 data j s-2-3 2 4096; d1-3.3 data j s-2-3 3 4096"},
		/* what was learnt is remembered */
		{"dial t k; k: result o2.0; reset t", "o2.0 open k t 4096; c2.0 close k t"},
		/* nothing is suspected of short blocks */
		{"disconnect", "w=ECONNRESET; f=ECONNRESET"},
	};
	PLAY_BLOCKS(65535, steps);
}

/* One break is no proof of our server, but peers of the same domain are spared the next one. */
static void test_broken_connection_once(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0; write s w 9000; flush s f",
		 "o1.0 open j s 9000; w=9000; d1.0 data j s 0 9000"},
		{"disconnect; connect; j: result o1-2.0",
		 "c1.0 close j s; o1-2.0 open j s-2 4096; d1-2.0 data j s-2 0 4096; "
		 "d1-2.1 data j s-2 1 4096; d1-2.2 data j s-2 2 808"},
		{"j: result d1-2.0; dial t j; dial u k", "o2.0 open j t 4096; o3.0 open k u 9000"},
		{"k: result o3.0; write u v 9000; flush u g", "v=9000; d3.0 data k u 0 9000"},
		{"k: error d3.0 policy-violation", "c3.0 close k u; o3-2.0 open k u-2 4096"},
		{"k: error o3-2.0 service-unavailable", "g=ECONNRESET"},
		{"reset s; reset t", "f=ECONNRESET; c1-2.0 close j s-2; c2.0 close j t"},
	};
	PLAY_BLOCKS(9000, steps);
}

/* What comes before the streams hear of the next connection: the session is lost all the same. */
static void test_answer_for_a_lost_session(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; reading s; j: result o1.0; write s w 9000; flush s f",
		 "o1.0 open j s 9000; w=9000; d1.0 data j s 0 9000"},
		{"disconnect; j: result d1.0; j: data s i1 0 1; j: close s i2; state s",
		 "i1 error j item-not-found cancel; i2 error j item-not-found cancel; suspended"},
		{"connect; j: result o1-2.0",
		 "c1.0 close j s; o1-2.0 open j s-2 4096; d1-2.0 data j s-2 0 4096; "
		 "d1-2.1 data j s-2 1 4096; d1-2.2 data j s-2 2 808"},
		{"reset s", "f=ECONNRESET; c1-2.0 close j s-2"},
	};
	PLAY_BLOCKS(9000, steps);
}

static void test_broken_connection_for_good(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 9000"},
		{"write s w 9000; flush s f", "w=9000; d1.0 data j s 0 9000"},
		{"disconnect; disconnect; back j; wait 29999; state s", "suspended"},
		{"wait 1; state s", "f=ECONNRESET; c1.0 close j s; broken"},
	};
	PLAY_BLOCKS(9000, steps);
}

/* Of a message that is dropped nobody knows; of one that comes back, and of a connection, it is. */
static void test_messages(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 9000 message"},
		{"write s w 9000; flush s f", "w=9000; d1.0 data j s 0 9000 message; b1.1 info j"},
		{"j: bounce d1.0 policy-violation",
		 "c1.0 close j s; o1-2.0 open j s-2 4096 message"},
		{"j: result b1.1", ""},
		{"j: result o1-2.0",
		 "d1-2.0 data j s-2 0 4096 message; d1-2.1 data j s-2 1 4096 message; "
		 "d1-2.2 data j s-2 2 808 message; b1-2.3 info j"},
		{"j: result b1-2.3", "f=0"},
		{"dial t k; k: result o2.0; write t v 9000; flush t g",
		 "o2.0 open k t 9000 message; v=9000; d2.0 data k t 0 9000 message; b2.1 info k"},
		{"release s; disconnect; connect",
		 "c1-2.0 close j s-2; c2.0 close k t; o2-2.0 open k t-2 4096 message"},
		{"k: error o2-2.0 not-acceptable", "g=ECONNREFUSED"},
	};
	PLAY_MESSAGES(9000, steps);
}

/* An hour later the longer blocks are tried again. */
static void test_forgotten(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0; write s w 9000; flush s f",
		 "o1.0 open j s 9000; w=9000; d1.0 data j s 0 9000"},
		{"j: error d1.0 policy-violation; j: result o1-2.0; j: result d1-2.0",
		 "c1.0 close j s; o1-2.0 open j s-2 4096; d1-2.0 data j s-2 0 4096; "
		 "d1-2.1 data j s-2 1 4096; d1-2.2 data j s-2 2 808"},
		{"j: result d1-2.1; j: result d1-2.2; release s", "f=0; c1-2.0 close j s-2"},
		{"dial t j; j: result o2.0; reset t", "o2.0 open j t 4096; c2.0 close j t"},
		{"wait 3600000; dial u j; j: result o3.0; reset u",
		 "o3.0 open j u 9000; c3.0 close j u"},
	};
	PLAY_BLOCKS(9000, steps);
}

/* Another session, or an error: nothing is left behind, and no call waits for ever. */
static void test_without_memory(void **state)
{
	(void)state;
	static const char *const acts[] = {
		"j: error d1.0 policy-violation",
		"j: result o1-2.0",
		"j: result d1-2.0; j: result d1-2.1; j: result d1-2.2",
	};
	struct stream_config config = script_config;
	config.block_size = 9000;
	config.window = config.buffer = 131072;
	size_t n = 0, failed = 0;
	do {
		struct script script;
		script_start(&script, &config, 16);
		script_play(&script, "dial s j; j: result o1.0; write s w 9000; flush s f");
		failing_malloc_arm(++n);
		for (size_t i = 0; i < COUNT(acts); i++) {
			failed += strstr(script_play(&script, acts[i]), "f=ENOMEM") != NULL;
		}
		script_finish(&script);
	} while (failing_malloc_disarm());
	assert_true(failed > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_of_short_blocks),
		cmocka_unit_test(test_end_by_the_peer),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silence_and_nobody_there),
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_another_ibbfs),
		cmocka_unit_test(test_broken_connection),
		cmocka_unit_test(test_broken_connection_once),
		cmocka_unit_test(test_answer_for_a_lost_session),
		cmocka_unit_test(test_broken_connection_for_good),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
