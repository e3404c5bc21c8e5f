/* SPDX-License-Identifier: MIT */
#include "xmpp/exchange.h"

#include "clock.h"
#include "xmpp/readiness.h"

#include <errno.h>

/* The most rounds before the caller looks at the clock again. */
#define MAX_ROUNDS 256

/* The most reads of a round: acknowledgements are written after it, and must not wait for long. */
#define READS 8

/* `drained` is reported after so many rounds of libstrophe at the latest, so that readers need not
 * wait for the end of a long series. */
#define DRAINED_ROUNDS 32

bool exchange_send_pending(struct session *session)
{
	bool sent = false;

	while (session_is_open(session) && !session_is_full(session)) {
		struct msg *msg = session->events->next(session->events->context);
		if (msg == NULL) {
			break;
		}
		if (session_send(session, msg) < 0) {
			/* The message is lost, and every later one would be out of order. */
			cause_set_errno(&session->cause, CAUSE_INTERNAL, ENOMEM);
			socket_shutdown(&session->socket);
		}
		msg_destroy(msg);
		sent = true;
	}
	if (session->write_buffer.length > 0 && !session_is_full(session)) {
		/* The core has no more. */
		session->now_ms = clock_now_ms();
		session_flush(session);
		sent = true;
	}
	session->has_traffic = session->has_traffic || sent;
	return sent;
}

static void report_drained(struct session *session)
{
	if (session->received) {
		session->received = false;
		session->events->drained(session->events->context);
	}
}

/* ---- without libstrophe's reads ---- */

/* Whether something is to be written, by libstrophe. */
static bool has_output(struct session *session)
{
	return exchange_send_pending(session) || xmpp_conn_send_queue_len(session->conn) > 0;
}

/* Reads until a read would block, or for long enough. */
static enum reader_result read_some(struct session *session)
{
	enum reader_result result = READER_READ;
	int reads = 0;

	while (result == READER_READ && session->state != SESSION_OFF && reads < READS) {
		result = session_read(session);
		reads += result == READER_READ;
	}
	/* Also what libstrophe has read, in session_run(). */
	socket_acknowledge(&session->socket);
	report_drained(session);
	return result;
}

/* As exchange_run, once the reader is ready. What was read is answered at once. */
static bool run_directly(struct session *session)
{
	enum reader_result result = READER_READ;
	for (int round = 0; round < MAX_ROUNDS; round++) {
		bool writes = has_output(session);
		if (result == READER_BLOCKED && !writes) {
			return true; /* epoll reports what has come since */
		}
		bool is_timed = round == 0 && session->state != SESSION_ONLINE; /* by libstrophe */
		if (writes || is_timed) {
			session_run(session); /* which may also read: a read must follow */
		}
		if (session->state == SESSION_OFF) {
			return true;
		}
		bool blocks = xmpp_conn_send_queue_len(session->conn) > 0;
		result = read_some(session);
		if (session->state == SESSION_OFF) {
			return true;
		}
		if (result == READER_FAILED) {
			/* The shutdown makes the socket readable, so that libstrophe reads. After a
			 * TLS alert, the TCP connection may still be open. */
			socket_shutdown(&session->socket);
			reader_end(&session->reader);
			return false;
		}
		if (result == READER_BLOCKED && blocks) {
			return true; /* epoll reports when writes no longer block */
		}
	}
	return false;
}

/* ---- with them ---- */

/* Whether the last round read or wrote something, or the next one will. */
static bool is_active(struct session *session, const struct readiness *readiness)
{
	if (readiness_is_readable(readiness)) {
		session->has_input = true;
		return true;
	}
	return readiness_is_writable(readiness) && xmpp_conn_send_queue_len(session->conn) > 0;
}

static bool run_by_libstrophe(struct session *session, const atomic_bool *stopping)
{
	struct readiness readiness;
	unsigned idle = 0;

	readiness_begin(&readiness, &session->socket, session->config->tls != CLIENT_TLS_OFF);
	for (int round = 0; round < MAX_ROUNDS; round++) {
		if (session->state < SESSION_PRESENT && stopping && atomic_load(stopping)) {
			return true; /* the next call might be the TLS handshake */
		}
		if (exchange_send_pending(session)) {
			idle = 0;
		}
		session_run(session);
		if (session->state == SESSION_OFF) {
			return true;
		}
		readiness_update(&readiness);
		if (is_active(session, &readiness)) {
			idle = 0;
		} else if (idle++ >= readiness.idle_rounds) {
			/* If a write would block, epoll reports when it no longer would. Bytes that
			 * came after the last poll were read without an acknowledgement by TCP. */
			socket_acknowledge(&session->socket);
			report_drained(session);
			return true;
		} else if (idle > readiness.hidden) {
			report_drained(session);
		}
		if (round % DRAINED_ROUNDS == DRAINED_ROUNDS - 1) {
			report_drained(session);
		}
	}
	report_drained(session);
	return false;
}

bool exchange_run(struct session *session, const atomic_bool *stopping)
{
	return session->reader.is_ready ? run_directly(session)
					: run_by_libstrophe(session, stopping);
}
