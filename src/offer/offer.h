/* SPDX-License-Identifier: MIT */
/*
 * offer - a file that is offered, in either direction: the session around its bytestream.
 *
 *     incoming     WAITING ------> ACCEPTED -----> TRANSFERRING -------> CHECKING ---> DONE
 *                         offer_accept      <open/>               all bytes
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
	OFFER_WAITING,	    /* for the user's answer, ours or theirs */
	OFFER_ACCEPTED,	    /* for the bytestream to be opened */
	OFFER_TRANSFERRING, /* bytes */
	OFFER_CHECKING, /* all are there: for the digest, or for the peer's word that it has them */
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
	struct hash *hash;    /* of the bytes received or sent so far */
	uint64_t hashed;      /* outgoing: bytes */
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

	enum offer_state state;
	int error;	       /* FAILED: -errno for the users of the file */
	bool confirmed;	       /* the peer has said that it has the file */
	struct stream *stream; /* NULL while there is none; the user's */
	struct op *waiters;    /* parked: outgoing, until DONE or FAILED */
	int64_t deadline_ms;   /* or STREAM_NO_DEADLINE */

	struct offer_session session;
	struct offer_checksum checksum;
};

/* All offers of an account. */
struct offers {
	struct ibb *ibb;
	struct offer *all;
	struct offer *arrived; /* incoming, not yet taken; oldest first */
	unsigned arrivals;     /* incoming, in `all` */
	uint64_t last_number;
	uint64_t last_other; /* of requests whose answers say nothing */
	int64_t deadline_ms; /* offers_tick wants to be called; STREAM_NO_DEADLINE: never */
};

/* How long a peer that has everything may take to say so, and to send a digest that it promised. */
#define OFFER_CONFIRM_MS  30000
#define OFFER_CHECKSUM_MS 5000

/* `ibb` must outlive it; its configuration says how long an answer may take. */
void offers_init(struct offers *offers, struct ibb *ibb);

/* Frees everything. Every op must be completed and taken (offers_abandon does the first). */
void offers_finish(struct offers *offers);

/* ---- incoming ---- */

/* The oldest incoming offer that was not yet taken, now owned by the caller; or NULL. */
struct offer *offers_take_arrived(struct offers *offers);

/*
 * WAITING: accepts it. The stream that the file will come through, as ibb_expect gives it, is the
 * caller's, and NEW until the peer opens it. NULL and *error: as of ibb_expect, or the offer's.
 */
struct stream *offer_accept(struct offers *offers, struct offer *offer, int *error, int64_t now_ms);

/* ---- outgoing ---- */

/*
 * Offers a file to `peer`, a full JID. What `file` says is copied; its size must be known. `stream`
 * is NEW and the caller's: it will be dialled once the peer has accepted, and is then to be given
 * the file's bytes. The offer is owned by the caller until offer_release. NULL when
 * memory is short.
 */
struct offer *offers_send(struct offers *offers, enum offer_format format, const char *peer,
			  const struct file_metadata *file, struct stream *stream, int64_t now_ms);

/* Completes `op` when the offer is DONE with 0, or FAILED with its error. While an outgoing offer
 * is neither and nobody waits for it, it is cancelled. */
void offer_wait(struct offers *offers, struct offer *offer, struct op *op);

/* DONE or FAILED. */
bool offer_is_over(const struct offer *offer);

/* MOVING: bytes that will be written to the stream next, and how many there were; -EPROTO: more
 * than were offered. */
int offer_update_digest(struct offers *offers, struct offer *offer, const void *bytes,
			size_t length);

/* MOVING: all bytes are written; the stream is to be closed (stream_close), which is done here. */
void offer_finish_writing(struct offers *offers, struct offer *offer, int64_t now_ms);

/* ---- both ---- */

/* The user has no more interest: what is neither DONE nor FAILED is declined or cancelled. The
 * stream must not be used through it any more, and is still the caller's. */
void offer_release(struct offers *offers, struct offer *offer, int64_t now_ms);

/* MSG_SI, MSG_JINGLE: from somebody who may offer us files. */
void offers_receive(struct offers *offers, const struct msg *msg, int64_t now_ms);

/* Whether `close` ends a bytestream whose file was here before; if so it was answered. */
bool offers_receive_close(struct offers *offers, const struct msg *close);

/* Whether there is a session of that id with that full JID, which we have begun. */
bool offers_have(const struct offers *offers, const char *peer, const char *id);

/* Whether `msg`, an answer, was one to a request of an offer's; if so it was taken in. */
bool offers_answer(struct offers *offers, const struct msg *msg, int64_t now_ms);

/* After every call that may have changed a stream: lets the offers follow. */
void offers_settle(struct offers *offers, int64_t now_ms);

/* The resource `peer` has gone: with it its offers. */
void offers_peer_gone(struct offers *offers, const char *peer);

/* Our connection has gone, and with it every offer. */
void offers_disconnect(struct offers *offers);

/* The mount is ending: what nobody has accepted yet is withdrawn. */
void offers_stop(struct offers *offers);

/* Whether every outgoing offer is over. */
bool offers_are_drained(const struct offers *offers);

void offers_tick(struct offers *offers, int64_t now_ms);

/* The word for user.ibb.state and `status` where that of the stream does not do, or NULL; static.
 */
const char *offer_state_name(const struct offer *offer);

#endif
