/* SPDX-License-Identifier: MIT */
/*
 * Outgoing offers: from the request to the peer's confirmation.
 */
#include "offer/offer_internal.h"

#include <errno.h>

struct offer *offer_send(struct offers *offers, const struct offer_protocol *protocol,
			 const char *peer, const struct file_metadata *file, struct stream *stream,
			 int64_t now_ms)
{
	struct offer *offer = offer_create(offers, protocol, peer, stream->sid, stream->sid, file);
	if (!offer) {
		return NULL;
	}
	if (protocol->send_checksum) {
		/* The digest is sent with the last byte, so that the file is read once. */
		offer->checksum.digest = (struct digest){.algorithm = HASH_SHA_256};
	}
	offer->stream = stream;
	offer->session.block_size = stream->session.block_size;
	offer->owned = true;
	if (protocol->offer(offers, offer)) {
		offer_forget(offers, offer);
		return NULL;
	}
	offer_set_deadline(offers, offer, now_ms + offers->ibb->config.answer_timeout_ms);
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

bool offer_take_range(struct offer *offer, const struct file_metadata *asked)
{
	uint64_t size = (uint64_t)offer->size;
	if (!asked->has_range || size == 0) {
		return asked->offset == 0 && asked->length == 0;
	}
	if (asked->offset >= size || asked->length > size - asked->offset) {
		return false;
	}
	offer->offset = asked->offset;
	offer->length = (int64_t)(asked->length > 0 ? asked->length : size - asked->offset);
	return true;
}

/* Whether the answer to our <close/> says whether the peer has the file. */
static bool tells_by_close(const struct offer *offer)
{
	return !offer->protocol->confirms && offer->stream->session.features & FEATURE_IBBFS;
}

void offer_accepted(struct offers *offers, struct offer *offer, uint32_t block_size, int64_t now_ms)
{
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE); /* the bytestream has its own */
	offer->stream->session.block_size = block_size; /* the upper limit, if the size is auto */
	offer->stream->session.negotiated = true;
	unsigned features = FEATURE_IBB | (tells_by_close(offer) ? FEATURE_IBBFS : 0);
	int error = ibb_open(offers->ibb, offer->stream, offer->peer, features, NULL, now_ms);
	offer->state = OFFER_ACCEPTED;
	if (error) {
		offer_abort(offers, offer, error);
	}
}

struct offer_part offer_part(const struct offer *offer)
{
	return (struct offer_part){
		.begin = offer->offset,
		.end = offer->offset + (uint64_t)offer->length,
		.size = (uint64_t)offer->size,
		.digest = offer->protocol->send_checksum ? offer->checksum.digest.algorithm
							 : HASH_NONE,
	};
}

void offer_write(struct offers *offers, struct offer *offer, struct op *op, const void *bytes,
		 int64_t now_ms)
{
	if (op->size > (uint64_t)offer->length - offer->given) {
		op_complete(op, -EPROTO, &offers->ibb->effects.done);
		return;
	}
	offer->given += op->size;
	stream_write(offer->stream, op, bytes, now_ms);
}

void offer_set_digest(struct offers *offers, struct offer *offer, const struct digest *digest)
{
	offer->checksum.digest = *digest;
	offer->protocol->send_checksum(offers, offer);
}

void offer_finish_writing(struct offers *offers, struct offer *offer, int error, int64_t now_ms)
{
	if (!error && offer->given < (uint64_t)offer->length) {
		error = -EIO;
	}
	if (!error) {
		stream_close(offer->stream, true, now_ms);
	} else if (stream_is_over(offer->stream)) {
		/* The peer has closed it, and awaits the digest. */
		offer_abort(offers, offer, error);
	} else {
		ibb_abort(offers->ibb, offer->stream, error);
	}
}

bool offer_is_written(const struct offer *offer)
{
	return stream_written(offer->stream) == (uint64_t)offer->length;
}

/* Why the bytestream broke. A peer that closes it early does not want the file. */
static int stream_failure(const struct stream *stream)
{
	if (stream->session.close_received && (!stream->error || stream->error == -ECONNRESET)) {
		return -ECANCELED;
	}
	return stream_outcome(stream);
}

/* The peer has acknowledged every byte. That says nothing of the file: some clients acknowledge
 * what they lose. */
static void fail_unconfirmed(struct offers *offers, struct offer *offer, int error)
{
	offer->unconfirmed = true;
	offer_abort(offers, offer, error);
}

/* Whether the peer has the digest, or is told none. */
static bool has_told_digest(const struct offer *offer)
{
	return !offer->protocol->send_checksum || offer->checksum.digest.length > 0;
}

/* Whether the peer has said that it has the file, or its format has no word for that. */
static bool is_confirmed(const struct offer *offer)
{
	return tells_by_close(offer) ? offer->stream->session.close_answered
				     : offer->confirmed || !offer->protocol->confirms;
}

/* Our <close/> is not answered yet. */
static void await_close(struct offers *offers, struct offer *offer)
{
	const struct stream *stream = offer->stream;
	if (stream->state == STREAM_BROKEN) {
		offer_abort(offers, offer, stream->error);
	} else if (stream_is_over(stream)) {
		/* It was never answered, or the peer has closed the bytestream itself: it has
		 * failed there. */
		fail_unconfirmed(offers, offer,
				 stream->session.close_received ? -ECONNRESET : -ETIMEDOUT);
	}
}

/* Everything is delivered. */
static void await_confirmation(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	if (is_confirmed(offer)) {
		offer_finish(offers, offer);
		offer->protocol->acknowledge(offers, offer);
	} else if (tells_by_close(offer)) {
		await_close(offers, offer);
	} else if (offer->session.ended) {
		fail_unconfirmed(offers, offer, -ECONNRESET); /* a connection is broken */
	} else if (now_ms >= offer->deadline_ms) {
		fail_unconfirmed(offers, offer, -ETIMEDOUT);
	}
}

void offer_follow_outgoing(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	struct stream *stream = offer->stream;
	if (!offer->waiters && !offer->session.unattended) {
		/* The user has stopped waiting. */
		offer_cancel(offers, offer, -ECANCELED);
		return;
	}
	if (offer->state == OFFER_WAITING) {
		if (stream_is_over(stream)) {
			/* Its file or directory was removed. */
			offer_cancel(offers, offer, stream_outcome(stream));
		}
		return;
	}
	if (offer->state == OFFER_ACCEPTED && stream->state >= STREAM_OPEN) {
		offer->state = OFFER_TRANSFERRING;
	}
	/* A peer may close the bytestream because it has the file. */
	bool closed = stream->state == STREAM_CLOSED && !stream->session.close_sent;
	bool whole = offer_is_written(offer) && stream_is_delivered(stream);
	if (offer->state < OFFER_CHECKING &&
	    (stream->state == STREAM_BROKEN || (closed && !whole))) {
		offer_abort(offers, offer, stream_failure(stream));
		return;
	}
	if (offer->state == OFFER_TRANSFERRING && (stream->session.close_sent || closed)) {
		offer->state = OFFER_CHECKING;
	}
	/* A peer may have its part long before we have read all of the file for the digest. */
	if (offer->state == OFFER_CHECKING && offer->deadline_ms == STREAM_NO_DEADLINE &&
	    has_told_digest(offer)) {
		offer_set_deadline(offers, offer, now_ms + OFFER_CONFIRM_MS);
	}
	if (offer->state == OFFER_CHECKING) {
		await_confirmation(offers, offer, now_ms);
	}
}
