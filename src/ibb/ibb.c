/* SPDX-License-Identifier: MIT */
/* A table that cannot grow says so, and the entry is not in it (see add_by_key). */
#define HASH_NONFATAL_OOM 1

#include "ibb/ibb.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void ibb_init(struct ibb *ibb, const struct stream_config *config, unsigned max_streams)
{
	*ibb = (struct ibb){
		.config = *config,
		.max_streams = max_streams,
		.effects.deadline_ms = STREAM_NO_DEADLINE,
	};
	limits_init(&ibb->limits, max_streams, config->buffer, config->buffer_total);
}

static void forget(struct ibb *ibb, struct stream *stream);

void ibb_finish(struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		forget(ibb, stream);
	}
	effects_finish(&ibb->effects);
	limits_finish(&ibb->limits);
	past_finish(&ibb->past);
}

/* ---- the tables ---- */

/* The key is "PEER\nSID": neither can hold a newline. A full JID has 3071 bytes at most (RFC 7622
 * section 3.1), a sid that the codec lets through 1023. */
#define KEY_SIZE (3071 + 1 + 1023 + 1)

static bool make_key(char *key, const char *peer, const char *sid)
{
	int length = snprintf(key, KEY_SIZE, "%s\n%s", peer, sid);
	return length >= 0 && length < KEY_SIZE;
}

static struct stream *find_by_key(const struct ibb *ibb, const char *peer, const char *sid)
{
	char key[KEY_SIZE];
	struct stream *stream = NULL;
	if (make_key(key, peer, sid)) {
		HASH_FIND(by_key, ibb->by_key, key, strlen(key), stream);
	}
	return stream;
}

/* -EINVAL for a key that is too long, -ENOMEM. */
static int add_by_key(struct ibb *ibb, struct stream *stream)
{
	char key[KEY_SIZE];
	if (!make_key(key, stream->peer, stream->sid)) {
		return -EINVAL;
	}
	size_t size = strlen(key) + 1;
	stream->key = malloc(size);
	if (!stream->key) {
		return -ENOMEM;
	}
	memcpy(stream->key, key, size);
	HASH_ADD_KEYPTR(by_key, ibb->by_key, stream->key, size - 1, stream);
	if (!stream->by_key.tbl) {
		free(stream->key);
		stream->key = NULL;
		return -ENOMEM;
	}
	ibb->effects.streams++;
	return 0;
}

static void remove_by_key(struct ibb *ibb, struct stream *stream)
{
	if (stream->key) {
		HASH_DELETE(by_key, ibb->by_key, stream);
		ibb->effects.streams--;
		free(stream->key);
		stream->key = NULL;
	}
}

static struct stream *add_stream(struct ibb *ibb, const char *sid, int *error)
{
	struct stream *stream = stream_create(&ibb->config, &ibb->effects, &ibb->limits,
					      &ibb->chunk, ibb->last_number + 1, sid);
	if (!stream) {
		*error = -ENOMEM;
		return NULL;
	}
	HASH_ADD(by_number, ibb->by_number, number, sizeof(stream->number), stream);
	if (!stream->by_number.tbl) {
		stream_destroy(stream);
		*error = -ENOMEM;
		return NULL;
	}
	ibb->last_number++;
	return stream;
}

static void forget(struct ibb *ibb, struct stream *stream)
{
	remove_by_key(ibb, stream);
	HASH_DELETE(by_number, ibb->by_number, stream);
	limits_leave(stream->counted, stream->taken && stream->state == STREAM_CLOSED);
	stream_destroy(stream);
}

/* After every call that may have ended the stream: the wire cannot find it any more, and it goes
 * if nobody holds it. */
static void settle(struct ibb *ibb, struct stream *stream)
{
	if (stream_is_over(stream)) {
		if (stream->key && stream->state == STREAM_CLOSED) {
			bool alone = HASH_CNT(by_key, ibb->by_key) == 1;
			past_learn(&ibb->past, stream->peer, &stream->window, alone);
		}
		remove_by_key(ibb, stream);
		if (!stream->owned) {
			forget(ibb, stream);
		}
	}
}

/* ---- the user's side ---- */

/* Those that are over and wait to be read take nothing from a stream of ours. */
static unsigned count_live(const struct ibb *ibb)
{
	const struct stream *stream, *next;
	unsigned count = 0;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		count += !stream_is_over(stream) && !stream->close_sent;
	}
	return count;
}

struct stream *ibb_create_stream(struct ibb *ibb, const char *sid, int *error)
{
	if (count_live(ibb) >= ibb->max_streams) {
		*error = -ENFILE;
		return NULL;
	}
	struct stream *stream = add_stream(ibb, sid, error);
	if (stream) {
		stream->owned = true;
	}
	return stream;
}

int ibb_dial(struct ibb *ibb, struct stream *stream, const char *peer, unsigned features,
	     const char *name, int64_t now_ms)
{
	char key[KEY_SIZE];
	if (!make_key(key, peer, stream->sid)) {
		return -EINVAL;
	}
	uint32_t wanted = stream->block_size;
	uint32_t accepted = past_block_size(&ibb->past, peer);
	stream->block_size = accepted < wanted ? accepted : wanted;
	int error = stream_dial(stream, peer, features, name, now_ms);
	if (error) {
		stream->block_size = wanted;
		return error;
	}
	error = add_by_key(ibb, stream);
	if (error) {
		/* The <open/> is queued already. */
		stream_abort(stream, error);
	}
	return error;
}

struct stream *ibb_expect(struct ibb *ibb, const char *peer, const char *sid, int64_t size,
			  int *error)
{
	if (find_by_key(ibb, peer, sid)) {
		*error = -EEXIST;
		return NULL;
	}
	struct stream *stream = ibb_create_stream(ibb, sid, error);
	if (!stream) {
		return NULL;
	}
	*error = stream_expect(stream, peer, size);
	if (!*error) {
		*error = add_by_key(ibb, stream);
	}
	if (*error) {
		forget(ibb, stream);
		return NULL;
	}
	return stream;
}

void ibb_release(struct ibb *ibb, struct stream *stream, bool good_order, int64_t now_ms)
{
	assert(stream->owned);
	stream->owned = false;
	stream->taken = good_order && stream->receiver.received > 0;
	stream_close(stream, good_order, now_ms);
	settle(ibb, stream);
}

void ibb_abort(struct ibb *ibb, struct stream *stream, int error)
{
	stream_abort(stream, error);
	settle(ibb, stream);
}

void ibb_end(struct ibb *ibb, struct stream *stream, int error)
{
	stream_finish(stream, error);
	settle(ibb, stream);
}

struct stream *ibb_take_arrived(struct ibb *ibb)
{
	struct stream *stream = ibb->arrived;
	if (stream) {
		DL_DELETE(ibb->arrived, stream);
		stream->owned = true;
	}
	return stream;
}

/* ---- requests that came in ---- */

static void refuse(struct ibb *ibb, const struct msg *request, enum condition condition)
{
	if (request->kind != MSG_DATA || request->carrier == CARRIER_IQ) {
		/* Short of memory, silence: the sender has a time limit of its own. */
		effects_send_error(&ibb->effects, request->peer, request->id, condition);
	}
}

/*
 * A block in a message, which has no answer, of a stream that we do not know any more: we broke it
 * when its sender seemed to be gone, or began anew. Ahead of our answer to the question that
 * follows the block, a <close/> says that it was not taken.
 */
static void disown(struct ibb *ibb, const struct msg *data, int64_t now_ms)
{
	struct msg close = {
		.kind = MSG_CLOSE,
		.peer = data->peer,
		.id = "c0.0", /* of no stream: whatever the answer is */
		.sid = data->sid,
		.size = -1,
	};
	if (effects_send(&ibb->effects, &close)) {
		/* Longer than anybody waits for an answer. */
		ibb->mute_until_ms = now_ms + 2 * ibb->config.timeout_ms;
	}
}

bool ibb_is_mute(const struct ibb *ibb, int64_t now_ms)
{
	return now_ms < ibb->mute_until_ms;
}

static void receive_open(struct ibb *ibb, const struct msg *open, int64_t now_ms)
{
	struct stream *known = find_by_key(ibb, open->peer, open->sid);
	if (known && known->expected && known->state == STREAM_NEW) {
		if (stream_arrive(known, open, now_ms)) {
			refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		}
		return;
	}
	if (known && stream_accepts_again(known, open)) {
		effects_send_result(&ibb->effects, open->peer, open->id);
		return;
	}
	if (known) {
		/* A sid names one session at a time. */
		refuse(ibb, open, CONDITION_NOT_ACCEPTABLE);
		return;
	}
	if (open->block_size > ibb->config.block_size) {
		refuse(ibb, open, CONDITION_RESOURCE_CONSTRAINT);
		return;
	}
	struct peer *peer = NULL;
	enum limits_answer answer = limits_enter(&ibb->limits, open->peer, now_ms, &peer);
	if (answer == LIMITS_TOO_SOON) {
		effects_send_wait(&ibb->effects, open->peer, open->id);
		return;
	}
	/* Those that wait to be read count here: they hold memory. */
	if (answer == LIMITS_TOO_MANY ||
	    (answer == LIMITS_YES && HASH_CNT(by_number, ibb->by_number) >= ibb->max_streams)) {
		limits_leave(peer, false);
		refuse(ibb, open, CONDITION_NOT_ACCEPTABLE);
		return;
	}
	int error = 0;
	struct stream *stream = peer ? add_stream(ibb, open->sid, &error) : NULL;
	if (!stream) {
		limits_leave(peer, false);
		refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		return;
	}
	stream->counted = peer;
	if (stream_arrive(stream, open, now_ms)) {
		forget(ibb, stream);
		refuse(ibb, open, CONDITION_INTERNAL_SERVER_ERROR);
		return;
	}
	if (add_by_key(ibb, stream)) {
		/* The acceptance is queued already. */
		stream_close(stream, false, 0);
		forget(ibb, stream);
		return;
	}
	DL_APPEND(ibb->arrived, stream);
	stream->owned = true; /* by the list */
}

static void receive_request(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_ms)
{
	struct stream *stream = NULL;

	if (ibb_is_flooded(ibb, true)) {
		return;
	}
	if (msg->kind == MSG_DATA || msg->kind == MSG_CLOSE || msg->kind == MSG_RESUME) {
		stream = find_by_key(ibb, msg->peer, msg->sid);
		if (stream && strlen(msg->id) > LIMITS_ID) {
			return;
		}
		if (stream && msg->kind == MSG_DATA) {
			stream_receive_data(stream, msg, now_ms);
			settle(ibb, stream);
			return;
		}
		if (stream && msg->kind == MSG_RESUME) {
			stream_receive_resume(stream, msg, now_ms);
			settle(ibb, stream);
			return;
		}
		if (stream) {
			stream_receive_close(stream, msg);
			settle(ibb, stream);
			return;
		}
	}
	if (ibb_is_flooded(ibb, allowed) || (allowed && strlen(msg->id) > LIMITS_ID)) {
		return;
	}
	if (!allowed) {
		/* As the server answers for somebody who is not there (RFC 6121 section 8.5). */
		refuse(ibb, msg, CONDITION_SERVICE_UNAVAILABLE);
	} else if (msg->kind == MSG_OPEN) {
		receive_open(ibb, msg, now_ms);
	} else if (msg->kind == MSG_PING) {
		if (!ibb_is_mute(ibb, now_ms)) {
			effects_send_result(&ibb->effects, msg->peer, msg->id);
		}
	} else if (msg->kind == MSG_UNKNOWN) {
		refuse(ibb, msg, msg->condition);
	} else if (msg->kind == MSG_DATA && msg->carrier == CARRIER_MESSAGE) {
		disown(ibb, msg, now_ms);
	} else {
		refuse(ibb, msg, CONDITION_ITEM_NOT_FOUND);
	}
}

/* ---- answers that came in ---- */

/* An id of ours, taken apart. */
struct id {
	char kind;
	uint64_t number, count, epoch;
};

/* A hexadecimal number, and what comes after it; NULL: it is none. */
static const char *parse_part(const char *text, uint64_t *part)
{
	char *end;
	*part = strtoull(text, &end, 16);
	return end == text ? NULL : end;
}

/* False for any id but one of ours. */
static bool parse_id(const char *text, struct id *id)
{
	*id = (struct id){.kind = text[0]};
	if (id->kind == '\0') {
		return false;
	}
	const char *rest = parse_part(text + 1, &id->number);
	if (!rest || *rest != '.') {
		return false;
	}
	rest = parse_part(rest + 1, &id->count);
	if (rest && *rest == '.') {
		rest = parse_part(rest + 1, &id->epoch);
		rest = id->epoch > 0 ? rest : NULL; /* we leave that out */
	}
	return rest && *rest == '\0';
}

/* An answer to <open/>. */
static void open_answered(struct ibb *ibb, struct stream *stream, const struct msg *answer,
			  int64_t now_ms)
{
	uint32_t block_size = stream->block_size;
	bool opening = stream->state == STREAM_OPENING;

	if (answer->kind != MSG_RESULT) {
		stream_refused(stream, answer, now_ms);
		if (stream->block_size < block_size) {
			past_refused(&ibb->past, stream->peer, stream->block_size);
		}
		return;
	}
	stream_accepted(stream, now_ms);
	if (opening && stream->state == STREAM_OPEN) {
		struct window_past way = past_way(&ibb->past, stream->peer);
		/* The clock may have ticked at any time in between. */
		int64_t trip_us = (now_ms - stream->asked_ms + 1) * 1000;
		window_recall(&stream->window, &way, trip_us, HASH_CNT(by_key, ibb->by_key));
	}
}

static void receive_answer(struct ibb *ibb, const struct msg *msg, int64_t now_us)
{
	int64_t now_ms = now_us / 1000;
	struct id id;
	struct stream *stream = NULL;

	if (parse_id(msg->id, &id)) {
		HASH_FIND(by_number, ibb->by_number, &id.number, sizeof(id.number), stream);
	}
	/* Whoever did not get the request cannot answer it. */
	if (!stream || !stream->peer || strcmp(stream->peer, msg->peer) != 0) {
		return;
	}
	bool success = msg->kind == MSG_RESULT;
	if (id.kind == 'd' && success) {
		stream_acknowledged(stream, id.count, now_us);
	} else if (id.kind == 'a' && success) {
		stream_repeated(stream, id.count, id.epoch, now_us);
	} else if (id.kind == 'd' || id.kind == 'a') {
		stream_data_refused(stream, id.count, id.epoch, msg, now_ms);
	} else if (id.kind == 'o' && id.count == stream->attempt) {
		open_answered(ibb, stream, msg, now_ms);
	} else if (id.kind == 'b' && success) {
		stream_delivered(stream, id.count, now_us);
	} else if (id.kind == 'b') {
		/* Any client that knows IBB can be asked; the server answers for one that is
		 * gone. */
		stream_break(stream, -ECONNRESET);
	} else if (id.kind == 'c') {
		stream_close_answered(stream, msg, now_ms);
	} else if (id.kind == 'r') {
		stream_resume_answered(stream, msg, now_ms);
	} else if (id.kind == 'p') {
		stream_ping_answered(stream, msg, now_ms);
	}
	settle(ibb, stream);
}

void ibb_receive(struct ibb *ibb, const struct msg *msg, bool allowed, int64_t now_us)
{
	ibb->past.now_ms = now_us / 1000;
	if (msg->kind == MSG_RESULT || msg->kind == MSG_ERROR || msg->kind == MSG_BOUNCE) {
		receive_answer(ibb, msg, now_us);
	} else {
		receive_request(ibb, msg, allowed, now_us / 1000);
	}
}

void ibb_serve_readers(struct ibb *ibb)
{
	while (ibb->effects.ripe) {
		stream_serve_readers(ibb->effects.ripe);
	}
}

/* ---- what leaves ---- */

bool ibb_is_flooded(const struct ibb *ibb, bool allowed)
{
	const struct effects *effects = &ibb->effects;
	return allowed ? effects->queued >= LIMITS_UNSENT || effects->memory >= LIMITS_UNSENT_BYTES
		       : effects->queued >= LIMITS_UNSENT_REFUSED ||
				 effects->memory >= LIMITS_UNSENT_REFUSED_BYTES;
}

/* Half of what acknowledgements waited for has left: so rarely all streams are looked at. */
static void catch_up(struct ibb *ibb)
{
	struct stream *stream, *next;
	ibb->effects.behind = false;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		stream_catch_up(stream);
	}
}

struct msg *ibb_next(struct ibb *ibb, int64_t now_us)
{
	struct msg *msg = effects_take_message(&ibb->effects);
	if (ibb->effects.behind && ibb->effects.queued <= LIMITS_UNSENT_ACKS / 2) {
		catch_up(ibb);
		msg = msg ? msg : effects_take_message(&ibb->effects);
	}
	while (!msg && ibb->effects.turns) {
		struct stream *stream = ibb->effects.turns;
		msg = stream_take_block(stream, now_us);
		settle(ibb, stream);
	}
	/* A stream that has no block after all may have a question. */
	return msg ? msg : effects_take_message(&ibb->effects);
}

bool ibb_has_peer(const struct ibb *ibb, const char *peer)
{
	const struct stream *stream, *next;
	HASH_ITER (by_key, ibb->by_key, stream, next) {
		if (strcmp(stream->peer, peer) == 0) {
			return true;
		}
	}
	return false;
}

bool ibb_is_drained(const struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		if (!stream->owned && !stream_is_over(stream)) {
			return false;
		}
	}
	return !ibb->effects.messages && !ibb->effects.turns;
}

/* ---- what happens to many ---- */

void ibb_limit_stanzas(struct ibb *ibb, size_t max_stanza)
{
	struct stream *stream, *next;
	ibb->config.max_stanza = max_stanza;
	HASH_ITER (by_key, ibb->by_key, stream, next) {
		stream_limit_blocks(stream);
	}
}

/* A connection of ours has gone for good, or cannot be resumed. */
static void break_stream(struct ibb *ibb, struct stream *stream)
{
	stream_break(stream, stream->state >= STREAM_OPEN ? -ECONNRESET : -ENETDOWN);
	settle(ibb, stream);
}

static void drop_messages(struct ibb *ibb)
{
	struct msg *msg;
	while ((msg = effects_take_message(&ibb->effects))) {
		msg_destroy(msg);
	}
}

/* Of an expected stream that is complete nothing is missing. */
static bool needs_peer(const struct stream *stream)
{
	return !(stream->expected && stream->state == STREAM_OPEN && stream_is_complete(stream));
}

void ibb_peer_gone(struct ibb *ibb, const char *peer, int64_t now_ms)
{
	struct stream *stream, *next;
	past_forget(&ibb->past, peer);
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		if (!stream->peer || strcmp(stream->peer, peer) != 0 || !needs_peer(stream)) {
			continue;
		}
		bool begun = stream->state >= STREAM_OPEN;
		if (!begun || !stream_suspend(stream, true, now_ms)) {
			stream_break(stream, begun ? -ECONNRESET : -EHOSTDOWN);
		}
		settle(ibb, stream);
	}
}

void ibb_peer_back(struct ibb *ibb, const char *peer, int64_t now_ms)
{
	struct stream *stream, *next;
	HASH_ITER (by_key, ibb->by_key, stream, next) {
		if (strcmp(stream->peer, peer) == 0) {
			stream_resume(stream, now_ms);
		}
	}
}

void ibb_disconnect(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;
	ibb->disconnected = true;
	past_finish(&ibb->past); /* the next connection may take another way */
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		bool unknown = stream->state == STREAM_NEW && !stream->expected &&
			       ibb->config.reconnect_ms > 0;
		if (!unknown && needs_peer(stream) && !stream_suspend(stream, false, now_ms)) {
			break_stream(ibb, stream);
		}
	}
	drop_messages(ibb);
}

void ibb_connect(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;
	if (!ibb->disconnected) {
		return;
	}
	ibb->disconnected = false;
	HASH_ITER (by_key, ibb->by_key, stream, next) {
		stream_resume(stream, now_ms);
	}
}

void ibb_reset(struct ibb *ibb)
{
	struct stream *stream, *next;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		stream_abort(stream, stream->state >= STREAM_OPEN ? -ECONNRESET : -ENETDOWN);
		settle(ibb, stream);
	}
}

void ibb_abandon(struct ibb *ibb)
{
	struct stream *stream, *next;
	ibb->disconnected = true;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		break_stream(ibb, stream);
	}
	drop_messages(ibb);
}

int64_t ibb_deadline(const struct ibb *ibb)
{
	return ibb->effects.deadline_ms;
}

void ibb_tick(struct ibb *ibb, int64_t now_ms)
{
	struct stream *stream, *next;

	if (now_ms < ibb->effects.deadline_ms) {
		return;
	}
	ibb->effects.deadline_ms = STREAM_NO_DEADLINE;
	HASH_ITER (by_number, ibb->by_number, stream, next) {
		if (now_ms >= stream_deadline(stream)) {
			stream_tick(stream, now_ms);
		}
		int64_t deadline = stream_deadline(stream);
		if (deadline < ibb->effects.deadline_ms) {
			ibb->effects.deadline_ms = deadline;
		}
		settle(ibb, stream);
	}
}
