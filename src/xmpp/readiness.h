/* SPDX-License-Identifier: MIT */
/*
 * readiness - whether libstrophe's next call will read or write, as far as can be known.
 *
 * poll(2) alone does not tell: bytes of a TLS record that was read in part are inside of the TLS
 * library. A poll also costs more than a call of libstrophe that has nothing to do.
 *
 * A round is one call of session_run, with at most one read. A round that neither reads nor writes
 * is idle.
 *
 * Threads: the XMPP thread.
 * Source:  libstrophe 0.14.0, event.c (a read takes 4096 bytes); RFC 8446 section 5.1 (a record
 *          holds up to 16384).
 */
#ifndef XMPP_READINESS_H
#define XMPP_READINESS_H

#include "xmpp/socket.h"

#include <stdbool.h>

struct readiness {
	const struct socket *socket; /* borrowed */
	unsigned idle_rounds;	     /* after so many idle rounds, every later one is idle, too */
	short events;		     /* the result of the last poll */
	unsigned reads;		     /* so many rounds will read something */
	unsigned hidden; /* so many idle rounds may still bring stanzas of the last record */
};

/* Polls the socket. `tls`: it is used with TLS. */
void readiness_begin(struct readiness *readiness, const struct socket *socket, bool tls);

/* A round is over. */
void readiness_update(struct readiness *readiness);

/* Whether the next round will read something, or the end of the connection. */
bool readiness_is_readable(const struct readiness *readiness);

/* Whether the next round could write. */
bool readiness_is_writable(const struct readiness *readiness);

#endif
