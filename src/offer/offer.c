/* SPDX-License-Identifier: MIT */
#include "offer/offer_internal.h"

#include "ibb/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The longest name that is kept: longer than any directory can hold. */
#define MAX_NAME 1023

const struct offer_words *offer_words_of(const struct offer *offer)
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
	limits_leave(offer->counted, offer->state == OFFER_DONE);
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

/* The bytestream is not the offer's any more. */
static void leave_stream(struct offer *offer)
{
	if (offer->stream && offer->stream->incoming.hash == offer->hash) {
		offer->stream->incoming.hash = NULL;
	}
	offer->stream = NULL;
}

void offer_forget(struct offers *offers, struct offer *offer)
{
	leave_stream(offer);
	DL_DELETE(offers->all, offer);
	offers->arrivals -= offer->incoming;
	destroy(offer);
}

void offer_take(struct offers *offers, struct offer *offer)
{
	DL_DELETE2(offers->arrived, offer, arrived_prev, arrived_next);
	offer->owned = true;
}

void offers_finish(struct offers *offers)
{
	while (offers->arrived) {
		offer_take(offers, offers->arrived);
	}
	while (offers->all) {
		offer_forget(offers, offers->all);
	}
}

/* False when memory is short; NULL stays NULL. */
bool offer_copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static bool copy_name(char **to, const char *from)
{
	*to = from ? utf8_copy(from, MAX_NAME) : NULL;
	return !from || *to;
}

/* In the set, WAITING. `sid` is the bytestream's. */
struct offer *offer_create(struct offers *offers, enum offer_format format, const char *peer,
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
	if (!offer_copy(&offer->peer, peer) || !offer_copy(&offer->id, id) ||
	    !offer_copy(&offer->sid, sid) || !copy_name(&offer->name, file->name) ||
	    !offer_copy(&offer->media_type, file->media_type)) {
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

void offer_break(struct offers *offers, struct offer *offer, int error)
{
	offer_fail(offers, offer, error);
	offer_words_of(offer)->fail(offers, offer);
}

void offer_give_up(struct offers *offers, struct offer *offer, int error)
{
	offer_fail(offers, offer, error);
	offer_words_of(offer)->withdraw(offers, offer);
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

/* ---- finding ---- */

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

/* ---- the end ---- */

/* Of what is DONE: nothing more is to be said, nor heard. */
void offer_part(struct offers *offers, struct offer *offer)
{
	offer_words_of(offer)->withdraw(offers, offer);
	offer->ended = true;
	offer->lingers = false;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
}

void offer_release(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	const struct offer_words *words = offer_words_of(offer);
	assert(offer->owned);
	offer->owned = false;
	if (!offer_is_over(offer) && offer->incoming && offer->state == OFFER_WAITING) {
		end(offers, offer, OFFER_FAILED, -ECONNREFUSED);
		words->decline(offers, offer);
	} else if (!offer_is_over(offer)) {
		end(offers, offer, OFFER_FAILED, -ECANCELED);
		(offer->incoming ? words->fail : words->withdraw)(offers, offer);
	}
	leave_stream(offer);
	/* The peer may have something to say yet. */
	if (!offer->ended) {
		bool unanswered = !offer->incoming && !offer->answered;
		offer_set_deadline(
			offers, offer,
			now_ms + (unanswered ? offers->ibb->config.answer_ms : OFFER_LINGER_MS));
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
			offer_part(offers, offer);
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
			offer_words_of(offer)->answered(offers, offer, kind, msg, now_ms);
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
				offer_forget(offers, offer);
			}
		} else if (!offer->incoming) {
			offer_follow_outgoing(offers, offer, now_ms);
		} else if (offer->stream) {
			offer_follow_incoming(offers, offer, now_ms);
		}
	}
}

/* Nobody hears what is said of it; `unbegun`: its error if no byte was on its way. */
static void cut_off(struct offers *offers, struct offer *offer, int unbegun)
{
	offer->ended = true;
	/* A bytestream that is whole needs nobody any more. */
	if (offer->state < OFFER_CHECKING) {
		offer_fail(offers, offer, offer->state >= OFFER_MOVING ? -ECONNRESET : unbegun);
	}
}

void offers_peer_gone(struct offers *offers, const char *peer)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (strcmp(offer->peer, peer) == 0) {
			cut_off(offers, offer, -EHOSTDOWN);
		}
	}
}

void offers_disconnect(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		cut_off(offers, offer, -ENETDOWN);
	}
}

void offers_stop(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (!offer->incoming && offer->state == OFFER_WAITING) {
			offer_give_up(offers, offer, -ECONNRESET);
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

void offers_tick(struct offers *offers, int64_t now_ms)
{
	struct offer *offer;
	if (now_ms < offers->deadline_ms) {
		return;
	}
	offers->deadline_ms = STREAM_NO_DEADLINE;
	DL_FOREACH (offers->all, offer) {
		if (offer->state == OFFER_WAITING && now_ms >= offer->deadline_ms) {
			offer_give_up(offers, offer, -ETIMEDOUT); /* the peer had its time */
		}
		if ((!offer->owned || offer->lingers) && offer->state == OFFER_DONE &&
		    now_ms >= offer->deadline_ms) {
			offer_part(offers, offer);
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
