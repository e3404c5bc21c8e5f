/* SPDX-License-Identifier: MIT */
/*
 * candidates - the targets and addresses of a domain: in which order, and when, each is tried.
 *
 * A target is a host name and a port. Its name is resolved when the target's turn comes. The
 * families of its addresses take turns, IPv6 first. An attempt does not wait for the end of the one
 * before: it starts 250 ms later, or 1 s later if its target has a lower priority, or at once after
 * a failure.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises. No I/O: the caller resolves names and connects sockets.
 * Source:  RFC 6120 section 3.2, RFC 8305 sections 3 to 5.
 */
#ifndef XMPP_CANDIDATES_H
#define XMPP_CANDIDATES_H

#include "xmpp/srv.h"

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* RFC 8305 section 5: "Connection Attempt Delay". */
#define CANDIDATES_ATTEMPT_DELAY_MS 250

/* Between targets of different priority the delay is longer: the domain wants the first to be
 * used. */
#define CANDIDATES_PRIORITY_DELAY_MS 1000

/* RFC 8305 section 3: "Resolution Delay". IPv4 addresses wait that long for those of IPv6. */
#define CANDIDATES_RESOLUTION_DELAY_MS 50

/* The time limit of an attempt: three retransmissions of a SYN. */
#define CANDIDATES_ATTEMPT_MS 10000

enum family {
	FAMILY_INET6, /* preferred */
	FAMILY_INET,
	FAMILIES
};

/* No more addresses of one family of a target are tried. So many of one family leave room for the
 * other. */
#define FAMILY_MAX_ADDRESSES 8
#define TARGET_MAX_ADDRESSES (FAMILIES * FAMILY_MAX_ADDRESSES)

enum address_state {
	ADDRESS_WAITING,
	ADDRESS_CONNECTING,
	ADDRESS_DONE, /* has failed, or the caller uses its connection */
};

/* An address is tried after all those of an earlier turn. */
enum turn {
	TURN_FIRST,
	TURN_POSTPONED, /* a server took the connection there and was silent */
	TURN_OVERTAKEN, /* another address, tried later, took a connection before it */
	TURNS
};

struct address {
	struct sockaddr_storage name; /* as in connect(2), with the target's port */
	socklen_t length;
	enum address_state state;
	enum turn turn;
	int64_t since_ms; /* start of the attempt; CONNECTING */
	int error;	  /* errno of a failed attempt, or 0 */
	int fd;		  /* the caller's; -1: none */
};

struct target {
	struct srv_target srv;
	bool started;		/* its name is or was resolved */
	bool pending[FAMILIES]; /* of these addresses no answer has come */
	int64_t inet_ms;	/* when the IPv4 addresses came; -1: they have not */
	const char *reason;	/* why it has no addresses; static; or NULL */
	struct address addresses[TARGET_MAX_ADDRESSES];
	size_t count;
	int last_family; /* AF_UNSPEC: none was tried */
};

/* All zero is an empty one. */
struct candidates {
	struct target targets[SRV_MAX_TARGETS]; /* the domain prefers the first */
	size_t count;
	bool searching; /* the caller's: more targets may come */

	const struct target *last_target; /* of the last step; NULL: the next need not wait */
	int64_t last_ms;		  /* when the last step was taken */
};

/* What the caller is to do: connect to `address`; if that is NULL, resolve the name of `target`. */
struct step {
	struct target *target;
	struct address *address;
};

/* Adds a target behind the others, of which there are fewer than SRV_MAX_TARGETS. Copies `srv`. */
void candidates_add(struct candidates *candidates, const struct srv_target *srv);

/* Adds the addresses of `list`, all of one family, to the target, as far as there is room. Copies
 * them. */
void target_add_addresses(struct target *target, const struct addrinfo *list);

/* The look-up of one family has ended: without addresses if `reason` (static) is not NULL. Those
 * that it found are added separately. */
void target_resolved(struct target *target, enum family family, const char *reason, int64_t now_ms);

/* Whether the resolver still owes an answer. */
bool target_is_pending(const struct target *target);

/* The attempt failed with `error`, an errno. */
void address_fail(struct address *address, int error);

/* Whether the attempt has reached its time limit. */
bool address_is_overdue(const struct address *address, int64_t now_ms);

/*
 * The next step. Returns when it is due; if that is not later than `now_ms`, the step is taken: the
 * target is started, or the address CONNECTING, and the next call is about the step after it.
 * INT64_MAX: there is none before an answer or a failure.
 */
int64_t candidates_next(struct candidates *candidates, int64_t now_ms, struct step *step);

/* The next step need not wait: an attempt failed, or another search begins. */
void candidates_hurry(struct candidates *candidates);

/* Whether an answer of the resolver or the end of an attempt is still to come. */
bool candidates_is_busy(const struct candidates *candidates);

/* Whether there is nothing left to wait for, and nothing to try in `turn` or earlier. */
bool candidates_is_exhausted(struct candidates *candidates, enum turn turn);

/* The address has taken the connection: all other attempts end, but have not failed. The caller
 * closes their sockets before. */
void candidates_win(struct candidates *candidates, struct address *winner);

/* The earliest time limit: of an attempt, or of the wait for IPv6 addresses. INT64_MAX: none. */
int64_t candidates_limit_ms(const struct candidates *candidates);

#endif
