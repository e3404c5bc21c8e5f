/* SPDX-License-Identifier: MIT */
/*
 * client - the connection of an account: a thread that owns libstrophe.
 *
 * The thread connects, requires TLS, logs in, fetches the roster, sends presence and then pings the
 * server. It calls `online` at the answer to that ping: the server has sent the presence of our
 * contacts before. When the connection breaks, it calls `offline` and connects again, with a
 * back-off of 0.2, 1, 2, 4, 8, 10 s and jitter. It begins anew after a connection that was made,
 * unless the server has ended that before the next step's time. If connecting fails before the
 * first `online`, it gives up.
 *
 * Stanzas to be sent are fetched one at a time (`next`), and only below a high-water mark of
 * libstrophe's queue. So the queue is bounded, and the core decides about fairness.
 *
 * Units:   ms.
 * Errors:  0 or -errno; the cause of a failed connection as a line for the user (offline).
 * Threads: client_wake and client_watch may be called from any thread, the rest from one. Events
 *          are called in the XMPP thread, without any lock of the client; of these functions
 *          they may call client_wake only.
 * Source:  RFC 6120, RFC 6121 sections 2 and 4, XEP-0115, XEP-0199, XEP-0368, XEP-0478.
 */
#ifndef XMPP_CLIENT_H
#define XMPP_CLIENT_H

#include "ibb/msg.h"

#include <stdbool.h>
#include <stdint.h>

enum client_tls {
	CLIENT_TLS_STARTTLS, /* required */
	CLIENT_TLS_DIRECT,   /* XEP-0368 */
	CLIENT_TLS_OFF,
	CLIENT_TLS_EITHER, /* as the SRV records say; without any, STARTTLS */
};

/* Borrowed until client_destroy; `password` only until client_create returns. */
struct client_config {
	const char *jid; /* normal form, bare or full; without a resource we make a random one,
			    "ibbfs-" and 8 hex digits, and keep it */
	const char *password;
	const char *host; /* connect there, or NULL: look SRV records up (connector.h) */
	uint16_t port;	  /* 0: the default of the kind of TLS */
	enum client_tls tls;
	const char *cafile, *capath;   /* or NULL */
	int64_t connect_timeout_ms;    /* from connecting to online */
	bool debug;		       /* log every stanza, but for credentials and file contents */
	void (*log)(const char *line); /* for that; in the XMPP thread; or NULL */
	void (*warn)(const char *line); /* a line for the user; likewise */
};

struct client_events {
	void *context; /* first argument of each */

	/* Logged in; the first event of a connection. `max_stanza` is the longest stanza that the
	 * server accepts (XEP-0478), in bytes; 0: it does not say. */
	void (*login)(void *context, size_t max_stanza);

	/* Connected, and the roster is complete. May come again after `offline`. */
	void (*online)(void *context, const char *full_jid);

	/* The connection is lost, and every stream with it; or connecting failed. `line` is the
	 * cause. `final`: no further attempt will be made, as there was no `online` yet, or the
	 * password was refused, or another client has our resource now. Else the next attempt is
	 * made at `retry_ms` of CLOCK_MONOTONIC. */
	void (*offline)(void *context, const char *line, bool final, int64_t retry_ms);

	/* roster_item: a contact was added, changed or removed; `jid` is bare. roster_reset: the
	 * roster of a new connection follows. The items are reported while their stanza is parsed.
	 */
	void (*roster_reset)(void *context);
	void (*roster_item)(void *context, const char *jid, bool removed);

	/* Presence of a full JID: a contact's, or another resource of our account. `priority` is
	 * -128 to 127. `features` (enum feature) are those of its entity capabilities, 0 if these
	 * are not known. A bare JID with available false: all its resources went offline. */
	void (*presence)(void *context, const char *jid, bool available, int priority,
			 unsigned features);

	/* An iq or message; `msg` is valid for the call. May come shortly before `online`: our
	 * presence was sent by then. */
	void (*receive)(void *context, const struct msg *msg);

	/* After one or more `receive`: the socket is drained, for now. */
	void (*drained)(void *context);

	/* Returns the next stanza to be sent, which the client destroys, or NULL. Called between
	 * the first possible `receive` and `offline`. */
	struct msg *(*next)(void *context);
};

struct client;

/* Copies password and events, starts nothing. NULL when memory or descriptors are short. */
struct client *client_create(const struct client_config *config,
			     const struct client_events *events);

/* Starts the thread, with all signals blocked. -errno of pthread_create. */
int client_start(struct client *client);

/* There may be something to be sent. Any thread; cheap, and no system call when the thread is
 * awake already. */
void client_wake(struct client *client);

/*
 * Sets a time limit to waits inside libstrophe: its TLS handshake has none. Shuts the socket down
 * if connecting began more than connect_timeout_ms before `now_ms`. Returns when to call this
 * again; INT64_MAX: after the next `offline`. Any thread.
 */
int64_t client_watch(struct client *client, int64_t now_ms);

/*
 * Sends what `next` still gives (for a second at most), unavailable presence and the end of the
 * stream, if online, and joins the thread; waits 2 s in all for the server's part. `offline` is
 * not called.
 */
void client_stop(struct client *client);

/* After client_stop, or before client_start; NULL-safe. */
void client_destroy(struct client *client);

#endif
