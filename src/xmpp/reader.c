/* SPDX-License-Identifier: MIT */
#include "xmpp/reader.h"

#include "xmpp/interpose.h"
#include "xmpp/stanza_limits.h"
#include "xmpp/tls.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* As in ssl.h. */
#define SSL_ERROR_WANT_READ 2

/* With read-ahead, one read(2) takes the header of a record, the rest of the record, and more.
 * libstrophe's select(2) does not see what OpenSSL holds: from now on only this file reads. */
static void set_read_ahead(void *ssl)
{
	void (*set)(void *, int);

	interpose_find("SSL_set_read_ahead", (void **)&set);
	if (set != NULL) {
		set(ssl, 1);
	}
}

void reader_begin(struct reader *reader, int fd, bool tls)
{
	reader->fd = fd;
	reader->received = 0;
	reader->ssl = tls ? tls_connection() : NULL;
	interpose_find("SSL_read", (void **)&reader->ssl_read);
	interpose_find("SSL_get_error", (void **)&reader->ssl_get_error);
	interpose_find("ERR_clear_error", (void **)&reader->clear_errors);
	bool has_openssl =
		reader->ssl && reader->ssl_read && reader->ssl_get_error && reader->clear_errors;
	reader->is_ready = stanza_limits_has_parser() && (!tls || has_openssl);
	if (reader->is_ready && tls) {
		set_read_ahead(reader->ssl);
	}
}

void reader_end(struct reader *reader)
{
	reader->is_ready = false;
	reader->ssl = NULL;
}

static ssize_t read_tls(struct reader *reader)
{
	reader->clear_errors(); /* SSL_get_error looks there, too */
	int result = reader->ssl_read(reader->ssl, reader->bytes, READER_BYTES);
	if (result > 0) {
		return result;
	}
	return reader->ssl_get_error(reader->ssl, result) == SSL_ERROR_WANT_READ ? -EAGAIN : -EIO;
}

static ssize_t read_plain(struct reader *reader)
{
	ssize_t result = read(reader->fd, reader->bytes, READER_BYTES);
	if (result > 0) {
		return result;
	}
	return result < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EIO;
}

enum reader_result reader_read(struct reader *reader)
{
	ssize_t length = reader->ssl ? read_tls(reader) : read_plain(reader);
	if (length < 0) {
		return length == -EAGAIN ? READER_BLOCKED : READER_FAILED;
	}
	reader->received += (size_t)length;
	stanza_limits_parse(reader->bytes, (size_t)length);
	return READER_READ;
}
