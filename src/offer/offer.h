/* SPDX-License-Identifier: MIT */
/*
 * offer - a file that is offered, in either direction: the session around its bytestream.
 *
 *     incoming  WAITING ----> ACCEPTED ----> TRANSFERRING ----> CHECKING ----> STORING ----> DONE
 *                  offer_accept     <open/>          all bytes        digest       durable
 *
 *     outgoing     WAITING ------> ACCEPTED -----> TRANSFERRING -------> CHECKING ---> DONE
 *                         the peer          opened                closed
 *
 * From every state an error leads to FAILED. The two formats, stream initiation (si.c) and Jingle
 * (jingle.c), differ in what is sent in each step. The bytestream is an ordinary one of the set
 * `ibb`. Its users know of no offer: the end of the offered file is its end, and the error of the
 * offer is its error.
 *
 * An offer is found by the peer's full JID and its id, an answer by the peer's full JID and the
 * number in its id, never by one alone.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Errors:  0 or -errno; what goes wrong on the wire is answered there.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0095, XEP-0096; XEP-0166, XEP-0234, XEP-0261.
 */
#ifndef OFFER_OFFER_H
#define OFFER_OFFER_H

#include "ibb/ibb.h"

#include <stdbool.h>
#include <stdint.h>

enum offer_format {
	OFFER_SI,
	OFFER_JINGLE,
};

enum offer_state {
	OFFER_WAITING,	    /* until our user, or the peer, accepts or declines */
	OFFER_ACCEPTED,	    /* the bytestream is still to be opened */
	OFFER_TRANSFERRING, /* the bytestream is open */
	OFFER_CHECKING,	    /* incoming: awaits the digest; outgoing: the peer's confirmation */
	OFFER_STORING,	    /* incoming: the digest is right, and the file is not durable yet */
	OFFER_DONE,
	OFFER_FAILED, /* see error */
};

/* What the two ends have said of the offer. */
struct offer_session {
	char *content;	     /* Jingle: the name of the content */
	bool by_responder;   /* Jingle: who has created the content */
	uint32_t block_size; /* Jingle: as agreed */
	char *request;	     /* SI, incoming: the id of the request, which is to be answered */
	bool answered;	     /* outgoing: the peer has accepted or declined */
	bool ended;	     /* the session is over for the peer too: nothing need be said */
	bool lingers;	     /* incoming, DONE: its peer may still close the bytestream */
	bool unattended;     /* outgoing: it goes on although nobody waits for it */
};

/* The digest of the file. */
struct offer_checksum {
	struct digest digest; /* that the file must have; length 0: none is known (yet) */
	struct hash *hash;    /* incoming: of the bytes so far */
	bool wrong;	      /* incoming: the bytes have another digest; or a part was there
				 before, and no digest has come */
};

struct offer {
	struct offer *prev, *next;		   /* offers.all */
	struct offer *arrived_prev, *arrived_next; /* offers.arrived */
	uint64_t number;
	bool owned;		  /* somebody outside holds it: not to be freed */
	struct peer_quota *quota; /* incoming: counts it */
	void *context;		  /* the owner's own */

	/* Immutable. */
	const struct offer_protocol *protocol; /* what is said in its format */
	enum offer_format format;
	bool is_incoming;
	char *peer; /* full JID */
	char *id;   /* of the <si/>, or of the Jingle session */
	char *sid;  /* of the bytestream */
	char *name; /* of the file; or NULL */
	int64_t size, date;
	char *media_type; /* outgoing; or NULL */

	/* The part of the file that its bytestream carries: at first, the whole. Another one may be
	 * asked for if has_range. */
	bool has_range;
	uint64_t offset;
	int64_t length; /* -1: the size is not known */
	uint64_t given; /* outgoing: so many bytes of it were given to offer_write */

	enum offer_state state;
	int error;	       /* FAILED: -errno for the users of the file */
	bool confirmed;	       /* the peer has said that it has the file */
	bool unconfirmed;      /* FAILED: it has acknowledged every byte, and not said so */
	struct stream *stream; /* NULL while there is none; the user's */
	struct op *waiters;    /* parked: outgoing, until DONE or FAILED */
	int64_t deadline_ms;   /* or STREAM_NO_DEADLINE */

	struct offer_session session;
	struct offer_checksum checksum;
};

/* A peer that has everything, the digest too, must confirm within this time, if its format has a
 * word for it; and send a digest that it announced. */
#define OFFER_CONFIRM_MS  30000
#define OFFER_CHECKSUM_MS 5000

/* Outgoing, accepted: what is sent of a file of `size` bytes. */
struct offer_part {
	uint64_t begin, end, size;
	enum hash_algorithm digest; /* of the whole, that the peer is told; or HASH_NONE */
};

struct offers;

/* Incoming, WAITING: accepts it. The stream of the file, as of ibb_expect, is the caller's, and NEW
 * until the peer opens it. NULL and *error: as of ibb_expect, or that of the offer. */
struct stream *offer_accept(struct offers *offers, struct offer *offer, int *error, int64_t now_ms);

/* Incoming, WAITING, with has_range: the first `offset` bytes of the file, fewer than its size, are
 * there already. `hash` (taken over) is theirs, of the algorithm of the file's digest. Only the
 * rest will be asked for. The digest of the whole must come, and be right. False: it is not
 * WAITING. */
bool offer_continue(struct offer *offer, uint64_t offset, struct hash *hash);

/* Outgoing: completes `op` with 0 when the offer is DONE, with its error when it is FAILED. An
 * offer for which nobody waits is cancelled. */
void offer_wait(struct offers *offers, struct offer *offer, struct op *op);

/* Outgoing, accepted: the part that the peer asks for. */
struct offer_part offer_part(const struct offer *offer);

/* Outgoing, TRANSFERRING: the next op->size bytes of the part, for the stream (stream_write).
 * Completes `op` with an error, -EPROTO if there are more bytes than in the part; or else when more
 * are wanted. */
void offer_write(struct offers *offers, struct offer *offer, struct op *op, const void *bytes,
		 int64_t now_ms);

/* Outgoing, accepted: the digest of the whole file, before the last byte of a part at its end: a
 * receiver may end the session once it has that byte. The peer is told. */
void offer_set_digest(struct offers *offers, struct offer *offer, const struct digest *digest);

/* Outgoing, not over: the whole part was written, and the digest set. Closes the stream
 * (stream_close). With `error` (negative), or if bytes of the part are missing, the offer fails. */
void offer_finish_writing(struct offers *offers, struct offer *offer, int error, int64_t now_ms);

/* DONE or FAILED. */
bool offer_is_over(const struct offer *offer);

/* The user has no interest any more: declines or cancels the offer unless it is over. The stream is
 * still the caller's, but not the offer's any more. */
void offer_release(struct offers *offers, struct offer *offer, int64_t now_ms);

/* The word for user.ibb.state and `status` where that of the stream does not fit, or NULL; static.
 */
const char *offer_state_name(const struct offer *offer);

#endif
