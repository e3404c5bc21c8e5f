/* SPDX-License-Identifier: MIT */
/*
 * socket - our own hold on the socket that libstrophe makes.
 *
 * libstrophe closes its descriptor without a word and the number is soon somebody else's, so what
 * waits for the socket, asks about it or shuts it down uses a duplicate that only we close.
 *
 * Errors:  0 or -errno.
 * Threads: the XMPP thread; socket_shutdown and socket_refuse from any thread.
 * Source:  socket(7), tcp(7).
 */
#ifndef XMPP_SOCKET_H
#define XMPP_SOCKET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct socket {
	pthread_mutex_t mutex; /* `fd` as seen by other threads, `refused` */
	int fd;		       /* the duplicate, or -1 */
	int offered;	       /* see socket_offer; -1: none. The XMPP thread's */
	bool refused;
};

/* -errno of pthread_mutex_init. */
int socket_init(struct socket *socket);
void socket_finish(struct socket *socket);

/*
 * Takes `fd` over: a socket that has connected, or tried to. socket_adopt will put it where the
 * next socket of libstrophe's is, which then finds itself connected. libstrophe still calls
 * connect(2). So nobody may have called it to learn how the attempt ended (SO_ERROR tells, too): on
 * Linux the first call after the handshake returns 0, and EISCONN only those after it.
 */
void socket_offer(struct socket *socket, int fd);

/*
 * Takes hold of a new socket of libstrophe's, and sets its options. -EADDRNOTAVAIL: none was
 * offered for it; -EMFILE: the number is too big for select, which libstrophe uses; -ECANCELED
 * after socket_refuse; -errno of dup2 and fcntl. Then libstrophe must be told not to use the
 * socket.
 */
int socket_adopt(struct socket *socket, int fd);

/* Makes `epoll` report its changes (edges), with `socket` as data. -errno of epoll_ctl. */
int socket_watch(struct socket *socket, int epoll);

/* What poll(2) says now: POLLIN, POLLOUT, POLLHUP, POLLERR; 0 without a socket. */
short socket_poll(const struct socket *socket);

/* Bytes that wait to be read; 0 without a socket. */
size_t socket_waiting(const struct socket *socket);

/* Acknowledges what came in at once. Lasts until the kernel thinks otherwise: call it after every
 * read. */
void socket_acknowledge(const struct socket *socket);

/* Gives the socket up. */
void socket_drop(struct socket *socket);

/* Ends every wait on the socket, and its use; nothing without a socket. Any thread. */
void socket_shutdown(struct socket *socket);

/* socket_shutdown, for good: no other socket will be adopted. Any thread. */
void socket_refuse(struct socket *socket);

#endif
