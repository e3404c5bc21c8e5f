/* SPDX-License-Identifier: MIT */
#include "offer/offer_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A session that has ended well is kept for so long, so that its peer may be the one to end it. */
#define LINGER_MS 2000

/* The longest name that is kept: longer than any directory can hold. */
#define MAX_NAME 1023

static const struct offer_words *words_of(const struct offer *offer)
{
	return offer->format == OFFER_SI ? &offer_si_words : &offer_jingle_words;
}

void offers_init(struct offers *offers, struct ibb *ibb)
{
	*offers = (struct offers){
		.ibb = ibb,
		.deadline_ms = STREAM_NO_DEADLINE,
	};
}

/* ---- life ---- */

static void destroy(struct offer *offer)
{
	assert(!offer->waiters);
	limits_leave(offer->counted);
	hash_destroy(offer->hash);
	free(offer->peer);
	free(offer->id);
	free(offer->name);
	free(offer->media_type);
	free(offer->content);
	free(offer->request);
	free(offer->sid);
	free(offer);
}

static void forget(struct offers *offers, struct offer *offer)
{
	if (offer->stream && offer->stream->hash == offer->hash) {
		offer->stream->hash = NULL;
	}
	DL_DELETE(offers->all, offer);
	offers->arrivals -= offer->incoming;
	destroy(offer);
}

static void take(struct offers *offers, struct offer *offer)
{
	DL_DELETE2(offers->arrived, offer, arrived_prev, arrived_next);
	offer->owned = true;
}

void offers_finish(struct offers *offers)
{
	while (offers->arrived) {
		take(offers, offers->arrived);
	}
	while (offers->all) {
		forget(offers, offers->all);
	}
}

/* False when memory is short; NULL stays NULL. */
static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

/* Not inside a character. */
static bool copy_name(char **to, const char *from)
{
	size_t length = from ? strlen(from) : 0;
	if (length <= MAX_NAME) {
		return copy(to, from);
	}
	for (length = MAX_NAME; length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80;) {
		length--;
	}
	*to = strndup(from, length);
	return *to != NULL;
}

/* In the set, WAITING. `sid` is the bytestream's. */
static struct offer *create(struct offers *offers, enum offer_format format, const char *peer,
			    const char *id, const char *sid, const struct file_terms *file)
{
	struct offer *offer = calloc(1, sizeof(*offer));
	if (!offer) {
		return NULL;
	}
	offer->format = format;
	offer->number = ++offers->last_number;
	offer->size = file->size;
	offer->date = file->date;
	offer->digest = file->digest;
	offer->deadline_ms = STREAM_NO_DEADLINE;
	if (!copy(&offer->peer, peer) || !copy(&offer->id, id) || !copy(&offer->sid, sid) ||
	    !copy_name(&offer->name, file->name) || !copy(&offer->media_type, file->media_type)) {
		destroy(offer);
		return NULL;
	}
	DL_APPEND(offers->all, offer);
	return offer;
}

bool offer_is_over(const struct offer *offer)
{
	return offer->state >= OFFER_DONE;
}

void offer_set_deadline(struct offers *offers, struct offer *offer, int64_t when_ms)
{
	offer->deadline_ms = when_ms;
	if (when_ms < offers->deadline_ms) {
		offers->deadline_ms = when_ms;
	}
}

static void end(struct offers *offers, struct offer *offer, enum offer_state state, int error)
{
	offer->state = state;
	offer->error = error;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
	op_complete_all(&offer->waiters, error, &offers->ibb->effects.done);
}

/* The bytestream follows its offer, which has failed. */
static void fail_stream(struct offers *offers, struct offer *offer)
{
	struct stream *stream = offer->stream;
	if (!stream || stream_is_over(stream)) {
		return;
	}
	if (offer->incoming && stream_is_complete(stream)) {
		ibb_end(offers->ibb, stream, offer->error); /* its sender is done with it */
	} else {
		ibb_abort(offers->ibb, stream, offer->error);
	}
}

void offer_fail(struct offers *offers, struct offer *offer, int error)
{
	if (!offer_is_over(offer)) {
		end(offers, offer, OFFER_FAILED, error);
		fail_stream(offers, offer);
	}
}

void offer_finish(struct offers *offers, struct offer *offer)
{
	if (!offer_is_over(offer)) {
		end(offers, offer, OFFER_DONE, 0);
	}
}

/* ---- what is said ---- */

struct file_terms offer_file(const struct offer *offer)
{
	return (struct file_terms){
		.name = offer->name,
		.size = offer->size,
		.date = offer->date,
		.media_type = offer->media_type,
		.digest = offer->digest,
	};
}

int offer_request(struct offers *offers, const struct offer *offer, char kind,
		  const struct msg *request)
{
	char id[32];
	bool matters = kind != OFFER_REQUEST_OTHER;
	/* Several of the others may be under way of one offer. */
	snprintf(id, sizeof(id), "%c%" PRIx64, kind,
		 matters ? offer->number : ++offers->last_other);
	struct msg msg = *request;
	msg.id = id;
	msg.peer = offer->peer;
	msg.sid = offer->id;
	msg.size = -1;
	return effects_send(&offers->ibb->effects, &msg);
}

void offer_refuse(struct offers *offers, const struct msg *request, enum condition condition,
		  enum detail detail)
{
	struct msg error = {
		.kind = MSG_ERROR,
		.peer = request->peer,
		.id = request->id,
		.size = -1,
		.condition = condition,
		.error_type = condition_type(condition),
		.detail = detail,
	};
	effects_send(&offers->ibb->effects, &error);
}

/* ---- incoming ---- */

struct offer *offer_find(const struct offers *offers, enum offer_format format, const char *peer,
			 const char *id)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (offer->format == format && !offer->ended && strcmp(offer->id, id) == 0 &&
		    strcmp(offer->peer, peer) == 0) {
			return offer;
		}
	}
	return NULL;
}

bool offers_have(const struct offers *offers, const char *peer, const char *id)
{
	const struct offer *offer = offer_find(offers, OFFER_JINGLE, peer, id);
	return offer && !offer->incoming;
}

/* Whether so many files may wait; *peer counts this one then. */
static bool may_enter(struct offers *offers, const struct msg *msg, int64_t now_ms,
		      struct peer **peer)
{
	struct ibb *ibb = offers->ibb;
	switch (limits_enter(&ibb->limits, msg->peer, now_ms, peer)) {
	case LIMITS_YES:
		if (offers->arrivals < ibb->max_streams) {
			return true;
		}
		limits_leave(*peer);
		offer_refuse(offers, msg, CONDITION_NOT_ACCEPTABLE, DETAIL_NONE);
		return false;
	case LIMITS_TOO_SOON:
		effects_send_wait(&ibb->effects, msg->peer, msg->id);
		return false;
	case LIMITS_TOO_MANY:
		offer_refuse(offers, msg, CONDITION_NOT_ACCEPTABLE, DETAIL_NONE);
		return false;
	case LIMITS_NO_MEMORY:
		break;
	}
	offer_refuse(offers, msg, CONDITION_INTERNAL_SERVER_ERROR, DETAIL_NONE);
	return false;
}

struct offer *offer_arrive(struct offers *offers, enum offer_format format, const struct msg *msg,
			   int64_t now_ms)
{
	const struct terms *terms = msg->terms;
	struct peer *peer;
	if (!may_enter(offers, msg, now_ms, &peer)) {
		return NULL;
	}
	const char *sid = format == OFFER_SI ? msg->sid : terms->transport_sid;
	struct offer *offer = create(offers, format, msg->peer, msg->sid, sid, &terms->file);
	if (!offer) {
		limits_leave(peer);
		offer_refuse(offers, msg, CONDITION_INTERNAL_SERVER_ERROR, DETAIL_NONE);
		return NULL;
	}
	offer->counted = peer;
	offer->incoming = true;
	offers->arrivals++;
	offer->by_responder = terms->by_responder;
	offer->block_size = terms->block_size;
	if (!copy(&offer->content, terms->content) ||
	    !copy(&offer->request, format == OFFER_SI ? msg->id : NULL)) {
		forget(offers, offer);
		offer_refuse(offers, msg, CONDITION_INTERNAL_SERVER_ERROR, DETAIL_NONE);
		return NULL;
	}
	DL_APPEND2(offers->arrived, offer, arrived_prev, arrived_next);
	offer->owned = true; /* by the list */
	return offer;
}

struct offer *offers_take_arrived(struct offers *offers)
{
	struct offer *offer = offers->arrived;
	if (offer) {
		take(offers, offer);
	}
	return offer;
}

struct stream *offer_accept(struct offers *offers, struct offer *offer, int *error, int64_t now_ms)
{
	if (offer->state != OFFER_WAITING) {
		*error = offer->error ? offer->error : -EBUSY;
		return NULL;
	}
	/* Before the peer can know: its <open/> may come before the answer to our session-accept.
	 */
	struct stream *stream =
		ibb_expect(offers->ibb, offer->peer, offer->sid, offer->size, error);
	if (!stream) {
		/* A bytestream of that name there is already: two offers of one. */
		*error = *error == -EEXIST ? -EPROTO : *error;
		return NULL;
	}
	if (offer->digest.algorithm != HASH_NONE) {
		offer->hash = hash_create(offer->digest.algorithm);
		*error = offer->hash ? 0 : -ENOMEM;
	}
	*error = *error ? *error : words_of(offer)->accept(offers, offer);
	if (*error) {
		hash_destroy(offer->hash);
		offer->hash = NULL;
		ibb_release(offers->ibb, stream, false, now_ms);
		return NULL;
	}
	stream->hash = offer->hash;
	stream_await(stream, now_ms);
	offer->stream = stream;
	offer->state = OFFER_AGREED;
	return stream;
}

/* Everything is here: 0, or what is wrong with it. */
static int check(struct offer *offer)
{
	const struct stream *stream = offer->stream;
	struct digest digest;
	if (offer->size >= 0 && stream->receiver.received != (uint64_t)offer->size) {
		return -ECONNRESET;
	}
	if (offer->digest.length == 0) {
		return 0; /* none was given */
	}
	int error = hash_finish(offer->hash, &digest);
	if (error) {
		return error;
	}
	return digest_equals(&digest, &offer->digest) ? 0 : -EBADMSG;
}

/* Of what is DONE: nothing more is to be said, nor heard. */
static void part(struct offers *offers, struct offer *offer)
{
	words_of(offer)->withdraw(offers, offer);
	offer->ended = true;
	offer->lingers = false;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
}

static void conclude(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	int error = check(offer);
	bool closed = offer->stream->ended;
	if (error) {
		offer_fail(offers, offer, error);
		words_of(offer)->fail(offers, offer);
		return;
	}
	offer->confirmed = true;
	offer_finish(offers, offer);
	ibb_end(offers->ibb, offer->stream, 0);
	words_of(offer)->thank(offers, offer);
	if (offer->ended) {
		return;
	}
	if (closed) {
		part(offers, offer);
	} else {
		/* Some never close a bytestream, and others take it for a failure when its session
		 * is over before they have. */
		offer->lingers = true;
		offer_set_deadline(offers, offer, now_ms + LINGER_MS);
	}
}

/* Of a file that is too short it would say nothing. */
static bool waits_for_digest(const struct offer *offer)
{
	bool whole = offer->size < 0 || offer->stream->receiver.received == (uint64_t)offer->size;
	return whole && offer->digest.algorithm != HASH_NONE && offer->digest.length == 0;
}

static void follow_incoming(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	struct stream *stream = offer->stream;
	if (stream_is_over(stream)) {
		/* Its error is the offer's. */
		offer_fail(offers, offer, stream->error ? stream->error : -ECONNRESET);
		words_of(offer)->fail(offers, offer);
		return;
	}
	if (offer->state == OFFER_AGREED && stream->state == STREAM_OPEN) {
		offer->state = OFFER_MOVING;
	}
	if (offer->state == OFFER_MOVING && stream_is_complete(stream)) {
		offer->state = OFFER_CHECKING;
		if (waits_for_digest(offer)) {
			offer_set_deadline(offers, offer, now_ms + OFFER_CHECKSUM_MS);
		}
	}
	if (offer->state == OFFER_CHECKING &&
	    (!waits_for_digest(offer) || offer->ended || now_ms >= offer->deadline_ms)) {
		conclude(offers, offer, now_ms);
	}
}

/* ---- outgoing ---- */

struct offer *offers_make(struct offers *offers, enum offer_format format, const char *peer,
			  const struct file_terms *file, struct stream *stream, int64_t now_ms)
{
	struct offer *offer = create(offers, format, peer, stream->sid, stream->sid, file);
	if (!offer) {
		return NULL;
	}
	if (format == OFFER_JINGLE) {
		/* Of what leaves: the digest follows the last byte, so that nothing has to be read
		 * twice. */
		offer->digest = (struct digest){.algorithm = HASH_SHA_256};
		offer->hash = hash_create(HASH_SHA_256);
	}
	offer->stream = stream;
	offer->block_size = stream->block_size;
	offer->owned = true;
	if ((format == OFFER_JINGLE && !offer->hash) || words_of(offer)->offer(offers, offer)) {
		forget(offers, offer);
		return NULL;
	}
	offer_set_deadline(offers, offer, now_ms + offers->ibb->config.answer_ms);
	return offer;
}

void offer_wait(struct offers *offers, struct offer *offer, struct op *op)
{
	if (offer_is_over(offer)) {
		op_complete(op, offer->error, &offers->ibb->effects.done);
	} else {
		op_park(op, &offer->waiters);
	}
}

void offer_agreed(struct offers *offers, struct offer *offer, uint32_t block_size, int64_t now_ms)
{
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE); /* the bytestream has its own */
	offer->stream->block_size = block_size;		       /* or less of it, if it is auto */
	int error = ibb_dial(offers->ibb, offer->stream, offer->peer, FEATURE_IBB, NULL, now_ms);
	offer->state = OFFER_AGREED;
	if (error) {
		offer_fail(offers, offer, error);
		words_of(offer)->fail(offers, offer);
	}
}

int offer_sending(struct offers *offers, struct offer *offer, const void *bytes, size_t length)
{
	if (length > (uint64_t)offer->size - offer->hashed) {
		return -EPROTO;
	}
	offer->hashed += length;
	if (!offer->hash) {
		return 0;
	}
	int error = hash_update(offer->hash, bytes, length);
	if (!error && offer->hashed == (uint64_t)offer->size) {
		/* Ahead of the last byte: a receiver may end the session once it has that. */
		error = hash_finish(offer->hash, &offer->digest);
		if (!error) {
			offer_send_checksum(offers, offer);
		}
	}
	return error;
}

void offer_sent(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	if (offer_is_over(offer)) {
		return;
	}
	if (offer->size == 0) {
		offer_sending(offers, offer, "", 0);
	}
	stream_close(offer->stream, true, now_ms);
}

/* Why a bytestream to the peer broke: one that was closed before it had all is not wanted. */
static int stream_failure(const struct stream *stream)
{
	if (stream->ended && (!stream->error || stream->error == -ECONNRESET)) {
		return -ECANCELED;
	}
	return stream->error ? stream->error : -ECONNRESET;
}

static void follow_outgoing(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	struct stream *stream = offer->stream;
	if (!offer->waiters && !offer->unattended) {
		/* The user has stopped waiting. */
		offer_fail(offers, offer, -ECANCELED);
		words_of(offer)->withdraw(offers, offer);
		return;
	}
	if (offer->state == OFFER_WAITING) {
		if (stream_is_over(stream)) {
			/* Its file was removed, or the directory that it was in. */
			offer_fail(offers, offer, stream_outcome(stream));
			words_of(offer)->withdraw(offers, offer);
		}
		return;
	}
	if (offer->state == OFFER_AGREED && stream->state >= STREAM_OPEN) {
		offer->state = OFFER_MOVING;
	}
	/* A peer that closes it may do so as it has the file. */
	bool closed = stream->state == STREAM_CLOSED && !stream->close_sent;
	bool whole = offer->hashed == (uint64_t)offer->size && stream_is_delivered(stream);
	if (offer->state < OFFER_CHECKING &&
	    (stream->state == STREAM_BROKEN || (closed && !whole))) {
		offer_fail(offers, offer, stream_failure(stream));
		words_of(offer)->fail(offers, offer);
		return;
	}
	if (offer->state == OFFER_MOVING && (stream->close_sent || closed)) {
		offer->state = OFFER_CHECKING;
		offer_set_deadline(offers, offer, now_ms + OFFER_CONFIRM_MS);
	}
	if (offer->state == OFFER_CHECKING &&
	    (offer->confirmed || offer->ended || !words_of(offer)->confirms ||
	     now_ms >= offer->deadline_ms)) {
		offer_finish(offers, offer);
		words_of(offer)->thank(offers, offer);
	}
}

/* ---- both ---- */

void offer_release(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	const struct offer_words *words = words_of(offer);
	assert(offer->owned);
	offer->owned = false;
	if (!offer_is_over(offer) && offer->incoming && offer->state == OFFER_WAITING) {
		end(offers, offer, OFFER_FAILED, -ECONNREFUSED);
		words->decline(offers, offer);
	} else if (!offer_is_over(offer)) {
		end(offers, offer, OFFER_FAILED, -ECANCELED);
		(offer->incoming ? words->fail : words->withdraw)(offers, offer);
	}
	if (offer->stream && offer->stream->hash == offer->hash) {
		offer->stream->hash = NULL;
	}
	offer->stream = NULL;
	/* The peer may have something to say yet. */
	if (!offer->ended) {
		bool unanswered = !offer->incoming && !offer->answered;
		offer_set_deadline(
			offers, offer,
			now_ms + (unanswered ? offers->ibb->config.answer_ms : LINGER_MS));
	}
}

void offers_receive(struct offers *offers, const struct msg *msg, int64_t now_ms)
{
	if (msg->kind == MSG_SI) {
		offer_receive_si(offers, msg, now_ms);
	} else {
		offer_receive_jingle(offers, msg, now_ms);
	}
}

bool offers_receive_close(struct offers *offers, const struct msg *close)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (offer->lingers && !offer->ended && strcmp(offer->sid, close->sid) == 0 &&
		    strcmp(offer->peer, close->peer) == 0) {
			effects_send_result(&offers->ibb->effects, close->peer, close->id);
			part(offers, offer);
			return true;
		}
	}
	return false;
}

bool offers_answer(struct offers *offers, const struct msg *msg, int64_t now_ms)
{
	char kind = msg->id[0];
	char *rest;
	if (kind != OFFER_REQUEST_OFFER && kind != OFFER_REQUEST_ACCEPT &&
	    kind != OFFER_REQUEST_OTHER) {
		return false;
	}
	uint64_t number = strtoull(msg->id + 1, &rest, 16);
	if (*rest != '\0') {
		return false;
	}
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (kind != OFFER_REQUEST_OTHER && offer->number == number &&
		    strcmp(offer->peer, msg->peer) == 0) {
			words_of(offer)->answered(offers, offer, kind, msg, now_ms);
			break;
		}
	}
	return true;
}

/* Whether nobody needs it any more. */
static bool is_done_with(const struct offer *offer, int64_t now_ms)
{
	return !offer->owned && offer_is_over(offer) &&
	       (offer->ended || now_ms >= offer->deadline_ms);
}

void offers_settle(struct offers *offers, int64_t now_ms)
{
	struct offer *offer, *next;
	DL_FOREACH_SAFE (offers->all, offer, next) {
		if (offer_is_over(offer)) {
			if (is_done_with(offer, now_ms)) {
				forget(offers, offer);
			}
		} else if (!offer->incoming) {
			follow_outgoing(offers, offer, now_ms);
		} else if (offer->stream) {
			follow_incoming(offers, offer, now_ms);
		}
	}
}

void offers_peer_gone(struct offers *offers, const char *peer)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (strcmp(offer->peer, peer) == 0) {
			offer->ended = true;
			/* A bytestream that is whole needs nobody any more. */
			if (offer->state < OFFER_CHECKING) {
				bool begun = offer->state >= OFFER_MOVING;
				offer_fail(offers, offer, begun ? -ECONNRESET : -EHOSTDOWN);
			}
		}
	}
}

void offers_disconnect(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		offer->ended = true;
		if (offer->state < OFFER_CHECKING) {
			bool begun = offer->state >= OFFER_MOVING;
			offer_fail(offers, offer, begun ? -ECONNRESET : -ENETDOWN);
		}
	}
}

void offers_stop(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (!offer->incoming && offer->state == OFFER_WAITING) {
			offer_fail(offers, offer, -ECONNRESET);
			words_of(offer)->withdraw(offers, offer);
		}
	}
}

bool offers_are_drained(const struct offers *offers)
{
	const struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (!offer->incoming && !offer_is_over(offer)) {
			return false;
		}
	}
	return true;
}

/* The time is over that the peer had for its answer. */
static void time_out(struct offers *offers, struct offer *offer)
{
	offer_fail(offers, offer, -ETIMEDOUT);
	words_of(offer)->withdraw(offers, offer);
}

void offers_tick(struct offers *offers, int64_t now_ms)
{
	struct offer *offer;
	if (now_ms < offers->deadline_ms) {
		return;
	}
	offers->deadline_ms = STREAM_NO_DEADLINE;
	DL_FOREACH (offers->all, offer) {
		if (offer->state == OFFER_WAITING && now_ms >= offer->deadline_ms) {
			time_out(offers, offer);
		}
		if ((!offer->owned || offer->lingers) && offer->state == OFFER_DONE &&
		    now_ms >= offer->deadline_ms) {
			part(offers, offer);
		}
	}
	offers_settle(offers, now_ms);
	DL_FOREACH (offers->all, offer) {
		if (offer->deadline_ms < offers->deadline_ms) {
			offers->deadline_ms = offer->deadline_ms;
		}
	}
}

/* ---- what it looks like ---- */

const char *offer_state_name(const struct offer *offer)
{
	switch (offer->state) {
	case OFFER_WAITING:
		return "offered";
	case OFFER_CHECKING:
		return offer->incoming ? "checking" : "confirming";
	case OFFER_DONE:
		return offer->confirmed ? "finished" : "unconfirmed";
	case OFFER_FAILED:
		return "broken";
	case OFFER_AGREED:
	case OFFER_MOVING:
		break;
	}
	return NULL;
}

const char *offer_format_name(enum offer_format format)
{
	return format == OFFER_SI ? "si" : "jingle";
}
