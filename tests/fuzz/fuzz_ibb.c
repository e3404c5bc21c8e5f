/* SPDX-License-Identifier: MIT */
/*
 * The core as a list of calls: the input is a schedule of acts of users, the network, the clock and
 * strangers. A world that knows the right results plays it (world.h).
 *
 * An act is a letter and its arguments are digits, so that people can write and read schedules.
 * Every byte has a meaning: an unknown letter is some act, an argument is the byte minus '0', and
 * white space between acts is skipped.
 *
 *     SETTINGS: block, window, buffer, kinds of stanza (bits: messages by Alice, by Bob; 4: streams
 * outlive a connection), block of Bob's, streams
 *
 *     cF        opens a session; F: bits, see play_open. dS: dials it, if that has not dialled
 *     wSN rSN   writes, reads N; WSN, RSN with O_NONBLOCK; ySN, YSN: writes with O_DSYNC
 *     zSN       zeros
 *     oS fS pS  waits for it to be open, flushes, pushes; iK: interrupts the K-th that waits
 *     xS XS aS  releases in good order, or not; aborts. eS: only so long for the answer
 *     DS uA     from its beginning, what comes is stored; the process restarts
 *     lA mA .   lets one message leave, one arrive; everything
 *     qAK 2A kA bACT   answers change places; duplicates, drops, bounces with a condition, a type
 *     tN T gAP GA NA   N seconds pass, or up to the deadline; gone, disconnected, connected
 *     hA... sA... jA...   Mallory, Eve, or somebody in the name of the other sends, see play_forge
 *     FASN      Mallory floods
 *     nK        the K-th allocation fails
 *
 * S: a session and its end, 2 * session + end. A: Alice or Bob.
 */
#include "../unit/failing_malloc.h"
#include "fuzz.h"
#include "world.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t sizes[] = {1,  2,	3,   7,	  8,	9,    16,   31,
			       64, 127, 128, 500, 1024, 4096, 5000, 70000};
static const char acts[] = "cdwrWRzofpixXaelm.q2kbtTgGNhsjFnDuyY";

struct schedule {
	const uint8_t *at, *end;
	struct world *world;
};

static bool is_at_end(const struct schedule *schedule)
{
	return schedule->at == schedule->end;
}

static unsigned take_number(struct schedule *schedule)
{
	return is_at_end(schedule) ? 0 : (uint8_t)(*schedule->at++ - '0');
}

static size_t take_size(struct schedule *schedule)
{
	return sizes[take_number(schedule) % COUNT(sizes)];
}

static enum who take_side(struct schedule *schedule)
{
	return take_number(schedule) % 2 ? BOB : ALICE;
}

/* NULL: there is none. */
static struct session *take_session(struct schedule *schedule, unsigned *end)
{
	unsigned number = take_number(schedule);
	*end = number % 2;
	unsigned length = schedule->world->sessions_length;
	return length > 0 ? &schedule->world->sessions[number / 2 % length] : NULL;
}

/* Bits: 1 by Bob; 2 to Mallory; 4 the peer is no ibbfs; 8 to read from it, too; 16 not dialled
 * yet. */
static void play_open(struct schedule *schedule)
{
	unsigned flags = take_number(schedule);
	enum who from = flags & 1 ? BOB : ALICE;
	enum who to = flags & 2 ? MALLORY : !from;
	bool is_ibbfs = !(flags & 4), reads = flags & 8, dials = !(flags & 16);
	struct session *session = world_open(schedule->world, from, to, is_ibbfs, reads);
	if (session && dials) {
		world_dial(schedule->world, session);
	}
}

/* ---- what strangers send ---- */

/* `length` bytes, in characters of two. */
static const char *long_text(char *text, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2) {
		text[i] = '\xc3';
		text[i + 1] = '\xa9';
	}
	return text;
}

static const char *take_sid(struct schedule *schedule)
{
	static const char *const others[] = {"h0", "h1", "h2", "x\xc3\xa9"};
	unsigned number = take_number(schedule), length = schedule->world->sessions_length;
	if (number == 16) {
		static char text[1023 + 1]; /* as long as the codec lets through */
		return long_text(text, sizeof(text) - 1);
	}
	return number < 8 && length > 0 ? schedule->world->sessions[number % length].sid
					: others[number % COUNT(others)];
}

/* The id of a request that reached Mallory, or any other id. */
static const char *take_id(struct schedule *schedule, enum who to)
{
	static char id[64];
	const struct world *world = schedule->world;
	unsigned number = take_number(schedule);
	if (number < WORLD_REMEMBERED) {
		return world->remembered[to][number];
	}
	unsigned stream = take_number(schedule), count = take_number(schedule);
	snprintf(id, sizeof(id), "%c%x.%x", "odcpb-"[number % 6], stream, count);
	return id;
}

static uint16_t take_seq(struct schedule *schedule, enum who from, enum who to, const char *sid)
{
	unsigned number = take_number(schedule);
	const struct world *world = schedule->world;
	for (unsigned i = 0; number == 0 && i < 2 * world->sessions_length; i++) {
		const struct session *session = &world->sessions[i / 2];
		const struct end *end = &session->ends[i % 2];
		if (end->stream && end->who == to && session->ends[!(i % 2)].who == from &&
		    strcmp(session->sid, sid) == 0) {
			return core_expected_seq(end->stream);
		}
	}
	return (uint16_t)(number * 257);
}

static void set_error(struct schedule *schedule, struct msg *msg)
{
	msg->condition = (enum condition)(1 + take_number(schedule) % CONDITION_UNEXPECTED_REQUEST);
	msg->error_type = (enum error_type)(take_number(schedule) % (ERROR_TYPE_WAIT + 1));
}

/* A kind, followed by its arguments from the schedule. */
static void play_forge(struct schedule *schedule, enum who from, enum who to)
{
	static const uint8_t zeros[WORLD_MOST_BYTES];
	static const enum msg_kind kinds[] = {
		MSG_OPEN,  MSG_DATA,   MSG_CLOSE,  MSG_PING, MSG_INFO,	 MSG_UNKNOWN, MSG_RESULT,
		MSG_ERROR, MSG_BOUNCE, MSG_RESUME, MSG_SKIP, MSG_PIECES, MSG_SYNC,
	};
	static char name[3000];
	static const int64_t file_sizes[] = {-1, 0, 5, INT64_MAX};
	struct msg msg = {.id = "q1", .size = -1};
	unsigned number = take_number(schedule);
	msg.kind = kinds[number % COUNT(kinds)];
	switch (msg.kind) {
	case MSG_OPEN:
		msg.sid = take_sid(schedule);
		msg.block_size = (uint32_t)take_size(schedule) % STREAM_MAX_BLOCK + 1;
		number = take_number(schedule);
		msg.stanza = number & 1 ? STANZA_MESSAGE : STANZA_IQ;
		msg.name = number & 16	? long_text(name, sizeof(name) - 1)
			   : number & 2 ? "n"
					: NULL;
		msg.resumable = number & 32;
		msg.size = file_sizes[number / 4 % COUNT(file_sizes)];
		break;
	case MSG_DATA:
		msg.sid = take_sid(schedule);
		msg.seq = take_seq(schedule, from, to, msg.sid);
		number = take_number(schedule);
		msg.stanza = number & 16 ? STANZA_MESSAGE : STANZA_IQ;
		if (!(number & 32)) {
			msg.data = zeros;
			size_t length = sizes[number % COUNT(sizes)];
			msg.data_length = length < STREAM_MAX_BLOCK ? length : STREAM_MAX_BLOCK;
		}
		break;
	case MSG_CLOSE:
		msg.sid = take_sid(schedule);
		number = take_number(schedule);
		msg.reset = number & 1;
		msg.size = number & 2 ? file_sizes[number / 4 % COUNT(file_sizes)] : -1;
		break;
	case MSG_RESUME:
		msg.sid = take_sid(schedule);
		msg.has_seq = take_number(schedule) & 1;
		msg.seq = msg.has_seq ? take_seq(schedule, to, from, msg.sid) : 0;
		break;
	case MSG_SYNC:
		msg.sid = take_sid(schedule);
		msg.size = file_sizes[1 + take_number(schedule) % (COUNT(file_sizes) - 1)];
		break;
	case MSG_SKIP:
		msg.sid = take_sid(schedule);
		msg.seq = take_seq(schedule, from, to, msg.sid);
		msg.size = (int64_t)take_size(schedule);
		break;
	case MSG_PIECES:
		msg.sid = take_sid(schedule);
		msg.first = take_number(schedule);
		break;
	case MSG_PING:
		break;
	case MSG_INFO:
	case MSG_SI:
	case MSG_JINGLE:
	case MSG_UNKNOWN:
		msg.kind = MSG_UNKNOWN;
		set_error(schedule, &msg);
		break;
	case MSG_RESULT:
		msg.id = take_id(schedule, to);
		msg.seq = (uint16_t)take_number(schedule);
		msg.has_seq = msg.seq & 1;
		msg.seq /= 2;
		break;
	case MSG_ERROR:
		msg.id = take_id(schedule, to);
		set_error(schedule, &msg);
		break;
	case MSG_BOUNCE:
		msg.id = take_id(schedule, to);
		msg.sid = take_number(schedule) % 2 ? take_sid(schedule) : NULL;
		msg.stanza = STANZA_MESSAGE;
		set_error(schedule, &msg);
		break;
	}
	world_forge(schedule->world, from, to, &msg);
}

static void play_flood(struct schedule *schedule)
{
	static const uint8_t zeros[STREAM_MAX_BLOCK];
	enum who to = take_side(schedule);
	unsigned end;
	struct session *session = take_session(schedule, &end);
	unsigned count = 8 * take_number(schedule);
	if (!session || session->ends[!end].who != MALLORY || session->ends[end].who != to) {
		return;
	}
	for (; count > 0 && session->ends[end].stream; count--) {
		const struct stream *stream = session->ends[end].stream;
		struct msg msg = {
			.kind = MSG_DATA,
			.id = "a flood's",
			.sid = session->sid,
			.size = -1,
			.seq = core_expected_seq(stream),
			.data = zeros,
			.data_length = stream->session.block_size,
			.stanza = stream->session.stanza,
		};
		world_forge(schedule->world, MALLORY, to, &msg);
	}
}

/* ---- acts ---- */

static void play_call(struct schedule *schedule, char act)
{
	unsigned end;
	struct session *session = take_session(schedule, &end);
	bool has_size = strchr("wrWRyYz", act) != NULL;
	size_t size = has_size ? take_size(schedule) : 0;
	if (!session) {
		return;
	}
	struct world *world = schedule->world;
	switch (act) {
	case 'd':
		world_dial(world, session);
		break;
	case 'w':
	case 'W':
		world_call(world, session, end, OP_WRITE, size, act == 'W');
		break;
	case 'y':
	case 'Y':
		world_call(world, session, end, OP_WRITE_SYNC, size, act == 'Y');
		break;
	case 'r':
	case 'R':
		world_call(world, session, end, OP_READ, size, act == 'R');
		break;
	case 'z':
		world_zeros(world, session, end, size);
		break;
	case 'o':
		world_call(world, session, end, OP_OPEN, 0, false);
		break;
	case 'f':
		world_call(world, session, end, OP_FLUSH, 0, false);
		break;
	case 'p':
		world_push(world, session, end);
		break;
	case 'x':
	case 'X':
		world_release(world, session, end, act == 'x');
		break;
	case 'a':
		world_abort(world, session, end);
		break;
	case 'D':
		world_store(world, session, end);
		break;
	default:
		world_await(world, session, end);
	}
}

static void play_way(struct schedule *schedule, char act)
{
	struct world *world = schedule->world;
	enum who side = take_side(schedule);
	struct msg error;
	switch (act) {
	case 'l':
		world_pump(world, side);
		break;
	case 'm':
		world_deliver(world, side);
		break;
	case 'q':
		world_reorder(world, side, take_number(schedule));
		break;
	case '2':
		world_duplicate(world, side);
		break;
	case 'k':
		world_drop(world, side);
		break;
	case 'b':
		set_error(schedule, &error);
		world_bounce(world, side, error.condition, error.error_type);
		break;
	case 'g':
		world_peer_gone(world, side, take_number(schedule) % 2 ? MALLORY : !side);
		break;
	case 'G':
		world_disconnect(world, side);
		break;
	case 'u':
		world_restart(world, side);
		break;
	default:
		world_connect(world, side);
	}
}

static void play(struct schedule *schedule, char act)
{
	struct world *world = schedule->world;
	enum who side;
	switch (act) {
	case 'c':
		play_open(schedule);
		break;
	case '.':
		world_run(world);
		break;
	case 'i':
		world_interrupt(world, take_number(schedule));
		break;
	case 't':
		world_pass(world, 1000 * (int64_t)take_number(schedule));
		break;
	case 'T':
		world_pass_deadline(world);
		break;
	case 'h':
		side = take_side(schedule);
		play_forge(schedule, MALLORY, side);
		break;
	case 's':
		side = take_side(schedule);
		play_forge(schedule, EVE, side);
		break;
	case 'j':
		side = take_side(schedule);
		play_forge(schedule, !side, side);
		break;
	case 'F':
		play_flood(schedule);
		break;
	case 'n':
		world->is_faulty = true;
		failing_malloc_arm(take_number(schedule));
		break;
	default:
		if (strchr("lmq2kbgGNu", act)) {
			play_way(schedule, act);
		} else {
			play_call(schedule, act);
		}
	}
}

static struct world *take_world(struct schedule *schedule)
{
	static const uint32_t blocks[] = {8, 1, 100, 128, 256, 300, 4096, 65535};
	static const size_t windows[] = {16, 1, 8, 64, 1024, 65536};
	static const size_t buffers[] = {32, 1, 8, 1000, 65536};
	static const unsigned max_streams[] = {16, 1, 2, 3};
	struct stream_config alice = {
		.block_size = blocks[take_number(schedule) % COUNT(blocks)],
		.window = windows[take_number(schedule) % COUNT(windows)],
		.buffer = buffers[take_number(schedule) % COUNT(buffers)],
		.timeout_ms = WORLD_TIMEOUT_MS,
	};
	struct stream_config bob = alice;
	unsigned stanzas = take_number(schedule);
	alice.reconnect_ms = bob.reconnect_ms = stanzas & 4 ? WORLD_RECONNECT_MS : 0;
	alice.stanza = stanzas & 1 ? STANZA_MESSAGE : STANZA_IQ;
	alice.block_size = stanzas & 8 ? STREAM_AUTO_BLOCK : alice.block_size;
	bob.stanza = stanzas & 2 ? STANZA_MESSAGE : STANZA_IQ;
	bob.block_size = blocks[take_number(schedule) % COUNT(blocks)];
	return world_create(&alice, &bob, max_streams[take_number(schedule) % COUNT(max_streams)]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct schedule schedule = {.at = bytes, .end = bytes + length};
	schedule.world = take_world(&schedule);
	while (!is_at_end(&schedule)) {
		char byte = (char)*schedule.at++;
		if (byte == ' ' || byte == '\n') {
			continue;
		}
		bool is_known = byte != '\0' && strchr(acts, byte);
		play(&schedule, is_known ? byte : acts[(uint8_t)byte % (sizeof(acts) - 1)]);
	}
	failing_malloc_disarm();
	world_destroy(schedule.world);
	return 0;
}
