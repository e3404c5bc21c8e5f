/* SPDX-License-Identifier: MIT */
/* delivery: blocks that are sent, and their answers; the peer is j. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream of ours that is open. */
#define OPENED BRACED("dial s j; j: result o1.0", "o1.0 open j s 8")

static void test_nagle(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		/* alone, a partial block is sent at once */
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
		/* later bytes wait again, but only until a flush */
		{"write s h 2", "h=2"},
		{"j: result d1.2", "d1.4 data j s 4 2"},
		{"j: result d1.3", "g=0"},
		{"j: result d1.4", ""},
		{"write s i 1", "i=1; d1.5 data j s 5 1"},
		{"write s k 2", "k=2"},
		/* or at the end of the stream */
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
		/* behind another writer, each call keeps its own bytes */
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
		/* the peer is absent: no <close/> */
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

static void run_by_message(const struct script_step *steps, size_t count)
{
	struct stream_config config = script_config;
	struct script script;
	config.stanza = STANZA_MESSAGE;
	script_start(&script, &config, 4);
	script_run(&script, steps, count);
	script_finish(&script);
}

static void test_messages(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		/* Messages have no answer: a ping follows the last of them. */
		{"write s a 5", "a=5; d1.0 data j s 0 5 message; b1.1 info j"},
		{"write s b 2; flush s f", "b=2; d1.1 data j s 1 2 message; b1.2 info j"},
		{"j: result b1.1", ""},
		{"j: result b1.1", ""},
		{"j: result b1.2", "f=0"},
		/* and after half a window */
		{"write s c 17",
		 "d1.2 data j s 2 8 message; d1.3 data j s 3 8 message; b1.4 info j"},
		{"j: result b1.4", "c=17; d1.4 data j s 4 1 message; b1.5 info j"},
		/* a message that bounces was not delivered */
		{"write s d 2; flush s g", "d=2; d1.5 data j s 5 2 message; b1.6 info j"},
		{"eve: bounce d1.5 service-unavailable", ""},
		{"j: bounce d1.5 service-unavailable", "g=ECONNRESET"},
		{"j: result b1.6; state s", "broken"},
		/* an ibbfs can be pinged */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8 message"},
		{"write t e 5; flush t h", "e=5; d2.0 data j t 0 5 message; b2.1 ping j"},
		{"j: error b2.1 service-unavailable", "h=ECONNRESET"},
		/* an answer to what was not asked says nothing */
		{"dial u j; j: result o3.0", "o3.0 open j u 8 message"},
		{"write u i 5; flush u k", "i=5; d3.0 data j u 0 5 message; b3.1 info j"},
		{"j: result b3.ffffffffffffffff; j: result b3.2; j: result d3.0", ""},
		{"j: result a3.0; j: result b3.0; j: result b3.1", "k=0"},
	};
	run_by_message(steps, COUNT(steps));
}

/* A peer that has sent <close/> drops the messages that cross it, and would answer any ping after
 * them: messages that it did not confirm before are lost. */
static void test_messages_that_cross_a_close(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"j: open s i1 8 message; take s", "i1 result j"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 info j"},
		{"j: close s i2", "f=ECONNRESET; i2 result j"},
		{"j: result b1.1; read s r 1; write s b 1", "r=ECONNRESET; b=ECONNRESET"},
		/* Confirmed messages were delivered. */
		{"j: open t i3 8 message; take t", "i3 result j"},
		{"write t c 5; flush t g", "c=5; d2.0 data j t 0 5 message; b2.1 info j"},
		{"j: result b2.1; j: close t i4; read t p 1", "g=0; i4 result j; p=0"},
		/* We do not confirm messages either that arrive unread while ours are still
		 * sent. */
		{"j: open u i5 8 message; take u", "i5 result j"},
		{"write u d 5; release u", "d=5; d3.0 data j u 0 5 message; b3.1 info j"},
		{"j: data u i6 0 1 message; j: ping i7", "c3.0 close j u; i7 result j"},
		{"count", "count 2"},
	};
	run_by_message(steps, COUNT(steps));
}

/* Stanzas stay in order, so an answer that overtakes that of an earlier ping means that the earlier
 * ping or its answer was lost; messages may be lost as well. */
static void test_messages_and_a_lost_question(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; j: result o1.0", "o1.0 open j s 8 message"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 ping j"},
		{"wait 30000", "p1.0 ping j"},
		{"j: result p1.0", "f=ECONNRESET; c1.0 close j s reset"},
		/* only an earlier ping counts */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8 message"},
		{"write t b 5; flush t g", "b=5; d2.0 data j t 0 5 message; b2.1 ping j"},
		{"wait 30000; j: result b2.1", "p2.0 ping j; g=0"},
		{"write t c 5; flush t h", "c=5; d2.1 data j t 1 5 message; b2.2 ping j"},
		{"j: result p2.0; j: result b2.2; state t", "h=0; open"},
	};
	run_by_message(steps, COUNT(steps));
}

/* A client that is offline for a moment loses messages, with the question that follows them. Once
 * it is back under the same full JID, it answers later questions. */
static void test_messages_before_a_question_that_is_lost(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 8 message"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 info j"},
		{"write s b 5; flush s g", "b=5; d1.1 data j s 1 5 message; b1.2 info j"},
		{"write s c 5; flush s h", "c=5; d1.2 data j s 2 5 message; b1.3 info j"},
		{"j: result b1.2; j: result b1.2; j: result b1.3", ""},
		/* one that was only late */
		{"j: result b1.1", "f=0; g=0; h=0"},
		{"write s d 5; flush s i", "d=5; d1.3 data j s 3 5 message; b1.4 info j"},
		{"write s e 5; flush s k", "e=5; d1.4 data j s 4 5 message; b1.5 info j"},
		{"j: result b1.5; wait 30000", "p1.0 info j"},
		{"j: result p1.0; wait 30000", "i=ETIMEDOUT; k=ETIMEDOUT; c1.0 close j s"},
	};
	run_by_message(steps, COUNT(steps));
}

/* The answer to <resume/> names the message that the peer expects next: one of those before the
 * question was lost, perhaps the last. */
static void test_messages_that_are_lost(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 message resume"},
		{"write s a 5; flush s f", "a=5; d1.0 data j s 0 5 message; b1.1 resume j s"},
		{"j: result b1.1 seq=1", "f=0"},
		{"write s b 5; flush s g", "b=5; d1.1 data j s 1 5 message; b1.2 resume j s"},
		{"j: result b1.2 seq=1", "g=ECONNRESET; c1.0 close j s reset"},
		{"dial t j ibbfs resume; j: result o2.0", "o2.0 open j t 8 message resume"},
		{"write t c 5; flush t h", "c=5; d2.0 data j t 0 5 message; b2.1 resume j t"},
		{"j: result b2.1 seq=0; state t", "h=ECONNRESET; c2.0 close j t reset; broken"},
		/* It may have come to later ones, when it answers. An older ibbfs names none. */
		{"dial u j ibbfs resume; j: result o3.0", "o3.0 open j u 8 message resume"},
		{"write u d 5; flush u i", "d=5; d3.0 data j u 0 5 message; b3.1 resume j u"},
		{"write u e 5; flush u k", "e=5; d3.1 data j u 1 5 message; b3.2 resume j u"},
		{"j: result b3.1 seq=2", "i=0"},
		{"j: result b3.2; state u", "k=0; open"},
		/* It cannot expect one that was never sent. */
		{"write u l 5; flush u m", "l=5; d3.2 data j u 2 5 message; b3.3 resume j u"},
		{"j: result b3.3 seq=4", "m=ECONNRESET; c3.0 close j u reset"},
	};
	run_by_message(steps, COUNT(steps));
}

/* A ping is also sent when the window shrinks before it is full. */
static void test_messages_in_a_window_that_shrinks(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	struct script script;
	config.stanza = STANZA_MESSAGE;
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

/* A ping is sent after each half window. */
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
		{"j: result b1.6", ""},
		{"j: result b1.5; state s", "f=0; open"},
	};
	struct stream_config config = script_config;
	struct script script;
	config.stanza = STANZA_MESSAGE;
	config.window = 40;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nagle),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_seq_wraps),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_refused_bytes_are_not_delivered),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_messages_that_cross_a_close),
		cmocka_unit_test(test_messages_and_a_lost_question),
		cmocka_unit_test(test_messages_before_a_question_that_is_lost),
		cmocka_unit_test(test_messages_that_are_lost),
		cmocka_unit_test(test_messages_in_a_window_that_shrinks),
		cmocka_unit_test(test_messages_in_a_large_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
