/* SPDX-License-Identifier: MIT */
#include "xmpp/write_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char stanza[3 * WRITE_BUFFER_BYTES];

/* Adds a stanza of `length`, then ends if `ends`; returns the lengths of the pieces that were
 * written, in words. */
static const char *put(struct write_buffer *buffer, size_t length, bool is_request, int ends,
		       int64_t now_ms)
{
	static char pieces[256];
	size_t end = 0;
	pieces[0] = '\0';
	memset(stanza, 'x', length);
	write_buffer_note(buffer, length, is_request);
	for (size_t done = 0; done < length;) {
		done += write_buffer_add(buffer, stanza + done, length - done);
		if (write_buffer_is_full(buffer)) {
			end += (size_t)snprintf(pieces + end, sizeof(pieces) - end, "%zu ",
						buffer->length);
			write_buffer_take(buffer);
		}
	}
	if (ends) {
		size_t before = buffer->length;
		write_buffer_end(buffer, now_ms);
		for (size_t i = before; i < buffer->length; i++) {
			assert_int_equal(buffer->bytes[i], ' ');
		}
		snprintf(pieces + end, sizeof(pieces) - end, "%zu+%zu", before,
			 buffer->length - before);
		if (buffer->length > 0) {
			write_buffer_take(buffer);
		}
	}
	return pieces;
}

/* Nobody answers it. */
static const char *send(struct write_buffer *buffer, size_t length, int ends, int64_t now_ms)
{
	return put(buffer, length, false, ends, now_ms);
}

static const char *ask(struct write_buffer *buffer, size_t length, int64_t now_ms)
{
	return put(buffer, length, true, 1, now_ms);
}

/* If the server's read size does not matter, pieces are as long as a TLS record can be. */
static void test_as_it_is(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	write_buffer_begin(&buffer, 0);
	assert_string_equal(send(&buffer, 100, 0, 0), "");
	assert_string_equal(send(&buffer, 5600, 0, 0), "");
	assert_string_equal(send(&buffer, 22000, 0, 0), "16384 ");
	assert_string_equal(send(&buffer, 100, 1, 0), "11416+0");
	assert_string_equal(send(&buffer, WRITE_BUFFER_BYTES, 1, 1), "16384 0+0");
	assert_string_equal(send(&buffer, 40000, 1, 2), "16384 16384 7232+0");
	/* A stanza longer than a record is split. */
	write_buffer_begin(&buffer, WRITE_BUFFER_BYTES);
	assert_string_equal(send(&buffer, 22000, 1, 0), "16384 5616+0");
}

static void test_filled(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	write_buffer_begin(&buffer, 4096);
	/* A short piece is written as it is, */
	assert_string_equal(send(&buffer, 100, 1, 0), "100+0");
	assert_string_equal(send(&buffer, 2047, 1, 0), "2047+0");
	/* a long one fills its pieces, */
	assert_string_equal(send(&buffer, 2048, 1, 0), "2048+2048");
	assert_string_equal(send(&buffer, 22000, 1, 1), "4096 4096 4096 4096 4096 1520+2576");
	/* also the last one if more follows, */
	assert_string_equal(send(&buffer, 5600, 0, 2), "4096 ");
	assert_string_equal(send(&buffer, 5600, 0, 2), "4096 ");
	assert_string_equal(send(&buffer, 5600, 1, 2), "4096 4096 416+3680");
	assert_string_equal(send(&buffer, 8192, 1, 3), "4096 4096 0+0");
	/* and so does a stanza that follows at once, but not a later one. */
	assert_string_equal(send(&buffer, 100, 1, 52), "100+3996");
	assert_string_equal(send(&buffer, 100, 1, 53), "100+0");
}

/* So slow that spaces have no effect. */
static void test_slow(void **state)
{
	(void)state;
	static struct write_buffer buffer;
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
		/* a pause: a new burst begins */
		{5000, "4096 1504+2592"},
		{5500, "4096 1504+2592"},
		{6000, "4096 1504+2592"},
		{6500, "4096 1504+0"},
		{8500, "4096 1504+2592"},
	};
	write_buffer_begin(&buffer, 4096);
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_string_equal(send(&buffer, 5600, 1, steps[i].now_ms), steps[i].pieces);
	}
	/* A new connection begins anew. */
	write_buffer_add(&buffer, stanza, 10);
	write_buffer_begin(&buffer, 4096);
	assert_string_equal(send(&buffer, 5600, 1, 0), "4096 1504+2592");
}

/* Four long requests that are answered one by one. */
static void begin_alone(struct write_buffer *buffer)
{
	write_buffer_begin(buffer, 4096);
	for (unsigned i = 0; i < 4; i++) {
		assert_string_equal(ask(buffer, 5600, 0), "4096 1504+2592");
		write_buffer_answered(buffer);
	}
}

static void test_alone(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	begin_alone(&buffer);
	/* The pattern of files: data; close and open; data. */
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+0");
		write_buffer_answered(&buffer);
		assert_string_equal(ask(&buffer, 200, 1), "200+0");
		assert_string_equal(ask(&buffer, 300, 1), "300+0");
		write_buffer_answered(&buffer);
		write_buffer_answered(&buffer);
	}
	/* An unexpected answer changes nothing. */
	write_buffer_answered(&buffer);
	assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+0");

	/* Another stanza comes before the answer: the server reads from there, or from where it
	 * was. */
	assert_string_equal(ask(&buffer, 5600, 1), "2592 1504 1504+1088");
	assert_string_equal(ask(&buffer, 100, 1), "100+1404");
	assert_string_equal(ask(&buffer, 4096, 1), "2592 1504 0+0");
	assert_string_equal(ask(&buffer, 2592, 1), "2592 0+0");
	for (unsigned i = 0; i < 4; i++) {
		write_buffer_answered(&buffer);
	}
	assert_string_equal(send(&buffer, 100, 1, 1), "100+1404");
	/* All stanzas are answered, so all were read; but the piece was not alone. */
	write_buffer_answered(&buffer);
	assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+2592");
	write_buffer_answered(&buffer);
	assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+2592");
}

/* More than one is loose. */
static void test_alone_together(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	begin_alone(&buffer);
	assert_string_equal(ask(&buffer, 200, 1), "200+0");
	assert_string_equal(ask(&buffer, 300, 1), "300+0");
	assert_string_equal(ask(&buffer, 5600, 1), "3596 500 1504+2092");
	/* The stanzas in a piece stay there when the last answer comes. */
	assert_string_equal(send(&buffer, 100, 0, 1), "");
	for (unsigned i = 0; i < 3; i++) {
		write_buffer_answered(&buffer);
	}
	assert_string_equal(send(&buffer, 100, 1, 1), "200+300");
	assert_string_equal(ask(&buffer, 5600, 1), "3596 500 1504+2092");
	write_buffer_answered(&buffer);
	assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+2592");
}

/* The piece that is left unfilled is not the first. */
static void test_alone_and_cut(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	begin_alone(&buffer);
	assert_string_equal(ask(&buffer, 4000, 1), "4000+0");
	assert_string_equal(ask(&buffer, 150, 1), "96 54+0");
	assert_string_equal(ask(&buffer, 5600, 1), "4042 54 1504+2538");
}

/* After a pause, a missing answer is not waited for. */
static void test_never_answered(void **state)
{
	(void)state;
	static struct write_buffer buffer;
	write_buffer_begin(&buffer, 4096);
	assert_string_equal(ask(&buffer, 5600, 0), "4096 1504+2592");
	for (unsigned i = 0; i < 10; i++) {
		assert_string_equal(ask(&buffer, 5600, 1), "4096 1504+2592");
		write_buffer_answered(&buffer);
	}
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(ask(&buffer, 5600, 2001), "4096 1504+2592");
		write_buffer_answered(&buffer);
	}
	assert_string_equal(ask(&buffer, 5600, 2001), "4096 1504+0");
	/* Messages have no answers. */
	write_buffer_begin(&buffer, 4096);
	for (unsigned i = 0; i < 10; i++) {
		assert_string_equal(send(&buffer, 5600, 1, 0), "4096 1504+2592");
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
