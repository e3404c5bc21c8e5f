/* SPDX-License-Identifier: MIT */
/*
 * offers - all offers of an account.
 *
 * Units:   ms of the caller's monotonic clock.
 * Errors:  0 or -errno; what goes wrong on the wire is answered there.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  XEP-0095, XEP-0096; XEP-0166, XEP-0234, XEP-0261.
 */
#ifndef OFFER_OFFERS_H
#define OFFER_OFFERS_H

#include "offer/offer.h"

struct offers {
	struct ibb *ibb;
	struct offer *all;
	struct offer *arrived; /* incoming, not taken yet; oldest first */
	unsigned arrivals;     /* incoming, in `all` */
	uint64_t last_number;
	uint64_t last_other; /* number of a request whose answer is ignored */
	int64_t deadline_ms; /* when offers_tick wants to be called, or STREAM_NO_DEADLINE */
};

/* `ibb` must outlive it; its configuration has the timeouts. */
void offers_init(struct offers *offers, struct ibb *ibb);

/* Frees everything. Every op must be completed and taken. */
void offers_finish(struct offers *offers);

/* The oldest incoming offer that was not taken yet, now owned by the caller; or NULL. */
struct offer *offers_take_arrived(struct offers *offers);

/*
 * Offers a file to `peer`, a full JID. `file` is copied; its size must be known. `stream` is NEW
 * and the caller's. It is opened once the peer has accepted, and then takes the file's bytes. The
 * offer is owned by the caller until offer_release. NULL when memory is short.
 */
struct offer *offers_send(struct offers *offers, enum offer_format format, const char *peer,
			  const struct file_metadata *file, struct stream *stream, int64_t now_ms);

/* MSG_SI, MSG_JINGLE, from a sender who may offer us files. */
void offers_receive(struct offers *offers, const struct msg *msg, int64_t now_ms);

/* Whether `close` is for a bytestream whose offer is DONE; then it is answered. */
bool offers_receive_close(struct offers *offers, const struct msg *close);

/* Whether `msg`, an answer, was to a request of an offer; then it is dispatched. */
bool offers_answer(struct offers *offers, const struct msg *msg, int64_t now_ms);

/* Whether there is a Jingle session with that peer (full JID) and id, begun by us. */
bool offers_have(const struct offers *offers, const char *peer, const char *id);

/* After each call that may have changed a stream: the offers follow their streams. */
void offers_settle(struct offers *offers, int64_t now_ms);

/* The resource `peer` is offline: its offers fail. */
void offers_peer_gone(struct offers *offers, const char *peer);

/* Our connection is broken: every offer fails. */
void offers_disconnect(struct offers *offers);

/* The mount is ending: cancels the outgoing offers that are not accepted yet. */
void offers_stop(struct offers *offers);

/* Whether every outgoing offer is over. */
bool offers_are_drained(const struct offers *offers);

void offers_tick(struct offers *offers, int64_t now_ms);

#endif
