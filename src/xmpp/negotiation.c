/* SPDX-License-Identifier: MIT */
#include "xmpp/negotiation.h"

#include "xmpp/channel_binding.h"
#include "xmpp/interpose.h"
#include "xmpp/stanza_limits.h"

#include <stddef.h>
#include <stdio.h>

static void warn(const struct session *session, const char *line)
{
	if (session->config->warn != NULL) {
		session->config->warn(line);
	}
}

static bool is_secured(void *context)
{
	struct session *session = context;

	return xmpp_conn_is_secured(session->conn);
}

static const char *what_is_bound(void *context)
{
	(void)context;
	return channel_binding_type();
}

static void on_offer(void *context, const struct login *login)
{
	struct session *session = context;
	char line[400];

	cause_offered(&session->cause, login->offered);
	channel_binding_give_up(login->unbound);
	if (login->unbound) {
		snprintf(line, sizeof(line),
			 "%s: the server binds a login to the TLS connection only in ways that "
			 "libstrophe does not know; logging in without",
			 session->domain);
		warn(session, line);
	}
}

static void on_refused(void *context, const char *condition)
{
	struct session *session = context;

	channel_binding_refused();
	cause_refused(&session->cause, condition);
}

static bool uses_scram(void *context)
{
	(void)context;
	return channel_binding_has_scram();
}

static void on_misshapen(void *context)
{
	struct session *session = context;

	cause_set(&session->cause, CAUSE_INTERNAL, "the server's challenge is malformed");
}

static void on_unbindable(void *context)
{
	struct session *session = context;

	cause_set(&session->cause, CAUSE_BIND, NULL);
	xmpp_disconnect(session->conn);
}

void negotiation_begin(struct session *session)
{
	const struct login_events events = {
		.context = session,
		.is_secured = is_secured,
		.binding = what_is_bound,
		.offer = on_offer,
		.uses_scram = uses_scram,
		.misshapen = on_misshapen,
		.refused = on_refused,
		.unbindable = on_unbindable,
	};

	login_begin(&session->login, &events, session->config->tls != CLIENT_TLS_OFF);
	stanza_limits_set_login(&session->login, &session->roster_parser);
	channel_binding_begin();
	trace_init(&session->trace);
}

void negotiation_end(const struct session *session)
{
	unsigned needed = INTERPOSED_AT_LOGIN;
	void *with_openssl;
	char line[160];

	interpose_find("SSL_connect", &with_openssl);
	if (session->config->tls != CLIENT_TLS_OFF && with_openssl != NULL) {
		needed |= 1u << INTERPOSED_SSL_connect;
	}
	const char *name = interpose_missing(needed);
	if (name != NULL) {
		snprintf(
			line, sizeof(line),
			"libstrophe does not call our %s: this ibbfs was built in a way that makes "
			"it slow or insecure",
			name);
		warn(session, line);
	}
}
