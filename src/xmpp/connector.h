/* SPDX-License-Identifier: MIT */
/*
 * connector - connects a socket to an address of the domain that answers.
 *
 * Several attempts run at once, in the order and at the pace of candidates.h. The first address
 * that takes the connection wins. If there is no XMPP server at that address, the next
 * connector_next continues the search.
 *
 *     SRV records ---> targets ---> addresses ---> sockets
 *             (resolution)                (connector)
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Errors:  0 or -errno; connector_explain says why there is no connection.
 * Threads: the XMPP thread.
 * Source:  RFC 6120 section 3.2, RFC 8305.
 */
#ifndef XMPP_CONNECTOR_H
#define XMPP_CONNECTOR_H

#include "xmpp/cause.h"
#include "xmpp/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result of connector_next. */
struct connection {
	int fd;		  /* the caller's; connected, non-blocking */
	char address[64]; /* numeric */
	uint16_t port;
	bool direct_tls;
	int64_t silence_ms; /* the server is given up if it is silent for so long; INT64_MAX: no
			     * other address is left */
	size_t rank;	    /* of the target: 0 is the one that the domain prefers */
	char place[320];    /* for lines to the user: "xmpp.example.org:5222 (192.0.2.1)" */
};

struct connector;

/*
 * Starts to look names up. With `host` the connection goes to that host. Else it goes to where the
 * SRV records of `domain` (a JID's, UTF-8) say; if there are none or no name server answers, it
 * goes to the domain itself. `port` 0: the default of the kind of TLS. NULL when memory is short.
 */
struct connector *connector_create(const char *domain, const char *host, uint16_t port,
				   enum client_tls tls);

/* NULL-safe. */
void connector_destroy(struct connector *connector);

/*
 * Waits for the next connection. -EINTR: `wakeup` (an eventfd) has become readable; it stays
 * readable. -EHOSTUNREACH: no address is left. -ETIMEDOUT: `deadline_ms` has passed.
 */
int connector_next(struct connector *connector, int wakeup, int64_t deadline_ms,
		   struct connection *connection);

/* The server at the connection of the last connector_next was silent for too long: its address is
 * tried once more after all others. */
void connector_postpone(struct connector *connector);

/* Why there is no connection: the failure of the first target that failed. Returns its rank. */
size_t connector_explain(const struct connector *connector, struct cause *cause);

#endif
