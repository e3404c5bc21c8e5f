/* SPDX-License-Identifier: MIT */
#include "xmpp/write_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char stanza[3 * PACK_MOST];

/* Adds a stanza of `length`, then ends if `ends`; the lengths of the pieces that left, in words. */
static const char *put(struct pack *pack, size_t length, bool is_request, int ends, int64_t now_ms)
{
	static char pieces[256];
	size_t end = 0;
	pieces[0] = '\0';
	memset(stanza, 'x', length);
	pack_note(pack, length, is_request);
	for (size_t done = 0; done < length;) {
		done += pack_add(pack, stanza + done, length - done);
		if (pack_is_full(pack)) {
			end += (size_t)snprintf(pieces + end, sizeof(pieces) - end, "%zu ",
						pack->length);
			pack_take(pack);
		}
	}
	if (ends) {
		size_t before = pack->length;
		pack_end(pack, now_ms);
		for (size_t i = before; i < pack->length; i++) {
			assert_int_equal(pack->bytes[i], ' ');
		}
		snprintf(pieces + end, sizeof(pieces) - end, "%zu+%zu", before,
			 pack->length - before);
		if (pack->length > 0) {
			pack_take(pack);
		}
	}
	return pieces;
}

/* Nobody answers it. */
static const char *send(struct pack *pack, size_t length, int ends, int64_t now_ms)
{
	return put(pack, length, false, ends, now_ms);
}

static const char *ask(struct pack *pack, size_t length, int64_t now_ms)
{
	return put(pack, length, true, 1, now_ms);
}

/* Where it does not matter how much the server reads, pieces are as long as a record can be. */
static void test_as_it_is(void **state)
{
	(void)state;
	static struct pack pack;
	pack_begin(&pack, 0);
	assert_string_equal(send(&pack, 100, 0, 0), "");
	assert_string_equal(send(&pack, 5600, 0, 0), "");
	assert_string_equal(send(&pack, 22000, 0, 0), "16384 ");
	assert_string_equal(send(&pack, 100, 1, 0), "11416+0");
	assert_string_equal(send(&pack, PACK_MOST, 1, 1), "16384 0+0");
	assert_string_equal(send(&pack, 40000, 1, 2), "16384 16384 7232+0");
	/* More than fits into a record cannot be helped. */
	pack_begin(&pack, PACK_MOST);
	assert_string_equal(send(&pack, 22000, 1, 0), "16384 5616+0");
}

static void test_filled(void **state)
{
	(void)state;
	static struct pack pack;
	pack_begin(&pack, 4096);
	/* What is short leaves as it is, */
	assert_string_equal(send(&pack, 100, 1, 0), "100+0");
	assert_string_equal(send(&pack, 2047, 1, 0), "2047+0");
	/* what is long fills its pieces, */
	assert_string_equal(send(&pack, 2048, 1, 0), "2048+2048");
	assert_string_equal(send(&pack, 22000, 1, 1), "4096 4096 4096 4096 4096 1520+2576");
	/* only the last if more follows, */
	assert_string_equal(send(&pack, 5600, 0, 2), "4096 ");
	assert_string_equal(send(&pack, 5600, 0, 2), "4096 ");
	assert_string_equal(send(&pack, 5600, 1, 2), "4096 4096 416+3680");
	assert_string_equal(send(&pack, 8192, 1, 3), "4096 4096 0+0");
	/* and so does what comes just behind, but not later. */
	assert_string_equal(send(&pack, 100, 1, 52), "100+3996");
	assert_string_equal(send(&pack, 100, 1, 53), "100+0");
}

/* So slow that spaces are of no use. */
static void test_slow(void **state)
{
	(void)state;
	static struct pack pack;
	static const struct {
		int64_t now_ms;
		const char *pieces;
	} steps[] = {
		{1000, "4096 1504+2592"},
		{1500, "4096 1504+2592"},
		{2000, "4096 1504+2592"},
		{2500, "4096 1504+2592"},
		{3000, "4096 1504+0"},
		{4000, "4096 1504+0"},
		/* it has become faster */
		{4049, "4096 1504+2592"},
		{4500, "4096 1504+2592"},
		{4501, "4096 1504+2592"},
		/* a rest: something new begins */
		{5000, "4096 1504+2592"},
		{5500, "4096 1504+2592"},
		{6000, "4096 1504+2592"},
		{6500, "4096 1504+0"},
		{8500, "4096 1504+2592"},
	};
	pack_begin(&pack, 4096);
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_string_equal(send(&pack, 5600, 1, steps[i].now_ms), steps[i].pieces);
	}
	/* A new connection begins anew. */
	pack_add(&pack, stanza, 10);
	pack_begin(&pack, 4096);
	assert_string_equal(send(&pack, 5600, 1, 0), "4096 1504+2592");
}

/* Four long requests that are answered one by one. */
static void begin_alone(struct pack *pack)
{
	pack_begin(pack, 4096);
	for (unsigned i = 0; i < 4; i++) {
		assert_string_equal(ask(pack, 5600, 0), "4096 1504+2592");
		pack_answered(pack);
	}
}

static void test_alone(void **state)
{
	(void)state;
	static struct pack pack;
	begin_alone(&pack);
	/* As with files: data; close and open; data. */
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(ask(&pack, 5600, 1), "4096 1504+0");
		pack_answered(&pack);
		assert_string_equal(ask(&pack, 200, 1), "200+0");
		assert_string_equal(ask(&pack, 300, 1), "300+0");
		pack_answered(&pack);
		pack_answered(&pack);
	}
	/* An answer to nothing changes nothing. */
	pack_answered(&pack);
	assert_string_equal(ask(&pack, 5600, 1), "4096 1504+0");

	/* Another comes before the answer: the server reads from there, or from where it was. */
	assert_string_equal(ask(&pack, 5600, 1), "2592 1504 1504+1088");
	assert_string_equal(ask(&pack, 100, 1), "100+1404");
	assert_string_equal(ask(&pack, 4096, 1), "2592 1504 0+0");
	assert_string_equal(ask(&pack, 2592, 1), "2592 0+0");
	for (unsigned i = 0; i < 4; i++) {
		pack_answered(&pack);
	}
	assert_string_equal(send(&pack, 100, 1, 1), "100+1404");
	/* All is answered, so all is read; but it was not alone. */
	pack_answered(&pack);
	assert_string_equal(ask(&pack, 5600, 1), "4096 1504+2592");
	pack_answered(&pack);
	assert_string_equal(ask(&pack, 5600, 1), "4096 1504+2592");
}

/* More than one is loose. */
static void test_alone_together(void **state)
{
	(void)state;
	static struct pack pack;
	begin_alone(&pack);
	assert_string_equal(ask(&pack, 200, 1), "200+0");
	assert_string_equal(ask(&pack, 300, 1), "300+0");
	assert_string_equal(ask(&pack, 5600, 1), "3596 500 1504+2092");
	/* What is in a piece when the last answer comes stays where it is. */
	assert_string_equal(send(&pack, 100, 0, 1), "");
	for (unsigned i = 0; i < 3; i++) {
		pack_answered(&pack);
	}
	assert_string_equal(send(&pack, 100, 1, 1), "200+300");
	assert_string_equal(ask(&pack, 5600, 1), "3596 500 1504+2092");
	pack_answered(&pack);
	assert_string_equal(ask(&pack, 5600, 1), "4096 1504+2592");
}

/* The piece that is left unfilled is not the first. */
static void test_alone_and_cut(void **state)
{
	(void)state;
	static struct pack pack;
	begin_alone(&pack);
	assert_string_equal(ask(&pack, 4000, 1), "4000+0");
	assert_string_equal(ask(&pack, 150, 1), "96 54+0");
	assert_string_equal(ask(&pack, 5600, 1), "4042 54 1504+2538");
}

/* What is never answered is not waited for after a rest. */
static void test_never_answered(void **state)
{
	(void)state;
	static struct pack pack;
	pack_begin(&pack, 4096);
	assert_string_equal(ask(&pack, 5600, 0), "4096 1504+2592");
	for (unsigned i = 0; i < 10; i++) {
		assert_string_equal(ask(&pack, 5600, 1), "4096 1504+2592");
		pack_answered(&pack);
	}
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(ask(&pack, 5600, 2001), "4096 1504+2592");
		pack_answered(&pack);
	}
	assert_string_equal(ask(&pack, 5600, 2001), "4096 1504+0");
	/* Messages are not answered at all. */
	pack_begin(&pack, 4096);
	for (unsigned i = 0; i < 10; i++) {
		assert_string_equal(send(&pack, 5600, 1, 0), "4096 1504+2592");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_is),       cmocka_unit_test(test_filled),
		cmocka_unit_test(test_slow),	       cmocka_unit_test(test_alone),
		cmocka_unit_test(test_alone_together), cmocka_unit_test(test_never_answered),
		cmocka_unit_test(test_alone_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
