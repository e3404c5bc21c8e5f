/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_WORDS   8
#define LEAST_SLACK  ((size_t)1024 * 1024) /* beyond `buffer`, see receiver.h */

const struct stream_config script_config = {
	.block_size = 8,
	.stanza = STANZA_IQ,
	.window = 16,
	.buffer = 32,
	.timeout_ms = SCRIPT_TIMEOUT_MS,
	.reconnect_ms = SCRIPT_RECONNECT_MS,
};

uint8_t script_pattern(uint64_t place)
{
	return (uint8_t)(1 + place % 251);
}

/* ---- what comes of it ---- */

static void put(struct script *script, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One more event. */
static void put(struct script *script, const char *format, ...)
{
	size_t length = strlen(script->out);
	if (length > 0) {
		length +=
			(size_t)snprintf(script->out + length, sizeof(script->out) - length, "; ");
	}
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(script->out + length, sizeof(script->out) - length, format, arguments);
	va_end(arguments);
	assert_true(strlen(script->out) < sizeof(script->out) - 1);
}

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{EACCES, "EACCES"},
		{EAGAIN, "EAGAIN"},
		{ECONNREFUSED, "ECONNREFUSED"},
		{ECONNRESET, "ECONNRESET"},
		{EEXIST, "EEXIST"},
		{EHOSTDOWN, "EHOSTDOWN"},
		{EHOSTUNREACH, "EHOSTUNREACH"},
		{EINTR, "EINTR"},
		{EINVAL, "EINVAL"},
		{EIO, "EIO"},
		{ENETDOWN, "ENETDOWN"},
		{ENFILE, "ENFILE"},
		{ENOMEM, "ENOMEM"},
		{ENOSPC, "ENOSPC"},
		{EPROTO, "EPROTO"},
		{EPROTONOSUPPORT, "EPROTONOSUPPORT"},
		{ESHUTDOWN, "ESHUTDOWN"},
		{ETIMEDOUT, "ETIMEDOUT"},
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		if (names[i].error == error) {
			return names[i].name;
		}
	}
	return "another error";
}

static void put_result(struct script *script, const char *name, ssize_t result)
{
	if (result < 0) {
		put(script, "%s=%s", name, error_name((int)-result));
	} else {
		put(script, "%s=%zd", name, result);
	}
}

/* ---- streams ---- */

static struct script_stream *find_stream(struct script *script, const char *name)
{
	for (size_t i = 0; i < script->streams_length; i++) {
		if (strcmp(script->streams[i].name, name) == 0) {
			return &script->streams[i];
		}
	}
	return NULL;
}

static struct script_stream *get_stream(struct script *script, const char *name)
{
	struct script_stream *stream = find_stream(script, name);
	if (!stream || !stream->stream) {
		fail_msg("no stream %s", name);
	}
	return stream;
}

static struct script_stream *add_stream(struct script *script, const char *name,
					struct stream *stream)
{
	assert_true(script->streams_length < COUNT(script->streams));
	assert_null(find_stream(script, name));
	struct script_stream *added = &script->streams[script->streams_length++];
	*added = (struct script_stream){.stream = stream, .number = stream->number, .session = 1};
	snprintf(added->name, sizeof(added->name), "%s", name);
	return added;
}

static struct script_stream *create_stream(struct script *script, const char *name)
{
	int error = 0;
	struct stream *stream = ibb_create_stream(&script->ibb, name, &error);
	if (!stream) {
		put_result(script, name, error);
		return NULL;
	}
	return add_stream(script, name, stream);
}

static uint8_t written_byte(const struct script_stream *stream, uint64_t place)
{
	for (size_t i = 0; i < stream->gaps_length; i++) {
		if (place >= stream->gaps[i][0] && place < stream->gaps[i][1]) {
			return 0;
		}
	}
	return script_pattern(place);
}

/* The invariants. */
static void check_stream(const struct script *script, const struct stream *stream)
{
	const struct sender *sender = &stream->outgoing.sender;
	const struct receiver *receiver = &stream->incoming.receiver;
	size_t window = script->ibb.config.window, buffer = script->ibb.config.buffer;
	size_t block = stream->session.block_size;

	assert_true(sender->in_flight <= sender->out.length);
	assert_true(sender->push <= sender->out.length);
	assert_true(sender->in_flight <= (window > block ? window : block));
	if (buffer < block) {
		buffer = block;
	}
	/* The last held block counts only for the next one. */
	size_t last = receiver->held ? receiver->held->prev->memory : 0;
	size_t slack = buffer > LEAST_SLACK ? buffer : LEAST_SLACK;
	assert_true(receiver->in.length <= buffer + slack);
	assert_true(receiver->held_memory <= slack + last);
	if (stream_is_over(stream)) {
		assert_false(stream->links.is_sendable);
		assert_null(stream->links.key);
		assert_true(!stream->session.openers && !stream->incoming.readers &&
			    !stream->outgoing.writers && !stream->outgoing.flushers &&
			    !stream->session.finishers);
		assert_true(stream_deadline(stream) == STREAM_NO_DEADLINE);
	}
	if (stream->incoming.readers) {
		assert_int_equal(receiver->in.length, 0);
	}
}

/* ---- calls ---- */

static struct script_op *find_op(struct script *script, const char *name)
{
	for (size_t i = 0; i < script->ops_length; i++) {
		if (strcmp(script->ops[i].name, name) == 0) {
			return &script->ops[i];
		}
	}
	return NULL;
}

static struct op *add_op(struct script *script, struct script_stream *stream, enum op_kind kind,
			 char **words)
{
	assert_true(script->ops_length < COUNT(script->ops));
	assert_null(find_op(script, words[2]));
	struct script_op *added = &script->ops[script->ops_length++];
	size_t size = words[3] ? strtoul(words[3], NULL, 10) : 0;
	op_init(&added->op, kind, script->ops_length, size, strncmp(words[0], "try-", 4) == 0);
	snprintf(added->name, sizeof(added->name), "%s", words[2]);
	added->completed = 0;
	added->stream = stream;
	return &added->op;
}

static void take_done(struct script *script)
{
	struct op *op, *next;
	struct op *done = effects_take_done(&script->ibb.effects);
	DL_FOREACH_SAFE (done, op, next) {
		struct script_op *call = (struct script_op *)op;
		assert_null(op->list);
		call->completed++;
		assert_int_equal(call->completed, 1);
		if (op->kind == OP_READ && op->result == STREAM_SKIP) {
			put(script, "%s=skip %" PRIu64, call->name, op->offset);
			call->stream->read = op->offset;
		} else if (op->kind == OP_READ && op->result == STREAM_PAGE) {
			put(script, "%s=page %" PRIu64, call->name, op->offset);
		} else if (op->kind == OP_READ && op->result == STREAM_SYNC) {
			put(script, "%s=sync", call->name);
		} else {
			put_result(script, call->name, op->result);
		}
		if (op->kind == OP_READ && op->result > 0) {
			assert_true((size_t)op->result <= op->size);
			for (ssize_t i = 0; i < op->result; i++) {
				assert_int_equal(op->data[i], script_pattern(call->stream->read++));
			}
		}
		if ((op->kind == OP_WRITE || op->kind == OP_WRITE_SYNC) && op->result >= 0) {
			assert_int_equal(op->result, op->size);
		}
		op_finish(op);
	}
}

static void write_bytes(struct script *script, struct script_stream *stream, struct op *op)
{
	static uint8_t bytes[SCRIPT_MOST_BYTES];
	const struct op *waiting;
	uint64_t place = stream_written(stream->stream);
	DL_FOREACH (stream->stream->outgoing.writers, waiting) {
		place += waiting->data ? waiting->size : 0;
	}
	assert_true(op->size <= sizeof(bytes));
	for (size_t i = 0; i < op->size; i++) {
		bytes[i] = script_pattern(place + i);
	}
	stream_write(stream->stream, op, bytes, script->now_ms);
	memset(bytes, 0xff, op->size); /* they are borrowed for the call only */
}

static void write_zeros(struct script *script, struct script_stream *stream, uint64_t length)
{
	assert_true(stream->gaps_length < COUNT(stream->gaps));
	uint64_t from = stream_written(stream->stream);
	stream->gaps[stream->gaps_length][0] = from;
	stream->gaps[stream->gaps_length][1] = from + length;
	stream->gaps_length++;
	int error = stream_write_zeros(stream->stream, length, script->now_ms);
	if (error) {
		put_result(script, "zeros", error);
	}
}

/* ---- what leaves ---- */

/* Data, or a skip. */
static void put_data(struct script *script, const struct msg *msg)
{
	bool skips = msg->kind == MSG_SKIP;
	uint64_t length = skips ? (uint64_t)msg->size : msg->data_length;
	struct script_stream *stream = NULL;
	char *end;
	uint64_t number = strtoull(msg->id + 1, &end, 16);
	unsigned session = *end == '-' ? (unsigned)strtoul(end + 1, NULL, 16) : 1;
	for (size_t i = 0; i < script->streams_length; i++) {
		if (script->streams[i].number == number) {
			stream = &script->streams[i];
		}
	}
	assert_non_null(stream);
	if (session != stream->session) {
		assert_true(session > stream->session); /* from the first byte on */
		stream->session = session;
		stream->sent = 0;
	}
	const char *count = strchr(msg->id, '.') + 1;
	uint64_t block = strtoull(count, NULL, 16), sent = stream->sent;
	bool aside = msg->id[0] == 'a'; /* taken again; the following ids are new */
	if ((aside || strchr(count, '.')) && block < COUNT(stream->starts)) {
		stream->sent = stream->starts[block]; /* again, or the first one after that */
	}
	if (!aside && block + 1 < COUNT(stream->starts)) {
		stream->starts[block] = stream->sent;
		stream->starts[block + 1] = stream->sent + length;
	}
	for (uint64_t i = 0; !skips && i < length; i++) {
		assert_int_equal(msg->data[i], written_byte(stream, stream->sent + i));
	}
	stream->sent = aside ? sent : stream->sent + length;
	put(script, "%s %s %s %s %u %" PRIu64 "%s", msg->id, skips ? "skip" : "data", msg->peer,
	    msg->sid, msg->seq, length, msg->stanza == STANZA_MESSAGE ? " message" : "");
}

/* 0 goes without saying. */
static void put_seq(struct script *script, const struct msg *msg)
{
	if (msg->has_seq && msg->seq > 0) {
		size_t length = strlen(script->out);
		snprintf(script->out + length, sizeof(script->out) - length, " seq=%u", msg->seq);
	}
}

static void put_message(struct script *script, const struct msg *msg)
{
	switch (msg->kind) {
	case MSG_OPEN:
		assert_int_equal(msg->size, -1);
		put(script, "%s open %s %s %u%s%s%s%s%s", msg->id, msg->peer, msg->sid,
		    (unsigned)msg->block_size, msg->stanza == STANZA_MESSAGE ? " message" : "",
		    msg->name ? " name=" : "", msg->name ? msg->name : "",
		    msg->resumable ? " resume" : "", msg->pieces ? " pieces" : "");
		break;
	case MSG_DATA:
	case MSG_SKIP:
		put_data(script, msg);
		break;
	case MSG_CLOSE:
		put(script, "%s close %s %s%s%s", msg->id, msg->peer, msg->sid,
		    msg->reset ? " reset" : "", msg->no_room ? " no-room" : "");
		if (msg->size >= 0) {
			size_t length = strlen(script->out);
			snprintf(script->out + length, sizeof(script->out) - length,
				 " size=%" PRId64 "%s", msg->size,
				 msg->data_length > 0 ? " digest" : "");
		}
		break;
	case MSG_RESUME:
		put(script, "%s resume %s %s", msg->id, msg->peer, msg->sid);
		put_seq(script, msg);
		break;
	case MSG_PIECES:
		put(script, "%s pieces %s %s %" PRIu64, msg->id, msg->peer, msg->sid, msg->first);
		break;
	case MSG_SYNC:
		put(script, "%s sync %s %s %" PRId64, msg->id, msg->peer, msg->sid, msg->size);
		break;
	case MSG_PING:
		put(script, "%s ping %s", msg->id, msg->peer);
		break;
	case MSG_INFO:
		put(script, "%s info %s", msg->id, msg->peer);
		break;
	case MSG_RESULT:
		put(script, "%s result %s%s", msg->id, msg->peer, msg->pieces ? " pieces" : "");
		put_seq(script, msg);
		if (msg->pieces && msg->size >= 0) {
			size_t length = strlen(script->out);
			snprintf(script->out + length, sizeof(script->out) - length,
				 " size=%" PRId64 " %zu", msg->size,
				 msg->data_length / PIECES_DIGEST);
		}
		break;
	case MSG_ERROR:
		put(script, "%s error %s %s %s", msg->id, msg->peer, condition_name(msg->condition),
		    error_type_name(msg->error_type));
		break;
	case MSG_SI:
	case MSG_JINGLE:
	case MSG_UNKNOWN:
	case MSG_BOUNCE:
		fail_msg("message of kind %d leaves", msg->kind);
	}
}

static bool take_message(struct script *script)
{
	struct msg *msg = ibb_next(&script->ibb, script->now_ms * 1000);
	if (!msg) {
		return false;
	}
	put_message(script, msg);
	msg_destroy(msg);
	return true;
}

static void settle(struct script *script)
{
	take_done(script);
	while (!script->holds && ibb_has_next(&script->ibb) && take_message(script)) {
		take_done(script);
	}
	const struct stream *stream, *next;
	HASH_ITER (links.by_number, script->ibb.by_number, stream, next) {
		check_stream(script, stream);
	}
}

/* ---- what happens on the wire ---- */

static struct script_feed *get_feed(struct script *script, const char *peer, const char *sid)
{
	for (size_t i = 0; i < script->feeds_length; i++) {
		struct script_feed *feed = &script->feeds[i];
		if (strcmp(feed->peer, peer) == 0 && strcmp(feed->sid, sid) == 0) {
			return feed;
		}
	}
	assert_true(script->feeds_length < COUNT(script->feeds));
	struct script_feed *feed = &script->feeds[script->feeds_length++];
	feed->sent = 0;
	snprintf(feed->peer, sizeof(feed->peer), "%s", peer);
	snprintf(feed->sid, sizeof(feed->sid), "%s", sid);
	return feed;
}

/* The digest of a piece of a file with so many bytes of the pattern. */
static void digest_pattern(uint64_t index, uint64_t size, uint8_t *bytes)
{
	struct digest digest;
	struct hash *hash = hash_create(HASH_SHA_256);
	assert_non_null(hash);
	for (uint64_t at = index * PIECES_LENGTH; at < size && at < (index + 1) * PIECES_LENGTH;
	     at++) {
		uint8_t byte = script_pattern(at);
		hash_update(hash, &byte, 1);
	}
	assert_int_equal(hash_finish(hash, &digest), 0);
	hash_destroy(hash);
	memcpy(bytes, digest.bytes, PIECES_DIGEST);
}

/* Adds what <pieces/> says. */
static void add_page(struct msg *msg, const char *page, uint8_t *bytes)
{
	for (size_t i = 0; page[i] != '\0'; i++) {
		digest_pattern(i, (uint64_t)msg->size, bytes + i * PIECES_DIGEST);
		bytes[i * PIECES_DIGEST] ^= page[i] == 'w' ? 1 : 0;
	}
	msg->data = bytes;
	msg->data_length = strlen(page) * PIECES_DIGEST;
}

/* words: kind, sid or id, ... */
static void receive(struct script *script, const char *peer, bool allowed, char **words)
{
	static uint8_t bytes[STREAM_MAX_BLOCK + 1];
	const char *kind = words[0];
	struct msg msg = {.peer = peer, .id = words[1], .size = -1};

	if (strcmp(kind, "open") == 0 || strcmp(kind, "data") == 0 || strcmp(kind, "close") == 0 ||
	    strcmp(kind, "resume") == 0 || strcmp(kind, "skip") == 0 ||
	    strcmp(kind, "pieces") == 0 || strcmp(kind, "sync") == 0) {
		msg.sid = words[1];
		msg.id = words[2];
	}
	for (size_t i = 2; words[1] && words[i]; i++) {
		if (strcmp(words[i], "message") == 0) {
			msg.stanza = STANZA_MESSAGE;
		} else if (strncmp(words[i], "name=", 5) == 0) {
			msg.name = words[i] + 5;
		} else if (strncmp(words[i], "size=", 5) == 0) {
			msg.size = strtoll(words[i] + 5, NULL, 10);
		} else if (strncmp(words[i], "seq=", 4) == 0) {
			msg.seq = (uint16_t)strtoul(words[i] + 4, NULL, 10);
			msg.has_seq = true;
		} else if (strcmp(words[i], "reset") == 0) {
			msg.reset = true;
		} else if (strcmp(words[i], "no-room") == 0) {
			msg.no_room = true;
		} else if (strcmp(words[i], "resume") == 0) {
			msg.resumable = true;
		} else if (strcmp(words[i], "pieces") == 0) {
			msg.pieces = true;
		} else if (strcmp(words[i], "digest") == 0) {
			msg.data = bytes;
			msg.data_length = PIECES_DIGEST;
		} else if (strncmp(words[i], "page=", 5) == 0) {
			add_page(&msg, words[i] + 5, bytes);
		} else if (strncmp(words[i], "from=", 5) == 0) {
			get_feed(script, peer, msg.sid)->sent = strtoull(words[i] + 5, NULL, 10);
		}
	}
	if (strcmp(kind, "open") == 0) {
		msg.kind = MSG_OPEN;
		msg.block_size = (uint32_t)strtoul(words[3], NULL, 10);
		get_feed(script, peer, msg.sid)->sent = 0;
	} else if (strcmp(kind, "data") == 0) {
		struct script_feed *feed = get_feed(script, peer, msg.sid);
		msg.kind = MSG_DATA;
		msg.seq = (uint16_t)strtoul(words[3], NULL, 10);
		if (strcmp(words[4], "bad") != 0) {
			msg.data = bytes;
			msg.data_length = strtoul(words[4], NULL, 10);
		}
		assert_true(msg.data_length <= sizeof(bytes));
		for (size_t i = 0; i < msg.data_length; i++) {
			bytes[i] = script_pattern(feed->sent++);
		}
	} else if (strcmp(kind, "skip") == 0) {
		msg.kind = MSG_SKIP;
		msg.seq = (uint16_t)strtoul(words[3], NULL, 10);
		msg.size = strtoll(words[4], NULL, 10);
		get_feed(script, peer, msg.sid)->sent += (uint64_t)msg.size;
	} else if (strcmp(kind, "pieces") == 0) {
		msg.kind = MSG_PIECES;
		msg.first = strtoull(words[3], NULL, 10);
	} else if (strcmp(kind, "sync") == 0) {
		msg.kind = MSG_SYNC;
		msg.size = strtoll(words[3], NULL, 10);
	} else if (strcmp(kind, "close") == 0) {
		msg.kind = MSG_CLOSE;
	} else if (strcmp(kind, "resume") == 0) {
		msg.kind = MSG_RESUME;
	} else if (strcmp(kind, "ping") == 0) {
		msg.kind = MSG_PING;
	} else if (strcmp(kind, "unknown") == 0) {
		msg.kind = MSG_UNKNOWN;
		msg.condition = CONDITION_BAD_REQUEST;
	} else if (strcmp(kind, "result") == 0) {
		msg.kind = MSG_RESULT;
	} else if (strcmp(kind, "error") == 0 || strcmp(kind, "bounce") == 0) {
		msg.kind = kind[0] == 'e' ? MSG_ERROR : MSG_BOUNCE;
		msg.condition = condition_from_name(words[2]);
		msg.error_type =
			words[3] ? error_type_from_name(words[3]) : condition_type(msg.condition);
	} else {
		fail_msg("no message %s", kind);
	}
	ibb_receive(&script->ibb, &msg, allowed, script->now_ms * 1000);
	ibb_complete_reads(&script->ibb);
}

/* ---- what happens on the user's side ---- */

static void dial(struct script *script, char **words)
{
	struct script_stream *stream = find_stream(script, words[1]);
	if (!stream) {
		stream = create_stream(script, words[1]);
	}
	unsigned features = FEATURE_IBB;
	const char *name = NULL;
	for (char **word = words + 3; *word; word++) {
		if (strcmp(*word, "ibbfs") == 0) {
			features |= FEATURE_IBBFS;
		} else if (strcmp(*word, "resume") == 0) {
			features |= FEATURE_RESUME;
		} else if (strcmp(*word, "sync") == 0) {
			features |= FEATURE_SYNC;
		} else if (strncmp(*word, "name=", 5) == 0) {
			name = *word + 5;
		}
	}
	int error = stream ? ibb_open(&script->ibb, stream->stream, words[2], features, name,
				      script->now_ms)
			   : 0;
	if (error) {
		put_result(script, "dial", error);
	}
}

static void take_arrived(struct script *script, const char *name)
{
	struct stream *stream = ibb_take_arrived(&script->ibb);
	if (stream) {
		assert_true(stream->is_incoming && stream->owned);
		add_stream(script, name, stream);
	} else {
		put(script, "nothing");
	}
}

static void wait_until(struct script *script, int64_t until_ms)
{
	unsigned ticks = 0;
	while (ibb_deadline(&script->ibb) <= until_ms) {
		int64_t deadline_ms = ibb_deadline(&script->ibb);
		script->now_ms = deadline_ms > script->now_ms ? deadline_ms : script->now_ms;
		ibb_tick(&script->ibb, script->now_ms);
		settle(script);
		assert_true(++ticks < 1000); /* or it wants to be called for ever */
	}
	script->now_ms = until_ms;
}

static void release(struct script *script, const char *name, bool good_order)
{
	struct script_stream *stream = get_stream(script, name);
	ibb_release(&script->ibb, stream->stream, good_order, script->now_ms);
	stream->stream = NULL;
}

static void interrupt(struct script *script, const char *name)
{
	struct script_op *call = find_op(script, name);
	assert_non_null(call);
	assert_int_equal(call->completed, 0);
	op_interrupt(&call->op, &script->ibb.effects.done);
}

static void call_stream(struct script *script, char **words)
{
	static const struct {
		const char *word;
		enum op_kind kind;
	} kinds[] = {
		{"open", OP_OPEN},     {"flush", OP_FLUSH},	      {"finish", OP_FLUSH},
		{"write", OP_WRITE},   {"try-write", OP_WRITE},	      {"read", OP_READ},
		{"try-read", OP_READ}, {"sync-write", OP_WRITE_SYNC},
	};
	struct script_stream *stream = get_stream(script, words[1]);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(words[0], kinds[i].word) != 0) {
			continue;
		}
		struct op *op = add_op(script, stream, kinds[i].kind, words);
		switch (kinds[i].kind) {
		case OP_OPEN:
			stream_wait_open(stream->stream, op);
			return;
		case OP_FLUSH:
			(words[0][1] == 'l' ? stream_flush : stream_finish_writing)(
				stream->stream, op, script->now_ms);
			return;
		case OP_WRITE:
		case OP_WRITE_SYNC:
			write_bytes(script, stream, op);
			return;
		default:
			stream_read(stream->stream, op);
			return;
		}
	}
	fail_msg("no act %s", words[0]);
}

static void put_can(struct script *script, const struct stream *stream)
{
	bool reads = stream_can_read(stream), writes = stream_can_write(stream);
	bool at_end = stream_is_at_end(stream);
	put(script, "can%s%s%s%s", reads ? " read" : "", writes ? " write" : "",
	    at_end ? " end" : "", reads || writes || at_end ? "" : " nothing");
}

static void put_deadline(struct script *script)
{
	int64_t deadline_ms = ibb_deadline(&script->ibb);
	if (deadline_ms == STREAM_NO_DEADLINE) {
		put(script, "deadline never");
	} else {
		put(script, "deadline %" PRId64, deadline_ms - script->now_ms);
	}
}

/* A query of the state; false if it is another act. */
static bool answer(struct script *script, char **words)
{
	const char *act = words[0];
	if (strcmp(act, "state") == 0) {
		put(script, "%s", stream_state_name(get_stream(script, words[1])->stream));
	} else if (strcmp(act, "can") == 0) {
		put_can(script, get_stream(script, words[1])->stream);
	} else if (strcmp(act, "size") == 0) {
		put(script, "size %" PRIu64, stream_size(get_stream(script, words[1])->stream));
	} else if (strcmp(act, "deadline") == 0) {
		put_deadline(script);
	} else if (strcmp(act, "drained") == 0) {
		put(script, "%s", ibb_is_drained(&script->ibb) ? "drained" : "not drained");
	} else if (strcmp(act, "count") == 0) {
		put(script, "count %u", (unsigned)HASH_CNT(links.by_number, script->ibb.by_number));
	} else {
		return false;
	}
	return true;
}

/* A stream of 8-byte blocks, of which so many have come, perhaps with a part of so many bytes of
 * which some were skipped. */
static void restore(struct script *script, char **words)
{
	int error = 0;
	uint64_t blocks = strtoull(words[3], NULL, 10);
	struct stream_facts facts = {
		.peer = words[2],
		.sid = words[1],
		.block_size = 8,
		.announced_size = -1,
		.received = 8 * blocks,
		.blocks = blocks,
		.part_size = words[4] ? strtoull(words[4], NULL, 10) : 0,
		.has_skipped = words[4] && words[5],
	};
	struct stream *stream = ibb_restore(&script->ibb, &facts, script->now_ms, &error);
	if (!stream) {
		put_result(script, words[1], error);
		return;
	}
	add_stream(script, words[1], stream)->read = facts.received;
}

static void put_sender(struct script *script, char **words)
{
	static const char *const words_for[] = {
		[STREAM_SENDER_THERE] = "there",
		[STREAM_SENDER_GONE] = "gone",
		[STREAM_SENDER_UNKNOWN] = "unknown",
	};
	struct stream *stream = get_stream(script, words[1])->stream;
	put(script, "%s", words_for[stream_check_sender(stream, words[2], script->now_ms)]);
}

static void act_here(struct script *script, char **words)
{
	const char *act = words[0];
	if (strcmp(act, "create") == 0) {
		create_stream(script, words[1]);
	} else if (strcmp(act, "dial") == 0) {
		dial(script, words);
	} else if (strcmp(act, "reading") == 0) {
		get_stream(script, words[1])->stream->incoming.has_reader = true;
	} else if (strcmp(act, "await") == 0) {
		stream_await(get_stream(script, words[1])->stream, script->now_ms);
	} else if (strcmp(act, "take") == 0) {
		take_arrived(script, words[1]);
	} else if (strcmp(act, "zeros") == 0) {
		write_zeros(script, get_stream(script, words[1]), strtoull(words[2], NULL, 10));
	} else if (strcmp(act, "interrupt") == 0) {
		interrupt(script, words[1]);
	} else if (strcmp(act, "release") == 0) {
		release(script, words[1], true);
	} else if (strcmp(act, "reset") == 0) {
		release(script, words[1], false);
	} else if (strcmp(act, "abort") == 0) {
		ibb_abort(&script->ibb, get_stream(script, words[1])->stream, -EIO);
	} else if (strcmp(act, "full") == 0) {
		ibb_abort(&script->ibb, get_stream(script, words[1])->stream, -ENOSPC);
	} else if (strcmp(act, "part") == 0) {
		stream_set_part(get_stream(script, words[1])->stream, strtoull(words[2], NULL, 10));
	} else if (strcmp(act, "page") == 0) {
		static const uint8_t digests[PIECES_PAGE * PIECES_DIGEST];
		stream_answer_page(get_stream(script, words[1])->stream,
				   strtoull(words[2], NULL, 10), digests,
				   strtoul(words[3], NULL, 10) * PIECES_DIGEST);
	} else if (strcmp(act, "wrong") == 0) {
		ibb_abort(&script->ibb, get_stream(script, words[1])->stream, -EBADMSG);
	} else if (strcmp(act, "offered") == 0) {
		get_stream(script, words[1])->stream->session.negotiated = true;
	} else if (strcmp(act, "defer") == 0) {
		stream_defer_acknowledgements(get_stream(script, words[1])->stream);
	} else if (strcmp(act, "commit") == 0) {
		stream_commit(get_stream(script, words[1])->stream);
	} else if (strcmp(act, "syncs") == 0) {
		stream_sync_when_asked(get_stream(script, words[1])->stream);
	} else if (strcmp(act, "synced") == 0) {
		stream_sync(get_stream(script, words[1])->stream);
	} else if (strcmp(act, "keep") == 0) {
		ibb_keep(&script->ibb, get_stream(script, words[1])->stream);
	} else if (strcmp(act, "verdict") == 0) {
		ibb_restore_verdict(&script->ibb, words[1], words[2],
				    words[3] ? condition_from_name(words[3]) : CONDITION_NONE);
	} else if (strcmp(act, "restore") == 0) {
		restore(script, words);
	} else if (strcmp(act, "journaled") == 0) {
		stream_set_journaled(get_stream(script, words[1])->stream, true);
	} else if (strcmp(act, "hand-over") == 0) {
		ibb_hand_over(&script->ibb, words[1] != NULL);
	} else if (strcmp(act, "sender") == 0) {
		put_sender(script, words);
	} else if (strcmp(act, "gone") == 0) {
		ibb_peer_gone(&script->ibb, words[1], script->now_ms);
	} else if (strcmp(act, "back") == 0) {
		ibb_peer_back(&script->ibb, words[1], script->now_ms);
	} else if (strcmp(act, "connect") == 0) {
		ibb_connect(&script->ibb, script->now_ms);
	} else if (strcmp(act, "disconnect") == 0) {
		ibb_disconnect(&script->ibb, script->now_ms);
	} else if (strcmp(act, "limit") == 0) {
		ibb_limit_stanzas(&script->ibb, strtoul(words[1], NULL, 10));
	} else if (strcmp(act, "wait") == 0) {
		wait_until(script, script->now_ms + strtoll(words[1], NULL, 10));
	} else if (strcmp(act, "hold") == 0 || strcmp(act, "go") == 0) {
		script->holds = act[0] == 'h';
	} else if (strcmp(act, "next") == 0) {
		if (!take_message(script)) {
			put(script, "nothing");
		}
	} else {
		call_stream(script, words);
	}
}

/* One act; `line` is cut into words. */
static void play_one(struct script *script, char *line)
{
	char *words[MOST_WORDS + 1] = {NULL}, *rest = NULL;
	size_t count = 0;
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < MOST_WORDS);
		words[count++] = word;
	}
	assert_true(count > 0);
	char *last = words[0] + strlen(words[0]) - 1;
	if (*last == ':' || *last == '!') {
		bool allowed = *last == ':';
		*last = '\0';
		receive(script, words[0], allowed, words + 1);
	} else if (answer(script, words)) {
		return;
	} else {
		act_here(script, words);
	}
	settle(script);
}

const char *script_play(struct script *script, const char *act)
{
	char acts[1024], *rest = NULL;
	assert_true(strlen(act) < sizeof(acts));
	snprintf(acts, sizeof(acts), "%s", act);
	script->out[0] = '\0';
	for (char *one = strtok_r(acts, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
		play_one(script, one);
	}
	return script->out;
}

void script_run(struct script *script, const struct script_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *out = script_play(script, steps[i].act);
		if (strcmp(out, steps[i].expect) != 0) {
			fail_msg("step %zu, \"%s\"\n  must give  \"%s\"\n  but gives  \"%s\"", i,
				 steps[i].act, steps[i].expect, out);
		}
	}
}

void script_start(struct script *script, const struct stream_config *config, unsigned max_streams)
{
	memset(script, 0, sizeof(*script));
	script->now_ms = 1000;
	ibb_init(&script->ibb, config, max_streams);
}

void script_finish(struct script *script)
{
	ibb_abandon(&script->ibb);
	settle(script);
	for (size_t i = 0; i < script->ops_length; i++) {
		assert_int_equal(script->ops[i].completed, 1);
	}
	assert_true(ibb_is_drained(&script->ibb));
	ibb_finish(&script->ibb);
}

void script_test(const struct script_step *steps, size_t count)
{
	struct script script;
	script_start(&script, &script_config, 16);
	script_run(&script, steps, count);
	script_finish(&script);
}
