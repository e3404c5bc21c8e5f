/* SPDX-License-Identifier: MIT */
/*
 * Events of the client: stanzas, presence, and the state of the connection.
 */
#include "mount/hub_internal.h"

#include "account/dispatch.h"
#include "clock.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <stdlib.h>
#include <string.h>

static void on_login(void *context, size_t max_stanza)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	account_login(&hub->account, max_stanza);
	hub_end(hub, now_ms);
}

static void on_online(void *context, const char *full_jid)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	dispatch_online(&hub->account, full_jid, now_ms);
	bool again = hub->state == HUB_ONLINE;
	hub->state = HUB_ONLINE;
	hub_end(hub, now_ms);
	hub_wake_main(hub);
	if (again) {
		log_warning("connected again as %s", full_jid);
	}
}

static void on_offline(void *context, const char *line, bool final, int64_t retry_ms)
{
	struct hub *hub = context;
	char *copy = strdup(line);
	int64_t now_ms = hub_begin(hub);
	dispatch_offline(&hub->account, line, final ? 0 : retry_ms, now_ms);
	bool started = hub->state == HUB_ONLINE;
	if (final) {
		free(hub->failure);
		hub->failure = copy;
		copy = NULL;
		hub->state = HUB_FAILED;
	}
	hub_end(hub, now_ms);
	free(copy);
	hub_wake_main(hub);
	if (started || !final) {
		/* main reports a failed start. */
		log_warning("%s", line);
	}
}

static void on_roster_reset(void *context)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	dispatch_roster_reset(&hub->account, now_ms);
	hub_end(hub, now_ms);
}

static void on_roster_item(void *context, const char *jid, bool removed)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	bool full = dispatch_roster_item(&hub->account, jid, removed);
	hub_end(hub, now_ms);
	if (full) {
		log_warning("the roster has more than %d contacts: some have no directory",
			    ROSTER_MAX_CONTACTS);
	}
}

static void on_presence(void *context, const char *jid, bool available, int priority,
			unsigned features)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	bool surplus = dispatch_presence(&hub->account, jid, available, priority, features, now_ms);
	hub_end(hub, now_ms);
	if (surplus) {
		log_warning("%.*s: too many resources are online: some have no directory",
			    (int)jid_bare_length(jid), jid);
	}
}

static void on_receive(void *context, const struct msg *msg)
{
	struct hub *hub = context;
	int64_t received_us = clock_now_us();
	int64_t now_ms = hub_begin(hub);
	dispatch_receive(&hub->account, msg, received_us);
	hub_end(hub, now_ms);
}

static void on_drained(void *context)
{
	struct hub *hub = context;
	int64_t now_ms = hub_begin(hub);
	account_drained(&hub->account);
	hub_end(hub, now_ms);
}

static struct msg *on_next(void *context)
{
	struct hub *hub = context;
	int64_t sent_us = clock_now_us();
	int64_t now_ms = hub_begin(hub);
	struct msg *msg = account_next(&hub->account, sent_us);
	hub_end(hub, now_ms);
	return msg;
}

struct client_events hub_client_events(struct hub *hub)
{
	return (struct client_events){
		.context = hub,
		.login = on_login,
		.online = on_online,
		.offline = on_offline,
		.roster_reset = on_roster_reset,
		.roster_item = on_roster_item,
		.presence = on_presence,
		.receive = on_receive,
		.drained = on_drained,
		.next = on_next,
	};
}
