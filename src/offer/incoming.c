/* SPDX-License-Identifier: MIT */
/*
 * Incoming offers: from the request to the check of the digest.
 */
#include "offer/offer_internal.h"

#include <errno.h>
#include <utlist.h>

/* Whether one more offer may wait; then *quota counts it. Otherwise it is refused. */
static bool is_admitted(struct offers *offers, const struct msg *msg, int64_t now_ms,
			struct peer_quota **quota)
{
	struct ibb *ibb = offers->ibb;
	switch (limits_admit(&ibb->limits, msg->peer, now_ms, quota)) {
	case LIMITS_ADMITTED:
		if (offers->arrivals < ibb->max_streams) {
			return true;
		}
		limits_release(*quota, false);
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

struct offer *offer_receive(struct offers *offers, const struct offer_protocol *protocol,
			    const struct msg *msg, int64_t now_ms)
{
	const struct metadata *metadata = msg->metadata;
	struct peer_quota *quota;
	if (!is_admitted(offers, msg, now_ms, &quota)) {
		return NULL;
	}
	const char *sid = protocol->format == OFFER_SI ? msg->sid : metadata->transport_sid;
	struct offer *offer =
		offer_create(offers, protocol, msg->peer, msg->sid, sid, &metadata->file);
	if (!offer) {
		limits_release(quota, false);
		offer_refuse(offers, msg, CONDITION_INTERNAL_SERVER_ERROR, DETAIL_NONE);
		return NULL;
	}
	offer->quota = quota;
	offer->is_incoming = true;
	offers->arrivals++;
	offer->session.by_responder = metadata->by_responder;
	offer->session.block_size = metadata->block_size;
	if (!offer_copy(&offer->session.content, metadata->content) ||
	    !offer_copy(&offer->session.request, protocol->format == OFFER_SI ? msg->id : NULL)) {
		offer_forget(offers, offer);
		offer_refuse(offers, msg, CONDITION_INTERNAL_SERVER_ERROR, DETAIL_NONE);
		return NULL;
	}
	DL_APPEND2(offers->arrived, offer, arrived_prev, arrived_next);
	offer->owned = true; /* by offers.arrived */
	return offer;
}

bool offer_continue(struct offer *offer, uint64_t offset, struct hash *hash)
{
	if (offer->state != OFFER_WAITING || !offer->has_range) {
		hash_destroy(hash);
		return false;
	}
	hash_destroy(offer->checksum.hash);
	offer->checksum.hash = hash;
	offer->offset = offset;
	offer->length = offer->size - (int64_t)offset;
	return true;
}

/* Begins the digest of what is received, unless there is nothing to compare it with. What was there
 * before is in it already. */
static int begin_digest(struct offer *offer)
{
	struct offer_checksum *checksum = &offer->checksum;
	if (checksum->digest.algorithm != HASH_NONE && !checksum->hash) {
		checksum->hash = hash_create(checksum->digest.algorithm);
		return checksum->hash ? 0 : -ENOMEM;
	}
	return 0;
}

struct stream *offer_accept(struct offers *offers, struct offer *offer, int *error, int64_t now_ms)
{
	if (offer->state != OFFER_WAITING) {
		*error = offer->error ? offer->error : -EBUSY;
		return NULL;
	}
	/* Before the peer can know: its <open/> may precede the answer to our session-accept. */
	struct stream *stream =
		ibb_expect(offers->ibb, offer->peer, offer->sid, offer->length, error);
	if (!stream) {
		/* Two offers with the same sid. */
		*error = *error == -EEXIST ? -EPROTO : *error;
		return NULL;
	}
	*error = begin_digest(offer);
	*error = *error ? *error : offer->protocol->accept(offers, offer);
	if (*error) {
		ibb_release(offers->ibb, stream, false, now_ms);
		return NULL;
	}
	stream->incoming.hash = offer->checksum.hash;
	/* Of a format without such a word: the answer to a late <close/> says whether the file was
	 * kept. */
	stream->session.close_repeats = !offer->protocol->confirms;
	stream_await(stream, now_ms);
	offer->stream = stream;
	offer->state = OFFER_ACCEPTED;
	return stream;
}

/* The file is complete: 0, or what is wrong with it. */
static int check(struct offer *offer)
{
	const struct stream *stream = offer->stream;
	struct offer_checksum *checksum = &offer->checksum;
	struct digest digest;
	if (offer->length >= 0 && stream->incoming.receiver.received != (uint64_t)offer->length) {
		return -ECONNRESET;
	}
	if (checksum->digest.length == 0) {
		/* None was given. What was there before may be of another file. */
		checksum->wrong = offer->offset > 0;
	} else {
		int error = hash_finish(checksum->hash, &digest);
		if (error) {
			return error;
		}
		checksum->wrong = !digest_equals(&digest, &checksum->digest);
	}
	return checksum->wrong ? -EBADMSG : 0;
}

/* Everything has come. */
static void verify(struct offers *offers, struct offer *offer)
{
	int error = check(offer);
	if (error) {
		offer_abort(offers, offer, error);
		return;
	}
	offer->state = OFFER_STORING;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
	stream_end_reads(offer->stream);
}

static void conclude(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	bool closed = offer->stream->session.close_received;
	offer->confirmed = true;
	offer_finish(offers, offer);
	ibb_end(offers->ibb, offer->stream, 0);
	offer->protocol->acknowledge(offers, offer);
	if (offer->session.ended) {
		return;
	}
	if (closed) {
		offer_end_session(offers, offer);
	} else {
		/* Some clients never close the bytestream. Others report a failure if the session
		 * ends before they have closed it. */
		offer->session.lingers = true;
		offer_set_deadline(offers, offer, now_ms + OFFER_LINGER_MS);
	}
}

/* The digest of a file that is too short would say nothing. */
static bool waits_for_digest(const struct offer *offer)
{
	bool whole = offer->length < 0 ||
		     offer->stream->incoming.receiver.received == (uint64_t)offer->length;
	return whole && offer->checksum.digest.algorithm != HASH_NONE &&
	       offer->checksum.digest.length == 0;
}

void offer_follow_incoming(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	struct stream *stream = offer->stream;
	if (stream_is_over(stream)) {
		/* The error of the bytestream is that of the offer. */
		offer_abort(offers, offer, stream_outcome(stream));
		return;
	}
	if (offer->state == OFFER_ACCEPTED && stream->state == STREAM_OPEN) {
		offer->state = OFFER_TRANSFERRING;
	}
	if (offer->state == OFFER_TRANSFERRING && stream_is_complete(stream)) {
		offer->state = OFFER_CHECKING;
		if (waits_for_digest(offer)) {
			offer_set_deadline(offers, offer, now_ms + OFFER_CHECKSUM_MS);
		}
	}
	if (offer->state == OFFER_CHECKING &&
	    (!waits_for_digest(offer) || offer->session.ended || now_ms >= offer->deadline_ms)) {
		verify(offers, offer);
	}
	/* Nothing is confirmed that may still be lost here. */
	if (offer->state == OFFER_STORING &&
	    (!stream->incoming.receiver.needs_commit || stream->incoming.is_durable)) {
		conclude(offers, offer, now_ms);
	}
}
