/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* TCP_INFO */

#include "xmpp/session.h"

#include "xmpp/jid.h"
#include "xmpp/negotiation.h"
#include "xmpp/stanza_limits.h"
#include "xmpp/stanza_log.h"
#include "xmpp/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* The high-water mark of libstrophe's queue. The queue has no limit of its own. libstrophe writes
 * one element of it at a time, and frees unsent ones at the next connect. */
#define QUEUE_BYTES 49152

/* A shorter block may be a line of a dialogue. */
#define SHORT_BLOCK 1024

/* Two callbacks of libstrophe have no user data. Each session connects in its own thread. */
static _Thread_local struct session *current;

/* ---- sending ---- */

static void write_out(struct session *session)
{
	if (session->write_buffer.length > 0) {
		xmpp_send_raw(session->conn, session->write_buffer.bytes,
			      session->write_buffer.length);
		write_buffer_take(&session->write_buffer);
	}
}

void session_flush(struct session *session)
{
	write_buffer_end(&session->write_buffer, session->now_ms);
	write_out(session);
}

static void add(struct session *session, const char *text, size_t length, bool is_request)
{
	write_buffer_note(&session->write_buffer, length, is_request);
	for (size_t done = 0; done < length;) {
		done += write_buffer_add(&session->write_buffer, text + done, length - done);
		if (write_buffer_is_full(&session->write_buffer)) {
			write_out(session);
		}
	}
}

void session_send_text(struct session *session, const char *text, size_t length)
{
	add(session, text, length, false);
	session_flush(session);
}

static bool is_request(const struct msg *msg)
{
	bool is_message = msg->kind == MSG_DATA && msg->stanza == STANZA_MESSAGE;
	return msg->kind < MSG_RESULT && !is_message;
}

void session_note(struct session *session, const struct msg *msg)
{
	bool is_block = msg->kind == MSG_DATA && msg->data_length >= SHORT_BLOCK;
	session->has_other = session->has_other || !(is_block || msg->kind == MSG_RESULT);
}

int session_send(struct session *session, const struct msg *msg)
{
	size_t length = 0;
	const char *text = codec_encode(&session->codec, msg, &length);

	if (text == NULL) {
		return -ENOMEM;
	}
	session_note(session, msg);
	add(session, text, length, is_request(msg));
	return 0;
}

void session_ping(struct session *session, const char *id)
{
	struct msg ping = {.kind = MSG_PING, .peer = session->domain, .id = id, .size = -1};

	session_send(session, &ping);
	session_flush(session);
}

/* ---- libstrophe's callbacks, but for stanzas ---- */

static void on_log(void *userdata, xmpp_log_level_t level, const char *area, const char *text)
{
	struct session *session = userdata;

	(void)area;
	if (session->state < SESSION_ONLINE || level >= XMPP_LEVEL_WARN) {
		cause_learn(&session->cause, text);
	}
	if (session->state == SESSION_CONNECTING) {
		/* The last features are those after the login. */
		stream_features_parse(text, &session->stream_features);
	}
	if (session->config->debug && session->config->log != NULL) {
		const char *line = trace_line(&session->trace, text);
		if (line != NULL) {
			session->config->log(line);
		}
	}
}

static int on_certificate(const xmpp_tlscert_t *certificate, const char *const problem)
{
	(void)certificate;
	cause_set(&current->cause, CAUSE_CERTIFICATE, problem);
	return 0;
}

static int on_socket(xmpp_conn_t *conn, void *socket)
{
	(void)conn;
	negotiation_begin(current);
	int error = socket_adopt(&current->socket, *(int *)socket);
	if (error == -EMFILE) {
		cause_set(&current->cause, CAUSE_INTERNAL, "too many open files");
	}
	return error < 0 ? -1 : 0;
}

/* A server may count padding with the stanza that follows, so padding must be short beside the
 * longest stanza that it accepts. Returns how long a stanza may be. */
static size_t begin_write_buffer(struct session *session)
{
	size_t max_stanza = session->stream_features.max_bytes;
	size_t read_bytes = session->stream_features.read_bytes;
	bool limited = max_stanza > 0;

	if (limited && max_stanza / 4 < read_bytes) {
		read_bytes = 0;
	}
	write_buffer_begin(&session->write_buffer, read_bytes);
	return limited ? max_stanza - read_bytes : 0;
}

/* libstrophe's events do not distinguish a reset of the TCP connection from its end. */
static bool was_reset(const struct session *session)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return session->socket.fd >= 0 &&
	       getsockopt(session->socket.fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/* Whether the server has bound what can be a full JID of an account. libstrophe has checked
 * nothing, and has none if the answer had none. */
static bool is_bound(xmpp_conn_t *conn)
{
	const char *jid = xmpp_conn_get_bound_jid(conn);
	const char *resource = jid != NULL ? jid_resource(jid) : NULL;

	return resource != NULL && *resource != '\0' && jid_has_local(jid) &&
	       strlen(jid) <= JID_MAX;
}

/* The server has let us in. */
static void begin(struct session *session)
{
	static const char get[] = "<iq type='get' id='" SESSION_ID_ROSTER "'>"
				  "<query xmlns='" XMPP_NS_ROSTER "'/></iq>";

	session->state = SESSION_ROSTER;
	session->logged_in = true;
	session->has_traffic = true;
	cause_forget(&session->cause);
	negotiation_end(session);
	reader_begin(&session->reader, session->socket.fd, session->config->tls != CLIENT_TLS_OFF);
	session->codec.jid = xmpp_conn_get_bound_jid(session->conn);
	session->events->login(session->events->context, begin_write_buffer(session));
	session->events->roster_reset(session->events->context);
	session_send_text(session, get, sizeof(get) - 1);
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
			  xmpp_stream_error_t *stream_error, void *userdata)
{
	struct session *session = userdata;

	if (event == XMPP_CONN_CONNECT && session->state == SESSION_CONNECTING) {
		if (is_bound(conn)) {
			begin(session);
		} else {
			cause_set(&session->cause, CAUSE_BIND, NULL);
			xmpp_disconnect(conn);
		}
	} else if (event == XMPP_CONN_DISCONNECT || event == XMPP_CONN_FAIL) {
		if (was_reset(session) && error != ETIMEDOUT) {
			cause_set(&session->cause, CAUSE_LOST, NULL);
		}
		cause_end(&session->cause, error, stream_error);
		reader_end(&session->reader);
		socket_drop(&session->socket);
		session->codec.jid = NULL;
		session->state = SESSION_OFF;
	}
}

/* ---- life ---- */

/* The JID to log in with; the caller's. If it has no resource, a random one is added: a resource
 * that another client of the account has would end that client's session. */
static char *full_jid(const char *jid)
{
	size_t size = strlen(jid) + sizeof("/ibbfs-01234567");
	char *full = malloc(size);
	uint32_t number = 0;

	if (full == NULL) {
		return NULL;
	}
	if (jid_resource(jid) != NULL) {
		strcpy(full, jid);
		return full;
	}
	if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
		free(full);
		return NULL;
	}
	snprintf(full, size, "%s/ibbfs-%08x", jid, (unsigned)number);
	return full;
}

static long connection_flags(enum client_tls tls, bool direct_tls)
{
	/* Without stream management, which loses stanzas in 0.12.2. */
	long flags = XMPP_CONN_FLAG_DISABLE_SM;

	if (tls == CLIENT_TLS_OFF) {
		return flags | XMPP_CONN_FLAG_DISABLE_TLS;
	}
	if (direct_tls) {
		flags |= XMPP_CONN_FLAG_LEGACY_SSL;
	}
	return flags | XMPP_CONN_FLAG_MANDATORY_TLS;
}

static int make_connection(struct session *session)
{
	const struct client_config *config = session->config;
	char *jid = full_jid(config->jid);

	session->ctx = xmpp_ctx_new(NULL, &session->log);
	session->conn = session->ctx != NULL ? xmpp_conn_new(session->ctx) : NULL;
	if (session->conn == NULL || jid == NULL) {
		free(jid);
		return -ENOMEM;
	}
	xmpp_conn_set_jid(session->conn, jid);
	free(jid);
	xmpp_conn_set_pass(session->conn, config->password);
	if (config->cafile != NULL) {
		xmpp_conn_set_cafile(session->conn, config->cafile);
	}
	if (config->capath != NULL) {
		xmpp_conn_set_capath(session->conn, config->capath);
	}
	xmpp_conn_set_certfail_handler(session->conn, on_certificate);
	xmpp_conn_set_sockopt_callback(session->conn, on_socket);
	return 0;
}

int session_init(struct session *session, const struct client_config *config,
		 const struct client_events *events)
{
	memset(session, 0, sizeof(*session));
	session->config = config;
	session->events = events;
	session->log.userdata = session;
	int error = socket_init(&session->socket);
	if (error < 0) {
		return error;
	}
	session->account = strndup(config->jid, jid_bare_length(config->jid));
	if (session->account == NULL || codec_init(&session->codec) < 0) {
		session_finish(session);
		return -ENOMEM;
	}
	const char *at = strchr(session->account, '@');
	session->domain = at != NULL ? at + 1 : session->account;
	error = jid_domain_to_ascii(session->domain, &session->tls_domain);
	if (error < 0) {
		session_finish(session);
		return error;
	}
	if (strcmp(session->tls_domain, session->domain) == 0) {
		free(session->tls_domain);
		session->tls_domain = NULL;
	}
	session->cause.account = session->account;
	session->cause.domain = session->domain;
	session->cause.cafile = config->cafile;
	error = make_connection(session);
	if (error < 0) {
		session_finish(session);
	}
	return error;
}

/* libstrophe does not wipe its copy before it frees it. Its interface returns the copy's address.
 */
static void wipe_password(xmpp_conn_t *conn)
{
	for (volatile char *p = (volatile char *)xmpp_conn_get_pass(conn); p && *p; p++) {
		*p = '\0';
	}
}

void session_finish(struct session *session)
{
	if (session == NULL) {
		return;
	}
	session->log.handler = NULL;
	if (session->conn != NULL) {
		wipe_password(session->conn);
		xmpp_conn_release(session->conn);
	}
	if (session->ctx != NULL) {
		xmpp_ctx_free(session->ctx);
	}
	codec_finish(&session->codec);
	free(session->account);
	free(session->tls_domain);
	socket_finish(&session->socket);
	memset(session, 0, sizeof(*session));
}

int session_connect(struct session *session, const struct connection *connection)
{
	current = session;
	cause_reset(&session->cause, connection->place);
	socket_offer(&session->socket, connection->fd);
	tls_begin(connection->direct_tls, session->tls_domain);
	xmpp_conn_set_flags(session->conn,
			    connection_flags(session->config->tls, connection->direct_tls));
	session->log.handler = on_log;
	stanza_log_enable(true); /* libstrophe serialises stanzas of its login by it, too */
	reader_end(&session->reader);
	session->state = SESSION_CONNECTING;
	session->was_online = false;
	session->logged_in = false;
	session->stream_features = (struct stream_features){0};
	write_buffer_begin(&session->write_buffer, 0);
	errno = 0;
	if (xmpp_connect_client(session->conn, connection->address, connection->port, on_connection,
				session) == XMPP_EOK) {
		return 0;
	}
	int error = errno != 0 ? errno : EHOSTUNREACH;
	/* No event will come. */
	socket_drop(&session->socket);
	session->state = SESSION_OFF;
	cause_set_errno(&session->cause, CAUSE_UNREACHABLE, error);
	return -error;
}

static void check_parser(struct session *session)
{
	if (stanza_limits_take_failure() && session->state >= SESSION_ROSTER) {
		cause_set(&session->cause, CAUSE_NOT_XMPP, NULL);
		socket_shutdown(&session->socket);
	}
}

void session_run(struct session *session)
{
	xmpp_run_once(session->ctx, 0);
	check_parser(session);
}

enum reader_result session_read(struct session *session)
{
	enum reader_result result = reader_read(&session->reader);
	session->has_input = session->has_input || result == READER_READ;
	check_parser(session);
	return result;
}

bool session_is_open(const struct session *session)
{
	return session->state == SESSION_PRESENT || session->state == SESSION_ONLINE;
}

bool session_is_full(const struct session *session)
{
	return xmpp_conn_send_queue_len(session->conn) >=
	       (int)(QUEUE_BYTES / session->write_buffer.size);
}

void session_leave(struct session *session)
{
	static const char gone[] = "<presence type='unavailable'/>";

	session->state = SESSION_LEAVING;
	session_send_text(session, gone, sizeof(gone) - 1);
	xmpp_disconnect(session->conn);
}
