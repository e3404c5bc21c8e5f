/* SPDX-License-Identifier: MIT */
/* ibb: many streams: limits, round robin, events that concern all, and no memory. */
#include "failing_malloc.h"
#include "script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- limits ---- */

static void test_max_streams(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create s; create t; create u", "u=ENFILE"},
		{"j: open v i1 8", "i1 error j not-acceptable cancel"},
		{"release s; j: open v i2 8", "i2 result j"},
		{"j: open w i3 8; create x", "i3 error j not-acceptable cancel; x=ENFILE"},
		/* an ended, unread stream counts for the peers' limit, not for ours */
		{"take v; j: close v i4; j: open w i5 8",
		 "i4 result j; i5 error j not-acceptable cancel"},
		{"create y; create z; count", "z=ENFILE; count 3"},
		{"release v; release y; j: open w i6 8; count", "i6 result j; count 2"},
	};
	struct script script;
	script_start(&script, &script_config, 2);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

/* A stream that has only to be closed does not count. One whose bytes are not acknowledged does,
 * though <close/> was sent behind them. */
static void test_max_streams_that_are_closed(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial s j ibbfs resume; j: result o1.0", "o1.0 open j s 8 resume"},
		{"write s a 5; finish s f", "a=5; d1.0 data j s 0 5; c1.0 close j s size=5"},
		{"create t", "t=ENFILE"},
		{"j: result d1.0; create t", ""},
		{"j: result c1.0", "f=0"},
	};
	struct script script;
	script_start(&script, &script_config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

static void test_impossible_peer(void **state)
{
	(void)state;
	struct script script;
	char peer[5000];
	memset(peer, 'x', sizeof(peer) - 1);
	peer[sizeof(peer) - 1] = '\0';
	script_start(&script, &script_config, 2);
	script_play(&script, "create s; open s o");
	struct stream *stream = script.streams[0].stream;
	assert_int_equal(ibb_open(&script.ibb, stream, peer, 0, "name", 0), -EINVAL);
	assert_int_equal(stream->state, STREAM_NEW); /* nothing has changed */
	assert_null(stream->peer);
	assert_string_equal(script_play(&script, "next; abort s"), "nothing; o=EIO");
	struct msg open = {.kind = MSG_OPEN, .peer = peer, .id = "i", .sid = "t", .block_size = 8};
	ibb_receive(&script.ibb, &open, true, 0);
	assert_null(ibb_take_arrived(&script.ibb));
	assert_string_equal(script_play(&script, "count"), "count 1");
	script_finish(&script);
}

static void test_arrivals(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"take a", "nothing"},
		{"j: open s i1 8; k: open s i2 8; j: open t i3 8",
		 "i1 result j; i2 result k; i3 result j"},
		/* a stream that arrives before anybody opens it stays, even when it has ended */
		{"j: data s i4 0 8; j: close s i5; j: data t i6 0 3; j: close t i7 reset",
		 "i4 result j; i5 result j; i6 result j; i7 result j"},
		{"take s; state s; read s a 9; read s b 9", "finished; a=8; b=0"},
		{"take t; state t", "open"},
		{"gone j", ""},
		{"take u; state u", "broken"},
		{"read u c 9; read u d 9", "c=3; d=ECONNRESET"},
		{"take v", "nothing"},
		/* a stream that is never opened */
		{"j: open w i8 8", "i8 result j"},
	};
	PLAY(steps);
}

/* ---- what leaves ---- */

static void test_turns(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"hold; dial a j; dial b j; dial c k", ""},
		{"write a wa 40; write b wb 16; write c wc 24", "wa=40; wb=16; wc=24"},
		{"next; next; next; next",
		 "o1.0 open j a 8; o2.0 open j b 8; o3.0 open k c 8; nothing"},
		{"j: result o1.0; j: result o2.0; k: result o3.0", ""},
		/* Streams take turns, one block each. */
		{"next; next; next", "d1.0 data j a 0 8; d2.0 data j b 0 8; d3.0 data k c 0 8"},
		{"next; next", "d1.1 data j a 1 8; d2.1 data j b 1 8"},
		/* Answers are sent first. */
		{"j: ping i1", ""},
		{"next; next; next", "i1 result j; d3.1 data k c 1 8; d1.2 data j a 2 8"},
		/* A later stream does not overtake waiting ones. */
		{"dial e j; write e we 16; next; j: result o4.0", "we=16; o4.0 open j e 8"},
		{"next; next; next; next",
		 "d3.2 data k c 2 8; d1.3 data j a 3 8; d4.0 data j e 0 8; "
		 "d1.4 data j a 4 8"},
		{"next; next", "d4.1 data j e 1 8; nothing"},
		/* A stream that ends leaves the queue. */
		{"write a x 8; write b y 8; write c z 8", "x=8; y=8; z=8"},
		{"abort a; gone k", "c1.0 close j a"},
	};
	struct stream_config config = script_config;
	config.window = 100;
	struct script script;
	script_start(&script, &config, 8);
	script_run(&script, steps, COUNT(steps) - 1);
	script_play(&script, steps[COUNT(steps) - 1].act);
	assert_string_equal(script_play(&script, "next; next; next"),
			    "c1.0 close j a; d2.2 data j b 2 8; nothing");
	script_finish(&script);
}

static void test_drained(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"drained; dial s j; drained", "drained; not drained"},
		{"next; drained", "o1.0 open j s 8; drained"},
		{"write s a 5; drained", "a=5; drained"}, /* nothing may be sent yet */
		{"j: result o1.0; drained", "not drained"},
		{"next; drained", "d1.0 data j s 0 5; drained"}, /* who holds it waits */
		{"write s b 2; release s; drained", "b=2; not drained"},
		{"next; drained; next; drained",
		 "d1.1 data j s 1 2; not drained; nothing; not drained"},
		{"j: result d1.0; j: result d1.1; drained", "not drained"},
		{"next; drained; next; drained",
		 "c1.0 close j s; not drained; nothing; not drained"},
		{"j: result c1.0; drained", "drained"},
		{"j: ping i1; drained; next; drained", "not drained; i1 result j; drained"},
	};
	struct script script;
	script_start(&script, &script_config, 8);
	script_play(&script, "hold");
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

/* ---- what happens to many ---- */

static void test_peer_gone(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"dial a j; j: result o1.0; dial b j; dial c j/2; j/2: result o3.0; create e",
		 "o1.0 open j a 8; o2.0 open j b 8; o3.0 open j/2 c 8"},
		{"j: open d i1 8; take d; j: data d i2 0 8", "i1 result j; i2 result j"},
		{"open b o; write a w 17; flush a f; read c r 1",
		 "d1.0 data j a 0 8; d1.1 data j a 1 8"},
		{"write c v 5; release c", "v=5; d3.0 data j/2 c 0 5; r=ECONNRESET"},
		{"gone j", "w=ECONNRESET; f=ECONNRESET; o=EHOSTDOWN"},
		{"state a; state b; state d; state e", "broken; broken; broken; new"},
		{"read d x 9; read d y 9", "x=8; y=ECONNRESET"},
		{"count", "count 5"},
		{"gone j/3; count; gone j/2; count", "count 5; count 4"},
		{"gone j; gone nobody", ""},
		{"release a; release b; release d; release e; count", "count 0"},
	};
	PLAY(steps);
}

static void test_disconnect(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"create a; open a oa; dial b j; open b ob; write b wb 20; flush b fb",
		 "o2.0 open j b 8"},
		{"dial c j; j: result o3.0; write c wc 17; flush c fc; read c rc 1",
		 "o3.0 open j c 8; d3.0 data j c 0 8; d3.1 data j c 1 8"},
		{"dial d j; j: result o4.0; release d", "o4.0 open j d 8; c4.0 close j d"},
		{"j: open e i1 8; take e; j: data e i2 0 8", "i1 result j; i2 result j"},
		{"j: open f i3 8; take f; j: close f i4", "i3 result j; i4 result j"},
		{"hold; j: ping i5", ""},
		/* `a` was not announced to a peer yet, and can be dialled later */
		{"disconnect", "ob=ENETDOWN; wb=ENETDOWN; fb=ENETDOWN; wc=ECONNRESET; "
			       "fc=ECONNRESET; rc=ECONNRESET"},
		{"go; drained; count", "drained; count 5"}, /* queued stanzas are dropped */
		{"state a; state b; state c; state e; state f",
		 "new; broken; broken; broken; finished"},
		{"write b w1 1; write c w2 1; flush c f2",
		 "w1=ENETDOWN; w2=ECONNRESET; f2=ECONNRESET"},
		{"read e r1 9; read e r2 9; read f r3 9", "r1=8; r2=ECONNRESET; r3=0"},
		{"j: result d3.0; j: result o2.0; wait 100000", ""},
		{"disconnect; release a; count", "oa=ECONNRESET; count 4"},
		/* and then a connection again */
		{"j: open b i6 8; take g", "i6 result j"},
	};
	PLAY(steps);
}

static void test_deadlines(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"deadline; dial a j; open a oa; deadline",
		 "deadline never; o1.0 open j a 8; deadline 60000"},
		{"wait 20000; dial b j; open b ob; deadline", "o2.0 open j b 8; deadline 40000"},
		{"wait 20000; j: result o2.0; write b w 5; flush b f",
		 "ob=0; w=5; d2.0 data j b 0 5"},
		{"deadline", "deadline 20000"},
		{"wait 20000", "oa=ETIMEDOUT; c1.0 close j a"},
		{"deadline", "deadline 10000"},
		{"wait 10000", "p2.0 info j"},
		{"deadline", "deadline 30000"},
		{"wait 29999; state b", "open"},
		{"wait 1; state b", "f=ETIMEDOUT; c2.0 close j b; broken"},
		{"deadline", "deadline never"},
	};
	PLAY(steps);
}

/* ---- memory is short ---- */

/*
 * Both ends of a session: we are under test, and the peer is honest. One allocation fails in each
 * scenario; in every outcome, all reports to users and to the peer must be true.
 */
struct play {
	struct ibb ibb;
	struct stream_config config;
	int64_t now_ms;
	struct stream *stream;

	/* the peer's */
	uint64_t sent, acknowledged, next_number, acknowledged_number;
	uint64_t got; /* of our bytes */
	bool opened, refused, broke, closed, close_answered;
	/* the user's */
	uint64_t read;
	bool at_end, held; /* some acknowledgements waited */
};

#define PLAY_BYTES  ((uint64_t)200) /* that the peer sends */
#define PLAY_REPLY  ((uint64_t)60)  /* that the user writes */
#define PLAY_ROUNDS 2000

static void play_start(struct play *play, enum stanza stanza)
{
	*play = (struct play){.config = script_config, .now_ms = 1000};
	play->config.stanza = stanza;
	ibb_init(&play->ibb, &play->config, 4);
}

static void play_answer(struct play *play, enum msg_kind kind, const char *id)
{
	ibb_receive(&play->ibb, &(struct msg){.kind = kind, .peer = "j", .id = id}, true,
		    play->now_ms * 1000);
}

/* The peer gets `msg`. */
static void play_message(struct play *play, const struct msg *msg)
{
	assert_string_equal(msg->peer, "j");
	switch (msg->kind) {
	case MSG_DATA:
		for (size_t i = 0; i < msg->data_length; i++) {
			assert_int_equal(msg->data[i], script_pattern(play->got++));
		}
		if (msg->stanza == STANZA_IQ) {
			play_answer(play, MSG_RESULT, msg->id);
		}
		break;
	case MSG_CLOSE:
		play->broke = !play->closed;
		play_answer(play, MSG_RESULT, msg->id);
		break;
	case MSG_OPEN:
	case MSG_PING:
	case MSG_INFO:
		play_answer(play, MSG_RESULT, msg->id);
		break;
	case MSG_RESULT:
		if (strcmp(msg->id, "open") == 0) {
			play->opened = true;
		} else if (strcmp(msg->id, "close") == 0) {
			play->close_answered = true;
		} else { /* in order, each once */
			assert_int_equal(strtoull(msg->id, NULL, 10), play->acknowledged_number++);
			play->acknowledged += 8;
		}
		break;
	case MSG_ERROR:
		play->refused = true;
		break;
	default:
		fail();
	}
}

static void play_messages(struct play *play)
{
	struct msg *msg;
	while ((msg = ibb_next(&play->ibb, play->now_ms * 1000))) {
		play_message(play, msg);
		msg_destroy(msg);
	}
}

/* Time passes until the next deadline. */
static void play_time(struct play *play)
{
	if (ibb_deadline(&play->ibb) != STREAM_NO_DEADLINE) {
		play->now_ms = ibb_deadline(&play->ibb);
		ibb_tick(&play->ibb, play->now_ms);
	}
}

static bool is_done(struct play *play, const struct op *op)
{
	struct op *at, *next;
	struct op *done = effects_take_done(&play->ibb.effects);
	DL_FOREACH_SAFE (done, at, next) {
		assert_null(at->list);
		assert_null(at->context);
		at->context = at; /* once */
	}
	return op->context != NULL;
}

static void play_finish(struct play *play)
{
	ibb_abandon(&play->ibb);
	assert_true(ibb_is_drained(&play->ibb));
	ibb_finish(&play->ibb);
}

/* A transfer to the peer; false when it failed. */
static bool transfer(struct play *play)
{
	uint8_t bytes[PLAY_REPLY];
	struct op open, write, flush;
	int error = 0;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = script_pattern(i);
	}
	play->stream = ibb_create_stream(&play->ibb, "s", &error);
	if (!play->stream) {
		assert_int_equal(error, -ENOMEM);
		return false;
	}
	error = ibb_open(&play->ibb, play->stream, "j", FEATURE_IBB, "name", play->now_ms);
	if (error) {
		assert_int_equal(error, -ENOMEM);
		ibb_abort(&play->ibb, play->stream, error);
	}
	op_init(&open, OP_OPEN, 1, 0, false);
	op_init(&write, OP_WRITE, 2, sizeof(bytes), false);
	op_init(&flush, OP_FLUSH, 3, 0, false);
	stream_wait_open(play->stream, &open);
	stream_write(play->stream, &write, bytes, play->now_ms);
	stream_flush(play->stream, &flush, play->now_ms);
	for (unsigned round = 0;
	     !is_done(play, &open) || !is_done(play, &write) || !is_done(play, &flush); round++) {
		play_messages(play);
		play_time(play);
		assert_true(round < PLAY_ROUNDS);
	}
	if (error) {
		assert_int_equal(open.result, error);
	}
	/* A flush must not succeed if written bytes are missing. */
	if (write.result >= 0 && flush.result == 0) {
		assert_int_equal(write.result, sizeof(bytes));
		assert_int_equal(play->got, sizeof(bytes));
	}
	op_finish(&write);
	bool well = open.result == 0 && write.result >= 0 && flush.result == 0;
	ibb_release(&play->ibb, play->stream, well, play->now_ms);
	for (unsigned round = 0; HASH_CNT(links.by_number, play->ibb.by_number) > 0; round++) {
		play_messages(play);
		play_time(play);
		assert_true(round < PLAY_ROUNDS);
	}
	return well;
}

static void test_outgoing_without_memory(void **state)
{
	(void)state;
	for (int stanza = STANZA_IQ; stanza <= STANZA_MESSAGE; stanza++) {
		size_t n = 0, succeeded = 0;
		bool well;
		do {
			struct play play;
			play_start(&play, (enum stanza)stanza);
			failing_malloc_arm(++n);
			well = transfer(&play);
			succeeded += well;
			play_finish(&play);
		} while (failing_malloc_disarm());
		assert_true(well);
		assert_true(n > 20 && succeeded > 5);
	}
}

static void peer_request(struct play *play, struct msg msg)
{
	msg.peer = "j";
	msg.sid = "s";
	ibb_receive(&play->ibb, &msg, true, play->now_ms * 1000);
}

/* The peer sends as long as fewer than six blocks are unacknowledged, two more than we acknowledge
 * before they are read. */
static void peer_sends(struct play *play)
{
	uint8_t bytes[8];
	char id[24];
	while (play->opened && !play->refused && !play->broke && play->sent < PLAY_BYTES &&
	       play->sent - play->acknowledged < 48) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			bytes[i] = script_pattern(play->sent++);
		}
		snprintf(id, sizeof(id), "%u", (unsigned)play->next_number);
		struct msg data = {.kind = MSG_DATA, .id = id, .data = bytes, .data_length = 8};
		data.seq = (uint16_t)play->next_number++;
		peer_request(play, data);
	}
	if (!play->closed && !play->broke && !play->refused && play->opened &&
	    play->acknowledged == PLAY_BYTES) {
		play->closed = true;
		peer_request(play, (struct msg){.kind = MSG_CLOSE, .id = "close", .size = -1});
	}
}

/* Reads some more; false at the end, of whatever kind. */
static bool user_reads(struct play *play)
{
	struct op read;
	op_init(&read, OP_READ, 4, 5, true);
	stream_read(play->stream, &read);
	assert_true(is_done(play, &read));
	for (ssize_t i = 0; i < read.result; i++) {
		assert_int_equal(read.data[i], script_pattern(play->read++));
	}
	op_finish(&read);
	play->at_end = read.result == 0;
	return read.result > 0 || read.result == -EAGAIN || read.result == -ENOMEM;
}

/* A transfer from the peer, and a reply; false when it failed. */
static bool dialogue(struct play *play)
{
	uint8_t bytes[PLAY_REPLY];
	struct op write, flush;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = script_pattern(i);
	}
	peer_request(play,
		     (struct msg){.kind = MSG_OPEN, .id = "open", .size = -1, .block_size = 8});
	play_messages(play);
	play->stream = ibb_take_arrived(&play->ibb);
	if (!play->stream) {
		assert_false(play->opened && !play->broke);
		return false;
	}
	op_init(&write, OP_WRITE, 2, sizeof(bytes), false);
	op_init(&flush, OP_FLUSH, 3, 0, false);
	stream_write(play->stream, &write, bytes, play->now_ms);
	stream_flush(play->stream, &flush, play->now_ms);
	bool reads = true;
	for (unsigned round = 0; reads || !is_done(play, &write) || !is_done(play, &flush);
	     round++) {
		peer_sends(play);
		play->held = play->held || play->stream->incoming.receiver.held;
		reads = reads && user_reads(play);
		play_messages(play);
		if (round > 500) { /* all remaining calls wait for a deadline */
			play_time(play);
		}
		assert_true(round < PLAY_ROUNDS);
	}
	/* None of these may happen: a false end of file; an acknowledged byte that is missing; a
	 * flushed byte that was not delivered. */
	if (play->at_end) {
		assert_int_equal(play->read, PLAY_BYTES);
	}
	assert_true(play->read >= play->acknowledged && play->read <= play->sent);
	if (write.result >= 0 && flush.result == 0) {
		assert_int_equal(play->got, sizeof(bytes));
	}
	op_finish(&write);
	bool well = play->at_end && write.result >= 0 && flush.result == 0;
	ibb_release(&play->ibb, play->stream, true, play->now_ms);
	return well;
}

static void test_incoming_without_memory(void **state)
{
	(void)state;
	size_t n = 0, succeeded = 0, held = 0;
	bool well;
	do {
		struct play play;
		play_start(&play, STANZA_IQ);
		failing_malloc_arm(++n);
		well = dialogue(&play);
		succeeded += well;
		held += play.held;
		play_finish(&play);
	} while (failing_malloc_disarm());
	assert_true(well);
	assert_true(n > 50 && succeeded > 20 && held > 20);
}

static void test_refusals_without_memory(void **state)
{
	(void)state;
	static const char *const acts[] = {
		"j: open s i1 9",
		"j: data s i2 0 1",
		"j: close s i3",
		"j: unknown i4",
		"j: ping i5",
		"eve! open s i6 8",
		"j: open t i7 8",
		"j: open t i8 8",
		"j: data t i9 1 1",
		"dial u j",
		"j: error o2.0 not-acceptable",
		"disconnect",
	};
	size_t n = 0;
	do {
		struct script script;
		script_start(&script, &script_config, 4);
		failing_malloc_arm(++n);
		for (size_t i = 0; i < COUNT(acts); i++) {
			const char *out = script_play(&script, acts[i]);
			/* No answer, or the right one: no peer gets in that may not. */
			assert_true(i == 4 || i == 6 || i == 7 || !strstr(out, "result"));
		}
		script_finish(&script);
	} while (failing_malloc_disarm());
	assert_true(n > 12);
}

/* When memory is short, every one of several ending streams is freed. */
static void test_message_stream_is_not_left_behind(void **state)
{
	(void)state;
	struct stream_config config = script_config;
	config.stanza = STANZA_MESSAGE;
	struct script script;
	script_start(&script, &config, 4);
	script_play(&script, "hold; dial s j; next; j: result o1.0; write s w 3; release s");
	failing_malloc_arm(3); /* after the block and its slot in the ring, the ping */
	assert_string_equal(script_play(&script, "next"), "d1.0 data j s 0 3 message");
	assert_true(failing_malloc_disarm());
	assert_string_equal(script_play(&script, "count; next; drained"),
			    "count 0; c1.0 close j s; drained");
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_max_streams),
		cmocka_unit_test(test_max_streams_that_are_closed),
		cmocka_unit_test(test_impossible_peer),
		cmocka_unit_test(test_arrivals),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_drained),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_disconnect),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_outgoing_without_memory),
		cmocka_unit_test(test_incoming_without_memory),
		cmocka_unit_test(test_refusals_without_memory),
		cmocka_unit_test(test_message_stream_is_not_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
