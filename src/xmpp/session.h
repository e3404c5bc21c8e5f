/* SPDX-License-Identifier: MIT */
/*
 * session - one connection at a time through libstrophe, from login to the end of the stream.
 *
 *            session_connect      CONNECT         roster          answer to ping
 *     OFF -----------------> CONNECTING ---> ROSTER ---> PRESENT ---> ONLINE
 *      ^                         |             |            |            | session_leave
 *      +------ DISCONNECT -------+-------------+------------+---- LEAVING
 *
 * After the roster, presence and a ping are sent. The server answers in order: so all it knows of
 * our contacts' presence comes before the answer to the ping.
 *
 * Errors:  0 or -errno; session->cause says why.
 * Threads: the XMPP thread; session_init and session_finish while there is none.
 * Source:  RFC 6120, RFC 6121 sections 2 (roster) and 4 (presence), XEP-0115, XEP-0199.
 */
#ifndef XMPP_SESSION_H
#define XMPP_SESSION_H

#include "xmpp/cause.h"
#include "xmpp/client.h"
#include "xmpp/codec.h"
#include "xmpp/connector.h"
#include "xmpp/login.h"
#include "xmpp/reader.h"
#include "xmpp/roster_parser.h"
#include "xmpp/socket.h"
#include "xmpp/stream_features.h"
#include "xmpp/trace.h"
#include "xmpp/write_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strophe.h>

/* The ids of the session's requests. The core's ids are a letter and hexadecimal numbers: never
 * these. */
#define SESSION_ID_ROSTER "roster"
#define SESSION_ID_READY  "ready"
#define SESSION_ID_PING	  "ping"

enum session_state {
	SESSION_OFF,
	SESSION_CONNECTING, /* TCP, TLS, SASL, bind: only libstrophe may send */
	SESSION_ROSTER,
	SESSION_PRESENT,
	SESSION_ONLINE,
	SESSION_LEAVING, /* the end of the stream is sent */
};

struct session {
	const struct client_config *config;
	const struct client_events *events;
	struct socket socket;
	struct codec codec;
	struct cause cause;

	xmpp_log_t log; /* libstrophe reads it for each line */
	xmpp_ctx_t *ctx;
	xmpp_conn_t *conn;
	char *account;	    /* our bare JID */
	const char *domain; /* in `account` */
	char *tls_domain;   /* the same with A-labels; NULL: it has none */

	enum session_state state;
	bool was_online;			/* since session_connect */
	bool logged_in;				/* likewise */
	struct login login;			/* of this connection */
	struct roster_parser roster_parser;	/* likewise (handlers.h) */
	struct stream_features stream_features; /* of the last features */
	struct trace trace;			/* for the debugger */

	/* The caller resets these. */
	bool has_input;	  /* something came */
	bool has_traffic; /* a stanza came or was sent, other than our ping and its answer */
	bool has_other;	  /* a stanza came or was sent that is no long block and no answer */
	bool received;	  /* events->receive was called, and events->drained was not since */

	struct reader reader;		  /* ready once logged in */
	int64_t now_ms;			  /* the caller sets it */
	struct write_buffer write_buffer; /* the next write */
};

/* `config` and `events` must outlive the session. The caller then registers the handlers of stanzas
 * at session->conn (handlers_add). -ENOMEM, -errno of getrandom. */
int session_init(struct session *session, const struct client_config *config,
		 const struct client_events *events);

/* Frees everything, and wipes the password. NULL-safe. */
void session_finish(struct session *session);

/* OFF: begins to log in over `connection`, whose descriptor it takes over. On error the session is
 * OFF. */
int session_connect(struct session *session, const struct connection *connection);

/* Runs libstrophe once, without waiting: at most one read. */
void session_run(struct session *session);

/* The reader is ready: reads once without libstrophe. */
enum reader_result session_read(struct session *session);

/* Whether the core's messages may be sent. */
bool session_is_open(const struct session *session);

/* Whether libstrophe's queue is at its high-water mark. */
bool session_is_full(const struct session *session);

/* Open, and not full: sends `msg`, at once or with session_flush. -ENOMEM: `msg` is lost. */
int session_send(struct session *session, const struct msg *msg);

/* `msg` came, or is sent. */
void session_note(struct session *session, const struct msg *msg);

/* Writes the stanzas that are still in the write buffer. */
void session_flush(struct session *session);

/* Sends `length` characters of XML; not before ROSTER. */
void session_send_text(struct session *session, const char *text, size_t length);

/* Pings the server; not before ROSTER. */
void session_ping(struct session *session, const char *id);

/* Sends unavailable presence and the end of the stream. LEAVING. */
void session_leave(struct session *session);

#endif
