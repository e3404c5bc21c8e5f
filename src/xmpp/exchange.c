/* SPDX-License-Identifier: MIT */
#include "xmpp/exchange.h"

#include "clock.h"
#include "xmpp/readiness.h"

#include <errno.h>

/* The most rounds before the caller looks at the clock again. */
#define MAX_ROUNDS 256

/* In a long series of rounds of libstrophe `drained` is reported after so many, so that readers
 * need not wait for its end. */
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
			/* Everything after it would be out of order. */
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

/* Whether the last round read or wrote something, or the next one will. */
static bool is_active(struct session *session, const struct readiness *readiness)
{
	if (readiness_is_readable(readiness)) {
		session->has_input = true;
		return true;
	}
	return readiness_is_writable(readiness) && xmpp_conn_send_queue_len(session->conn) > 0;
}

bool exchange_run(struct session *session, const atomic_bool *stopping)
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
			/* If a write would block, an edge will come. Bytes that came after the last
			 * poll were read without being acknowledged. */
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
