/* SPDX-License-Identifier: MIT */
/*
 * wire - our own hold on the socket that libstrophe makes.
 *
 * libstrophe closes its descriptor without a word and the number is soon somebody else's, so what
 * waits for the socket, asks about it or shuts it down uses a duplicate that only we close.
 *
 * Errors:  0 or -errno.
 * Threads: the XMPP thread; wire_shutdown and wire_refuse from any thread.
 * Source:  socket(7), tcp(7).
 */
#ifndef XMPP_SOCKET_H
#define XMPP_SOCKET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct wire {
	pthread_mutex_t mutex; /* `fd` as seen by other threads, `refused` */
	int fd;		       /* the duplicate, or -1 */
	int offered;	       /* see wire_offer; -1: none. The XMPP thread's */
	bool refused;
};

/* -errno of pthread_mutex_init. */
int wire_init(struct wire *wire);
void wire_finish(struct wire *wire);

/*
 * Takes `fd` over: a socket that has connected, or tried to. wire_adopt will put it where the next
 * socket of libstrophe's is, which then finds itself connected. libstrophe still calls connect(2).
 * So nobody may have called it to learn how the attempt ended (SO_ERROR tells, too): on Linux the
 * first call after the handshake returns 0, and EISCONN only those after it.
 */
void wire_offer(struct wire *wire, int fd);

/*
 * Takes hold of a new socket of libstrophe's, and sets its options. -EADDRNOTAVAIL: none was
 * offered for it; -EMFILE: the number is too big for select, which libstrophe uses; -ECANCELED
 * after wire_refuse; -errno of dup2 and fcntl. Then libstrophe must be told not to use the socket.
 */
int wire_adopt(struct wire *wire, int fd);

/* Makes `epoll` report its changes (edges), with `wire` as data. -errno of epoll_ctl. */
int wire_watch(struct wire *wire, int epoll);

/* What poll(2) says now: POLLIN, POLLOUT, POLLHUP, POLLERR; 0 without a socket. */
short wire_poll(const struct wire *wire);

/* Bytes that wait to be read; 0 without a socket. */
size_t wire_waiting(const struct wire *wire);

/* Acknowledges what came in at once. Lasts until the kernel thinks otherwise: call it after every
 * read. */
void wire_acknowledge(const struct wire *wire);

/* Gives the socket up. */
void wire_drop(struct wire *wire);

/* Ends every wait on the socket, and its use; nothing without a socket. Any thread. */
void wire_shutdown(struct wire *wire);

/* wire_shutdown, for good: no other socket will be adopted. Any thread. */
void wire_refuse(struct wire *wire);

#endif
