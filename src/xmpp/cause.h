/* SPDX-License-Identifier: MIT */
/*
 * cause - why a connection failed or ended, as one line for the user.
 *
 * libstrophe gives the reason only as lines of its log, and a number in its disconnect event that
 * mixes errno values, OpenSSL's and 0. This file collects what is known. The most specific cause
 * wins; of two of one kind, the first.
 *
 * Threads: the XMPP thread.
 * Source:  the log lines of libstrophe 0.12.2 and 0.14.0: cause.c names the version of a line that
 *          only one of them has; RFC 6120 sections 4.9.3 (stream errors) and 6.5 (SASL errors).
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
	CAUSE_NOT_XMPP,	   /* the server sends no XMPP */
	CAUSE_INTERNAL,	   /* detail: what */
	CAUSE_BIND,	   /* the resource was refused */
	CAUSE_UNREACHABLE, /* detail: errno's text */
	CAUSE_NAME,	   /* host not found; detail: the resolver's text */
	CAUSE_NO_SERVICE,  /* the domain says that it has none */
	CAUSE_TIMEOUT,	   /* detail: of what */
	CAUSE_STREAM,	   /* stream error; detail: condition and text */
	CAUSE_MECHANISM,   /* no common mechanism; detail: what the server offers */
	CAUSE_CONFLICT,	   /* another client took our resource */
	CAUSE_NO_TLS,	   /* not offered */
	CAUSE_CA,	   /* detail: which file, and why */
	CAUSE_CERTIFICATE, /* not trusted; detail: why */
	CAUSE_LOGIN,	   /* refused; detail: the SASL condition */
	CAUSE_PASSWORD,	   /* refused */
};

struct cause {
	const char *account; /* bare JID; `account`, `domain` and `cafile` are borrowed */
	const char *domain;
	const char *cafile; /* or NULL */

	enum cause_kind kind;
	char detail[256];
	char place[320];   /* where we connect: "127.0.0.1:5222" */
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

/* The SASL mechanisms that the server offers, for the case that we know none of them. */
void cause_offered(struct cause *cause, const char *mechanisms);

/* The server refused a login with this condition of RFC 6120, or "". A later call replaces an
 * earlier one. */
void cause_refused(struct cause *cause, const char *condition);

/* The login was successful. Forgets earlier refusals. */
void cause_forget(struct cause *cause);

/* Looks for a cause in a line of libstrophe's log. No part of a stanza is stored. */
void cause_learn(struct cause *cause, const char *text);

/* Takes the cause from the disconnect event; `stream_error` may be NULL. */
void cause_end(struct cause *cause, int error, const xmpp_stream_error_t *stream_error);

/* The line, without a newline; borrowed until the next call with `cause`. */
const char *cause_line(struct cause *cause);

/* Whether another address of the domain may work: the cause concerns this address only. */
bool cause_is_of_place(const struct cause *cause);

/* Whether a retry is useless until the user acts: the password was refused, or another client took
 * our resource (the two would disconnect each other for ever). */
bool cause_is_final(const struct cause *cause);

#endif
