/* SPDX-License-Identifier: MIT */
/* reception: blocks that come in, and their answers; the peer is j. */
#include "braced.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A stream of ours that is open. */
#define OPENED BRACED("dial s j; j: result o1.0", "o1.0 open j s 8")

/* A stream of the peer that is open. */
#define ARRIVED BRACED("j: open s i0 8; take s", "i0 result j")

/* Unread blocks are not acknowledged: their sender must not take them for delivered. Our own bytes
 * are still sent. */
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
		/* the only answer to a message is the end of the stream */
		{"dial t j ibbfs; j: result o2.0", "o2.0 open j t 8"},
		{"j: data t x 0 1 message; state t", "c2.0 close j t reset; broken"},
		/* also for a stream that can be resumed */
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
	static const char end[] = "a error j resource-constraint modify; c1.0 close j s";
	static const char refused[] = "; a error j item-not-found cancel";
	assert_memory_equal(out, end, strlen(end));
	for (unsigned held = 1; held < seq - 1; held++) {
		size_t place = strlen(end) + (held - 1) * strlen(refused);
		assert_memory_equal(out + place, refused, strlen(refused));
	}
	assert_int_equal(strlen(out), strlen(end) + (seq - 2) * strlen(refused));
	assert_int_equal(seq - 1, (65535 + 1024 * 1024) / 65535);
	/* A reader gets the accepted bytes, then the error. */
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
		/* after good bytes, with bytes of ours in flight */
		{"j: open t i4 8; take t; j: data t i5 0 8", "i4 result j; i5 result j"},
		{"write t f 17; flush t g", "d2.0 data j t 0 8; d2.1 data j t 1 8"},
		{"j: data t i6 1 bad",
		 "f=EPROTO; g=EPROTO; i6 error j bad-request cancel; c2.0 close j t"},
		{"read t h 99; read t i 99", "h=8; i=EPROTO"},
		{"j: result d2.0; flush t k", "k=EPROTO"},
	};
	PLAY(steps);
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
		{"j: data s x 6 1 message", "c0.0 close j s"}, /* nor those that follow */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_for_nobody),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_bad_data),
		cmocka_unit_test(test_messages_that_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
