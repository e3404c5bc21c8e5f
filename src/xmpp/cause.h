/* SPDX-License-Identifier: MIT */
/*
 * cause - why a connection failed or ended, as one line for the user.
 *
 * libstrophe gives the reason only as lines of its log, and a number in its disconnect event that
 * mixes errno values, OpenSSL's and 0. This collects all that is known. Of several causes the most
 * specific one wins, and the first of two of one kind.
 *
 * Threads: the XMPP thread.
 * Source:  the log lines of libstrophe 0.12.2 and 0.14.0: each that is known says in cause.c
 * whether only one of the two has it; RFC 6120 sections 4.9.3 (stream errors) and 6.5 (SASL
 *          errors).
 */
#ifndef XMPP_CAUSE_H
#define XMPP_CAUSE_H

#include <stdbool.h>
#include <strophe.h>

/* From the least specific to the most. */
enum cause_kind {
	CAUSE_NONE,
	CAUSE_CLOSED,	   /* by the server, without a reason */
	CAUSE_LOST,	   /* detail: why */
	CAUSE_TLS,	   /* the handshake failed */
	CAUSE_NOT_XMPP,	   /* what the server says makes no sense */
	CAUSE_INTERNAL,	   /* detail: what */
	CAUSE_BIND,	   /* the resource was refused */
	CAUSE_UNREACHABLE, /* detail: errno's text */
	CAUSE_NAME,	   /* host not found; detail: the resolver's text */
	CAUSE_NO_SERVICE,  /* the domain says that it has none */
	CAUSE_TIMEOUT,	   /* detail: of what */
	CAUSE_STREAM,	   /* stream error; detail: condition and text */
	CAUSE_MECHANISM,   /* no way to log in that both know; detail: what the server offers */
	CAUSE_CONFLICT,	   /* another client took our resource */
	CAUSE_NO_TLS,	   /* not offered */
	CAUSE_CA,	   /* detail: which file, and why */
	CAUSE_CERTIFICATE, /* not trusted; detail: why */
	CAUSE_LOGIN,	   /* refused; detail: the SASL condition */
	CAUSE_PASSWORD,	   /* refused */
};

struct cause {
	const char *account; /* bare JID; borrowed, as `domain` and `cafile`, for as long as this */
	const char *domain;
	const char *cafile; /* or NULL */

	enum cause_kind kind;
	char detail[256];
	char place[320];   /* where we connect: "127.0.0.1:5222" */
	bool connected;	   /* as far as TCP */
	bool temporary;	   /* a refused login may succeed later */
	char offered[200]; /* by the server: mechanisms to log in with */
	char line[1024];
};

/* A new attempt begins, at `place` (copied). Forgets what was known. */
void cause_reset(struct cause *cause, const char *place);

/* `detail` is copied; may be NULL. Nothing happens if a more specific cause is known. */
void cause_set(struct cause *cause, enum cause_kind kind, const char *detail);

/* As cause_set, with errno's text. */
void cause_set_errno(struct cause *cause, enum cause_kind kind, int error);

/* What the server offers to log in with, for the case that none of it will do. */
void cause_offered(struct cause *cause, const char *mechanisms);

/* The server refused a login with this condition of RFC 6120, or "". A later one counts more. */
void cause_refused(struct cause *cause, const char *condition);

/* The login was successful. Forgets what was refused before. */
void cause_forget(struct cause *cause);

/* Looks for a cause in a line of libstrophe's log. No part of what was sent is kept. */
void cause_learn(struct cause *cause, const char *text);

/* Takes the cause from the disconnect event; `stream_error` may be NULL. */
void cause_end(struct cause *cause, int error, const xmpp_stream_error_t *stream_error);

/* The line, without a newline; borrowed until the next call with `cause`. */
const char *cause_line(struct cause *cause);

/* Whether another address of the domain may do better: nothing is known but of the place. */
bool cause_is_of_place(const struct cause *cause);

/* Whether trying again is of no use until somebody does something: a refused password, or another
 * client that took our resource (the two would chase each other away for ever). */
bool cause_is_final(const struct cause *cause);

#endif
