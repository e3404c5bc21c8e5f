/* SPDX-License-Identifier: MIT */
/*
 * connection - one XMPP session over TLS, as close to the socket as possible: no XML parser,
 * stanzas are text.
 *
 * Errors:  every error ends the program, with one line that names it.
 * Threads: a connection belongs to one thread at a time.
 * Source:  RFC 6120 (streams, STARTTLS, SASL PLAIN, bind); IPv4 loopback only.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define JID_MAX 256

struct text {
	char *data;
	size_t length;
	size_t space;
};

struct connection {
	int fd;
	SSL *tls;
	char jid[JID_MAX]; /* full, as the server has bound it */
	struct text in;
	size_t in_at; /* everything before it has been handed out */
	struct text out;
	size_t out_at; /* everything before it has been written */
	size_t piece;  /* if not 0: bytes of a TLS record, filled with spaces */
};

/* Prints the error, and ends the program. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Makes room for `length` more bytes, counts them in, and returns where they begin. */
char *text_grow(struct text *text, size_t length);

void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Connects to 127.0.0.1:`port`, requires TLS with a certificate for the JID's domain that `cafile`
 * vouches for, logs in, binds the resource and sends presence. Returns when all is done.
 */
void connection_open(struct connection *c, const char *jid, const char *password, int port,
		     const char *cafile);

/* Ends the stream and frees everything. */
void connection_close(struct connection *c);

/* Writes as much of `out` as the socket takes; true if nothing is left. */
bool connection_flush(struct connection *c);

/* Reads the available bytes; while there are none, waits and writes `out`. */
void connection_wait(struct connection *c);

/* The next whole stanza that has been read, NULL if there is none. Valid until the next call of
 * connection_wait(). */
const char *connection_stanza(struct connection *c, size_t *length);

/* Copies the value of the first attribute of that name, also of a child; false if there is none. */
bool stanza_attribute(const char *stanza, size_t length, const char *name, char *value,
		      size_t space);

#endif
