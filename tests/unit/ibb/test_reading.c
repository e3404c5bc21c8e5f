/* SPDX-License-Identifier: MIT */
/* reading: reads, and acknowledgements that wait for them; the peer is j. */
#include "braced.h"
#include "failing_malloc.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A stream of the peer that is open. */
#define ARRIVED BRACED("j: open s i0 8; take s", "i0 result j")

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
		/* a sender that does not wait has closed: its bytes have arrived */
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

/* Blocks that were held when the stream broke are refused, but can be read. */
static void test_held_and_broken(void **state)
{
	(void)state;
	static const struct {
		const char *act, *expect, *outcome;
	} rows[] = {
		{"j: close s x reset", "x result j; i5 error j item-not-found cancel",
		 "r2=ECONNRESET"},
		{"abort s", "c1.0 close j s; i5 error j item-not-found cancel", "r2=EIO"},
		{"gone j", "i5 error j item-not-found cancel", "r2=ECONNRESET"},
		{"disconnect", "", "r2=ECONNRESET"},
		{"j: data s x 6 8",
		 "x error j unexpected-request cancel; c1.0 close j s; i5 error j item-not-found "
		 "cancel",
		 "r2=EPROTO"},
		{"j: data s x 5 bad",
		 "x error j bad-request cancel; c1.0 close j s; i5 error j item-not-found cancel",
		 "r2=EPROTO"},
		{"j: data s x 5 9",
		 "x error j bad-request cancel; c1.0 close j s; i5 error j item-not-found cancel",
		 "r2=EPROTO"},
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

/* An acknowledgement that failed for want of memory is sent later, even if there is nothing to
 * read: both sides would wait for ever otherwise. */
static void test_no_memory_for_an_answer(void **state)
{
	(void)state;
	struct script script;
	for (int variant = 0; variant < 2; variant++) {
		script_start(&script, &script_config, 1);
		script_play(&script, "j: open s i0 8; take s; j: data s i1 0 8; j: data s i2 1 8; "
				     "j: data s i3 2 8; j: data s i4 3 8; j: data s i5 4 8");
		failing_malloc_arm(2); /* the first is for the bytes read */
		assert_string_equal(script_play(&script, "read s r1 99"), "r1=40");
		assert_true(failing_malloc_disarm());
		if (variant == 0) {
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

/* While memory is short, fewer bytes may wait to be read than were acknowledged. So the answer to
 * <close/> follows a read that makes no acknowledgement due. */
static void test_close_when_memory_was_short(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.buffer = 16384;
	config.buffer_total = 65536;
	static const struct script_step steps[] = {
		{"j: open s i0 4096 resume; take s; j: data s i1 0 4096; j: data s i2 1 4096; "
		 "j: data s i3 2 4096; j: data s i4 3 4096",
		 "i0 result j; i1 result j; i2 result j; i3 result j; i4 result j"},
		{"j: open t k0 4096; take t; j: data t k1 0 4096; j: data t k2 1 4096; "
		 "j: data t k3 2 4096; j: data t k4 3 4096",
		 "k0 result j; k1 result j; k2 result j; k3 result j; k4 result j"},
		{"j: open u m0 4096; take u; j: data u m1 0 4096; j: data u m2 1 4096; "
		 "j: data u m3 2 4096; j: data u m4 3 4096",
		 "m0 result j; m1 result j; m2 result j; m3 result j; m4 result j"},
		{"j: open v n0 4096; take v; j: data v n1 0 4096; j: data v n2 1 4096; "
		 "j: data v n3 2 4096",
		 "n0 result j; n1 result j; n2 result j"},
		{"j: close s i5 size=16384", ""},
		{"read s a 13000; state s", "a=13000; i5 result j; finished"},
	};
	struct script script;
	script_start(&script, &config, 16);
	script_run(&script, steps, sizeof(steps) / sizeof(steps[0]));
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_held_and_broken),
		cmocka_unit_test(test_no_memory_for_an_answer),
		cmocka_unit_test(test_close_when_memory_was_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
