/* SPDX-License-Identifier: MIT */
/*
 * loop - runs a session: what waits for the socket, for the core and for the clock.
 *
 * libstrophe is never left to wait: it is called until nothing moves any more, and then this
 * sleeps on its own epoll set.
 *
 * Units:   ms of the monotonic clock.
 * Errors:  0 or -errno; why a connection ended is in session->cause.
 * Threads: the XMPP thread; loop_wake, loop_watch and loop_stop from any thread.
 * Source:  XEP-0199 (pings); expat's reparse deferral (see loop.c).
 */
#ifndef XMPP_LOOP_H
#define XMPP_LOOP_H

#include "xmpp/session.h"

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
	_Atomic int64_t answer_ms;   /* of the first answer; INT64_MAX once it is there */

	/* The XMPP thread's. */
	int64_t leave_ms;   /* when loop_stop was noticed; -1: not yet */
	int64_t break_ms;   /* when the socket was shut down; -1: not yet */
	int64_t ping_ms;    /* when to ping next */
	int64_t pause_ms;   /* between the last ping and the next */
	int64_t silence_ms; /* since when nothing has come; -1: no ping is out */
	bool mute;	    /* the last connection ended as there was no answer */
};

/* `session` must outlive the loop. -errno of eventfd and epoll. */
int loop_init(struct loop *loop, struct session *session);
void loop_finish(struct loop *loop);

/*
 * Logs in (see session_connect) and returns when the connection has ended, or is not online at
 * deadline_ms, or was ended by loop_stop. The session is OFF then, unless libstrophe does not take
 * note that its socket was shut down. A server that has said nothing at `answer_ms` is given up,
 * too: loop->mute says so.
 */
void loop_run(struct loop *loop, const struct connection *connection, int64_t answer_ms);

/* Waits without a connection; loop_stop and loop_wake end it. */
void loop_sleep(struct loop *loop, int64_t timeout_ms);

/* There may be something to be sent. */
void loop_wake(struct loop *loop);

/* See client_watch. */
int64_t loop_watch(struct loop *loop, int64_t now_ms);

/* Makes loop_run return soon: in order if the stream is up. No other connection will be made. */
void loop_stop(struct loop *loop);

int64_t loop_now_ms(void);

#endif
