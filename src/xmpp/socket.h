/* SPDX-License-Identifier: MIT */
/*
 * socket - a duplicate descriptor of libstrophe's socket.
 *
 * libstrophe closes its descriptor without notice, and then the kernel may reuse the number. So
 * this program waits for the socket, asks about it and shuts it down by a duplicate that only this
 * file closes.
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
 * Takes `fd` over: a socket that has connected, or tried to. socket_adopt will put it in the place
 * of libstrophe's next socket. libstrophe still calls connect(2) then, and must get 0. On Linux the
 * first call after the handshake returns 0, and the second EISCONN. So the caller must learn the
 * result of its attempt from SO_ERROR, not from a call of connect(2).
 */
void socket_offer(struct socket *socket, int fd);

/*
 * Puts the offered socket in the place of `fd`, a new socket of libstrophe's, duplicates it and
 * sets its options. After an error libstrophe must not use `fd`. -EADDRNOTAVAIL: no socket was
 * offered. -EMFILE: the number is too big for select, which libstrophe uses. -ECANCELED:
 * socket_refuse was called. Or -errno of dup2 and fcntl.
 */
int socket_adopt(struct socket *socket, int fd);

/* Makes `epoll` report the socket's events, edge-triggered, with `socket` as data. -errno of
 * epoll_ctl. */
int socket_watch(struct socket *socket, int epoll);

/* The events of poll(2): POLLIN, POLLOUT, POLLHUP, POLLERR; 0 without a socket. */
short socket_poll(const struct socket *socket);

/* The number of bytes that can be read; 0 without a socket. */
size_t socket_waiting(const struct socket *socket);

/* Makes the kernel acknowledge without delay (TCP_QUICKACK). The kernel may switch that off again:
 * call this after every read. */
void socket_acknowledge(const struct socket *socket);

/* Makes epoll report input only when so many bytes can be read (SO_RCVLOWAT). If the kernel
 * refuses, it reports it at once. */
void socket_set_low_water(const struct socket *socket, size_t bytes);

/* Closes the duplicate, and a socket that was offered. */
void socket_drop(struct socket *socket);

/* Ends every wait on the socket, and its use; nothing without a socket. Any thread. */
void socket_shutdown(struct socket *socket);

/* socket_shutdown, for good: no other socket will be adopted. Any thread. */
void socket_refuse(struct socket *socket);

#endif
