/* SPDX-License-Identifier: MIT */
/*
 * Offers by Jingle: a session with one content, a file, and one transport, an in-band bytestream.
 * Source: XEP-0166, XEP-0234, XEP-0261.
 */
#include "offer/jingle_reason.h"
#include "offer/offer_internal.h"

#include <errno.h>
#include <string.h>

/* Conversations accepts no more, and no server is faster with more (XEP-0261 section 2: 4096). */
#define MAX_BLOCK 8192

/* The name of our content. */
#define CONTENT "file"

/* ---- requests ---- */

static struct metadata metadata_of(const struct offer *offer, enum jingle_action action)
{
	return (struct metadata){
		.file = offer_file(offer),
		.has_ibb = true,
		.action = action,
		.content = offer->is_incoming ? offer->session.content : CONTENT,
		.by_responder = offer->session.by_responder,
		.contents = 1,
		.has_file = true,
		.transport_sid = offer->sid,
		.block_size = offer->session.block_size,
	};
}

static int send_action(struct offers *offers, const struct offer *offer, char kind,
		       const struct metadata *metadata)
{
	return offer_request(offers, offer, kind,
			     &(struct msg){.kind = MSG_JINGLE, .metadata = metadata});
}

static void terminate(struct offers *offers, struct offer *offer, enum jingle_reason reason)
{
	struct metadata metadata = metadata_of(offer, JINGLE_SESSION_TERMINATE);
	metadata.reason = reason;
	if (!offer->session.ended) {
		send_action(offers, offer, OFFER_REQUEST_OTHER, &metadata);
	}
	offer->session.ended = true;
}

static uint32_t smaller(uint32_t block_size, size_t most)
{
	return block_size < most ? block_size : (uint32_t)most;
}

static int send_offer(struct offers *offers, struct offer *offer)
{
	size_t max_stanza = offers->ibb->config.max_stanza;
	size_t path_mtu = ibb_path_mtu(offers->ibb, offer->peer);
	offer->session.block_size = smaller(offer->session.block_size, MAX_BLOCK);
	if (max_stanza > 0) {
		/* Otherwise <open/> would have this smaller size, and be refused as it was not
		 * agreed on. */
		offer->session.block_size =
			smaller(offer->session.block_size,
				msg_data_room(offer->peer, offer->sid, max_stanza));
	}
	if (path_mtu > 0) {
		offer->session.block_size = smaller(offer->session.block_size, path_mtu);
	}
	struct metadata metadata = metadata_of(offer, JINGLE_SESSION_INITIATE);
	metadata.file.description = offer->name; /* Libervia takes no file without one */
	return send_action(offers, offer, OFFER_REQUEST_OFFER, &metadata);
}

/* XEP-0261 section 2.2: the block size may be lowered. */
static int send_accept(struct offers *offers, struct offer *offer)
{
	uint32_t most = offers->ibb->config.block_size;
	if (offer->session.block_size > most) {
		offer->session.block_size = most;
	}
	struct metadata metadata = metadata_of(offer, JINGLE_SESSION_ACCEPT);
	return send_action(offers, offer, OFFER_REQUEST_ACCEPT, &metadata);
}

static void send_decline(struct offers *offers, struct offer *offer)
{
	terminate(offers, offer, JINGLE_DECLINE);
}

static void send_failed(struct offers *offers, struct offer *offer)
{
	terminate(offers, offer, jingle_reason_of(offer->error));
}

/* XEP-0234 section 8.1, XEP-0166 section 6: the receiver of the file ends the session, but not
 * before the bytestream has ended: Dino reports that as a failure. */
static void acknowledge(struct offers *offers, struct offer *offer)
{
	if (offer->is_incoming && !offer->session.ended) {
		struct metadata metadata = metadata_of(offer, JINGLE_RECEIVED);
		send_action(offers, offer, OFFER_REQUEST_OTHER, &metadata);
	}
}

static void cancel(struct offers *offers, struct offer *offer)
{
	if (offer->state == OFFER_DONE) {
		terminate(offers, offer, JINGLE_SUCCESS);
	} else {
		terminate(offers, offer,
			  offer->error == -ETIMEDOUT ? JINGLE_TIMEOUT : JINGLE_CANCEL);
	}
}

static void send_checksum(struct offers *offers, struct offer *offer)
{
	struct metadata metadata = metadata_of(offer, JINGLE_CHECKSUM);
	if (!offer->session.ended) {
		send_action(offers, offer, OFFER_REQUEST_OTHER, &metadata);
	}
}

/* ---- answers, and requests of the peer ---- */

/* A result says only that the request has arrived; an error ends the session. */
static void answered(struct offers *offers, struct offer *offer, char kind,
		     const struct msg *answer, int64_t now_ms)
{
	(void)kind, (void)now_ms;
	if (answer->kind == MSG_RESULT || offer_is_over(offer)) {
		return;
	}
	offer->session.ended = true;
	int error = condition_open_error(answer->condition);
	/* XEP-0166 section 10: the person or program does not want it. */
	if (answer->condition == CONDITION_FORBIDDEN) {
		error = -ECONNREFUSED;
	}
	offer_fail(offers, offer, offer->is_incoming ? -ECONNRESET : error);
}

/* Whether all bytes were sent. The peer may have the file before the last block is acknowledged,
 * but no earlier. */
static bool has_sent_all(const struct offer *offer)
{
	const struct stream *stream = offer->stream;
	return stream && offer->state >= OFFER_TRANSFERRING && offer_is_written(offer) &&
	       !stream->outgoing.writers &&
	       stream->outgoing.sender.in_flight == stream->outgoing.sender.out.length;
}

/* Whether all bytes are here, durable or not. */
static bool has_received_all(const struct offer *offer)
{
	const struct stream *stream = offer->stream;
	return stream && offer->state >= OFFER_TRANSFERRING &&
	       (stream->session.close_received ||
		(offer->length >= 0 &&
		 stream->incoming.receiver.received == (uint64_t)offer->length));
}

static void receive_terminate(struct offers *offers, struct offer *offer, enum jingle_reason reason)
{
	bool whole = offer->is_incoming ? has_received_all(offer) : has_sent_all(offer);
	offer->session.ended = true;
	if (whole && reason == JINGLE_SUCCESS) {
		/* Incoming: its digest is still to be checked. Outgoing: some clients
		 * say so before they acknowledge the last block. */
		offer->confirmed = true;
		if (!offer->is_incoming && stream_is_delivered(offer->stream)) {
			offer_finish(offers, offer);
		}
		return;
	}
	offer_fail(offers, offer, jingle_reason_error(reason, offer->state > OFFER_WAITING));
}

/* Whether session-accept is about our content and transport. */
static bool matches(const struct offer *offer, const struct metadata *metadata)
{
	return metadata->has_ibb && strcmp(metadata->transport_sid, offer->sid) == 0 &&
	       metadata->block_size > 0 && metadata->block_size <= offer->session.block_size;
}

static void receive_accept(struct offers *offers, struct offer *offer,
			   const struct metadata *metadata, int64_t now_ms)
{
	offer->session.answered = true;
	if (!matches(offer, metadata)) {
		offer_fail(offers, offer, -EPROTONOSUPPORT);
		terminate(offers, offer, JINGLE_FAILED_TRANSPORT);
	} else if (!offer_take_range(offer, &metadata->file)) {
		offer_fail(offers, offer, -EPROTO);
		terminate(offers, offer, JINGLE_FAILED_APPLICATION);
	} else {
		offer->session.block_size = metadata->block_size;
		offer_accepted(offers, offer, metadata->block_size, now_ms);
	}
}

static void receive_checksum(struct offer *offer, const struct digest *digest)
{
	/* Only the promised algorithm was computed. */
	if (offer->checksum.digest.length == 0 && digest->length > 0 &&
	    digest->algorithm == offer->checksum.digest.algorithm) {
		offer->checksum.digest = *digest;
	}
}

/* ---- session-initiate ---- */

/* XEP-0234 section 6.4: the sender of a file may offer a part of it. */
static bool is_whole(const struct file_metadata *file)
{
	return file->offset == 0 && (file->length == 0 || (int64_t)file->length == file->size);
}

/* Why a session is refused; JINGLE_NO_REASON: it is not. */
static enum jingle_reason objection(const struct metadata *metadata)
{
	if (metadata->is_encrypted) {
		return JINGLE_SECURITY_ERROR;
	}
	if (metadata->contents != 1 || !metadata->has_file || metadata->from_responder ||
	    !is_whole(&metadata->file)) {
		return JINGLE_UNSUPPORTED_APPLICATIONS;
	}
	return metadata->has_ibb && metadata->block_size > 0 ? JINGLE_NO_REASON
							     : JINGLE_UNSUPPORTED_TRANSPORTS;
}

static void receive_initiate(struct offers *offers, const struct msg *msg, int64_t now_ms)
{
	struct effects *effects = &offers->ibb->effects;
	enum jingle_reason reason = objection(msg->metadata);
	if (reason == JINGLE_NO_REASON) {
		if (offer_receive(offers, &offer_jingle, msg, now_ms)) {
			effects_send_result(effects, msg->peer, msg->id);
		}
		return;
	}
	effects_send_result(effects, msg->peer, msg->id);
	struct metadata metadata = {
		.action = JINGLE_SESSION_TERMINATE,
		.reason = reason,
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE},
	};
	/* Of no offer: its answer is ignored. */
	struct msg end = {
		.kind = MSG_JINGLE,
		.peer = msg->peer,
		.id = "j0",
		.sid = msg->sid,
		.size = -1,
		.metadata = &metadata,
	};
	effects_send(effects, &end);
}

/* ---- dispatch ---- */

/* Why an action is not allowed in the current state of its session; CONDITION_NONE: it is. */
static enum condition check_order(const struct offer *offer, enum jingle_action action,
				  enum detail *detail)
{
	switch (action) {
	case JINGLE_SESSION_INITIATE:
		*detail = DETAIL_OUT_OF_ORDER;
		return CONDITION_UNEXPECTED_REQUEST;
	case JINGLE_SESSION_ACCEPT:
		*detail = DETAIL_OUT_OF_ORDER;
		return !offer->is_incoming && offer->state == OFFER_WAITING
			       ? CONDITION_NONE
			       : CONDITION_UNEXPECTED_REQUEST;
	case JINGLE_RECEIVED:
	case JINGLE_CHECKSUM:
		/* From the other party only. */
		*detail = DETAIL_OUT_OF_ORDER;
		return offer->is_incoming == (action == JINGLE_CHECKSUM)
			       ? CONDITION_NONE
			       : CONDITION_UNEXPECTED_REQUEST;
	case JINGLE_INFO:
		*detail = DETAIL_UNSUPPORTED_INFO;
		return CONDITION_FEATURE_NOT_IMPLEMENTED;
	case JINGLE_TRANSPORT_REPLACE:
	case JINGLE_OTHER:
		return CONDITION_FEATURE_NOT_IMPLEMENTED;
	case JINGLE_SESSION_TERMINATE:
	case JINGLE_CONTENT_REMOVE:
	case JINGLE_PING:
		break;
	}
	return CONDITION_NONE;
}

static void receive_action(struct offers *offers, struct offer *offer,
			   const struct metadata *metadata, int64_t now_ms)
{
	switch (metadata->action) {
	case JINGLE_SESSION_ACCEPT:
		receive_accept(offers, offer, metadata, now_ms);
		break;
	case JINGLE_SESSION_TERMINATE:
		receive_terminate(offers, offer, metadata->reason);
		break;
	case JINGLE_CONTENT_REMOVE: /* the only one */
		offer_fail(offers, offer, -ECANCELED);
		terminate(offers, offer, JINGLE_CANCEL);
		break;
	case JINGLE_CHECKSUM:
		receive_checksum(offer, &metadata->file.digest);
		break;
	case JINGLE_RECEIVED:
		/* Before that it says nothing. */
		offer->confirmed = offer->confirmed || has_sent_all(offer);
		break;
	default:
		break; /* JINGLE_PING: it was answered */
	}
}

void offer_receive_jingle(struct offers *offers, const struct msg *msg, int64_t now_ms)
{
	struct offer *offer = offer_find(offers, OFFER_JINGLE, msg->peer, msg->sid);
	enum jingle_action action = msg->metadata->action;
	enum detail detail = DETAIL_NONE;

	if (!offer && action == JINGLE_SESSION_INITIATE) {
		receive_initiate(offers, msg, now_ms);
		return;
	}
	if (!offer) {
		offer_refuse(offers, msg, CONDITION_ITEM_NOT_FOUND, DETAIL_UNKNOWN_SESSION);
		return;
	}
	enum condition condition = check_order(offer, action, &detail);
	if (condition != CONDITION_NONE) {
		offer_refuse(offers, msg, condition, detail);
		return;
	}
	effects_send_result(&offers->ibb->effects, msg->peer, msg->id);
	receive_action(offers, offer, msg->metadata, now_ms);
}

const struct offer_protocol offer_jingle = {
	.format = OFFER_JINGLE,
	.offer = send_offer,
	.accept = send_accept,
	.decline = send_decline,
	.fail = send_failed,
	.acknowledge = acknowledge,
	.cancel = cancel,
	.answered = answered,
	.send_checksum = send_checksum,
	.confirms = true,
};
