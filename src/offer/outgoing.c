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
		offer->checksum.hash = hash_create(HASH_SHA_256);
	}
	offer->stream = stream;
	offer->session.block_size = stream->session.block_size;
	offer->owned = true;
	if ((protocol->send_checksum && !offer->checksum.hash) || protocol->offer(offers, offer)) {
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

void offer_accepted(struct offers *offers, struct offer *offer, uint32_t block_size, int64_t now_ms)
{
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE); /* the bytestream has its own */
	offer->stream->session.block_size = block_size; /* the upper limit, if the size is auto */
	offer->stream->session.negotiated = true;
	int error = ibb_open(offers->ibb, offer->stream, offer->peer, FEATURE_IBB, NULL, now_ms);
	offer->state = OFFER_ACCEPTED;
	if (error) {
		offer_abort(offers, offer, error);
	}
}

/* Before the bytes are written: a receiver may end the session once it has the last one. */
static int update_digest(struct offers *offers, struct offer *offer, const void *bytes,
			 size_t length)
{
	if (length > (uint64_t)offer->size - offer->checksum.hashed) {
		return -EPROTO;
	}
	offer->checksum.hashed += length;
	if (!offer->checksum.hash) {
		return 0;
	}
	int error = hash_update(offer->checksum.hash, bytes, length);
	if (!error && offer->checksum.hashed == (uint64_t)offer->size) {
		error = hash_finish(offer->checksum.hash, &offer->checksum.digest);
		if (!error) {
			offer->protocol->send_checksum(offers, offer);
		}
	}
	return error;
}

/* Moves *begin and *end, places in the file, to those of the bytes between them that the peer asks
 * for. */
static void clip(const struct offer *offer, uint64_t *begin, uint64_t *end)
{
	uint64_t first = offer->offset, last = first + (uint64_t)offer->length;
	*begin = *begin > first ? *begin : first;
	*end = *end < last ? *end : last;
}

void offer_write(struct offers *offers, struct offer *offer, struct op *op, const void *bytes,
		 int64_t now_ms)
{
	uint64_t place = offer->checksum.hashed, begin = place, end = place + op->size;
	int error = update_digest(offers, offer, bytes, op->size);
	clip(offer, &begin, &end);
	if (error || begin >= end) {
		op_complete(op, error, &offers->ibb->effects.done);
		return;
	}
	op->size = (size_t)(end - begin);
	stream_write(offer->stream, op, (const uint8_t *)bytes + (begin - place), now_ms);
}

void offer_finish_writing(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	if (offer_is_over(offer)) {
		return;
	}
	if (offer->size == 0) {
		update_digest(offers, offer, "", 0);
	}
	stream_close(offer->stream, true, now_ms);
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

/* Everything is delivered. */
static void await_confirmation(struct offers *offers, struct offer *offer, int64_t now_ms)
{
	if (offer->confirmed || !offer->protocol->confirms) {
		offer_finish(offers, offer);
		offer->protocol->acknowledge(offers, offer);
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
		offer_set_deadline(offers, offer, now_ms + OFFER_CONFIRM_MS);
	}
	if (offer->state == OFFER_CHECKING) {
		await_confirmation(offers, offer, now_ms);
	}
}
