/* SPDX-License-Identifier: MIT */
#include "xmpp/handlers.h"

#include "xmpp/features.h"
#include "xmpp/jid.h"
#include "xmpp/stanza_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Priority -1: messages to our bare JID go to a client that a person reads (RFC 6121 section
 * 4.7.2.3). */
static void send_presence(struct session *session)
{
	static const char form[] = "<presence><priority>-1</priority>%s</presence>";
	const char *capabilities = session->codec.capabilities;
	size_t size = sizeof(form) + strlen(capabilities);
	char *text = malloc(size);

	if (text != NULL) {
		int length = snprintf(text, size, form, capabilities);
		session_send_text(session, text, (size_t)length);
		free(text);
	}
}

static void answer(struct session *session, xmpp_stanza_t *request, enum condition condition)
{
	const char *from = xmpp_stanza_get_from(request);
	const char *id = xmpp_stanza_get_id(request);
	struct msg msg = {
		.kind = condition == CONDITION_NONE ? MSG_RESULT : MSG_ERROR,
		.peer = from != NULL ? from : "",
		.id = id != NULL ? id : "",
		.size = -1,
		.condition = condition,
		.error_type = condition_type(condition),
	};

	session_send(session, &msg);
	session_flush(session);
}

/* Whether a stanza of that sender is our own account's: an absent "from" means just that (RFC 6120
 * section 8.1.2.1). */
static bool is_account(const struct session *session, const char *from)
{
	return from == NULL || strcmp(from, session->account) == 0;
}

static bool is_from_account(const struct session *session, xmpp_stanza_t *stanza)
{
	return is_account(session, xmpp_stanza_get_from(stanza));
}

static bool is_from_server(const struct session *session, xmpp_stanza_t *stanza)
{
	const char *from = xmpp_stanza_get_from(stanza);

	return is_from_account(session, stanza) || strcmp(from, session->domain) == 0;
}

/* ---- the roster ---- */

/* The answer to our request, or a push. RFC 6121 section 2.1.6: a roster push of anybody else is
 * forged. It is answered like a request that we do not know. */
static bool is_roster_wanted(void *context, const char *from, const char *type, const char *id)
{
	const struct session *session = context;

	if (type == NULL || !is_account(session, from)) {
		return false;
	}
	if (strcmp(type, "set") == 0) {
		return session->state >= SESSION_ROSTER;
	}
	return strcmp(type, "result") == 0 && session->state == SESSION_ROSTER && id != NULL &&
	       strcmp(id, SESSION_ID_ROSTER) == 0;
}

static void on_roster_item(void *context, const char *jid, const char *subscription)
{
	struct session *session = context;
	bool removed = subscription != NULL && strcmp(subscription, "remove") == 0;

	if (session->config->debug && session->config->log != NULL) {
		/* libstrophe's log line of the stanza lacks the items. */
		char line[128];
		snprintf(line, sizeof(line), "roster %s %.100s", removed ? "without" : "with", jid);
		session->config->log(line);
	}
	session->events->roster_item(session->events->context, jid, removed);
}

/* If expat's functions could not be interposed (negotiation_end warns of it), the stanza still has
 * the items. */
static void report_items(struct session *session, xmpp_stanza_t *query)
{
	xmpp_stanza_t *item = query != NULL ? xmpp_stanza_get_children(query) : NULL;

	for (; item != NULL; item = xmpp_stanza_get_next(item)) {
		const char *name = xmpp_stanza_get_name(item);
		const char *jid = xmpp_stanza_get_attribute(item, "jid");

		if (name != NULL && strcmp(name, "item") == 0 && jid != NULL) {
			on_roster_item(session, jid,
				       xmpp_stanza_get_attribute(item, "subscription"));
		}
	}
}

/* Whether the answer says that the server has a roster for us, but cannot give it now: a mount
 * without contacts would be wrong. The condition, or NULL. */
static const char *why_no_roster(struct session *session, xmpp_stanza_t *answer)
{
	struct msg msg;

	if (!codec_decode(&session->codec, answer, &msg) || msg.kind != MSG_ERROR) {
		return NULL;
	}
	bool later = msg.error_type == ERROR_TYPE_WAIT ||
		     msg.condition == CONDITION_INTERNAL_SERVER_ERROR ||
		     msg.condition == CONDITION_RESOURCE_CONSTRAINT;
	return later ? condition_name(msg.condition) : NULL;
}

/* Any other error says that the server has no rosters. */
static void handle_roster(struct session *session, xmpp_stanza_t *answer)
{
	const char *condition = why_no_roster(session, answer);

	if (condition != NULL) {
		char detail[128];
		snprintf(detail, sizeof(detail), "the server gives no roster: %s", condition);
		cause_set(&session->cause, CAUSE_INTERNAL, detail);
		xmpp_disconnect(session->conn);
		return;
	}
	report_items(session, xmpp_stanza_get_child_by_ns(answer, XMPP_NS_ROSTER));
	send_presence(session);
	session_ping(session, SESSION_ID_READY);
	session->state = SESSION_PRESENT;
}

static void handle_ready(struct session *session)
{
	session->state = SESSION_ONLINE;
	session->was_online = true;
	/* From now on nobody reads libstrophe's log, and its lines cost time. */
	if (!session->config->debug) {
		session->log.handler = NULL;
		stanza_log_enable(false);
	}
	session->events->online(session->events->context, xmpp_conn_get_bound_jid(session->conn));
}

/* Whether `stanza` answers a request of the session. */
static bool handle_answer(struct session *session, xmpp_stanza_t *stanza)
{
	const char *id = xmpp_stanza_get_id(stanza);

	if (id == NULL) {
		return false;
	}
	if (strcmp(id, SESSION_ID_ROSTER) == 0 && is_from_account(session, stanza)) {
		if (session->state == SESSION_ROSTER) {
			handle_roster(session, stanza);
		}
		return true;
	}
	/* An error shows as well that the server is there. */
	if (strcmp(id, SESSION_ID_READY) == 0 && is_from_server(session, stanza)) {
		if (session->state == SESSION_PRESENT) {
			handle_ready(session);
		}
		return true;
	}
	return strcmp(id, SESSION_ID_PING) == 0 && is_from_server(session, stanza);
}

static void receive(struct session *session, xmpp_stanza_t *stanza)
{
	struct msg msg;

	if (codec_decode(&session->codec, stanza, &msg)) {
		session->received = true;
		session_note(session, &msg);
		session->events->receive(session->events->context, &msg);
	}
}

static int on_iq(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
	struct session *session = userdata;
	const char *type = xmpp_stanza_get_type(stanza);

	(void)conn;
	session->has_input = true;
	if (session->state < SESSION_ROSTER || type == NULL) {
		return 1; /* still libstrophe's own: bind and session */
	}
	bool request = strcmp(type, "set") == 0 || strcmp(type, "get") == 0;
	if (!request) {
		write_buffer_answered(&session->write_buffer);
	}
	if (!request && handle_answer(session, stanza)) {
		return 1;
	}
	session->has_traffic = true;
	bool own = request && is_roster_wanted(session, xmpp_stanza_get_from(stanza), type, NULL);
	xmpp_stanza_t *push = own ? xmpp_stanza_get_child_by_ns(stanza, XMPP_NS_ROSTER) : NULL;
	if (push != NULL) {
		report_items(session, push);
		answer(session, stanza, CONDITION_NONE);
	} else if (session_is_open(session)) {
		receive(session, stanza);
	} else if (request) {
		answer(session, stanza, CONDITION_SERVICE_UNAVAILABLE);
	}
	return 1;
}

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
	struct session *session = userdata;

	(void)conn;
	session->has_input = session->has_traffic = true;
	if (session_is_open(session)) {
		receive(session, stanza);
	}
	return 1;
}

/* The priority of an available presence; RFC 6121 section 4.7.2.3: without one it is 0. */
static int presence_priority(xmpp_stanza_t *stanza)
{
	xmpp_stanza_t *child = xmpp_stanza_get_child_by_name(stanza, "priority");
	xmpp_stanza_t *text = child != NULL ? xmpp_stanza_get_children(child) : NULL;
	const char *digits = text != NULL ? xmpp_stanza_get_text_ptr(text) : NULL;
	long priority = digits != NULL ? strtol(digits, NULL, 10) : 0;

	return priority < -128 ? -128 : priority > 127 ? 127 : (int)priority;
}

/* XEP-0115 section 5.4: our own verification string stands for our own features. The features
 * behind another one are not known before a disco#info request; but the node says whether it is an
 * ibbfs. */
static unsigned presence_features(const struct session *session, xmpp_stanza_t *stanza)
{
	xmpp_stanza_t *c = xmpp_stanza_get_child_by_name_and_ns(stanza, "c", NAMESPACE_CAPS);
	const char *hash = c != NULL ? xmpp_stanza_get_attribute(c, "hash") : NULL;
	const char *ver = c != NULL ? xmpp_stanza_get_attribute(c, "ver") : NULL;

	const char *node = c != NULL ? xmpp_stanza_get_attribute(c, "node") : NULL;

	if (hash != NULL && ver != NULL && strcmp(hash, "sha-1") == 0 &&
	    strcmp(ver, session->codec.ver) == 0) {
		return FEATURES_OWN;
	}
	return node != NULL && strcmp(node, MSG_NAMESPACE) == 0 ? FEATURE_ANNOUNCED : 0;
}

/* An error from a full JID is an absence. One from a bare JID says that our presence was not
 * delivered: two servers have a connection for each direction, and that towards the contact may
 * have failed, after a time, while the contact's presence came by the other one. */
static bool is_absence_error(const char *type, const char *from)
{
	return strcmp(type, "error") == 0 && jid_resource(from) != NULL;
}

static int on_presence(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
	struct session *session = userdata;
	const char *type = xmpp_stanza_get_type(stanza);
	const char *from = xmpp_stanza_get_from(stanza);
	const char *own = xmpp_conn_get_bound_jid(conn);

	session->has_input = session->has_traffic = true;
	/* Presence before the roster is of no use: the roster begins anew. */
	if (session->state < SESSION_PRESENT || session->state == SESSION_LEAVING || from == NULL ||
	    (own != NULL && strcmp(from, own) == 0)) {
		return 1;
	}
	if (type == NULL) {
		session->events->presence(session->events->context, from, true,
					  presence_priority(stanza),
					  presence_features(session, stanza));
	} else if (strcmp(type, "unavailable") == 0 || is_absence_error(type, from)) {
		session->events->presence(session->events->context, from, false, 0, 0);
	}
	return 1;
}

void handlers_add(struct session *session)
{
	/* None for single ids: libstrophe never quite forgets those. */
	xmpp_handler_add(session->conn, on_iq, NULL, "iq", NULL, session);
	xmpp_handler_add(session->conn, on_message, NULL, "message", NULL, session);
	xmpp_handler_add(session->conn, on_presence, NULL, "presence", NULL, session);
	session->roster_parser = (struct roster_parser){
		.context = session,
		.is_wanted = is_roster_wanted,
		.item = on_roster_item,
	};
}
