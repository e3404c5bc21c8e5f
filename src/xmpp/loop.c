/* SPDX-License-Identifier: MIT */
#include "xmpp/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* libstrophe's own timers run only inside session_run; it has some while it connects. */
#define POLL_MS 200

/* Rounds of libstrophe before we look at the clock and at loop_stop. */
#define MAX_ROUNDS 256

/* A read takes 4096 bytes of a TLS record, which holds up to 16384: of one that is larger, as many
 * more reads may find something that poll cannot see. A write takes one record, so a long stanza
 * needs more calls although the queue is empty and nothing blocks. */
#define READ_BYTES    4096
#define RECORD_BYTES  16384
#define RECORD_ROUNDS (RECORD_BYTES / READ_BYTES)

#define STOP_MS                                                                                  \
	1800 /* before libstrophe gives up by itself, rudely; for the end of the stream; half of \
		it for unsent stanzas */
#define WATCH_MS 500  /* between two looks of another thread at a connection that is being made */
#define BREAK_MS 2000 /* for libstrophe to notice that the socket was shut down */

/* Pings go out after 1, 2, 4 ... 60 s without a stanza. They find out a server that is gone; and
 * they bring out what expat holds back: with CVE-2023-52425 fixed, it does not look at the end of
 * a tag that arrived in pieces until more has come, how much depends on the length (libstrophe
 * cannot turn that off). What was held back for a second is a nuisance; without pings it would be
 * held back until the other side sends something, for which it may be waiting in vain. */
#define PING_MS	    1000
#define PING_MAX_MS 60000
#define SILENCE_MS  20000 /* after a ping, until the connection is given up */

int64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void write_wakeup(struct loop *loop)
{
	ssize_t written = write(loop->wakeup, &(uint64_t){1}, sizeof(uint64_t));
	(void)written; /* EAGAIN: it is readable anyway */
}

/* ---- one connection ---- */

/* Gives libstrophe what the core wants to send; whether there was something. */
static bool feed(struct loop *loop)
{
	struct session *session = loop->session;
	bool fed = false;

	while (session_is_open(session) && !session_is_full(session)) {
		struct msg *msg = loop->session->events->next(loop->session->events->context);
		if (msg == NULL) {
			break;
		}
		if (session_send(session, msg) < 0) {
			/* Everything after it would be out of order. */
			cause_set_errno(&session->cause, CAUSE_INTERNAL, ENOMEM);
			socket_shutdown(&session->socket);
		}
		msg_destroy(msg);
		fed = true;
	}
	if (session->write_buffer.length > 0 && !session_is_full(session)) {
		/* The core has no more. */
		session->now_ms = loop_now_ms();
		session_flush(session);
		fed = true;
	}
	session->moved = session->moved || fed;
	return fed;
}

/* How many calls in which nothing moves it takes to be sure that nothing will. */
static unsigned quiet_rounds(const struct session *session)
{
	return session->config->tls != CLIENT_TLS_OFF ? RECORD_ROUNDS : 1;
}

/* Parked reads get what has come, once nothing more comes; but they do not wait for ever. */
#define LULL_BUSY 32

static void tell_lull(struct session *session)
{
	if (session->received) {
		session->received = false;
		session->events->lull(session->events->context);
	}
}

/* What is known of calls to come. */
struct outlook {
	short events;	   /* what poll said last */
	unsigned sure;	   /* so many read something, whatever poll would say */
	unsigned patience; /* so many quiet ones may still bring stanzas that came together with the
			      last: those of a record that takes more than one read */
};

/* Each read takes READ_BYTES at most, in or out of its record. */
static void look(struct session *session, struct outlook *outlook)
{
	outlook->events = socket_poll(&session->socket);
	outlook->sure = 0;
	if ((outlook->events & POLLIN) != 0) {
		size_t waiting = socket_waiting(&session->socket);
		outlook->patience = waiting > READ_BYTES ? quiet_rounds(session) : 0;
		outlook->sure = (unsigned)(waiting / READ_BYTES);
	}
}

/* After a call; looks only when it has to, as that costs more than the call. */
static void look_again(struct session *session, struct outlook *outlook)
{
	bool reads = (outlook->events & POLLIN) != 0;
	if (outlook->sure > 1) {
		outlook->sure--;
		return;
	}
	if (reads) {
		socket_acknowledge(&session->socket);
	}
	look(session, outlook);
}

/* Reads and writes until both would block; false when there may be more. */
static bool pump(struct loop *loop)
{
	struct session *session = loop->session;
	struct outlook outlook = {0};
	unsigned quiet = 0;

	look(session, &outlook);
	for (int round = 0; round < MAX_ROUNDS; round++) {
		if (session->state < SESSION_PRESENT && loop->break_ms < 0 &&
		    atomic_load(&loop->stopping)) {
			return true; /* what comes next might be the TLS handshake */
		}
		if (feed(loop)) {
			quiet = 0;
		}
		session_run(session);
		if (session->state == SESSION_OFF) {
			return true;
		}
		look_again(session, &outlook);
		if ((outlook.events & (POLLIN | POLLHUP | POLLERR)) != 0) {
			session->heard = true;
			quiet = 0;
		} else if ((outlook.events & POLLOUT) != 0 &&
			   xmpp_conn_send_queue_len(session->conn) > 0) {
			quiet = 0;
		} else if (quiet++ >= quiet_rounds(session)) {
			/* If it is writing that would block, an edge will come. What came after the
			 * last look was read without being acknowledged. */
			socket_acknowledge(&session->socket);
			tell_lull(session);
			return true;
		} else if (quiet > outlook.patience) {
			tell_lull(session);
		}
		if (round % LULL_BUSY == LULL_BUSY - 1) {
			tell_lull(session);
		}
	}
	tell_lull(session);
	return false;
}

static void break_connection(struct loop *loop, int64_t now)
{
	if (loop->break_ms < 0) {
		loop->break_ms = now;
	}
	socket_shutdown(&loop->session->socket);
}

/* loop_stop was called: what is unsent leaves, then the end of the stream. */
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
	if (loop->session->heard) {
		atomic_store(&loop->answer_ms, INT64_MAX);
	}
	if (now >= atomic_load(&loop->answer_ms)) {
		break_connection(loop, now);
	}
	/* After a parse error libstrophe would wait for the server to hang up. */
	if (now >= atomic_load(&loop->deadline_ms) || loop->session->cause.kind == CAUSE_NOT_XMPP) {
		break_connection(loop, now);
	}
}

/* Whoever shut the socket down, loop_watch or check_login: this is why. */
static void explain_timeout(struct loop *loop)
{
	char text[64];

	loop->mute = loop_now_ms() >= atomic_load(&loop->answer_ms);
	if (loop->mute) {
		cause_set(&loop->session->cause, CAUSE_TIMEOUT, "no answer");
	} else if (loop_now_ms() >= atomic_load(&loop->deadline_ms)) {
		snprintf(text, sizeof(text), "no answer within %lld s",
			 (long long)loop->session->config->connect_timeout_ms / 1000);
		cause_set(&loop->session->cause, CAUSE_TIMEOUT, text);
	}
}

static void check_ping(struct loop *loop, int64_t now)
{
	struct session *session = loop->session;

	if (session->moved) {
		session->moved = false;
		loop->pause_ms = PING_MS;
		loop->ping_ms = now + loop->pause_ms;
	}
	if (session->heard) {
		session->heard = false;
		loop->silence_ms = -1;
	}
	if (now >= loop->ping_ms) {
		session_ping(session, SESSION_ID_PING);
		loop->pause_ms =
			loop->pause_ms * 2 < PING_MAX_MS ? loop->pause_ms * 2 : PING_MAX_MS;
		loop->ping_ms = now + loop->pause_ms;
		loop->silence_ms = loop->silence_ms < 0 ? now : loop->silence_ms;
	}
	if (loop->silence_ms >= 0 && now - loop->silence_ms >= SILENCE_MS) {
		cause_set(&session->cause, CAUSE_TIMEOUT, "the server is silent");
		break_connection(loop, now);
	}
}

/* Everything that depends on the clock. Returns how long nothing does. */
static int64_t check(struct loop *loop, bool drained)
{
	struct session *session = loop->session;
	int64_t now = loop_now_ms();

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
		check_ping(loop, now);
	}
	if (session->state != SESSION_ONLINE || atomic_load(&loop->stopping) ||
	    loop->break_ms >= 0) {
		return POLL_MS;
	}
	int64_t next = loop->ping_ms;
	if (loop->silence_ms >= 0 && loop->silence_ms + SILENCE_MS < next) {
		next = loop->silence_ms + SILENCE_MS;
	}
	return next > now ? next - now : 0;
}

/* Sleeps until the socket, loop_wake or loop_stop says something. */
void loop_sleep(struct loop *loop, int64_t timeout_ms)
{
	struct epoll_event events[2];
	uint64_t count;

	int number = epoll_wait(loop->epoll, events, 2, (int)timeout_ms);
	for (int i = 0; i < number; i++) {
		if (events[i].data.ptr == loop) {
			ssize_t got = read(loop->wakeup, &count, sizeof(count));
			(void)got;
		}
	}
}

/* Runs a connection until it ends. */
static void serve(struct loop *loop)
{
	struct session *session = loop->session;

	while (session->state != SESSION_OFF) {
		bool drained = pump(loop);
		if (session->state == SESSION_OFF) {
			break;
		}
		int queued = xmpp_conn_send_queue_len(session->conn);
		int64_t timeout_ms = check(loop, drained);
		if (xmpp_conn_send_queue_len(session->conn) > queued) {
			drained = false;
		}
		if (loop->break_ms >= 0 && loop_now_ms() - loop->break_ms > BREAK_MS) {
			break;
		}
		/*
		 * Nobody may be missed who had something to send after feed() saw nothing:
		 *
		 *     this thread                      the sender
		 *     asleep = true                    puts it where `next` finds it
		 *     feed() looks once more           loop_wake: asleep? then write
		 *     epoll_wait
		 *
		 * Whichever way they interleave, one sees what the other did.
		 */
		if (drained && session_is_open(session) && !session_is_full(session)) {
			atomic_store(&loop->asleep, true);
			if (feed(loop)) {
				drained = false;
			}
		}
		loop_sleep(loop, drained ? timeout_ms : 0);
		atomic_store(&loop->asleep, false);
	}
}

void loop_run(struct loop *loop, const struct connection *connection, int64_t answer_ms)
{
	struct session *session = loop->session;
	int64_t now = loop_now_ms();

	session->heard = false;
	atomic_store(&loop->answer_ms, answer_ms);

	loop->break_ms = -1;
	loop->silence_ms = -1;
	loop->pause_ms = PING_MS;
	loop->ping_ms = now + loop->pause_ms;
	loop->mute = false;
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
	/* The plain look first: while the thread is busy, it is all there is to do. */
	if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false)) {
		write_wakeup(loop);
	}
}

int64_t loop_watch(struct loop *loop, int64_t now)
{
	int64_t deadline_ms = atomic_load(&loop->deadline_ms);

	if (now >= deadline_ms || now >= atomic_load(&loop->answer_ms)) {
		socket_shutdown(&loop->session->socket);
	}
	/* While it connects, answer_ms may come to be at any time. */
	return deadline_ms == INT64_MAX ? INT64_MAX : now + WATCH_MS;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	/* Either this sees that the stream is not up, or the thread sees that it should stop. */
	if (!atomic_load(&loop->open)) {
		socket_refuse(&loop->session->socket);
	}
	write_wakeup(loop);
}

/* ---- life ---- */

int loop_init(struct loop *loop, struct session *session)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};

	*loop = (struct loop){.session = session, .leave_ms = -1, .break_ms = -1, .silence_ms = -1};
	atomic_init(&loop->deadline_ms, INT64_MAX);
	atomic_init(&loop->answer_ms, INT64_MAX);
	loop->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wakeup < 0 || loop->epoll < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wakeup, &event) < 0) {
		int error = -errno;
		loop_finish(loop);
		return error;
	}
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
	loop->wakeup = loop->epoll = -1;
}
