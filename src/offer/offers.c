/* SPDX-License-Identifier: MIT */
/*
 * All offers of an account: dispatches stanzas to them, and applies what concerns many.
 */
#include "offer/offer_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void offers_init(struct offers *offers, struct ibb *ibb)
{
	*offers = (struct offers){
		.ibb = ibb,
		.deadline_ms = STREAM_NO_DEADLINE,
	};
}

void offers_finish(struct offers *offers)
{
	while (offers->arrived) {
		offers_take_arrived(offers);
	}
	while (offers->all) {
		offer_forget(offers, offers->all);
	}
}

/* ---- the user's side ---- */

struct offer *offers_take_arrived(struct offers *offers)
{
	struct offer *offer = offers->arrived;
	if (offer) {
		DL_DELETE2(offers->arrived, offer, arrived_prev, arrived_next);
		offer->owned = true;
	}
	return offer;
}

struct offer *offers_send(struct offers *offers, enum offer_format format, const char *peer,
			  const struct file_metadata *file, struct stream *stream, int64_t now_ms)
{
	return offer_send(offers, format == OFFER_SI ? &offer_si : &offer_jingle, peer, file,
			  stream, now_ms);
}

void offer_release(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	const struct offer_protocol *protocol = offer->protocol;
	assert(offer->owned);
	offer->owned = false;
	if (!offer_is_over(offer) && offer->is_incoming && offer->state == OFFER_WAITING) {
		offer_end(offers, offer, OFFER_FAILED, -ECONNREFUSED);
		protocol->decline(offers, offer);
	} else if (!offer_is_over(offer)) {
		offer_end(offers, offer, OFFER_FAILED, -ECANCELED);
		(offer->is_incoming ? protocol->fail : protocol->cancel)(offers, offer);
	}
	offer_detach_stream(offer);
	/* The peer may still send something. */
	if (!offer->session.ended) {
		bool unanswered = !offer->is_incoming && !offer->session.answered;
		offer_set_deadline(offers, offer,
				   now_ms + (unanswered ? offers->ibb->config.answer_timeout_ms
							: OFFER_LINGER_MS));
	}
}

/* ---- incoming stanzas ---- */

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
		if (offer->session.lingers && !offer->session.ended &&
		    strcmp(offer->sid, close->sid) == 0 && strcmp(offer->peer, close->peer) == 0) {
			effects_send_result(&offers->ibb->effects, close->peer, close->id);
			offer_end_session(offers, offer);
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
			offer->protocol->answered(offers, offer, kind, msg, now_ms);
			break;
		}
	}
	return true;
}

bool offers_have(const struct offers *offers, const char *peer, const char *id)
{
	const struct offer *offer = offer_find(offers, OFFER_JINGLE, peer, id);
	return offer && !offer->is_incoming;
}

/* ---- all offers of a peer, or of the account ---- */

static bool is_finished(const struct offer *offer, int64_t now_ms)
{
	return !offer->owned && offer_is_over(offer) &&
	       (offer->session.ended || now_ms >= offer->deadline_ms);
}

void offers_settle(struct offers *offers, int64_t now_ms)
{
	struct offer *offer, *next;
	DL_FOREACH_SAFE (offers->all, offer, next) {
		if (offer_is_over(offer)) {
			if (is_finished(offer, now_ms)) {
				offer_forget(offers, offer);
			}
		} else if (!offer->is_incoming) {
			offer_follow_outgoing(offers, offer, now_ms);
		} else if (offer->stream) {
			offer_follow_incoming(offers, offer, now_ms);
		}
	}
}

/* The peer, or our connection, is gone. `unbegun`: the error if no byte was transferred. */
static void disconnect(struct offers *offers, struct offer *offer, int unbegun)
{
	offer->session.ended = true;
	/* A complete bytestream needs the peer no more. */
	if (offer->state < OFFER_CHECKING) {
		offer_fail(offers, offer,
			   offer->state >= OFFER_TRANSFERRING ? -ECONNRESET : unbegun);
	}
}

void offers_peer_gone(struct offers *offers, const char *peer)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (strcmp(offer->peer, peer) == 0) {
			if (offer->state == OFFER_WAITING && offer->session.request) {
				/* A peer that is only invisible awaits an answer. */
				offer->protocol->decline(offers, offer);
			}
			disconnect(offers, offer, -EHOSTDOWN);
		}
	}
}

void offers_disconnect(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		disconnect(offers, offer, -ENETDOWN);
	}
}

void offers_stop(struct offers *offers)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (!offer->is_incoming && offer->state == OFFER_WAITING) {
			offer_cancel(offers, offer, -ECONNRESET);
		}
	}
}

bool offers_are_drained(const struct offers *offers)
{
	const struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (!offer->is_incoming && !offer_is_over(offer)) {
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
			offer_cancel(offers, offer,
				     -ETIMEDOUT); /* the peer did not answer in time */
		}
		if ((!offer->owned || offer->session.lingers) && offer->state == OFFER_DONE &&
		    now_ms >= offer->deadline_ms) {
			offer_end_session(offers, offer);
		}
	}
	offers_settle(offers, now_ms);
	DL_FOREACH (offers->all, offer) {
		if (offer->deadline_ms < offers->deadline_ms) {
			offers->deadline_ms = offer->deadline_ms;
		}
	}
}
