/* SPDX-License-Identifier: MIT */
/* limits: quotas of one peer, and the memory that all peers may use. */
#include "failing_malloc.h"
#include "ibb/limits.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB	     ((size_t)1024 * 1024)

/* ---- one peer ---- */

static void test_init(void **state)
{
	(void)state;
	static const struct {
		unsigned max_streams;
		size_t buffer, asked, pool, share;
		unsigned peer_streams;
	} cases[] = {
		{1024, MIB, 0, 64 * MIB, 64 * 1024, 256},
		{1024, MIB, 1000, 1000, 0, 256},
		{1, 1, 0, 64 * MIB, 64 * MIB, 16},
		{64, MIB, 0, 64 * MIB, MIB, 16},
		{65536, 512 * MIB, 0, 2048 * MIB, 32 * 1024, 16384},
		{1, SIZE_MAX, 0, SIZE_MAX, SIZE_MAX, 16},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct limits limits;
		limits_init(&limits, cases[i].max_streams, cases[i].buffer, cases[i].asked);
		assert_int_equal(limits.pool, cases[i].pool);
		assert_int_equal(limits.share, cases[i].share);
		assert_int_equal(limits.peer_streams, cases[i].peer_streams);
		limits_finish(&limits);
	}
}

static unsigned enter(struct limits *limits, const char *jid, int64_t now_ms, unsigned times)
{
	unsigned entered = 0;
	for (unsigned i = 0; i < times; i++) {
		struct peer_quota *peer;
		if (limits_admit(limits, jid, now_ms, &peer) == LIMITS_ADMITTED) {
			limits_release(peer, false);
			entered++;
		}
	}
	return entered;
}

/* Streams of one peer, with 1024 in all. */
#define BURST (256 + LIMITS_OPENS_BURST)

static void test_opens(void **state)
{
	(void)state;
	struct limits limits;
	limits_init(&limits, 1024, MIB, 0);
	assert_int_equal(enter(&limits, "a@x/1", 1000, 1000), BURST);
	/* Another resource counts as the same peer, another bare JID does not. */
	assert_int_equal(enter(&limits, "a@x/2", 1000, 10), 0);
	assert_int_equal(enter(&limits, "a@x", 1000, 10), 0);
	assert_int_equal(enter(&limits, "b@x/1", 1000, 10), 10);
	assert_int_equal(enter(&limits, "a@xy/1", 1000, 10), 10);
	/* Tokens come back with time, never more than the burst. */
	assert_int_equal(enter(&limits, "a@x/1", 1009, 10), 0);
	assert_int_equal(enter(&limits, "a@x/1", 1010, 10), 1);
	assert_int_equal(enter(&limits, "a@x/1", 2010, 1000), LIMITS_OPENS_PER_S);
	assert_int_equal(enter(&limits, "a@x/1", INT64_MAX / 2, 1000), BURST);
	limits_finish(&limits);
}

/* Streams that ended in good order give their tokens back, up to the burst. */
static void test_good_opens(void **state)
{
	(void)state;
	struct limits limits;
	struct peer_quota *peer;
	limits_init(&limits, 1024, MIB, 0);
	for (unsigned i = 0; i < 3 * BURST; i++) {
		assert_int_equal(limits_admit(&limits, "a@x", 0, &peer), LIMITS_ADMITTED);
		limits_release(peer, true);
	}
	assert_int_equal(enter(&limits, "a@x", 0, 1000), BURST);
	assert_int_equal(limits_admit(&limits, "b@x", 0, &peer), LIMITS_ADMITTED);
	assert_int_equal(enter(&limits, "b@x", 1000, 1000), BURST);
	limits_release(peer, true);
	assert_int_equal(enter(&limits, "b@x", 1000, 1000), 1);
	limits_finish(&limits);
}

static void test_streams(void **state)
{
	(void)state;
	struct limits limits;
	struct peer_quota *peers[LIMITS_PEER_MIN], *peer;
	limits_init(&limits, 20, MIB, 0);
	for (unsigned i = 0; i < LIMITS_PEER_MIN; i++) {
		char jid[16];
		snprintf(jid, sizeof(jid), "a@x/%u", i);
		assert_int_equal(limits_admit(&limits, jid, 0, &peers[i]), LIMITS_ADMITTED);
	}
	assert_int_equal(limits_admit(&limits, "a@x/0", 0, &peer), LIMITS_TOO_MANY);
	assert_int_equal(enter(&limits, "b@x/0", 0, 1), 1);
	limits_release(peers[3], false);
	assert_int_equal(limits_admit(&limits, "a@x/0", 0, &peers[3]), LIMITS_ADMITTED);
	assert_int_equal(limits_admit(&limits, "a@x/0", 0, &peer), LIMITS_TOO_MANY);
	for (unsigned i = 0; i < LIMITS_PEER_MIN; i++) {
		limits_release(peers[i], false);
	}
	limits_release(NULL, true);
	limits_finish(&limits);
}

/* A peer without streams or recent requests is forgotten. */
static void test_many_peers(void **state)
{
	(void)state;
	struct limits limits;
	struct peer_quota *kept;
	limits_init(&limits, 1024, MIB, 0);
	assert_int_equal(limits_admit(&limits, "kept@x/1", 0, &kept), LIMITS_ADMITTED);
	for (unsigned i = 0; i < 100000; i++) {
		char jid[32];
		snprintf(jid, sizeof(jid), "a%u@x/1", i);
		assert_int_equal(enter(&limits, jid, i, 1), 1);
		assert_true(HASH_COUNT(limits.quotas) < 100);
	}
	/* Of a thousand peers a second that each ask once, each is remembered for 10 ms. */
	limits_release(kept, false);
	limits_finish(&limits);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct limits limits;
		struct peer_quota *peer = NULL;
		limits_init(&limits, 1024, MIB, 0);
		failing_malloc_arm(n);
		enum limits_answer answer = limits_admit(&limits, "a@x", 0, &peer);
		bool failed = failing_malloc_disarm();
		assert_int_equal(answer, failed ? LIMITS_NO_MEMORY : LIMITS_ADMITTED);
		limits_release(peer, false);
		limits_finish(&limits);
		if (!failed) {
			assert_true(n > 1);
			return;
		}
	}
}

/* ---- memory ---- */

static void test_pool(void **state)
{
	(void)state;
	struct limits limits = {.pool = 100};
	size_t one = 0, two = 0;
	/* The share of a stream is always available. */
	assert_true(limits_have_room(&limits, 10, 10, one));
	assert_true(limits_have_room(&limits, 110, 10, one));
	assert_false(limits_have_room(&limits, 111, 10, one));
	limits_charge(&limits, 60, 10, &one);
	assert_int_equal(limits.used, 50);
	assert_false(limits_under_pressure(&limits));
	/* Bytes that a stream already holds count once. */
	assert_true(limits_have_room(&limits, 110, 10, one));
	assert_true(limits_have_room(&limits, 60, 10, two));
	assert_false(limits_have_room(&limits, 61, 10, two));
	limits_charge(&limits, 60, 10, &two);
	assert_int_equal(limits.used, 100);
	assert_true(limits_under_pressure(&limits));
	assert_true(limits_have_room(&limits, 10, 10, 0));
	assert_false(limits_have_room(&limits, 11, 10, 0));
	limits_charge(&limits, 5, 10, &one);
	assert_int_equal(limits.used, 50);
	limits_charge(&limits, 0, 10, &two);
	assert_int_equal(limits.used, 0);
}

/* ---- streams ---- */

/* Blocks of 1 KiB. The memory of a queue doubles, 1 KiB, 2, 4 ..., and a segment each time; 3 KiB
 * and a segment are the stream's share. */
static void start(struct script *script, size_t buffer, size_t pool)
{
	struct stream_config config = script_config;
	config.block_size = 1024;
	config.buffer = buffer;
	script_start(script, &config, 8);
	script->ibb.limits.pool = pool;
	script->ibb.limits.share = 0;
}

static void play(struct script *script, const char *act, const char *expect)
{
	assert_string_equal(script_play(script, act), expect);
}

static void test_streams_that_nobody_reads(void **state)
{
	(void)state;
	struct script script;
	/* Room for two streams to exceed their share by a block, less a held id. */
	start(&script, 4096, 2 * (1024 + 2 * sizeof(struct queue_segment)));
	play(&script,
	     "j: open s i0 1024; take s; j: open t i1 1024; take t; k: open u i2 1024;"
	     " take u",
	     "i0 result j; i1 result j; i2 result k");
	play(&script, "j: data s a0 0 1024; j: data s a1 1 1024; j: data s a2 2 1024",
	     "a0 result j; a1 result j; a2 result j");
	play(&script, "j: data s a3 3 1024; j: data t b0 0 1024", "a3 result j; b0 result j");
	play(&script, "j: data t b1 1 1024; j: data t b2 2 1024",
	     "b1 result j; "
	     "b2 error j resource-constraint "
	     "modify; c2.0 close j t");
	/* The other stream continues, block by block: its own share is enough. */
	play(&script, "k: data u d0 0 1024; read u r0 9999", "d0 result k; r0=1024");
	play(&script, "k: data u d1 1 1024; read u r1 9999", "d1 result k; r1=1024");
	/* No accepted byte is lost, and reading gives the room back. */
	play(&script, "read s r2 9999; read t r3 9999; read t r4 1",
	     "r2=4096; r3=2048; r4=ECONNRESET");
	assert_int_equal(script.ibb.limits.used, 0);
	play(&script, "j: data s a4 4 1024; read s r5 9999", "a4 result j; r5=1024");
	play(&script, "release s; release t; release u", "c1.0 close j s; c3.0 close k u");
	script_finish(&script);
}

/* A peer that can retransmit is asked to. */
static void test_a_stream_that_can_wait(void **state)
{
	(void)state;
	struct script script;
	start(&script, 65536, 4096);
	play(&script, "j: open s i0 1024 resume; take s", "i0 result j");
	for (unsigned seq = 0; seq < 4; seq++) {
		char act[64];
		snprintf(act, sizeof(act), "j: data s a%u %u 1024", seq, seq);
		script_play(&script, act);
	}
	play(&script, "j: data s a4 4 1024", "a4 error j resource-constraint wait");
	play(&script, "state s; size s", "open; size 4096");
	/* The acknowledgements that waited since half of the pool was used are sent when bytes are
	 * read. */
	script_play(&script, "read s r0 9999");
	assert_int_equal(script.ibb.limits.used, 0);
	play(&script, "j: data s a5 4 1024 from=4096; read s r1 9999", "a5 result j; r1=1024");
	play(&script, "reset s", "c1.0 close j s");
	script_finish(&script);
}

/* With more than half of the pool in use, no peer is asked for more than its share. */
static void test_acknowledgements_wait(void **state)
{
	(void)state;
	struct script script;
	start(&script, 65536, 4096);
	script.ibb.limits.share = 2048;
	play(&script, "j: open s i0 1024; take s; j: open t i1 1024; take t",
	     "i0 result j; i1 result j");
	size_t charged = 0;
	limits_charge(&script.ibb.limits, 2900, 0, &charged);
	play(&script, "j: data t b0 0 1024; j: data t b1 1 1024; j: data t b2 2 1024",
	     "b0 result j; b1 result j");
	play(&script, "read t r0 1024", "r0=1024; b2 result j");
	limits_charge(&script.ibb.limits, 0, 0, &charged);
	play(&script, "j: data t b3 3 1024", "b3 result j");
	play(&script, "reset s; reset t", "c1.0 close j s; c2.0 close j t");
	script_finish(&script);
}

static void test_streams_of_one_peer(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 16);
	script.ibb.limits.peer_streams = 2;
	play(&script, "j/a: open s i0 8; j/b: open t i1 8", "i0 result j/a; i1 result j/b");
	play(&script, "j/a: open u i2 8; k: open u i3 8",
	     "i2 error j/a not-acceptable cancel; i3 result k");
	/* Ours are not theirs. */
	play(&script, "dial v j/a; j/a: result o4.0", "o4.0 open j/a v 8");
	/* A stream that is over holds memory until it is read. */
	play(&script, "take s; take t; j/a: close s i4; j/a: open w i5 8",
	     "i4 result j/a; i5 error j/a not-acceptable cancel");
	play(&script, "release s; j/a: open w i6 8", "i6 result j/a");
	play(&script, "release t; release v", "c2.0 close j/b t; c4.0 close j/a v");
	script_finish(&script);
}

static void test_opens_too_soon(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 16);
	script.ibb.limits.opens_burst = 2;
	script.ibb.limits.opens_per_s = 1;
	play(&script, "j: open s i0 8; j: close s i1; j: open t i2 8",
	     "i0 result j; i1 result j; i2 result j");
	play(&script, "j: open u i3 8; k: open u i4 8",
	     "i3 error j resource-constraint wait; i4 result k");
	play(&script, "wait 999; j: open u i5 8", "i5 error j resource-constraint wait");
	play(&script, "wait 1; j: open u i6 8", "i6 result j");
	/* An <open/> with a sid in use costs no token. */
	play(&script, "wait 1000; j: open t i7 8; j: open v i8 8",
	     "i7 error j not-acceptable cancel; i8 result j");
	/* A stream that was read does not count, but an empty one does. */
	play(&script, "j: open w i9 8", "i9 error j resource-constraint wait");
	play(&script, "take s; read s r 8; release s; j: open w i10 8",
	     "r=0; i10 error j resource-constraint wait");
	play(&script, "take t; j: data t i11 0 8; j: close t i12; read t r1 8",
	     "i11 result j; i12 result j; r1=8");
	play(&script, "read t r2 8; release t; j: open w i13 8", "r2=0; i13 result j");
	/* A stream that was not read, or was reset, counts too. */
	play(&script, "take k; release k", "c3.0 close k u");
	play(&script, "take u; j: data u i14 0 8; j: close u i15; reset u",
	     "i14 result j; i15 result j");
	play(&script, "take v; j: data v i16 0 8; read v r3 8; j: close v i17 reset; release v",
	     "i16 result j; r3=8; i17 result j");
	play(&script, "j: open x i18 8", "i18 error j resource-constraint wait");
	script_finish(&script);
}

/* The reaction of an ibbfs to that error. */
static void test_asking_again(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs; open s o", "o1.0 open j s 8"},
		{"j: error o1.0 resource-constraint wait; state s; wait 99", "opening"},
		{"wait 1", "o1.1 open j s 8"},
		{"j: result o1.0; j: error o1.0 resource-constraint wait; wait 300", ""},
		{"j: error o1.1 resource-constraint wait; wait 199", ""},
		{"wait 1", "o1.2 open j s 8"},
		{"j: result o1.2", "o=0"},
		{"write s w 8", "w=8; d1.0 data j s 0 8"},
		/* from the first pause on */
		{"j: error d1.0 resource-constraint wait; wait 99", ""},
		{"wait 1", "d1.0.1 data j s 0 8"},
		{"reset s", "c1.0 close j s reset"},
		{"dial t j ibbfs; open t p", "o2.0 open j t 8"},
		{"j: error o2.0 resource-constraint wait; wait 100", "o2.1 open j t 8"},
		{"wait 59900", "p=ETIMEDOUT; c2.0 close j t reset"},
	};
	script_test(steps, COUNT(steps));
}

/* ---- answers that cannot be sent ---- */

static void ask(struct script *script, const char *peer, bool allowed, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct msg ping = {.kind = MSG_PING, .peer = peer, .id = "i", .size = -1};
		ibb_receive(&script->ibb, &ping, allowed, script->now_ms * 1000);
	}
}

static void test_unsent_answers(void **state)
{
	(void)state;
	struct script script;
	script_start(&script, &script_config, 16);
	ask(&script, "eve@x/1", false, 10000);
	assert_int_equal(script.ibb.effects.queued, LIMITS_UNSENT_REFUSED);
	ask(&script, "j@x/1", true, 10000);
	assert_int_equal(script.ibb.effects.queued, LIMITS_UNSENT);
	struct msg *msg;
	while ((msg = ibb_next(&script.ibb, 0))) {
		msg_destroy(msg);
	}
	ask(&script, "eve@x/1", false, 1);
	assert_int_equal(script.ibb.effects.queued, 1);
	script_finish(&script);
}

/* For peers that may open streams, an id that only costs memory is not answered; for others every
 * request is, up to the limit of all of them. */
static void test_long_ids(void **state)
{
	(void)state;
	struct script script;
	static char id[200001];
	script_start(&script, &script_config, 16);
	memset(id, 'i', sizeof(id) - 1);
	struct msg ping = {.kind = MSG_PING, .peer = "j@x/1", .id = id, .size = -1};
	ibb_receive(&script.ibb, &ping, true, 0);
	assert_int_equal(script.ibb.effects.queued, 0);
	id[LIMITS_ID] = '\0';
	ibb_receive(&script.ibb, &ping, true, 0);
	assert_int_equal(script.ibb.effects.queued, 1);
	id[LIMITS_ID] = 'i';
	for (unsigned i = 0; i < 100; i++) {
		ibb_receive(&script.ibb, &ping, false, 0);
	}
	assert_true(script.ibb.effects.queued > 2);
	assert_true(script.ibb.effects.memory < LIMITS_UNSENT_REFUSED_BYTES + 2 * sizeof(id));
	struct msg *msg;
	while ((msg = ibb_next(&script.ibb, 0))) {
		msg_destroy(msg);
	}
	assert_int_equal(script.ibb.effects.memory, 0);
	/* Also for the peer of a stream. */
	play(&script, "j: open s i0 8; take s", "i0 result j");
	struct msg block = {.kind = MSG_DATA, .peer = "j", .id = id, .sid = "s", .size = -1};
	block.data = (const uint8_t *)"12345678";
	block.data_length = 8;
	ibb_receive(&script.ibb, &block, true, 0);
	play(&script, "size s; reset s", "size 0; c1.0 close j s");
	script_finish(&script);
}

/* The name that a peer gives costs at most the longest name of a directory entry, and is cut
 * between characters. */
static void test_long_names(void **state)
{
	(void)state;
	static const struct {
		size_t length, kept;
		const char *piece;
	} cases[] = {
		{1023, 1023, "a"},	  {1024, 1023, "a"},
		{200000, 1023, "a"},	  {1022, 1022, "\xc3\xa9"},
		{1024, 1022, "\xc3\xa9"}, {1024, 1020, "\xf0\x9f\x98\x80"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct script script;
		char *name = calloc(1, cases[i].length + 1);
		assert_non_null(name);
		while (strlen(name) < cases[i].length) {
			strcat(name + (strlen(name) > 1024 ? strlen(name) - 1 : 0), cases[i].piece);
		}
		script_start(&script, &script_config, 16);
		struct msg open = {.kind = MSG_OPEN,
				   .peer = "j@x/1",
				   .id = "i",
				   .sid = "s",
				   .block_size = 8,
				   .name = name,
				   .size = -1};
		ibb_receive(&script.ibb, &open, true, 0);
		struct stream *stream = ibb_take_arrived(&script.ibb);
		assert_non_null(stream);
		assert_int_equal(strlen(stream->name), cases[i].kept);
		assert_memory_equal(stream->name, name, cases[i].kept);
		ibb_release(&script.ibb, stream, false, 0);
		free(name);
		script_finish(&script);
	}
}

/* Blocks are accepted, but not acknowledged while the send queue is long. */
static void test_unsent_acknowledgements(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	struct script script;
	config.buffer = 8 * 5000;
	script_start(&script, &config, 16);
	play(&script, "j: open s i0 8; take s", "i0 result j");
	struct msg block = {.kind = MSG_DATA, .peer = "j", .id = "i", .sid = "s", .size = -1};
	block.data = (const uint8_t *)"12345678";
	block.data_length = 8;
	for (unsigned i = 0; i < 5000; i++) {
		ibb_receive(&script.ibb, &block, true, 0);
		block.seq++;
	}
	assert_int_equal(script.ibb.effects.queued, LIMITS_UNSENT_ACKS);
	unsigned sent = 0;
	struct msg *msg;
	while ((msg = ibb_next(&script.ibb, 0))) {
		assert_true(script.ibb.effects.queued <= LIMITS_UNSENT_ACKS);
		sent++;
		msg_destroy(msg);
	}
	assert_int_equal(sent, 5000);
	assert_null(script.streams[0].stream->incoming.receiver.held);
	script_play(&script, "reset s");
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_good_opens),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_many_peers),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_streams_that_nobody_reads),
		cmocka_unit_test(test_a_stream_that_can_wait),
		cmocka_unit_test(test_acknowledgements_wait),
		cmocka_unit_test(test_streams_of_one_peer),
		cmocka_unit_test(test_opens_too_soon),
		cmocka_unit_test(test_asking_again),
		cmocka_unit_test(test_unsent_answers),
		cmocka_unit_test(test_long_ids),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_unsent_acknowledgements),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
