/* SPDX-License-Identifier: MIT */
/*
 * resolution - looks up the targets of a domain, and the addresses of the targets.
 *
 *     SRV records ---> targets ---> addresses
 *      (lookup, srv)    (lookup)
 *
 * What it finds goes to the candidates that it was given.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Errors:  0 or -errno.
 * Threads: the XMPP thread.
 * Source:  RFC 6120 section 3.2, RFC 2782, RFC 8305 section 3, XEP-0368.
 */
#ifndef XMPP_RESOLUTION_H
#define XMPP_RESOLUTION_H

#include "xmpp/candidates.h"
#include "xmpp/client.h"
#include "xmpp/srv.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum service {
	SERVICE_STARTTLS,
	SERVICE_DIRECT_TLS,
	SERVICES
};

/* The most descriptors of resolution_fds. */
#define RESOLUTION_MAX_FDS (SERVICES + SRV_MAX_TARGETS * FAMILIES)

struct lookup;

struct resolution {
	struct candidates *candidates;
	enum client_tls tls;
	char *name; /* of the host or domain, as the DNS knows it */
	uint16_t port;
	int64_t began_ms;

	struct lookup *services[SERVICES]; /* of SRV records */
	bool refused[SERVICES];		   /* the record says that there is no such service */
	struct srv_targets found;
	bool no_service; /* the domain says that it has none that we could use */

	struct lookup *lookups[SRV_MAX_TARGETS][FAMILIES]; /* of the targets' addresses */
};

/*
 * Starts to look for targets. With `host` or `port` there is one: that host, or the domain itself.
 * Else the SRV records of `domain` (a JID's, UTF-8) name them; if there are none or no name server
 * answers, the domain itself is the only target. `port` 0: the default of the kind of TLS.
 * `candidates` is empty, and borrowed until resolution_finish. -ENOMEM.
 */
int resolution_init(struct resolution *resolution, struct candidates *candidates,
		    const char *domain, const char *host, uint16_t port, enum client_tls tls,
		    int64_t now_ms);

/* Also of an all zero one. */
void resolution_finish(struct resolution *resolution);

/* Starts to look up the addresses of `target`, one of the candidates. */
void resolution_start(struct resolution *resolution, struct target *target);

/* Takes the answers that have come. Whether a target has turned out to have no address. */
bool resolution_check(struct resolution *resolution, int64_t now_ms);

/* Writes the descriptors that become readable with an answer to `fds`. Returns how many. */
size_t resolution_fds(const struct resolution *resolution, struct pollfd *fds);

/* When resolution_check will stop waiting for SRV records; INT64_MAX: it does not wait. */
int64_t resolution_limit_ms(const struct resolution *resolution);

#endif
