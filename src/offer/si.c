/* SPDX-License-Identifier: MIT */
/*
 * Offers by stream initiation. The offer is a request, and its answer accepts or declines. There is
 * no confirmation after the last byte. Source: XEP-0095, XEP-0096.
 */
#include "offer/offer_internal.h"

#include <errno.h>

static int send_offer(struct offers *offers, struct offer *offer)
{
	struct metadata metadata = {.file = offer_file(offer), .has_ibb = true};
	return offer_request(offers, offer, OFFER_REQUEST_OFFER,
			     &(struct msg){.kind = MSG_SI, .metadata = &metadata});
}

static int send_accept(struct offers *offers, struct offer *offer)
{
	struct metadata metadata = {
		.file = {.size = METADATA_NO_SIZE,
			 .date = METADATA_NO_DATE,
			 .has_range = offer->offset > 0,
			 .offset = offer->offset},
		.has_ibb = true,
	};
	struct msg result = {
		.kind = MSG_RESULT,
		.peer = offer->peer,
		.id = offer->session.request,
		.size = -1,
		.metadata = &metadata,
	};
	return effects_send(&offers->ibb->effects, &result);
}

/* XEP-0095 section 3.2: "Offer Declined". */
static void send_decline(struct offers *offers, struct offer *offer)
{
	struct msg error = {
		.kind = MSG_ERROR,
		.peer = offer->peer,
		.id = offer->session.request,
		.size = -1,
		.condition = CONDITION_FORBIDDEN,
		.error_type = ERROR_TYPE_CANCEL,
	};
	if (!offer->session.ended) {
		effects_send(&offers->ibb->effects, &error);
	}
	offer->session.ended = true;
}

/* SI has no stanza for it: the end of the bytestream must do. */
static void end_silently(struct offers *offers, struct offer *offer)
{
	(void)offers;
	offer->session.ended = true;
}

/* SI has no stanza for it: incoming, the peer may still close the bytestream. */
static void acknowledge(struct offers *offers, struct offer *offer)
{
	(void)offers;
	offer->session.ended = offer->session.ended || !offer->is_incoming;
}

/* SI has no stanza for it: a peer that accepts too late gets a bytestream without a byte. */
static void cancel(struct offers *offers, struct offer *offer)
{
	(void)offers;
	offer->session.ended = offer->session.ended || offer->session.answered;
}

static void open_and_reset(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	int error;
	struct stream *stream = ibb_create_stream(offers->ibb, offer->sid, &error);
	if (stream) {
		ibb_open(offers->ibb, stream, offer->peer, FEATURE_IBB, NULL, now_ms);
		ibb_release(offers->ibb, stream, false, now_ms);
	}
}

/* What an error in answer to <si/> means to the user: a negative errno. */
static int refusal(const struct msg *error)
{
	switch (error->condition) {
	case CONDITION_FORBIDDEN: /* XEP-0095 section 3.2 */
	case CONDITION_NOT_ACCEPTABLE:
		return -ECONNREFUSED;
	case CONDITION_BAD_REQUEST: /* no-valid-streams, bad-profile */
		return -EPROTONOSUPPORT;
	default:
		return condition_open_error(error->condition);
	}
}

static void answered(struct offers *offers, struct offer *offer, char kind,
		     const struct msg *answer, int64_t now_ms)
{
	(void)kind;
	if (offer->session.answered || offer->is_incoming) {
		return;
	}
	offer->session.answered = true;
	bool accepted = answer->kind == MSG_RESULT && answer->metadata &&
			answer->metadata->has_ibb &&
			offer_take_range(offer, &answer->metadata->file);
	if (offer_is_over(offer)) {
		offer->session.ended = true;
		if (accepted) {
			open_and_reset(offers, offer, now_ms);
		}
	} else if (accepted) {
		offer_accepted(offers, offer, offer->session.block_size, now_ms);
	} else {
		offer->session.ended = true;
		offer_fail(offers, offer, answer->kind == MSG_RESULT ? -EPROTO : refusal(answer));
	}
}

const struct offer_protocol offer_si = {
	.format = OFFER_SI,
	.offer = send_offer,
	.accept = send_accept,
	.decline = send_decline,
	.fail = end_silently,
	.acknowledge = acknowledge,
	.cancel = cancel,
	.answered = answered,
	.confirms = false,
};

void offer_receive_si(struct offers *offers, const struct msg *msg, int64_t now_ms)
{
	if (!msg->metadata->has_ibb) {
		offer_refuse(offers, msg, CONDITION_BAD_REQUEST, DETAIL_NO_VALID_STREAMS);
	} else if (offer_find(offers, OFFER_SI, msg->peer, msg->sid)) {
		offer_refuse(offers, msg, CONDITION_CONFLICT, DETAIL_NONE);
	} else {
		offer_receive(offers, &offer_si, msg, now_ms);
	}
}
