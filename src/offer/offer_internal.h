/* SPDX-License-Identifier: MIT */
/*
 * offer_internal - what the two formats and the life of an offer need of each other.
 *
 * Threads: none; the caller serialises.
 */
#ifndef OFFER_OFFER_INTERNAL_H
#define OFFER_OFFER_INTERNAL_H

#include "offer/offer.h"

/* What is said in each step. Of requests of ours the ids are "KIND NUMBER", in hex, with one of
 * the kinds below; the number is the offer's, or, where the answer says nothing, any. Short of
 * memory, the peer hears nothing, and has time limits of its own. */
struct offer_protocol {
	enum offer_format format;
	int (*offer)(struct offers *offers, struct offer *offer);  /* -ENOMEM */
	int (*accept)(struct offers *offers, struct offer *offer); /* -ENOMEM */
	void (*decline)(struct offers *offers, struct offer *offer);
	/* FAILED with offer->error, on our side, after it was agreed on. */
	void (*fail)(struct offers *offers, struct offer *offer);
	/* Incoming: the file is here, whole. Outgoing: it is all delivered, and the peer has said
	 * that it has it, or will not say. */
	void (*acknowledge)(struct offers *offers, struct offer *offer);
	/* Outgoing: we are no longer interested in an answer. */
	void (*cancel)(struct offers *offers, struct offer *offer);
	/* The answer to a request of a kind. */
	void (*answered)(struct offers *offers, struct offer *offer, char kind,
			 const struct msg *answer, int64_t now_ms);
	/* Outgoing: the digest is known now. NULL: the format has none that could follow. */
	void (*send_checksum)(struct offers *offers, struct offer *offer);
	bool confirms; /* the receiver of a file says that it has it */
};

extern const struct offer_protocol offer_si, offer_jingle;

/* A session that has ended well is kept for so long, so that its peer may be the one to end it. */
#define OFFER_LINGER_MS 2000

#define OFFER_REQUEST_OFFER  'i' /* <si/>, session-initiate */
#define OFFER_REQUEST_ACCEPT 'a' /* session-accept */
#define OFFER_REQUEST_OTHER  'j' /* whose answer says nothing */

/* ---- offer.c ---- */

/* The bytestream is not the offer's any more. */
void offer_detach_stream(struct offer *offer);

/* DONE or FAILED. */
void offer_end(struct offers *offers, struct offer *offer, enum offer_state state, int error);

/* A copy, or NULL of NULL. False when memory is short. */
bool offer_copy(char **to, const char *from);

/* In the set, WAITING. `sid` is the bytestream's. NULL when memory is short. */
struct offer *offer_create(struct offers *offers, const struct offer_protocol *protocol,
			   const char *peer, const char *id, const char *sid,
			   const struct file_metadata *file);

/* Out of the set; frees it. */
void offer_forget(struct offers *offers, struct offer *offer);

/* DONE: nothing more is to be said, nor heard. */
void offer_end_session(struct offers *offers, struct offer *offer);

/* Queues a request of ours. -ENOMEM. */
int offer_request(struct offers *offers, const struct offer *offer, char kind,
		  const struct msg *request);

/* Queues the error that answers `request`. */
void offer_refuse(struct offers *offers, const struct msg *request, enum condition condition,
		  enum detail detail);

/* That offer of `peer`, in the direction, that is not over; or NULL. */
struct offer *offer_find(const struct offers *offers, enum offer_format format, const char *peer,
			 const char *id);

/* From any state: FAILED with `error` (negative), and so the bytestream. Nothing happens when it is
 * over already. */
void offer_fail(struct offers *offers, struct offer *offer, int error);

/* Likewise, and says so: something that was agreed on went wrong; or we want no answer any more. */
void offer_abort(struct offers *offers, struct offer *offer, int error);
void offer_cancel(struct offers *offers, struct offer *offer, int error);

/* DONE. */
void offer_finish(struct offers *offers, struct offer *offer);

void offer_set_deadline(struct offers *offers, struct offer *offer, int64_t when_ms);

/* What `offer` says about its file. Borrows from it. */
struct file_metadata offer_file(const struct offer *offer);

/* ---- incoming.c, outgoing.c ---- */

/* A file that `msg` offers, WAITING, and to be taken; NULL after an answer to `msg` that says why
 * not. */
struct offer *offer_receive(struct offers *offers, const struct offer_protocol *protocol,
			    const struct msg *msg, int64_t now_ms);

/* See offers_send. */
struct offer *offer_send(struct offers *offers, const struct offer_protocol *protocol,
			 const char *peer, const struct file_metadata *file, struct stream *stream,
			 int64_t now_ms);

/* Outgoing, WAITING: the peer has accepted; its bytestream is opened. */
void offer_accepted(struct offers *offers, struct offer *offer, uint32_t block_size,
		    int64_t now_ms);

/* Not over: follows its bytestream, if it has one. */
void offer_follow_incoming(struct offers *offers, struct offer *offer, int64_t now_ms);
void offer_follow_outgoing(struct offers *offers, struct offer *offer, int64_t now_ms);

/* ---- si.c, jingle.c ---- */

void offer_receive_si(struct offers *offers, const struct msg *msg, int64_t now_ms);
void offer_receive_jingle(struct offers *offers, const struct msg *msg, int64_t now_ms);

#endif
