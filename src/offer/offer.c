/* SPDX-License-Identifier: MIT */
/*
 * What every file of an offer needs: life, the end, and stanzas.
 */
#include "offer/offer_internal.h"

#include "ibb/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The longest name that is kept: more than any directory can hold. */
#define MAX_NAME 1023

/* ---- life ---- */

static void destroy(struct offer *offer)
{
	assert(!offer->waiters);
	limits_release(offer->quota, offer->state == OFFER_DONE);
	hash_destroy(offer->checksum.hash);
	free(offer->peer);
	free(offer->id);
	free(offer->name);
	free(offer->media_type);
	free(offer->session.content);
	free(offer->session.request);
	free(offer->sid);
	free(offer);
}

void offer_detach_stream(struct offer *offer)
{
	if (offer->stream && offer->stream->incoming.hash == offer->checksum.hash) {
		offer->stream->incoming.hash = NULL;
	}
	offer->stream = NULL;
}

void offer_forget(struct offers *offers, struct offer *offer)
{
	offer_detach_stream(offer);
	DL_DELETE(offers->all, offer);
	offers->arrivals -= offer->is_incoming;
	destroy(offer);
}

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

struct offer *offer_create(struct offers *offers, const struct offer_protocol *protocol,
			   const char *peer, const char *id, const char *sid,
			   const struct file_metadata *file)
{
	struct offer *offer = calloc(1, sizeof(*offer));
	if (!offer) {
		return NULL;
	}
	offer->protocol = protocol;
	offer->format = protocol->format;
	offer->number = ++offers->last_number;
	offer->size = file->size;
	offer->length = file->size;
	offer->has_range = file->has_range;
	offer->date = file->date;
	offer->checksum.digest = file->digest;
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

const char *offer_state_name(const struct offer *offer)
{
	switch (offer->state) {
	case OFFER_WAITING:
		return "offered";
	case OFFER_CHECKING:
	case OFFER_STORING:
		return offer->is_incoming ? "checking" : "confirming";
	case OFFER_DONE:
		return offer->confirmed ? "finished" : "unconfirmed";
	case OFFER_FAILED:
		return offer->unconfirmed ? "unconfirmed" : "broken";
	case OFFER_ACCEPTED:
	case OFFER_TRANSFERRING:
		break;
	}
	return NULL;
}

void offer_set_deadline(struct offers *offers, struct offer *offer, int64_t when_ms)
{
	offer->deadline_ms = when_ms;
	if (when_ms < offers->deadline_ms) {
		offers->deadline_ms = when_ms;
	}
}

/* ---- the end ---- */

void offer_end(struct offers *offers, struct offer *offer, enum offer_state state, int error)
{
	offer->state = state;
	offer->error = error;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
	op_complete_all(&offer->waiters, error, &offers->ibb->effects.done);
}

/* Ends the bytestream of an offer that has failed. */
static void fail_stream(struct offers *offers, struct offer *offer)
{
	struct stream *stream = offer->stream;
	if (!stream || stream_is_over(stream)) {
		return;
	}
	if (offer->is_incoming && stream_is_complete(stream)) {
		ibb_end(offers->ibb, stream, offer->error); /* the peer has ended it already */
	} else {
		ibb_abort(offers->ibb, stream, offer->error);
	}
}

void offer_fail(struct offers *offers, struct offer *offer, int error)
{
	if (!offer_is_over(offer)) {
		offer_end(offers, offer, OFFER_FAILED, error);
		fail_stream(offers, offer);
	}
}

void offer_abort(struct offers *offers, struct offer *offer, int error)
{
	offer_fail(offers, offer, error);
	offer->protocol->fail(offers, offer);
}

void offer_cancel(struct offers *offers, struct offer *offer, int error)
{
	offer_fail(offers, offer, error);
	offer->protocol->cancel(offers, offer);
}

void offer_finish(struct offers *offers, struct offer *offer)
{
	if (!offer_is_over(offer)) {
		offer_end(offers, offer, OFFER_DONE, 0);
	}
}

void offer_end_session(struct offers *offers, struct offer *offer)
{
	offer->protocol->cancel(offers, offer);
	offer->session.ended = true;
	offer->session.lingers = false;
	offer_set_deadline(offers, offer, STREAM_NO_DEADLINE);
}

/* ---- stanzas ---- */

struct file_metadata offer_file(const struct offer *offer)
{
	return (struct file_metadata){
		.name = offer->name,
		.size = offer->size,
		.date = offer->date,
		.media_type = offer->media_type,
		.digest = offer->checksum.digest,
		/* We offer any part, and ask for the rest. */
		.has_range = !offer->is_incoming || offer->offset > 0,
		.offset = offer->is_incoming ? offer->offset : 0,
	};
}

int offer_request(struct offers *offers, const struct offer *offer, char kind,
		  const struct msg *request)
{
	char id[32];
	bool matters = kind != OFFER_REQUEST_OTHER;
	/* An offer may have several of the others in flight. */
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

struct offer *offer_find(const struct offers *offers, enum offer_format format, const char *peer,
			 const char *id)
{
	struct offer *offer;
	DL_FOREACH (offers->all, offer) {
		if (offer->format == format && !offer->session.ended &&
		    strcmp(offer->id, id) == 0 && strcmp(offer->peer, peer) == 0) {
			return offer;
		}
	}
	return NULL;
}
