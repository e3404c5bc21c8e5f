/* SPDX-License-Identifier: MIT */
/*
 * keepalive - when to ping the server, and when to give it up.
 *
 * Pings are sent after 1, 2, 4 ... 60 s without other traffic. A server that has sent nothing for
 * 20 s after a ping is lost; after a sleep of the machine, one that has sent nothing for 5 s.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 * Source:  XEP-0199.
 */
#ifndef XMPP_KEEPALIVE_H
#define XMPP_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

struct keepalive {
	int64_t ping_ms;     /* when the next ping is due */
	int64_t interval_ms; /* between the last ping and the next */
	int64_t pinged_ms;   /* when the first unanswered ping was sent; -1: there is none */
	int64_t silence_ms;  /* after which the server is lost */
};

/* A connection begins. */
void keepalive_begin(struct keepalive *keepalive, int64_t now_ms);

/* There was traffic other than a ping or its answer: the intervals begin anew. */
void keepalive_traffic(struct keepalive *keepalive, int64_t now_ms);

/* The server has sent something. */
void keepalive_input(struct keepalive *keepalive);

/* The machine has slept, and the connection may be gone: a ping is due. */
void keepalive_doubt(struct keepalive *keepalive, int64_t now_ms);

/* Whether a ping is due; then it counts as sent. */
bool keepalive_take_ping(struct keepalive *keepalive, int64_t now_ms);

/* Whether the server is lost. */
bool keepalive_is_lost(const struct keepalive *keepalive, int64_t now_ms);

/* When one of the last two may become true. */
int64_t keepalive_next_ms(const struct keepalive *keepalive);

#endif
