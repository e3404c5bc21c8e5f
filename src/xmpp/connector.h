/* SPDX-License-Identifier: MIT */
/*
 * connector - finds an address of the domain that answers, and connects a socket to it.
 *
 * The SRV records of the domain name targets, a target's name has addresses. They are tried in
 * order, the next while the last one still hangs: a target of the same priority, or another
 * address, after a quarter of a second, one of a lower priority after a second. The first address
 * that takes the connection wins. If it turns out that no XMPP server is there, the search goes on.
 *
 *     SRV records ---> targets ---> addresses ---> sockets
 *      (lookup, srv)    (lookup)      (connect)
 *
 * Units:   ms of loop_now_ms.
 * Errors:  0 or -errno; why nothing was found: connector_explain.
 * Threads: the XMPP thread.
 * Source:  RFC 6120 section 3.2, RFC 2782, RFC 8305, XEP-0368.
 */
#ifndef XMPP_CONNECTOR_H
#define XMPP_CONNECTOR_H

#include "xmpp/cause.h"
#include "xmpp/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What connector_next has found. */
struct connection {
	int fd;		  /* the caller's; connected, non-blocking */
	char address[64]; /* numeric */
	uint16_t port;
	bool direct_tls;
	bool last;	 /* nothing else is left to be tried */
	int64_t rtt_ms;	 /* how long connect took */
	size_t rank;	 /* of the target: 0 is the one that the domain prefers */
	char place[320]; /* for lines to the user: "xmpp.example.org:5222 (192.0.2.1)" */
};

struct connector;

/*
 * Starts to look names up. With `host` that is where the connection goes; else to where the SRV
 * records of `domain` (a JID's, UTF-8) say, or to the domain itself if there are none or no name
 * server answers. `port` 0: the default of the kind of TLS. NULL when memory is short.
 */
struct connector *connector_create(const char *domain, const char *host, uint16_t port,
				   enum client_tls tls);

/* NULL-safe. */
void connector_destroy(struct connector *connector);

/*
 * Waits for the next connection; `wakeup` (an eventfd) becoming readable ends the wait with
 * -EINTR, and is left readable. -EHOSTUNREACH: none is left. -ETIMEDOUT at `deadline_ms`.
 */
int connector_next(struct connector *connector, int wakeup, int64_t deadline_ms,
		   struct connection *connection);

/* Whoever answered at the connection of the last connector_next was silent too long: it is tried
 * once more after all others. */
void connector_postpone(struct connector *connector);

/* Why there is no connection: what failed at the first target that failed. Returns its rank. */
size_t connector_explain(const struct connector *connector, struct cause *cause);

#endif
