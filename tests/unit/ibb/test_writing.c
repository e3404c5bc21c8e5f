/* SPDX-License-Identifier: MIT */
/* writing: writes, gaps and flushes; the peer is j. */
#include "braced.h"
#include "failing_malloc.h"
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
		/* with parked writers */
		{"write s b 17; write s c 5; flush s f4", "d1.2 data j s 2 8; d1.3 data j s 3 8"},
		{"j: result d1.2", "b=17; c=5; d1.4 data j s 4 6"},
		{"j: result d1.3", ""},
		{"j: result d1.4", "f4=0"},
	};
	PLAY(steps);
}

/* A flush waits for earlier writes only, not for a writer that continues: a command that has
 * inherited the file closes it at its end, and the peer may wait for that command. */
static void test_flush_of_what_was_written_before(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		OPENED,
		{"write s a 8; flush s f; write s b 8",
		 "a=8; d1.0 data j s 0 8; b=8; d1.1 data j s 1 8"},
		{"j: result d1.0", "f=0"},
		{"j: result d1.1", ""},
		/* with a parked writer, some of whose bytes are in flight */
		{"write s c 9; flush s g; write s d 20",
		 "c=9; d1.2 data j s 2 8; d1.3 data j s 3 1"},
		{"j: result d1.2", "d1.4 data j s 4 8"},
		{"j: result d1.4; j: result d1.3",
		 "d=20; g=0; d1.5 data j s 5 8; d1.6 data j s 6 4"},
		{"reset s", "c1.0 close j s"},
		/* with a writer whose bytes stay queued, and one whose bytes are removed */
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
		/* a write whose bytes were queued has succeeded */
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
	/* Interrupted writers leave what is buffered ahead and 1 MiB behind, not more. */
	static const struct script_step steps[] = {
		{"dial s j; j: result o1.0", "o1.0 open j s 65535"},
		{"write s a 1114112; interrupt a", "d1.0 data j s 0 65535; a=1114112"},
		{"write s b 1; interrupt b", "b=1"},
		{"size s", "size 1114113"},
		{"write s c 100; interrupt c", "c=EINTR"},
		{"size s", "size 1114113"},
		{"write s d 100000", ""},
		{"flush s f", ""},
	};
	script_run(&script, steps, COUNT(steps));
	uint64_t next = acknowledge_until(&script, 0, "d=100000");
	acknowledge_until(&script, next, "f=0");
	assert_int_equal(script.streams[0].sent, 1214113);
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

/* A gap without memory breaks the stream; its flush fails after that. */
/* No block says whether the peer can store an empty file. */
static void test_flush_of_nothing(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"flush s f; flush s g", "b1.0 resume j s"},
		{"wait 30000", "p1.0 resume j s; b1.0 resume j s"},
		{"j: result p1.0", ""},
		{"j: result b1.0", "f=0; g=0"},
		{"flush s h", "h=0"},
		{"dial t j ibbfs resume; j: result o2.0; flush t i", "o2.0 open j t 8 resume; b2.0 "
								     "resume j t"},
		{"j: error b2.0 item-not-found", "i=ECONNRESET"},
		{"dial u j ibbfs resume; j: result o3.0; flush u j", "o3.0 open j u 8 resume; b3.0 "
								     "resume j u"},
		{"write u w 3; flush u k", "w=3; d3.0 data j u 0 3"},
		{"j: result d3.0", "j=0; k=0"},
		/* another program */
		{"dial v j; j: result o4.0; flush v l", "o4.0 open j v 8; l=0"},
	};
	PLAY(steps);
}

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
	assert_string_equal(out, "f=ENOMEM; i1 error j not-acceptable cancel");
	assert_string_equal(script_play(&script, "state s; flush s g; read s r 1"),
			    "broken; g=ENOMEM; r=ENOMEM");
	script_finish(&script);
}

/* Later writes would take the place of one that is lost, and a flush would not miss it. */
static void test_no_memory_for_a_write_that_waits(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 1);
	script_play(&script, "dial s j; j: result o1.0; write s a 40; write s b 200000; flush s f; "
			     "j: result d1.0; j: result d1.1");
	failing_malloc_arm(1);
	assert_string_equal(script_play(&script, "j: result d1.2"),
			    "a=40; b=ENOMEM; f=ENOMEM; c1.0 close j s");
	assert_true(failing_malloc_disarm());
	assert_string_equal(script_play(&script, "state s; write s c 1"), "broken; c=ENOMEM");
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_flush_of_what_was_written_before),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_beyond_the_slack),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_many_zeros),
		cmocka_unit_test(test_flush_of_nothing),
		cmocka_unit_test(test_no_memory_for_zeros),
		cmocka_unit_test(test_no_memory_for_a_write_that_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
