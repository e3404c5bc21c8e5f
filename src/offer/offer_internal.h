/* SPDX-License-Identifier: MIT */
/*
 * offer_internal - what the files of an offer need of each other. A file calls only files in rows
 * above its own; incoming and outgoing call a format by the table of functions that it has.
 *
 *     jingle_reason      errnos of reasons
 *     offer              the struct, its end, stanzas
 *     incoming outgoing  the life of an offer
 *     si       jingle    the two formats
 *     offers             the set
 *
 * Threads: none; the caller serialises.
 */
#ifndef OFFER_OFFER_INTERNAL_H
#define OFFER_OFFER_INTERNAL_H

#include "offer/offers.h"

/* What a format sends in each step. The ids of our requests are "KIND NUMBER", in hex, with a kind
 * below. The number is the offer's, or any where the answer is ignored. When memory is short
 * nothing is sent, unless said, and the peer has its timeouts. */
struct offer_protocol {
	enum offer_format format;
	int (*offer)(struct offers *offers, struct offer *offer);  /* -ENOMEM */
	int (*accept)(struct offers *offers, struct offer *offer); /* -ENOMEM */
	void (*decline)(struct offers *offers, struct offer *offer);
	/* FAILED with offer->error, on our side, after it was accepted. */
	void (*fail)(struct offers *offers, struct offer *offer);
	/* DONE. Incoming: the file is complete. Outgoing: it is delivered, and confirmed if the
	 * format has a word for it. */
	void (*acknowledge)(struct offers *offers, struct offer *offer);
	/* Outgoing: we await no answer any more. */
	void (*cancel)(struct offers *offers, struct offer *offer);
	/* The answer to a request of that kind. */
	void (*answered)(struct offers *offers, struct offer *offer, char kind,
			 const struct msg *answer, int64_t now_ms);
	/* Outgoing: the digest is known. NULL: the format has no stanza for it. */
	void (*send_checksum)(struct offers *offers, struct offer *offer);
	bool confirms; /* the receiver has a word for a complete file: it is DONE only with that */
};

extern const struct offer_protocol offer_si, offer_jingle;

/* A DONE session lingers, so that its peer may end it. */
#define OFFER_LINGER_MS 2000

#define OFFER_REQUEST_OFFER  'i' /* <si/>, session-initiate */
#define OFFER_REQUEST_ACCEPT 'a' /* session-accept */
#define OFFER_REQUEST_OTHER  'j' /* its answer is ignored */

/* ---- offer.c ---- */

/* The offer uses its bytestream no more. */
void offer_detach_stream(struct offer *offer);

/* DONE or FAILED. */
void offer_end(struct offers *offers, struct offer *offer, enum offer_state state, int error);

/* *to is a copy; NULL of NULL. False when memory is short. */
bool offer_copy(char **to, const char *from);

/* Adds an offer to the set, WAITING. `sid`: of the bytestream. NULL when memory is short. */
struct offer *offer_create(struct offers *offers, const struct offer_protocol *protocol,
			   const char *peer, const char *id, const char *sid,
			   const struct file_metadata *file);

/* Removes it from the set, and frees it. */
void offer_forget(struct offers *offers, struct offer *offer);

/* DONE: ends the session with the peer. */
void offer_end_session(struct offers *offers, struct offer *offer);

/* Queues a request of ours. -ENOMEM. */
int offer_request(struct offers *offers, const struct offer *offer, char kind,
		  const struct msg *request);

/* Queues the error that answers `request`. */
void offer_refuse(struct offers *offers, const struct msg *request, enum condition condition,
		  enum detail detail);

/* The offer of `peer` with that id whose session has not ended, or NULL. */
struct offer *offer_find(const struct offers *offers, enum offer_format format, const char *peer,
			 const char *id);

/* FAILED with `error` (negative), and so is the bytestream. No effect if it is over. */
void offer_fail(struct offers *offers, struct offer *offer, int error);

/* Likewise, and tells the peer: an accepted offer has failed; or we cancel ours. */
void offer_abort(struct offers *offers, struct offer *offer, int error);
void offer_cancel(struct offers *offers, struct offer *offer, int error);

/* DONE. */
void offer_finish(struct offers *offers, struct offer *offer);

void offer_set_deadline(struct offers *offers, struct offer *offer, int64_t when_ms);

/* The metadata of its file, borrowed from the offer. */
struct file_metadata offer_file(const struct offer *offer);

/* ---- incoming.c, outgoing.c ---- */

/* The offer in `msg`, WAITING, in offers.arrived. NULL: `msg` was refused. */
struct offer *offer_receive(struct offers *offers, const struct offer_protocol *protocol,
			    const struct msg *msg, int64_t now_ms);

/* See offers_send. */
struct offer *offer_send(struct offers *offers, const struct offer_protocol *protocol,
			 const char *peer, const struct file_metadata *file, struct stream *stream,
			 int64_t now_ms);

/* Outgoing, WAITING: takes over the part that the peer asks for, if it does. False: the file has no
 * such part. */
bool offer_take_range(struct offer *offer, const struct file_metadata *asked);

/* Outgoing, WAITING: the peer has accepted. Opens the bytestream. */
void offer_accepted(struct offers *offers, struct offer *offer, uint32_t block_size,
		    int64_t now_ms);

/* Outgoing: whether the stream was given every byte that it is to carry. */
bool offer_is_written(const struct offer *offer);

/* Not over: follows the state of its bytestream. */
void offer_follow_incoming(struct offers *offers, struct offer *offer, int64_t now_ms);
void offer_follow_outgoing(struct offers *offers, struct offer *offer, int64_t now_ms);

/* ---- si.c, jingle.c ---- */

void offer_receive_si(struct offers *offers, const struct msg *msg, int64_t now_ms);
void offer_receive_jingle(struct offers *offers, const struct msg *msg, int64_t now_ms);

#endif
