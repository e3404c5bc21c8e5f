/* SPDX-License-Identifier: MIT */
/*
 * login - what of a login libstrophe gets to see, so that one refused password is one attempt.
 *
 * libstrophe tries every mechanism that it was ever offered, one after the other, whatever the
 * server says of the last one. It can only be led by what its parser hears; so the parser's events
 * pass through here until the login is over:
 *
 * * Of stream features, the mechanisms are given to libstrophe at the end, and only those that it
 *   should try. None before TLS, if TLS is required: it would use them after TLS.
 * * What comes behind <proceed/> on the same stream is dropped.
 * * A mechanism that binds the login to the TLS connection (-PLUS) is given only if the server can
 *   bind to what libstrophe does (XEP-0440; libstrophe 0.14 does not look). If it cannot,
 *   `unbound` says so: then libstrophe must not claim to believe that the server cannot bind at
 *   all, which the server would have to take for a downgrade (RFC 5802 section 6).
 * * <failure/> is given as such only if the mechanism was refused, so that the next may do: then
 *   nothing has been said of the password. Every other is given as <final-failure/>, which has
 *   libstrophe end the stream, as it does with any answer that it does not know.
 *
 * * Features after the login without <bind/> are not given to libstrophe at all: 0.12.2 crashes.
 *
 * libstrophe's own order is that of strength: SCRAM-SHA-512-PLUS, -256-PLUS, -1-PLUS, the same
 * without -PLUS, DIGEST-MD5, and PLAIN only where the server offers nothing else that it knows.
 *
 * Names are expat's, with the namespace before a separator.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 6120 sections 5.4.3.3, 6.3.3 and 6.5; RFC 5802; XEP-0440; auth.c of libstrophe
 *          0.12.2 and 0.14.0.
 */
#ifndef XMPP_LOGIN_H
#define XMPP_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

/* libstrophe's handlers. */
struct login_sink {
	void *context;
	void (*start)(void *context, const char *name, const char **attributes);
	void (*end)(void *context, const char *name);
	void (*text)(void *context, const char *text, int length);
};

struct login;

/* Set by the caller; called in the middle of it all. */
struct login_events {
	void *context;

	/* Whether the stream is encrypted now. */
	bool (*is_secured)(void *context);

	/* "tls-exporter", "tls-unique": what libstrophe would bind to, or NULL: not known. */
	const char *(*binding)(void *context);

	/* Mechanisms were offered, and are about to be tried: see `offered` and `unbound`. */
	void (*offer)(void *context, const struct login *login);

	/* The server refused; `condition` is RFC 6120's, or "" if it gave none. */
	void (*refused)(void *context, const char *condition);

	/* Logged in, but no resource can be bound. libstrophe hears nothing more of the stream. */
	void (*unbindable)(void *context);
};

struct login {
	struct login_events events;
	bool requires_tls;

	char offered[256]; /* all mechanisms of the last features, separated by spaces; may be cut
			    */
	bool unbound;	   /* -PLUS was offered, for bindings that libstrophe does not do */

	/* ---- private ---- */
	bool is_successful; /* but for what follows */
	bool is_over;
	bool asked; /* libstrophe was given a mechanism */
	bool deaf;  /* until the stream begins anew */
	unsigned depth;
	enum login_element {
		LOGIN_OTHER,
		LOGIN_FEATURES,
		LOGIN_PROCEED,
		LOGIN_FAILURE,
		LOGIN_SUCCESS,
	} element;	    /* at depth 2 */
	bool in_mechanisms; /* at depth 3 */
	bool in_bindings;
	bool has_bind; /* the features have */
	char separator;
	unsigned mechanisms; /* of the features, bits */
	bool lists_bindings;
	bool has_exporter, has_unique;
	char text[64]; /* of what is open in mechanisms */
	char condition[64];
};

/* A connection is made. */
void login_begin(struct login *login, const struct login_events *events, bool requires_tls);

/* A stream begins, on it. */
void login_open(struct login *login);

/* What expat says; libstrophe is told through `sink`. */
void login_start(struct login *login, const struct login_sink *sink, const char *name,
		 const char **attributes);
void login_end(struct login *login, const struct login_sink *sink, const char *name);
void login_text(struct login *login, const struct login_sink *sink, const char *text, int length);

#endif
