/* SPDX-License-Identifier: MIT */
#include "account/routing.h"

#include "account/attribute.h"
#include "account/name.h"
#include "account/query.h"
#include "account/spool_file.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

/* How many resources are queried for a stream. Then it goes to one of those that have answered:
 * others may come and go. */
#define MAX_ASKED (2 * ROSTER_MAX_RESOURCES)

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
		error = spool_file_begin(account, handle, peer, features, format);
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
		return query_peer(account, peer, now_ms);
	}
	return 0;
}

/* A resource that is an ibbfs, and has not said which features it has, would get a file without its
 * name: that is an error. */
static int open_to_resource(struct account *account, struct handle *handle,
			    const struct resource *resource, int64_t now_ms)
{
	if (resource->features_state == FEATURES_FAILED && resource->announced) {
		return resource->failure;
	}
	open_to(account, handle, resource->jid, resource->features, now_ms);
	return 0;
}

/* Queries the features of a resource, one of MAX_ASKED at most. */
static int ask(struct account *account, struct routing *routing, struct resource *resource,
	       int64_t now_ms)
{
	if (resource->features_state != FEATURES_UNKNOWN || routing->asked == MAX_ASKED) {
		return 0;
	}
	routing->asked++;
	return query_resource(account, resource, now_ms);
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
			error = open_to_resource(account, handle, resource, now_ms);
		}
		return error;
	}
	if (!jid_has_local(jid)) {
		return route_to_unseen(account, handle, jid, now_ms);
	}
	if (routing->server_query == 0) {
		int failed = query_server(account, now_ms);
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
		error = open_to_resource(account, handle, resource, now_ms);
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

void routing_start(struct account *account, struct handle *handle, int64_t now_ms)
{
	handle->routing = (struct routing){.active = true};
	if (!account->online || account->stopping) {
		abort_stream(account, handle, -ENETDOWN);
		return;
	}
	const struct node *directory = node_above_folders(handle->node->parent);
	if (directory) {
		roster_retry(&account->roster, directory->directory.jid, now_ms);
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

/* Gives the answer to the streams that wait for it, and ends the query. */
static void take_answer(struct account *account, struct query *query, unsigned features, int error,
			int64_t now_ms)
{
	struct handle *handle;
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
	query_end(account, query, features, error, now_ms);
}

bool routing_answer(struct account *account, const struct msg *answer, int64_t now_ms)
{
	if (!query_has_id(answer)) {
		return false;
	}
	struct query *query = query_find(account, answer);
	if (query) {
		take_answer(account, query, query_features(answer), query_error(answer), now_ms);
		routing_continue(account, now_ms);
	}
	return true;
}

void routing_forget(struct account *account, const struct resource *resource)
{
	struct handle *handle;
	if (resource->features_state != FEATURES_ASKED) {
		return;
	}
	query_cancel(account, resource->jid);
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
	query_cancel_all(account);
	DL_FOREACH (account->handles, handle) {
		if (is_waiting(handle)) {
			handle->routing = (struct routing){.active = true};
		}
	}
}

void routing_cancel(struct account *account, int error)
{
	struct handle *handle;
	query_cancel_all(account);
	DL_FOREACH (account->handles, handle) {
		if (is_waiting(handle)) {
			abort_stream(account, handle, error);
		}
	}
}

void routing_tick(struct account *account, int64_t now_ms)
{
	bool expired = false;
	while (account->queries && query_deadline(account) <= now_ms) {
		take_answer(account, account->queries, 0, -ETIMEDOUT, now_ms);
		expired = true;
	}
	if (expired) {
		routing_continue(account, now_ms);
	}
}
