/* SPDX-License-Identifier: MIT */
/*
 * login - filters what libstrophe's parser reports of a login, so that a refused password is tried
 * once.
 *
 * libstrophe tries each mechanism that it was ever offered, one after the other, whatever error the
 * server answers. Only the events of its parser can guide it. So they pass through this filter
 * until the login is over:
 *
 * * The mechanisms of the stream features are given to libstrophe at the end of the features, and
 *   only those that it should try. Before TLS none is given if TLS is required: libstrophe would
 *   use them after TLS.
 * * Everything behind <proceed/> on the same stream is dropped.
 * * A mechanism with channel binding (-PLUS) is given only if the server supports the type of
 *   binding that libstrophe uses (XEP-0440; libstrophe 0.14 does not check). Otherwise `unbound` is
 *   set. Then libstrophe must not claim that the server supports no channel binding: the server
 *   would have to take that for a downgrade attack (RFC 5802 section 6).
 * * <failure/> is given as <failure/> only if the server refused the mechanism, not the password:
 *   then the next mechanism may do. Any other is given as <final-failure/>. libstrophe does not
 *   know that answer, and so ends the stream.
 * * Stream features after the login are not given if they have no <bind/>: libstrophe 0.12.2
 *   crashes at them.
 * * A challenge is given when it has ended, and only if libstrophe can answer it (challenge.h).
 *   <final-failure/> is given instead of any other, and nothing that follows.
 * * A stream error without a condition, at any time, is given one: libstrophe 0.12.2 crashes at an
 *   empty one.
 *
 * libstrophe's own order is that of strength: SCRAM-SHA-512-PLUS, -256-PLUS, -1-PLUS, the same
 * without -PLUS, DIGEST-MD5, and PLAIN only where the server offers nothing else that it knows.
 *
 * Names are expat's, with the namespace before a separator.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 6120 sections 5.4.3.3, 6.3.3 and 6.5; RFC 5802; XEP-0440; auth.c of libstrophe
 *          0.14.0. The behaviour of 0.12.2 was measured, its source was not read.
 */
#ifndef XMPP_LOGIN_H
#define XMPP_LOGIN_H

#include "xmpp/challenge.h"

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

/* The caller's functions. They are called while libstrophe's parser runs. */
struct login_events {
	void *context;

	/* Whether the stream is encrypted. */
	bool (*is_secured)(void *context);

	/* The type of channel binding that libstrophe uses: "tls-exporter" or "tls-unique"; NULL:
	 * not known. */
	const char *(*binding)(void *context);

	/* The server has offered mechanisms: see `offered` and `unbound`. libstrophe tries them
	 * next. */
	void (*offer)(void *context, const struct login *login);

	/* Whether the mechanism that libstrophe uses is one of SCRAM. Only asked if it might be
	 * DIGEST-MD5. */
	bool (*uses_scram)(void *context);

	/* The server has sent a challenge that libstrophe cannot answer. libstrophe ends the
	 * stream.
	 */
	void (*misshapen)(void *context);

	/* The server refused the login; `condition` is RFC 6120's, or "" if it gave none. */
	void (*refused)(void *context, const char *condition);

	/* Logged in, but no resource can be bound. libstrophe gets nothing more of the stream. */
	void (*unbindable)(void *context);
};

struct login {
	struct login_events events;
	bool requires_tls;

	char offered[256]; /* all mechanisms of the last features, with spaces between; may be cut
			    */
	bool unbound;	   /* -PLUS was offered, but for types that libstrophe does not know */

	/* ---- private ---- */
	bool is_successful; /* the password was right; a resource is not bound yet */
	bool is_over;
	bool has_offered; /* libstrophe was given a mechanism */
	bool has_digest;  /* and DIGEST-MD5, on this connection */
	bool is_dropping; /* all events, until the stream begins anew */
	unsigned depth;
	enum login_element {
		LOGIN_OTHER,
		LOGIN_FEATURES,
		LOGIN_PROCEED,
		LOGIN_FAILURE,
		LOGIN_SUCCESS,
		LOGIN_CHALLENGE,
	} element;	    /* at depth 2 */
	bool in_error;	    /* of the stream, which is empty so far */
	bool in_mechanisms; /* at depth 3 */
	bool in_bindings;
	bool has_bind; /* the features have <bind/> */
	char separator;
	unsigned mechanisms; /* of the features: a bit for each in login.c's table */
	bool lists_bindings;
	bool has_exporter, has_unique;
	char text[64]; /* in the <mechanism/> that is open */
	char condition[64];
	char challenge[CHALLENGE_MAX + 2]; /* too long if it is full */
	bool is_challenged;		   /* not for the first time */
};

/* A connection begins. */
void login_begin(struct login *login, const struct login_events *events, bool requires_tls);

/* A stream begins on the connection. */
void login_open(struct login *login);

/* Events of expat; what libstrophe may know of them goes to `sink`. */
void login_start(struct login *login, const struct login_sink *sink, const char *name,
		 const char **attributes);
void login_end(struct login *login, const struct login_sink *sink, const char *name);
void login_text(struct login *login, const struct login_sink *sink, const char *text, int length);

#endif
