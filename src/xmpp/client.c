/* SPDX-License-Identifier: MIT */
#include "xmpp/client.h"

#include "clock.h"
#include "xmpp/connector.h"
#include "xmpp/handlers.h"
#include "xmpp/loop.h"
#include "xmpp/session.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FIRST_MS       200 /* a connection that broke may be made again at once */
#define BACKOFF_MS     1000
#define BACKOFF_MAX_MS 10000 /* streams wait meanwhile; a minute must hold some attempts */

struct client {
	struct client_config config;
	struct client_events events;
	struct session session;
	struct loop loop;
	pthread_t thread;
	bool started;
};

/* ---- where to connect ---- */

static bool check_trust(struct client *client)
{
	const char *paths[] = {client->config.cafile, client->config.capath};

	if (client->config.tls == CLIENT_TLS_OFF) {
		return true;
	}
	for (size_t i = 0; i < 2; i++) {
		if (paths[i] != NULL && access(paths[i], R_OK) < 0) {
			char reason[128], detail[256];

			if (strerror_r(errno, reason, sizeof(reason)) != 0) {
				reason[0] = '\0';
			}
			snprintf(detail, sizeof(detail), "%.100s: %s", paths[i], reason);
			cause_set(&client->session.cause, CAUSE_CA, detail);
			return false;
		}
	}
	return true;
}

/* Whether another address of the domain is worth an attempt. */
static bool may_go_on(const struct client *client)
{
	const struct session *session = &client->session;

	return session->state == SESSION_OFF && !session->logged_in &&
	       cause_is_of_place(&session->cause) && !atomic_load(&client->loop.stopping);
}

/* Uses the first connection on which the server lets us in, or tries all. */
static void try_all(struct client *client, struct connector *connector)
{
	struct session *session = &client->session;
	struct loop *loop = &client->loop;
	struct connection connection;
	struct cause first; /* of the failed targets, the preferred one's */
	size_t first_rank = SIZE_MAX;
	int error = 0;

	while (!atomic_load(&loop->stopping)) {
		error = connector_next(connector, loop->wakeup, atomic_load(&loop->deadline_ms),
				       &connection);
		if (error == -EINTR) {
			loop_sleep(loop, 0);
			continue;
		}
		if (error < 0) {
			break;
		}
		loop_run(loop, &connection);
		if (!may_go_on(client)) {
			return;
		}
		if (loop->no_answer) {
			connector_postpone(connector);
		}
		if (connection.rank < first_rank) {
			first = session->cause;
			first_rank = connection.rank;
		}
	}
	size_t rank = connector_explain(connector, &session->cause);
	if (first_rank <= rank) {
		session->cause = first;
	}
}

static void connect_and_serve(struct client *client)
{
	const struct client_config *config = &client->config;
	struct session *session = &client->session;

	cause_reset(&session->cause, session->domain);
	if (!check_trust(client)) {
		return;
	}
	struct connector *connector =
		connector_create(session->domain, config->host, config->port, config->tls);
	if (connector == NULL) {
		cause_set_errno(&session->cause, CAUSE_INTERNAL, ENOMEM);
		return;
	}
	try_all(client, connector);
	connector_destroy(connector);
}

/* ---- the thread ---- */

/* `delay_ms`, plus or minus a quarter: the clients of a server that was restarted should not all
 * connect at once. */
static int64_t with_jitter(int64_t delay_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
		return delay_ms;
	}
	return delay_ms - delay_ms / 4 + random % (delay_ms / 2);
}

/* Whether the server ends the streams of clients that it has let in, perhaps again and again. A
 * line that breaks does not show that. */
static bool is_unwelcome(const struct client *client, int64_t began_ms, int64_t delay_ms)
{
	enum cause_kind kind = client->session.cause.kind;

	return (kind == CAUSE_STREAM || kind == CAUSE_CLOSED) &&
	       clock_now_ms() - began_ms < delay_ms;
}

/* Waits until then, or until the machine has slept: there may be a network now. */
static void pause_until(struct loop *loop, int64_t until_ms)
{
	while (!atomic_load(&loop->stopping) && !loop_take_slept(loop)) {
		int64_t left_ms = until_ms - clock_now_ms();
		if (left_ms <= 0) {
			break;
		}
		loop_sleep(loop, left_ms);
	}
}

static void *run(void *argument)
{
	struct client *client = argument;
	struct session *session = &client->session;
	struct loop *loop = &client->loop;
	int64_t timeout_ms = client->config.connect_timeout_ms;
	int64_t delay_ms = FIRST_MS;
	bool was_online = false;

	for (;;) {
		int64_t began_ms = clock_now_ms();
		atomic_store(&loop->deadline_ms, began_ms + timeout_ms);
		connect_and_serve(client);
		if (atomic_load(&loop->stopping)) {
			break;
		}
		if (atomic_load(&loop->deadline_ms) == INT64_MAX) {
			was_online = true;
			delay_ms = is_unwelcome(client, began_ms, delay_ms) ? delay_ms : FIRST_MS;
		}
		/* A session that is not OFF cannot be connected again. */
		bool final = !was_online || cause_is_final(&session->cause) ||
			     session->state != SESSION_OFF;
		int64_t retry_ms = clock_now_ms() + with_jitter(delay_ms);
		delay_ms = delay_ms < BACKOFF_MS	   ? BACKOFF_MS
			   : delay_ms * 2 < BACKOFF_MAX_MS ? delay_ms * 2
							   : BACKOFF_MAX_MS;
		/* Before the event: its receiver asks client_watch when to watch the next attempt.
		 */
		atomic_store(&loop->deadline_ms, final ? INT64_MAX : retry_ms + timeout_ms);
		client->events.offline(client->events.context, cause_line(&session->cause), final,
				       retry_ms);
		if (final) {
			break;
		}
		pause_until(loop, retry_ms);
	}
	return NULL;
}

int client_start(struct client *client)
{
	sigset_t all, before;

	atomic_store(&client->loop.deadline_ms, clock_now_ms() + client->config.connect_timeout_ms);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&client->thread, NULL, run, client);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	client->started = error == 0;
	return -error;
}

void client_wake(struct client *client)
{
	loop_wake(&client->loop);
}

int64_t client_watch(struct client *client, int64_t now_ms)
{
	return loop_watch(&client->loop, now_ms);
}

void client_stop(struct client *client)
{
	if (client->started) {
		loop_stop(&client->loop);
		pthread_join(client->thread, NULL);
		client->started = false;
	}
}

/* ---- life ---- */

static pthread_once_t initialized = PTHREAD_ONCE_INIT;

struct client *client_create(const struct client_config *config, const struct client_events *events)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		return NULL;
	}
	pthread_once(&initialized, xmpp_initialize);
	client->config = *config;
	client->events = *events;
	if (session_init(&client->session, &client->config, &client->events) < 0) {
		free(client);
		return NULL;
	}
	handlers_add(&client->session);
	if (loop_init(&client->loop, &client->session) < 0) {
		session_finish(&client->session);
		free(client);
		return NULL;
	}
	client->config.password = NULL; /* libstrophe has a copy; wiped by session_finish */
	return client;
}

void client_destroy(struct client *client)
{
	if (client == NULL) {
		return;
	}
	session_finish(&client->session);
	loop_finish(&client->loop);
	free(client);
}
