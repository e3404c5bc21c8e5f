/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1

#include "mount/hub_internal.h"

#include "account/dispatch.h"
#include "account/file.h"
#include "account/handle.h"
#include "account/inbox_file.h"
#include "account/shutdown.h"
#include "account/status.h"
#include "account/timer.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>
#include <utlist.h>

/* Ids of two processes do not meet. */
static uint64_t any_number(void)
{
	uint32_t number = 0;
	ssize_t length = getrandom(&number, sizeof(number), 0);
	return length == (ssize_t)sizeof(number) ? number : 0;
}

struct hub *hub_create(const struct stream_config *config, unsigned max_streams, enum access accept,
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
	account_number_requests(&hub->account, any_number());
	pthread_mutex_init(&hub->mutex, NULL);
	pthread_cond_init(&hub->delivered, NULL);
	return hub;
}

struct handle *hub_take_orphans(struct hub *hub)
{
	hub_begin(hub);
	struct handle *orphans = hub->account.orphans;
	hub->account.orphans = NULL;
	hub_unlock(hub);
	return orphans;
}

void hub_destroy(struct hub *hub)
{
	if (hub) {
		account_finish(&hub->account);
		pthread_cond_destroy(&hub->delivered);
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

void hub_set_inbox(struct hub *hub, struct hub_inbox inbox)
{
	hub->inbox = inbox;
	hub->account.has_inbox = true;
	hub->account.inbox_syncs = inbox.syncs;
}

int hub_set_jid(struct hub *hub, const char *jid)
{
	char *copy = strdup(jid);
	if (!copy) {
		return -ENOMEM;
	}
	free(hub->account.jid);
	hub->account.jid = copy;
	return 0;
}

void hub_set_umask(struct hub *hub, mode_t mask)
{
	tree_set_umask(&hub->account.tree, mask);
}

void hub_set_presets(struct hub *hub, const struct preset *presets)
{
	hub->account.presets = presets;
}

/* ---- the five lines ---- */

int64_t hub_begin(struct hub *hub)
{
	pthread_mutex_lock(&hub->mutex);
	return clock_now_ms();
}

void hub_wake_main(struct hub *hub)
{
	uint64_t one = 1;
	if (write(hub->fd, &one, sizeof(one)) < 0) {
		return; /* it is full, so readable already */
	}
}

void hub_unlock(struct hub *hub)
{
	pthread_mutex_unlock(&hub->mutex);
}

/* The results of a call, delivered without the lock. */
struct outcome {
	struct op *done;
	struct inbox_arrival *arrivals;
	bool to_send, wakes_main;
};

static struct outcome take_outcome(struct hub *hub, int64_t now_ms)
{
	struct account *account = &hub->account;
	struct outcome outcome = {.done = dispatch_take_done(account, now_ms)};
	struct op *op;
	hub->delivering += outcome.done != NULL;
	DL_FOREACH (outcome.done, op) {
		struct request *request = (struct request *)op;
		if (op->result == HANDLE_IN_INBOX && request->parked) {
			continue; /* hub_disk_wait is next: a signal until then counts */
		}
		if (request->parked) {
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash */
			HASH_DEL(hub->parked, request);
			request->parked = false;
		}
	}
	outcome.arrivals = inbox_file_take_arrivals(account);
	outcome.to_send = account->online && ibb_has_next(&account->ibb);
	int64_t deadline_ms = timer_deadline(account);
	outcome.wakes_main = deadline_ms < hub->waits_until_ms;
	if (account->stopping && hub->waits_until_ms != INT64_MIN) {
		outcome.wakes_main = true; /* it may wait for the last stream */
	}
	unsigned streams = HASH_CNT(links.by_number, account->ibb.by_number);
	if (hub->watches_status && hub->waits_until_ms != INT64_MIN &&
	    streams != hub->known_streams) {
		outcome.wakes_main = true;
		hub->known_streams = streams;
	}
	if (outcome.wakes_main) {
		hub->waits_until_ms = deadline_ms;
	}
	return outcome;
}

void hub_end(struct hub *hub, int64_t now_ms)
{
	struct outcome outcome = take_outcome(hub, now_ms);
	hub_unlock(hub);

	if (outcome.to_send && hub->client) {
		client_wake(hub->client);
	}
	if (outcome.wakes_main) {
		hub_wake_main(hub);
	}
	while (outcome.arrivals) {
		struct inbox_arrival *arrival = outcome.arrivals;
		DL_DELETE(outcome.arrivals, arrival);
		hub->inbox.receive(hub->inbox.context, hub, arrival);
	}
	if (!outcome.done) {
		return;
	}
	while (outcome.done) {
		struct op *op = outcome.done;
		DL_DELETE(outcome.done, op);
		struct request *request = (struct request *)op;
		request->deliver(request);
	}
	pthread_mutex_lock(&hub->mutex);
	if (--hub->delivering == 0) {
		pthread_cond_broadcast(&hub->delivered);
	}
	pthread_mutex_unlock(&hub->mutex);
}

/* As hub_begin, for a call that frees handles which another thread may be about to answer with. */
static int64_t begin_alone(struct hub *hub)
{
	int64_t now_ms = hub_begin(hub);
	while (hub->delivering > 0) {
		pthread_cond_wait(&hub->delivered, &hub->mutex);
	}
	return now_ms;
}

void hub_end_with(struct hub *hub, struct request *request, int64_t now_ms)
{
	if (request->op.list && !request->parked) {
		HASH_ADD(hh, hub->parked, op.token, sizeof(request->op.token), request);
		request->parked = request->hh.tbl != NULL;
		if (!request->parked) {
			/* A request may be parked only if a signal can interrupt it. */
			file_interrupt(&hub->account, &request->op);
		}
	}
	hub_end(hub, now_ms);
}

/* ---- the main thread's loop ---- */

int hub_fd(const struct hub *hub)
{
	return hub->fd;
}

int64_t hub_begin_wait(struct hub *hub)
{
	uint64_t count;
	/* Before the deadline is read: a later wake-up is not lost. */
	if (read(hub->fd, &count, sizeof(count)) < 0) {
		count = 0;
	}
	hub_begin(hub);
	int64_t deadline_ms = timer_deadline(&hub->account);
	hub->waits_until_ms = deadline_ms;
	hub_unlock(hub);
	return deadline_ms;
}

void hub_tick(struct hub *hub)
{
	int64_t now_ms = hub_begin(hub);
	hub->waits_until_ms = INT64_MIN;
	timer_tick(&hub->account, now_ms);
	hub_end(hub, now_ms);
}

enum hub_state hub_get_state(struct hub *hub)
{
	hub_begin(hub);
	enum hub_state state = hub->state;
	hub_unlock(hub);
	return state;
}

char *hub_failure(struct hub *hub)
{
	hub_begin(hub);
	char *line = hub->failure ? strdup(hub->failure) : NULL;
	hub_unlock(hub);
	return line;
}

void hub_watch_status(struct hub *hub)
{
	hub->watches_status = true;
}

void hub_status_line(struct hub *hub, char *line, size_t size)
{
	hub_begin(hub);
	status_line(&hub->account, line, size);
	hub->known_streams = HASH_CNT(links.by_number, hub->account.ibb.by_number);
	hub_unlock(hub);
}

void hub_stop(struct hub *hub, bool unmounted)
{
	int64_t now_ms = begin_alone(hub);
	shutdown_begin(&hub->account, unmounted, now_ms);
	hub_end(hub, now_ms);
}

bool hub_is_drained(struct hub *hub)
{
	hub_begin(hub);
	bool drained = !hub->account.online || shutdown_is_complete(&hub->account);
	hub_unlock(hub);
	return drained;
}

void hub_abandon(struct hub *hub)
{
	int64_t now_ms = begin_alone(hub);
	hub->ended_heard = hub->abandoned ? hub->ended_heard : shutdown_is_heard(&hub->account);
	hub->abandoned = true;
	shutdown_abandon(&hub->account, now_ms);
	hub_end(hub, now_ms);
}

bool hub_has_ended(struct hub *hub)
{
	hub_begin(hub);
	bool ended = hub->abandoned;
	hub_unlock(hub);
	return ended;
}

char *hub_ended_as(struct hub *hub)
{
	hub_begin(hub);
	bool told = hub->ended_heard && ibb_verdicts_are_told(&hub->account.ibb);
	char *jid = told ? strdup(hub->account.jid) : NULL;
	hub_unlock(hub);
	return jid;
}
