/* SPDX-License-Identifier: MIT */
/*
 * loop - runs a session: waits for the socket, for stanzas to be sent and for the clock.
 *
 * libstrophe never waits. It is called until reading and writing would block; then the thread
 * sleeps on an epoll set of the loop.
 *
 * Units:   ms of the monotonic clock.
 * Errors:  0 or -errno; why a connection ended is in session->cause.
 * Threads: the XMPP thread; loop_wake, loop_watch and loop_stop from any thread.
 * Source:  epoll(7), eventfd(2).
 */
#ifndef XMPP_LOOP_H
#define XMPP_LOOP_H

#include "xmpp/coalescing.h"
#include "xmpp/keepalive.h"
#include "xmpp/session.h"
#include "xmpp/sleep_watch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct loop {
	struct session *session;
	int epoll;
	int wakeup; /* eventfd */

	atomic_bool asleep;	     /* or about to be: loop_wake must write to `wakeup` */
	atomic_bool stopping;	     /* loop_stop was called */
	atomic_bool open;	     /* the stream is up and can be ended in order */
	_Atomic int64_t deadline_ms; /* of connecting; INT64_MAX once online. The owner sets it */
	_Atomic int64_t silence_deadline_ms; /* for the first answer; INT64_MAX once it is there */

	/* The XMPP thread's. */
	int64_t leave_ms; /* when this thread noticed loop_stop; -1: not yet */
	int64_t break_ms; /* when this thread shut the socket down; -1: not yet */
	struct keepalive keepalive;
	struct coalescing coalescing;
	size_t low_water;  /* of the socket */
	int64_t waited_us; /* in the last sleep for bytes; -1: something else ended it */
	struct sleep_watch sleep_watch;
	bool slept;	/* the machine has slept, and loop_take_slept was not called since */
	bool no_answer; /* the last connection ended because the server had sent nothing */
};

/* `session` must outlive the loop. -errno of eventfd and epoll. */
int loop_init(struct loop *loop, struct session *session);
void loop_finish(struct loop *loop);

/*
 * Logs in (see session_connect). Returns when the connection has ended, or is not online at
 * deadline_ms, or was ended by loop_stop. The session is OFF then, unless libstrophe does not
 * notice that its socket was shut down. If the server has sent nothing for
 * connection->silence_ms, the connection is ended, too, and loop->no_answer is set.
 */
void loop_run(struct loop *loop, const struct connection *connection);

/* Waits, without a connection as well; input ends it, loop_stop and loop_wake do, and so does a
 * sleep of the machine. Whether loop_stop or loop_wake did. */
bool loop_sleep(struct loop *loop, int64_t timeout_ms);

/* Whether the machine has slept since the last call. */
bool loop_take_slept(struct loop *loop);

/* There may be something to be sent. */
void loop_wake(struct loop *loop);

/* See client_watch. */
int64_t loop_watch(struct loop *loop, int64_t now_ms);

/* Makes loop_run return soon: in order if the stream is up. No other connection will be made. */
void loop_stop(struct loop *loop);

#endif
