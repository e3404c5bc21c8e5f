/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1

#include "mount/hub.h"

#include "mount/collected.h"
#include "mount/directory.h"
#include "mount/file.h"
#include "mount/inbox.h"
#include "mount/kept.h"
#include "mount/log.h"
#include "mount/spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

struct hub {
	/* Immutable after start. */
	struct client *client;
	struct inbox *inbox; /* or NULL */
	int fd;

	pthread_mutex_t mutex;
	/* Under it: */
	struct account account;
	struct request *parked; /* uthash, by op.token */
	enum hub_state state;
	char *failure;
	int64_t waits_until_ms; /* the main thread; INT64_MIN while it is awake */
};

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t hub_now_ms(void)
{
	return now_us() / 1000;
}

struct hub *hub_create(const struct stream_config *config, unsigned max_streams, enum accept accept,
		       const char *jid, struct owner owner)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	if (!hub) {
		return NULL;
	}
	hub->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hub->waits_until_ms = INT64_MIN;
	if (hub->fd < 0 ||
	    account_init(&hub->account, config, max_streams, accept, jid, owner.uid, owner.gid)) {
		if (hub->fd >= 0) {
			close(hub->fd);
		}
		free(hub);
		return NULL;
	}
	pthread_mutex_init(&hub->mutex, NULL);
	return hub;
}

void hub_destroy(struct hub *hub)
{
	if (hub) {
		struct handle *handle, *next;
		DL_FOREACH_SAFE (hub->account.orphans, handle, next) {
			spool_release(handle->spool);
			if (handle->kept_fd >= 0) {
				close(handle->kept_fd);
			}
			free(handle);
		}
		account_finish(&hub->account);
		pthread_mutex_destroy(&hub->mutex);
		close(hub->fd);
		free(hub->failure);
		free(hub);
	}
}

void hub_set_client(struct hub *hub, struct client *client)
{
	hub->client = client;
}

void hub_set_inbox(struct hub *hub, struct inbox *inbox)
{
	hub->inbox = inbox;
	hub->account.keeps = true;
}

/* ---- the five lines ---- */

static int64_t enter(struct hub *hub)
{
	pthread_mutex_lock(&hub->mutex);
	return hub_now_ms();
}

static void wake_main(struct hub *hub)
{
	uint64_t one = 1;
	if (write(hub->fd, &one, sizeof(one)) < 0) {
		return; /* it is full, so readable already */
	}
}

/* Takes what the call produced, unlocks, delivers. */
static void leave(struct hub *hub, int64_t now_ms)
{
	struct account *account = &hub->account;
	struct op *done = account_take_done(account, now_ms);
	struct op *op;
	DL_FOREACH (done, op) {
		struct request *request = (struct request *)op;
		if (request->parked) {
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
			HASH_DEL(hub->parked, request);
			request->parked = false;
		}
	}
	struct arrival *arrivals = kept_take(account);
	bool to_send =
		account->online && (account->ibb.effects.messages || account->ibb.effects.turns);
	int64_t deadline_ms = account_deadline(account);
	bool sooner = deadline_ms < hub->waits_until_ms;
	if (account->stopping && hub->waits_until_ms != INT64_MIN) {
		sooner = true; /* it may be what the main thread waits for: the last one */
	}
	if (sooner) {
		hub->waits_until_ms = deadline_ms;
	}
	pthread_mutex_unlock(&hub->mutex);

	if (to_send && hub->client) {
		client_wake(hub->client);
	}
	if (sooner) {
		wake_main(hub);
	}
	while (arrivals) {
		struct arrival *arrival = arrivals;
		DL_DELETE(arrivals, arrival);
		inbox_receive(hub->inbox, hub, arrival);
		free(arrival);
	}
	while (done) {
		op = done;
		DL_DELETE(done, op);
		struct request *request = (struct request *)op;
		request->deliver(request);
	}
}

/* For calls that may park `request`. */
static void leave_with(struct hub *hub, struct request *request, int64_t now_ms)
{
	if (request->op.list) {
		HASH_ADD(hh, hub->parked, op.token, sizeof(request->op.token), request);
		request->parked = request->hh.tbl != NULL;
		if (!request->parked) {
			/* Nothing may wait that a signal could not reach. */
			op_interrupt(&request->op, &hub->account.ibb.effects.done);
		}
	}
	leave(hub, now_ms);
}

/* ---- events of the client ---- */

static void on_login(void *context, size_t max_stanza)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_login(&hub->account, max_stanza);
	leave(hub, now_ms);
}

static void on_online(void *context, const char *full_jid)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_online(&hub->account, full_jid, now_ms);
	bool again = hub->state == HUB_ONLINE;
	hub->state = HUB_ONLINE;
	leave(hub, now_ms);
	wake_main(hub);
	if (again) {
		log_warning("connected again as %s", full_jid);
	}
}

static void on_offline(void *context, const char *line, bool final, int64_t retry_ms)
{
	struct hub *hub = context;
	char *copy = strdup(line);
	int64_t now_ms = enter(hub);
	account_offline(&hub->account, line, final ? 0 : retry_ms, now_ms);
	bool started = hub->state == HUB_ONLINE;
	if (final) {
		free(hub->failure);
		hub->failure = copy;
		copy = NULL;
		hub->state = HUB_FAILED;
	}
	leave(hub, now_ms);
	free(copy);
	wake_main(hub);
	if (started || !final) {
		/* A failed start is main's to report. */
		log_warning("%s", line);
	}
}

static void on_roster_reset(void *context)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_roster_reset(&hub->account, now_ms);
	leave(hub, now_ms);
}

static void on_roster_item(void *context, const char *jid, bool removed)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_roster_item(&hub->account, jid, removed);
	leave(hub, now_ms);
}

static void on_presence(void *context, const char *jid, bool available, int priority,
			unsigned features)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_presence(&hub->account, jid, available, priority, features, now_ms);
	leave(hub, now_ms);
}

static void on_receive(void *context, const struct msg *msg)
{
	struct hub *hub = context;
	int64_t received_us = now_us();
	int64_t now_ms = enter(hub);
	account_receive(&hub->account, msg, received_us);
	leave(hub, now_ms);
}

static void on_lull(void *context)
{
	struct hub *hub = context;
	int64_t now_ms = enter(hub);
	account_lull(&hub->account);
	leave(hub, now_ms);
}

static struct msg *on_next(void *context)
{
	struct hub *hub = context;
	int64_t sent_us = now_us();
	int64_t now_ms = enter(hub);
	struct msg *msg = account_next(&hub->account, sent_us);
	leave(hub, now_ms);
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
		.lull = on_lull,
		.next = on_next,
	};
}

/* ---- the main thread's loop ---- */

int hub_fd(const struct hub *hub)
{
	return hub->fd;
}

int64_t hub_begin_wait(struct hub *hub)
{
	uint64_t count;
	/* Before the deadline is read: what comes after this is not lost. */
	if (read(hub->fd, &count, sizeof(count)) < 0) {
		count = 0;
	}
	enter(hub);
	int64_t deadline_ms = account_deadline(&hub->account);
	hub->waits_until_ms = deadline_ms;
	pthread_mutex_unlock(&hub->mutex);
	return deadline_ms;
}

void hub_tick(struct hub *hub)
{
	int64_t now_ms = enter(hub);
	hub->waits_until_ms = INT64_MIN;
	account_tick(&hub->account, now_ms);
	leave(hub, now_ms);
}

enum hub_state hub_get_state(struct hub *hub)
{
	enter(hub);
	enum hub_state state = hub->state;
	pthread_mutex_unlock(&hub->mutex);
	return state;
}

char *hub_failure(struct hub *hub)
{
	enter(hub);
	char *line = hub->failure ? strdup(hub->failure) : NULL;
	pthread_mutex_unlock(&hub->mutex);
	return line;
}

void hub_stop(struct hub *hub, bool unmounted)
{
	int64_t now_ms = enter(hub);
	account_stop(&hub->account, unmounted, now_ms);
	leave(hub, now_ms);
}

bool hub_is_drained(struct hub *hub)
{
	enter(hub);
	bool drained = !hub->account.online || account_is_drained(&hub->account);
	pthread_mutex_unlock(&hub->mutex);
	return drained;
}

void hub_abandon(struct hub *hub)
{
	int64_t now_ms = enter(hub);
	account_abandon(&hub->account, now_ms);
	leave(hub, now_ms);
}

/* ---- the file system ---- */

static struct node *find(const struct hub *hub, uint64_t ino)
{
	return tree_find(&hub->account.tree, ino);
}

static void look_up(struct node *node, struct stat *attributes)
{
	node->lookups++;
	node_attributes(node, attributes);
}

int hub_lookup(struct hub *hub, uint64_t parent, const char *name, struct stat *attributes,
	       bool *steady)
{
	int64_t now_ms = enter(hub);
	const struct node *directory = find(hub, parent);
	struct node *node = directory ? tree_child(directory, name) : NULL;
	*steady = node && node_is_steady(node);
	if (node) {
		look_up(node, attributes);
	}
	leave(hub, now_ms);
	return node ? 0 : -ENOENT;
}

int hub_mknod(struct hub *hub, uint64_t parent, const char *name, mode_t mode, struct owner owner,
	      struct stat *attributes)
{
	int64_t now_ms = enter(hub);
	struct node *directory = find(hub, parent), *node;
	int error = directory ? directory_mknod(&hub->account, directory, name, mode, now_ms, &node)
			      : -ENOENT;
	if (!error) {
		node->uid = owner.uid;
		node->gid = owner.gid;
		look_up(node, attributes);
	}
	leave(hub, now_ms);
	return error;
}

int hub_mkdir(struct hub *hub, uint64_t parent, const char *name, struct owner owner,
	      struct stat *attributes)
{
	int64_t now_ms = enter(hub);
	struct node *directory = find(hub, parent), *node;
	int error = directory ? directory_mkdir(&hub->account, directory, name, &node) : -ENOENT;
	if (!error) {
		node->uid = owner.uid;
		node->gid = owner.gid;
		look_up(node, attributes);
	}
	leave(hub, now_ms);
	return error;
}

void hub_forget(struct hub *hub, uint64_t ino, uint64_t lookups)
{
	int64_t now_ms = enter(hub);
	struct node *node = find(hub, ino);
	if (node) {
		tree_forget(&hub->account.tree, node, lookups);
	}
	leave(hub, now_ms);
}

int hub_get_attributes(struct hub *hub, uint64_t ino, struct stat *attributes)
{
	int64_t now_ms = enter(hub);
	const struct node *node = find(hub, ino);
	if (node) {
		node_attributes(node, attributes);
	}
	leave(hub, now_ms);
	return node ? 0 : -ENOENT;
}

int hub_set_attributes(struct hub *hub, uint64_t ino, struct handle *handle,
		       const struct changes *changes, struct stat *attributes)
{
	int64_t now_ms = enter(hub);
	struct node *node = find(hub, ino);
	int error = node ? 0 : -ENOENT;
	if (!error && changes->size) {
		error = file_truncate(&hub->account, node, handle,
				      (uint64_t)changes->values.st_size, now_ms);
	}
	if (!error) {
		node_change(node, changes);
		node_attributes(node, attributes);
	}
	leave(hub, now_ms);
	return error;
}

int hub_rmdir(struct hub *hub, uint64_t parent, const char *name)
{
	int64_t now_ms = enter(hub);
	struct node *directory = find(hub, parent);
	int error = directory ? directory_rmdir(&hub->account, directory, name, now_ms) : -ENOENT;
	leave(hub, now_ms);
	return error;
}

int hub_unlink(struct hub *hub, uint64_t parent, const char *name)
{
	int64_t now_ms = enter(hub);
	struct node *directory = find(hub, parent);
	int error = directory ? directory_unlink(&hub->account, directory, name, now_ms) : -ENOENT;
	leave(hub, now_ms);
	return error;
}

int hub_list(struct hub *hub, uint64_t ino, struct listing **listing)
{
	int64_t now_ms = enter(hub);
	const struct node *node = find(hub, ino);
	*listing = node ? listing_create(node) : NULL;
	leave(hub, now_ms);
	return *listing ? 0 : node ? -ENOMEM : -ENOENT;
}

ssize_t hub_get_attribute(struct hub *hub, uint64_t ino, const char *name, char *value)
{
	int64_t now_ms = enter(hub);
	const struct node *node = find(hub, ino);
	ssize_t length = node ? attribute_get(&hub->account, node, name, value) : -ENOENT;
	leave(hub, now_ms);
	return length;
}

ssize_t hub_list_attributes(struct hub *hub, uint64_t ino, char *names)
{
	int64_t now_ms = enter(hub);
	const struct node *node = find(hub, ino);
	ssize_t length = node ? attribute_list(node, names) : -ENOENT;
	leave(hub, now_ms);
	return length;
}

int hub_set_attribute(struct hub *hub, uint64_t ino, const char *name, const char *value,
		      size_t length)
{
	int64_t now_ms = enter(hub);
	struct node *node = find(hub, ino);
	int error = node ? attribute_set(node, name, value, length) : -ENOENT;
	leave(hub, now_ms);
	return error;
}

int hub_remove_attribute(struct hub *hub, uint64_t ino, const char *name)
{
	int64_t now_ms = enter(hub);
	struct node *node = find(hub, ino);
	int error = node ? attribute_remove(node, name) : -ENOENT;
	leave(hub, now_ms);
	return error;
}

void hub_open(struct hub *hub, uint64_t ino, int flags, const char *sid, struct request *request)
{
	int64_t now_ms = enter(hub);
	struct node *node = find(hub, ino);
	if (node) {
		file_open(&hub->account, node, flags, sid, &request->op, now_ms);
	} else {
		op_complete(&request->op, -ENOENT, &hub->account.ibb.effects.done);
	}
	leave_with(hub, request, now_ms);
}

void hub_read(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = enter(hub);
	file_read(&hub->account, handle, &request->op, now_ms);
	leave_with(hub, request, now_ms);
}

void hub_write(struct hub *hub, struct handle *handle, struct request *request, const void *bytes,
	       uint64_t offset)
{
	int64_t now_ms = enter(hub);
	file_write(&hub->account, handle, &request->op, bytes, offset, now_ms);
	leave_with(hub, request, now_ms);
}

void hub_flush(struct hub *hub, struct handle *handle, struct request *request, bool killed)
{
	int64_t now_ms = enter(hub);
	file_flush(&hub->account, handle, &request->op, killed, now_ms);
	leave_with(hub, request, now_ms);
}

short hub_poll(struct hub *hub, struct handle *handle, struct request *request)
{
	int64_t now_ms = enter(hub);
	short now = file_poll(&hub->account, handle, request ? &request->op : NULL);
	leave(hub, now_ms);
	return now;
}

void hub_release(struct hub *hub, struct handle *handle)
{
	int64_t now_ms = enter(hub);
	file_release(&hub->account, handle, now_ms);
	leave(hub, now_ms);
}

bool hub_collects(struct hub *hub, struct handle *handle, bool begin)
{
	int64_t now_ms = enter(hub);
	if (begin) {
		file_begin(&hub->account, handle, now_ms);
	}
	bool collects = collected_is(handle);
	leave(hub, now_ms);
	return collects;
}

bool hub_is_left(struct hub *hub, struct handle *handle)
{
	enter(hub);
	bool left = collected_is_left(handle);
	pthread_mutex_unlock(&hub->mutex);
	return left;
}

int hub_collected(struct hub *hub, struct handle *handle, uint64_t size)
{
	int64_t now_ms = enter(hub);
	int error = collected_resize(handle, size);
	leave(hub, now_ms);
	return error;
}

uint64_t hub_offer(struct hub *hub, struct handle *handle, struct request *request, uint64_t size,
		   const struct digest *md5)
{
	int64_t now_ms = enter(hub);
	uint64_t number = collected_offer(&hub->account, handle, &request->op, size, md5, now_ms);
	leave_with(hub, request, now_ms);
	return number;
}

uint64_t hub_leave(struct hub *hub, struct handle *handle, uint64_t size, const struct digest *md5)
{
	int64_t now_ms = enter(hub);
	uint64_t number = collected_leave(&hub->account, handle, size, md5, now_ms);
	leave(hub, now_ms);
	return number;
}

/* The three of a pump are not for signals: there is nobody who could be sent one. */
void hub_wait_to_send(struct hub *hub, uint64_t number, struct request *request)
{
	int64_t now_ms = enter(hub);
	collected_wait(&hub->account, number, &request->op);
	leave(hub, now_ms);
}

void hub_send_piece(struct hub *hub, uint64_t number, struct request *request, const void *bytes)
{
	int64_t now_ms = enter(hub);
	collected_send(&hub->account, number, &request->op, bytes, now_ms);
	leave(hub, now_ms);
}

void hub_end_sending(struct hub *hub, uint64_t number, int error)
{
	int64_t now_ms = enter(hub);
	collected_end(&hub->account, number, error, now_ms);
	leave(hub, now_ms);
}

void hub_refuse(struct hub *hub, uint64_t ino)
{
	int64_t now_ms = enter(hub);
	kept_refuse(&hub->account, ino, now_ms);
	leave(hub, now_ms);
}

void hub_begin_keeping(struct hub *hub, uint64_t ino, const char *path, struct request *request)
{
	int64_t now_ms = enter(hub);
	kept_begin(&hub->account, ino, path, &request->op, now_ms);
	leave(hub, now_ms);
}

void hub_keep_more(struct hub *hub, uint64_t ino, struct request *request)
{
	int64_t now_ms = enter(hub);
	kept_read(&hub->account, ino, &request->op);
	leave(hub, now_ms);
}

int hub_end_keeping(struct hub *hub, uint64_t ino, const char *path, int error)
{
	int64_t now_ms = enter(hub);
	int result = kept_end(&hub->account, ino, path, error, now_ms);
	leave(hub, now_ms);
	return result;
}

int hub_restore(struct hub *hub, const char *contact, const char *name, uint64_t size,
		const struct timespec *modified)
{
	int64_t now_ms = enter(hub);
	int error = kept_restore(&hub->account, contact, name, size, modified);
	leave(hub, now_ms);
	return error;
}

int hub_kept(struct hub *hub, const struct handle *handle, char *path, size_t size, int *fd)
{
	enter(hub);
	int length = kept_path(handle, path, size);
	*fd = handle->kept_fd;
	pthread_mutex_unlock(&hub->mutex);
	return length;
}

void hub_set_kept(struct hub *hub, struct handle *handle, int fd)
{
	enter(hub);
	handle->kept_fd = fd;
	pthread_mutex_unlock(&hub->mutex);
}

int hub_finished(struct hub *hub, uint64_t parent, const char *name, char *path, size_t size)
{
	enter(hub);
	const struct node *directory = find(hub, parent);
	int length = directory ? kept_finished(directory, name, path, size) : -ENOENT;
	pthread_mutex_unlock(&hub->mutex);
	return length;
}

int hub_path(struct hub *hub, const struct handle *handle, char *path, size_t size)
{
	enter(hub);
	int length = node_path(handle->node, path, size);
	pthread_mutex_unlock(&hub->mutex);
	return length;
}

void hub_interrupt(struct hub *hub, uint64_t token)
{
	int64_t now_ms = enter(hub);
	struct request *request;
	HASH_FIND(hh, hub->parked, &token, sizeof(token), request);
	if (request) {
		op_interrupt(&request->op, &hub->account.ibb.effects.done);
	}
	leave(hub, now_ms);
}
