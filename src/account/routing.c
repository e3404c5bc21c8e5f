/* SPDX-License-Identifier: MIT */
#include "account/routing.h"

#include "account/attribute.h"
#include "account/name.h"
#include "account/spool_file.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A peer that does not answer in time counts as one without service discovery. */
#define QUERY_TIMEOUT_MS 10000

/* How many resources a stream asks before it takes one of those that have answered: others may come
 * and go. */
#define MAX_ASKED (2 * ROSTER_MAX_RESOURCES)

/* A query in flight: disco#info of a peer, or, with jid "", a ping to our own server. */
struct query {
	struct query *prev, *next; /* account.queries */
	uint64_t number;
	int64_t deadline_ms;
	char jid[];
};

static int send_query(struct account *account, const char *jid, int64_t now_ms)
{
	size_t size = strlen(jid) + 1;
	struct query *query = malloc(sizeof(*query) + size);
	char id[32];
	if (!query) {
		return -ENOMEM;
	}
	/* The stream needs some of its time-out itself. */
	int64_t timeout_ms = account->ibb.config.timeout_ms / 2;
	memcpy(query->jid, jid, size);
	query->number = ++account->last_query;
	query->deadline_ms =
		now_ms + (timeout_ms < QUERY_TIMEOUT_MS ? timeout_ms : QUERY_TIMEOUT_MS);
	snprintf(id, sizeof(id), "q%" PRIx64, query->number);
	struct msg request = {
		.kind = jid[0] == '\0' ? MSG_PING : MSG_INFO,
		.peer = jid,
		.id = id,
	};
	int error = effects_send(&account->ibb.effects, &request);
	if (error) {
		free(query);
		return error;
	}
	DL_APPEND(account->queries, query);
	return 0;
}

/* Aborts the stream of `handle`. */
static void abort_stream(struct account *account, struct handle *handle, int error)
{
	handle->routing.active = false;
	ibb_abort(&account->ibb, handle->node->file.stream, error);
}

/* Tells the stream of `node`, which is in a folder, its path. */
static int name_folder(const struct node *node)
{
	char path[NAME_FOLDER_SIZE];
	int length = node_folder_path(node->parent, path, sizeof(path));
	return length < 0 ? -ENAMETOOLONG : stream_set_folder(node->file.stream, path);
}

static void open_to(struct account *account, struct handle *handle, const char *peer,
		    unsigned features, int64_t now_ms)
{
	struct node *node = handle->node;
	enum format format;
	handle->routing.active = false;
	int error = format_choose(attribute_format(node->parent), features, &format);
	if (!error && node->parent->kind == NODE_FOLDER) {
		error = format == FORMAT_RAW && features & FEATURE_FOLDERS ? name_folder(node)
									   : -EOPNOTSUPP;
	}
	if (!error && format == FORMAT_RAW) {
		error = ibb_open(&account->ibb, node->file.stream, peer, features, node->name,
				 now_ms);
	} else if (!error) {
		error = spool_file_begin(account, handle, peer, format);
	}
	if (error) {
		ibb_abort(&account->ibb, handle->node->file.stream, error);
	}
}

/* A peer whose presence we do not see: a component, or a JID made by mkdir. */
static int route_to_unseen(struct account *account, struct handle *handle, const char *peer,
			   int64_t now_ms)
{
	struct routing *routing = &handle->routing;
	if (routing->peer_answered) {
		open_to(account, handle, peer, routing->features, now_ms);
	} else if (!routing->peer_asked) {
		routing->peer_asked = true;
		return send_query(account, peer, now_ms);
	}
	return 0;
}

/* Queries the features of a resource for `routing`, unless they are known or were queried. */
static int ask(struct account *account, struct routing *routing, struct resource *resource,
	       int64_t now_ms)
{
	int error = 0;
	if (resource->features_state == FEATURES_UNKNOWN && routing->asked < MAX_ASKED) {
		error = send_query(account, resource->jid, now_ms);
		if (!error) {
			resource->features_state = FEATURES_ASKED;
			routing->asked++;
		}
	}
	return error;
}

/* Whether `resource`, whose features are not known yet, would be chosen if it had the wanted ones.
 */
static bool could_be_better(const struct contact *contact, struct resource *resource,
			    unsigned wanted)
{
	enum features_state state = resource->features_state;
	unsigned features = resource->features;
	resource->features_state = FEATURES_KNOWN;
	resource->features = wanted;
	bool better = roster_choose(contact, wanted) == resource;
	resource->features_state = state;
	resource->features = features;
	return better;
}

static int route_to_contact(struct account *account, struct handle *handle, const char *jid,
			    int64_t now_ms)
{
	const struct contact *contact = roster_find(&account->roster, jid);
	unsigned wanted = handle->node->parent->kind == NODE_FOLDER
				  ? FEATURE_FOLDERS
				  : format_features(attribute_format(handle->node->parent));
	struct routing *routing = &handle->routing;
	struct resource *resource;
	bool settled = true;
	int error = 0;

	if (contact && contact->resources) {
		DL_FOREACH (contact->resources, resource) {
			int failed = ask(account, routing, resource, now_ms);
			error = error ? error : failed;
			if (resource->features_state == FEATURES_ASKED &&
			    could_be_better(contact, resource, wanted)) {
				settled = false;
			}
		}
		if (settled && !error) {
			resource = roster_choose(contact, wanted);
			open_to(account, handle, resource->jid, resource->features, now_ms);
		}
		return error;
	}
	if (!jid_has_local(jid)) {
		return route_to_unseen(account, handle, jid, now_ms);
	}
	if (routing->server_query == 0) {
		int failed = send_query(account, "", now_ms);
		routing->server_query = account->last_query;
		return failed;
	}
	return routing->server_answered ? -EHOSTDOWN : 0;
}

static int route_to_resource(struct account *account, struct handle *handle, const char *jid,
			     int64_t now_ms)
{
	struct resource *resource = roster_find_resource(&account->roster, jid);
	if (!resource) {
		return route_to_unseen(account, handle, jid, now_ms);
	}
	int error = ask(account, &handle->routing, resource, now_ms);
	if (!error && resource->features_state != FEATURES_ASKED) {
		open_to(account, handle, jid, resource->features, now_ms);
	}
	return error;
}

static void route(struct account *account, struct handle *handle, int64_t now_ms)
{
	const struct node *directory = node_above_folders(handle->node->parent);
	int error;

	if (!directory) {
		error = -EHOSTDOWN; /* the resource has become unavailable */
	} else if (directory->kind == NODE_RESOURCE) {
		error = route_to_resource(account, handle, directory->directory.jid, now_ms);
	} else {
		error = route_to_contact(account, handle, directory->directory.jid, now_ms);
	}
	if (error) {
		abort_stream(account, handle, error);
	}
}

/* ---- folders ---- */

/* Before our server has answered a ping, presence that it has sent may be on its way. */
static int check_offline(struct account *account, int64_t now_ms)
{
	const struct query *query;
	if (account->present) {
		return -EHOSTDOWN;
	}
	DL_FOREACH (account->queries, query) {
		if (query->jid[0] == '\0') {
			return 0;
		}
	}
	return send_query(account, "", now_ms);
}

/* Whether files in folders can be sent to it or, if it is being asked, perhaps can. */
static bool may_take_folders(struct account *account, struct routing *routing,
			     struct resource *resource, int64_t now_ms, int *error)
{
	if (resource->features_state != FEATURES_KNOWN && !resource->announced) {
		return false; /* every ibbfs says in its presence that it is one */
	}
	int failed = ask(account, routing, resource, now_ms);
	*error = *error ? *error : failed;
	return resource->features_state != FEATURES_KNOWN || resource->features & FEATURE_FOLDERS;
}

static int check_contact(struct account *account, const char *jid, int64_t now_ms)
{
	const struct contact *contact = roster_find(&account->roster, jid);
	struct routing routing = {0};
	struct resource *resource;
	bool found = false;
	int error = 0;
	if (!contact || !contact->resources) {
		return check_offline(account, now_ms);
	}
	DL_FOREACH (contact->resources, resource) {
		found = may_take_folders(account, &routing, resource, now_ms, &error) || found;
	}
	return found ? error : -EOPNOTSUPP;
}

static int check_resource(struct account *account, const char *jid, int64_t now_ms)
{
	struct resource *resource = roster_find_resource(&account->roster, jid);
	struct routing routing = {0};
	int error = 0;
	if (!resource) {
		return -EPERM;
	}
	return may_take_folders(account, &routing, resource, now_ms, &error) ? error : -EOPNOTSUPP;
}

int routing_check_folders(struct account *account, const struct node *directory, int64_t now_ms)
{
	const struct node *above = node_above_folders(directory);
	enum format format = attribute_format(directory);
	if (!account->online || account->stopping) {
		return -ENETDOWN;
	}
	if (format != FORMAT_AUTO && format != FORMAT_RAW) {
		return -EOPNOTSUPP;
	}
	return above->kind == NODE_RESOURCE ? check_resource(account, above->directory.jid, now_ms)
					    : check_contact(account, above->directory.jid, now_ms);
}

/* ---- streams ---- */

void routing_start(struct account *account, struct handle *handle, int64_t now_ms)
{
	handle->routing = (struct routing){.active = true};
	if (!account->online || account->stopping) {
		abort_stream(account, handle, -ENETDOWN);
		return;
	}
	stream_await(handle->node->file.stream, now_ms);
	route(account, handle, now_ms);
}

static bool is_waiting(const struct handle *handle)
{
	return handle->routing.active && handle->node->file.stream &&
	       handle->node->file.stream->state == STREAM_NEW;
}

void routing_continue(struct account *account, int64_t now_ms)
{
	struct handle *handle;
	if (!account->online) {
		return; /* presence is not known yet */
	}
	DL_FOREACH (account->handles, handle) {
		if (is_waiting(handle)) {
			route(account, handle, now_ms);
		}
	}
}

/* Stores the answer to `query`, and frees it. */
static void take_answer(struct account *account, struct query *query, unsigned features)
{
	struct resource *resource = roster_find_resource(&account->roster, query->jid);
	struct handle *handle;

	if (resource) {
		resource->features_state = FEATURES_KNOWN;
		/* The resource is online, whatever the answer says. */
		resource->features = features & ~(unsigned)FEATURE_SILENT;
	}
	if (query->jid[0] == '\0') {
		account->present = true;
	}
	DL_FOREACH (account->handles, handle) {
		if (!is_waiting(handle)) {
			continue;
		}
		const struct node *directory = node_above_folders(handle->node->parent);
		if (query->jid[0] == '\0') {
			/* A later ping has its own answer. */
			handle->routing.server_answered |=
				handle->routing.server_query == query->number;
		} else if (directory && strcmp(directory->directory.jid, query->jid) == 0) {
			handle->routing.peer_answered = true;
			handle->routing.features = features;
		}
	}
	DL_DELETE(account->queries, query);
	free(query);
}

static unsigned features_of(const struct msg *answer)
{
	if (answer->kind == MSG_RESULT) {
		return answer->features | FEATURE_TOLD;
	}
	/* From a client without service discovery, or from the server of a client that is offline.
	 */
	return answer->condition == CONDITION_SERVICE_UNAVAILABLE ? FEATURE_SILENT : 0;
}

bool routing_answer(struct account *account, const struct msg *answer, int64_t now_ms)
{
	struct query *query;
	if (answer->id[0] != 'q') {
		return false;
	}
	uint64_t number = strtoull(answer->id + 1, NULL, 16);
	DL_FOREACH (account->queries, query) {
		if (query->number != number) {
			continue;
		}
		/* Our server answers from its own JID, from that of our account, or without 'from'.
		 */
		bool from_server =
			query->jid[0] == '\0' &&
			(answer->peer[0] == '\0' || jid_same_bare(answer->peer, account->jid) ||
			 account_is_server(account, answer->peer));
		if (from_server || strcmp(query->jid, answer->peer) == 0) {
			take_answer(account, query, features_of(answer));
			routing_continue(account, now_ms);
		}
		break;
	}
	return true;
}

static void forget_queries(struct account *account)
{
	struct query *query, *next;
	account->present = false;
	DL_FOREACH_SAFE (account->queries, query, next) {
		DL_DELETE(account->queries, query);
		free(query);
	}
}

void routing_forget(struct account *account, const struct resource *resource)
{
	struct query *query, *next;
	struct handle *handle;
	if (resource->features_state != FEATURES_ASKED) {
		return;
	}
	DL_FOREACH_SAFE (account->queries, query, next) {
		if (strcmp(query->jid, resource->jid) == 0) {
			DL_DELETE(account->queries, query);
			free(query);
		}
	}
	DL_FOREACH (account->handles, handle) {
		const struct node *directory = node_above_folders(handle->node->parent);
		if (is_waiting(handle) && directory &&
		    strcmp(directory->directory.jid, resource->jid) == 0) {
			handle->routing.peer_asked = false; /* it may have shared the query */
		}
	}
}

void routing_suspend(struct account *account)
{
	struct handle *handle;
	forget_queries(account);
	DL_FOREACH (account->handles, handle) {
		if (is_waiting(handle)) {
			handle->routing = (struct routing){.active = true};
		}
	}
}

void routing_cancel(struct account *account, int error)
{
	struct handle *handle;
	forget_queries(account);
	DL_FOREACH (account->handles, handle) {
		if (is_waiting(handle)) {
			abort_stream(account, handle, error);
		}
	}
}

int64_t routing_deadline(const struct account *account)
{
	/* All queries have the same time-out, so the oldest is due first. */
	return account->queries ? account->queries->deadline_ms : STREAM_NO_DEADLINE;
}

void routing_tick(struct account *account, int64_t now_ms)
{
	bool expired = false;
	while (account->queries && account->queries->deadline_ms <= now_ms) {
		take_answer(account, account->queries, 0);
		expired = true;
	}
	if (expired) {
		routing_continue(account, now_ms);
	}
}
