/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define TIMEOUT_MS 60000

void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("pump: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* ---- text ---- */

char *text_grow(struct text *text, size_t length)
{
	if (text->length + length > text->space) {
		text->space = 2 * (text->length + length);
		text->data = realloc(text->data, text->space);
		if (!text->data) {
			die("out of memory");
		}
	}
	char *start = text->data + text->length;
	text->length += length;
	return start;
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *start = text_grow(text, (size_t)length + 1); /* with its NUL */
	vsnprintf(start, (size_t)length + 1, format, again);
	va_end(again);
	text->length--;
}

/* ---- the socket ---- */

/* Returns what read(2) and write(2) do, and 0 for "not now". */
static ssize_t socket_read(struct connection *c, char *data, size_t length)
{
	/* TCP_QUICKACK is not sticky: the server's Nagle would wait for a delayed
	 * acknowledgement. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
	if (c->tls) {
		int got = SSL_read(c->tls, data, (int)length);
		if (got > 0) {
			return got;
		}
		int why = SSL_get_error(c->tls, got);
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
			return 0;
		}
		die("TLS, reading: %s", ERR_error_string(ERR_get_error(), NULL));
	}
	ssize_t got = read(c->fd, data, length);
	if (got > 0) {
		return got;
	}
	if (got < 0 && errno == EAGAIN) {
		return 0;
	}
	die("reading: %s", got == 0 ? "the server has closed the connection" : strerror(errno));
}

static size_t socket_write(struct connection *c, const char *data, size_t length)
{
	if (c->tls) {
		int put = SSL_write(c->tls, data, (int)length);
		if (put > 0) {
			return (size_t)put;
		}
		int why = SSL_get_error(c->tls, put);
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
			return 0;
		}
		die("TLS, writing: %s", ERR_error_string(ERR_get_error(), NULL));
	}
	ssize_t put = write(c->fd, data, length);
	if (put < 0 && errno != EAGAIN) {
		die("writing: %s", strerror(errno));
	}
	return put < 0 ? 0 : (size_t)put;
}

static void fill_piece(struct connection *c)
{
	size_t missing = (c->piece - c->out.length % c->piece) % c->piece;
	memset(text_grow(&c->out, missing), ' ', missing);
}

bool connection_flush(struct connection *c)
{
	if (c->piece > 0) {
		fill_piece(c);
	}
	while (c->out_at < c->out.length) {
		size_t left = c->out.length - c->out_at;
		size_t part = c->piece > 0 && c->piece < left ? c->piece : left;
		size_t put = socket_write(c, c->out.data + c->out_at, part);
		if (put == 0) {
			return false;
		}
		c->out_at += put;
	}
	c->out.length = c->out_at = 0;
	return true;
}

static bool connection_read(struct connection *c)
{
	if (c->in_at > 0) {
		c->in.length -= c->in_at;
		memmove(c->in.data, c->in.data + c->in_at, c->in.length);
		c->in_at = 0;
	}
	bool any = false;
	ssize_t got;
	size_t start = c->in.length;
	do {
		char *data = text_grow(&c->in, READ_BYTES);
		got = socket_read(c, data, READ_BYTES);
		c->in.length -= READ_BYTES - (size_t)got;
		any |= got > 0;
	} while (got > 0 && c->in.length - start < READ_BYTES);
	return any;
}

void connection_wait(struct connection *c)
{
	while (!connection_read(c)) {
		bool flushed = connection_flush(c);
		short events = flushed ? POLLIN : POLLIN | POLLOUT;
		struct pollfd poll_fd = {.fd = c->fd, .events = events};
		int ready = poll(&poll_fd, 1, TIMEOUT_MS);
		if (ready == 0) {
			die("%s: nothing from the server for %d s", c->jid, TIMEOUT_MS / 1000);
		}
		if (ready < 0 && errno != EINTR) {
			die("poll: %s", strerror(errno));
		}
	}
}

/* ---- stanzas ---- */

/* The end of the element at `start`, which must not contain an element of the same name; NULL if it
 * has not been read yet. */
static char *element_end(char *start, char *end)
{
	char *tag_end = memchr(start, '>', (size_t)(end - start));
	if (!tag_end) {
		return NULL;
	}
	if (tag_end[-1] == '/') {
		return tag_end + 1;
	}
	size_t name = strcspn(start + 1, " >/");
	for (char *at = tag_end; (at = memchr(at, '<', (size_t)(end - at))) != NULL; at++) {
		char *after = at + 2 + name;
		if (after >= end) {
			return NULL;
		}
		if (at[1] == '/' && *after == '>' && memcmp(at + 2, start + 1, name) == 0) {
			return after + 1;
		}
	}
	return NULL;
}

const char *connection_stanza(struct connection *c, size_t *length)
{
	char *end = c->in.data + c->in.length;
	while (c->in_at < c->in.length && c->in.data[c->in_at] != '<') {
		c->in_at++; /* white space that keeps the connection alive */
	}
	char *start = c->in.data + c->in_at;
	end = start < end ? element_end(start, end) : NULL;
	if (!end) {
		return NULL;
	}
	*length = (size_t)(end - start);
	c->in_at += *length;
	return start;
}

bool stanza_attribute(const char *stanza, size_t length, const char *name, char *value,
		      size_t space)
{
	size_t name_length = strlen(name);
	const char *end = stanza + length;
	for (const char *at = stanza; (at = memchr(at, ' ', (size_t)(end - at))) != NULL;) {
		at++;
		if ((size_t)(end - at) < name_length + 3 || memcmp(at, name, name_length) != 0 ||
		    at[name_length] != '=') {
			continue;
		}
		const char *start = at + name_length + 2;
		const char *stop = memchr(start, start[-1], (size_t)(end - start));
		if (!stop || (size_t)(stop - start) >= space) {
			return false;
		}
		memcpy(value, start, (size_t)(stop - start));
		value[stop - start] = '\0';
		return true;
	}
	return false;
}

/* ---- logging in ---- */

/* Waits until the unread bytes hold `wanted`, and takes all of them; NULL-terminated, valid until
 * the next call. Any failure that the server reports ends the program. */
static const char *expect(struct connection *c, const char *wanted)
{
	for (;;) {
		*text_grow(&c->in, 1) = '\0';
		c->in.length--;
		if (strstr(c->in.data, wanted)) {
			c->in_at = c->in.length;
			return c->in.data;
		}
		if (strstr(c->in.data, "<failure") || strstr(c->in.data, "<stream:error")) {
			die("%s: %s", c->jid, c->in.data);
		}
		connection_wait(c);
	}
}

static const char *open_stream(struct connection *c)
{
	text_printf(&c->out,
		    "<?xml version='1.0'?><stream:stream to='%s' version='1.0' "
		    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
		    strchr(c->jid, '@') + 1);
	return expect(c, "</stream:features>");
}

static void start_tls(struct connection *c, const char *cafile)
{
	text_printf(&c->out, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	expect(c, "<proceed");
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (!context || SSL_CTX_load_verify_locations(context, cafile, NULL) != 1) {
		die("%s: no certificates", cafile);
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL *tls = SSL_new(context);
	SSL_CTX_free(context);
	const char *host = strchr(c->jid, '@') + 1;
	if (!tls || SSL_set1_host(tls, host) != 1 || SSL_set_tlsext_host_name(tls, host) != 1 ||
	    SSL_set_fd(tls, c->fd) != 1) {
		die("TLS: no memory");
	}
	int done;
	while ((done = SSL_connect(tls)) != 1) {
		int why = SSL_get_error(tls, done);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
			die("TLS: %s, %s", ERR_error_string(ERR_get_error(), NULL),
			    X509_verify_cert_error_string(SSL_get_verify_result(tls)));
		}
		short events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		poll(&(struct pollfd){.fd = c->fd, .events = events}, 1, TIMEOUT_MS);
	}
	c->tls = tls;
}

static void authenticate(struct connection *c, const char *user, const char *password)
{
	struct text plain = {0};
	text_grow(&plain, 1)[0] = '\0';
	text_printf(&plain, "%s", user);
	text_grow(&plain, 1)[0] = '\0';
	text_printf(&plain, "%s", password);
	struct text encoded = {0};
	text_grow(&encoded, 4 * plain.length);
	EVP_EncodeBlock((unsigned char *)encoded.data, (unsigned char *)plain.data,
			(int)plain.length);
	text_printf(&c->out,
		    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>",
		    encoded.data);
	free(plain.data);
	free(encoded.data);
	expect(c, "<success");
}

static int dial(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK)) {
		die("127.0.0.1:%d: %s", port, strerror(errno));
	}
	return fd;
}

void connection_open(struct connection *c, const char *jid, const char *password, int port,
		     const char *cafile)
{
	memset(c, 0, sizeof(*c));
	char user[JID_MAX], resource[JID_MAX];
	if (sscanf(jid, "%255[^@]@%255[^/]/%255s", user, c->jid, resource) != 3) {
		die("%s: not user@domain/resource", jid);
	}
	snprintf(c->jid, sizeof(c->jid), "%.*s", (int)strcspn(jid, "/"), jid);
	c->fd = dial(port);
	open_stream(c);
	start_tls(c, cafile);
	if (!strstr(open_stream(c), "PLAIN")) {
		die("%s: the server does not offer SASL PLAIN", c->jid);
	}
	authenticate(c, user, password);
	open_stream(c);
	text_printf(&c->out,
		    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
		    "<resource>%s</resource></bind></iq>",
		    resource);
	const char *bound = strstr(expect(c, "</jid>"), "<jid>");
	snprintf(c->jid, sizeof(c->jid), "%.*s", (int)strcspn(bound + 5, "<"), bound + 5);
	text_printf(&c->out, "<presence id='here'/>");
	for (char id[JID_MAX] = ""; strcmp(id, "here") != 0;) { /* our own, come back */
		size_t length;
		const char *stanza = connection_stanza(c, &length);
		if (stanza) {
			stanza_attribute(stanza, length, "id", id, sizeof(id));
		} else {
			connection_wait(c);
		}
	}
}

void connection_close(struct connection *c)
{
	text_printf(&c->out, "</stream:stream>");
	connection_flush(c);
	SSL_free(c->tls);
	close(c->fd);
	free(c->in.data);
	free(c->out.data);
}
