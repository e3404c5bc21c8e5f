/* SPDX-License-Identifier: MIT */
/*
 * reader - reads what the server sends, in the place of libstrophe.
 *
 * libstrophe reads 4096 bytes a call, each after a select(2), and does not say whether TLS holds
 * more. So once a stream is negotiated, its TLS and its parser are used directly: a whole TLS
 * record is read and parsed at a time, until a read would block. Anything else, such as the end of
 * the connection, is left to libstrophe, which finds it in its own next read.
 *
 * Threads: the XMPP thread.
 * Source:  SSL_read(3), SSL_get_error(3); RFC 8446 section 5.1 (a record holds up to 16384 bytes).
 *          libstrophe 0.14.0, event.c; 0.12.2 was measured.
 */
#ifndef XMPP_READER_H
#define XMPP_READER_H

#include <stdbool.h>
#include <stddef.h>

#define READER_BYTES 16384

enum reader_result {
	READER_READ,	/* and parsed: handlers were called, which may have ended the connection */
	READER_BLOCKED, /* there is nothing to be read now */
	READER_FAILED,	/* or the end: libstrophe must read */
};

struct reader {
	bool is_ready; /* else only libstrophe can read */
	int fd;	       /* without TLS */
	void *ssl;     /* with it: libstrophe's */
	int (*ssl_read)(void *ssl, void *bytes, int size);
	int (*ssl_get_error)(const void *ssl, int result);
	void (*clear_errors)(void);
	size_t received; /* bytes that were read; the caller resets it */
	char bytes[READER_BYTES];
};

/* The stream over `fd` is negotiated, with TLS or without. */
void reader_begin(struct reader *reader, int fd, bool tls);

/* The connection has ended. */
void reader_end(struct reader *reader);

/* Ready: reads and parses up to READER_BYTES. */
enum reader_result reader_read(struct reader *reader);

#endif
