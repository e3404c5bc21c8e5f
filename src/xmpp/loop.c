/* SPDX-License-Identifier: MIT */
#include "xmpp/loop.h"

#include "clock.h"
#include "xmpp/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How often session_run is called while libstrophe connects: its timers run only there. */
#define POLL_MS 200

/* The time from loop_stop to the end of the stream; half of it is for unsent stanzas. libstrophe
 * waits 2 s for that end, and then closes the connection rudely. */
#define STOP_MS 1800

#define WATCH_MS 500  /* how often another thread checks a connection that is being made */
#define BREAK_MS 2000 /* how long libstrophe may take to notice that the socket was shut down */

static void write_wakeup(struct loop *loop)
{
	ssize_t written = write(loop->wakeup, &(uint64_t){1}, sizeof(uint64_t));
	(void)written; /* EAGAIN: it is readable anyway */
}

/* ---- one connection ---- */

static void break_connection(struct loop *loop, int64_t now)
{
	if (loop->break_ms < 0) {
		loop->break_ms = now;
	}
	socket_shutdown(&loop->session->socket);
}

/* loop_stop was called: sends the stanzas that are queued, then the end of the stream. */
static void check_stop(struct loop *loop, bool drained, int64_t now)
{
	struct session *session = loop->session;

	if (loop->leave_ms < 0) {
		loop->leave_ms = now;
	}
	if (session->state < SESSION_PRESENT || now - loop->leave_ms > STOP_MS) {
		break_connection(loop, now);
	} else if (session_is_open(session) &&
		   ((drained && xmpp_conn_send_queue_len(session->conn) == 0) ||
		    now - loop->leave_ms > STOP_MS / 2)) {
		session_leave(session);
	}
}

static void check_login(struct loop *loop, int64_t now)
{
	if (loop->session->has_input) {
		atomic_store(&loop->silence_deadline_ms, INT64_MAX);
	}
	if (now >= atomic_load(&loop->silence_deadline_ms)) {
		break_connection(loop, now);
	}
	/* After a parse error libstrophe would wait for the server to hang up. */
	if (now >= atomic_load(&loop->deadline_ms) || loop->session->cause.kind == CAUSE_NOT_XMPP) {
		break_connection(loop, now);
	}
}

/* Sets the cause of a time limit, whether loop_watch or check_login shut the socket down. */
static void explain_timeout(struct loop *loop)
{
	char text[64];

	loop->no_answer = clock_now_ms() >= atomic_load(&loop->silence_deadline_ms);
	if (loop->no_answer) {
		cause_set(&loop->session->cause, CAUSE_TIMEOUT, "no answer");
	} else if (clock_now_ms() >= atomic_load(&loop->deadline_ms)) {
		snprintf(text, sizeof(text), "no answer within %lld s",
			 (long long)loop->session->config->connect_timeout_ms / 1000);
		cause_set(&loop->session->cause, CAUSE_TIMEOUT, text);
	}
}

bool loop_take_slept(struct loop *loop)
{
	bool slept = loop->slept;

	loop->slept = false;
	return slept;
}

static void check_keepalive(struct loop *loop, int64_t now)
{
	struct session *session = loop->session;

	if (session->has_traffic) {
		session->has_traffic = false;
		keepalive_traffic(&loop->keepalive, now);
	}
	if (session->has_input) {
		session->has_input = false;
		keepalive_input(&loop->keepalive);
	}
	if (loop_take_slept(loop)) {
		keepalive_doubt(&loop->keepalive, now);
	}
	if (keepalive_take_ping(&loop->keepalive, now)) {
		session_ping(session, SESSION_ID_PING);
	}
	if (keepalive_is_lost(&loop->keepalive, now)) {
		cause_set(&session->cause, CAUSE_TIMEOUT, "the server is silent");
		break_connection(loop, now);
	}
}

/* Does everything that is due. Returns the time until something is due again. */
static int64_t check(struct loop *loop, bool drained)
{
	struct session *session = loop->session;
	int64_t now = clock_now_ms();

	if (session->was_online) {
		atomic_store(&loop->deadline_ms, INT64_MAX);
	}
	atomic_store(&loop->open, session_is_open(session));
	if (atomic_load(&loop->stopping)) {
		check_stop(loop, drained, now);
	} else {
		check_login(loop, now);
	}
	if (session->state >= SESSION_ROSTER && session->state != SESSION_LEAVING) {
		check_keepalive(loop, now);
	}
	if (session->state != SESSION_ONLINE || atomic_load(&loop->stopping) ||
	    loop->break_ms >= 0) {
		return POLL_MS;
	}
	int64_t next = keepalive_next_ms(&loop->keepalive);
	return next > now ? next - now : 0;
}

bool loop_sleep(struct loop *loop, int64_t timeout_ms)
{
	struct epoll_event events[3];
	uint64_t count;
	bool woken = false;

	int number = epoll_wait(loop->epoll, events, 3, (int)timeout_ms);
	for (int i = 0; i < number; i++) {
		if (events[i].data.ptr == loop) {
			ssize_t got = read(loop->wakeup, &count, sizeof(count));
			(void)got;
			woken = true;
		} else if (events[i].data.ptr == &loop->sleep_watch) {
			loop->slept = sleep_watch_take(&loop->sleep_watch) || loop->slept;
		}
	}
	return woken;
}

/* What was read since the last sleep tells how many bytes the next one is for. */
static void coalesce(struct loop *loop)
{
	struct session *session = loop->session;
	size_t bytes = session->reader.received;

	session->reader.received = 0;
	if (session->has_other) {
		session->has_other = false;
		coalescing_interrupt(&loop->coalescing);
	} else if (loop->waited_us >= COALESCING_US && bytes < loop->low_water) {
		coalescing_late(&loop->coalescing, bytes);
	} else if (loop->waited_us >= 0 && bytes > 0) {
		coalescing_read(&loop->coalescing, bytes, loop->waited_us);
	}
	size_t low_water = session->reader.is_ready ? coalescing_low_water(&loop->coalescing) : 1;
	if (low_water != loop->low_water) {
		loop->low_water = low_water;
		socket_set_low_water(&session->socket, low_water);
	}
}

/* All is written and read: sleeps until the socket is ready, or there is something else to do. */
static void wait_for_bytes(struct loop *loop, int64_t timeout_ms)
{
	coalesce(loop);
	if (loop->low_water > 1 && timeout_ms > COALESCING_MS) {
		timeout_ms = COALESCING_MS;
	}
	int64_t began_us = clock_now_us();
	bool woken = loop_sleep(loop, timeout_ms);
	loop->waited_us = woken ? -1 : clock_now_us() - began_us;
}

/* Runs a connection until it ends. */
static void serve(struct loop *loop)
{
	struct session *session = loop->session;

	while (session->state != SESSION_OFF) {
		bool drained = exchange_run(session, loop->break_ms < 0 ? &loop->stopping : NULL);
		if (session->state == SESSION_OFF) {
			break;
		}
		int queued = xmpp_conn_send_queue_len(session->conn);
		int64_t timeout_ms = check(loop, drained);
		if (xmpp_conn_send_queue_len(session->conn) > queued) {
			drained = false;
		}
		if (loop->break_ms >= 0 && clock_now_ms() - loop->break_ms > BREAK_MS) {
			break;
		}
		/*
		 * A stanza that is queued after exchange_send_pending() found none must not be
		 * missed:
		 *
		 *     this thread                      the sender
		 *     asleep = true                    queues it where `next` finds it
		 *     exchange_send_pending() again    loop_wake: asleep? then write
		 *     epoll_wait
		 *
		 * However the two interleave, one of them sees what the other did.
		 */
		if (drained && session_is_open(session) && !session_is_full(session)) {
			atomic_store(&loop->asleep, true);
			if (exchange_send_pending(session)) {
				drained = false;
			}
		}
		if (drained) {
			wait_for_bytes(loop, timeout_ms);
		} else {
			loop_sleep(loop, 0);
		}
		atomic_store(&loop->asleep, false);
	}
}

void loop_run(struct loop *loop, const struct connection *connection)
{
	struct session *session = loop->session;
	int64_t now = clock_now_ms();

	session->has_input = false;
	atomic_store(&loop->silence_deadline_ms, connection->silence_ms == INT64_MAX
							 ? INT64_MAX
							 : now + connection->silence_ms);

	loop->break_ms = -1;
	keepalive_begin(&loop->keepalive, now);
	coalescing_begin(&loop->coalescing);
	loop->low_water = 1;
	loop->waited_us = -1;
	loop->no_answer = false;
	if (session_connect(session, connection) < 0) {
		return;
	}
	if (socket_watch(&session->socket, loop->epoll) < 0) {
		cause_set(&session->cause, CAUSE_INTERNAL, "epoll_ctl");
		break_connection(loop, now);
	}
	serve(loop);
	atomic_store(&loop->open, false);
	if (session->was_online) {
		atomic_store(&loop->deadline_ms, INT64_MAX);
	}
	explain_timeout(loop);
}

/* ---- from other threads ---- */

void loop_wake(struct loop *loop)
{
	/* The plain load comes first: while the thread is busy, nothing else is needed. */
	if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false)) {
		write_wakeup(loop);
	}
}

int64_t loop_watch(struct loop *loop, int64_t now)
{
	int64_t deadline_ms = atomic_load(&loop->deadline_ms);

	if (now >= deadline_ms || now >= atomic_load(&loop->silence_deadline_ms)) {
		socket_shutdown(&loop->session->socket);
	}
	/* While the session connects, silence_deadline_ms may be set at any time. */
	return deadline_ms == INT64_MAX ? INT64_MAX : now + WATCH_MS;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	/* Either this thread sees that the stream is not up, or the XMPP thread sees that it should
	 * stop. */
	if (!atomic_load(&loop->open)) {
		socket_refuse(&loop->session->socket);
	}
	write_wakeup(loop);
}

/* ---- life ---- */

int loop_init(struct loop *loop, struct session *session)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};
	struct epoll_event slept = {.events = EPOLLIN, .data.ptr = &loop->sleep_watch};

	*loop = (struct loop){.session = session, .leave_ms = -1, .break_ms = -1};
	atomic_init(&loop->deadline_ms, INT64_MAX);
	atomic_init(&loop->silence_deadline_ms, INT64_MAX);
	sleep_watch_init(&loop->sleep_watch);
	loop->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wakeup < 0 || loop->epoll < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wakeup, &event) < 0) {
		int error = -errno;
		loop_finish(loop);
		return error;
	}
	/* If this fails, a sleep of the machine is not noticed. */
	epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->sleep_watch.fd, &slept);
	return 0;
}

void loop_finish(struct loop *loop)
{
	if (loop->wakeup >= 0) {
		close(loop->wakeup);
	}
	if (loop->epoll >= 0) {
		close(loop->epoll);
	}
	sleep_watch_finish(&loop->sleep_watch);
	loop->wakeup = loop->epoll = -1;
}
