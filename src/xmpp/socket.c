/* SPDX-License-Identifier: MIT */
#include "xmpp/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that vanished is noticed within a minute, whether we are sending (user timeout) or not
 * (keepalive). */
#define KEEPALIVE_IDLE_S     30
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_COUNT	     3
#define USER_TIMEOUT_MS	     30000

/* What TCP cannot send yet waits in the core, where streams take turns, and acknowledgements and
 * other stanzas overtake blocks. This much keeps TCP busy while the thread wakes up. */
#define UNSENT_BYTES (128 * 1024)

int socket_init(struct socket *socket)
{
	socket->fd = -1;
	socket->offered = -1;
	socket->refused = false;
	return -pthread_mutex_init(&socket->mutex, NULL);
}

void socket_finish(struct socket *socket)
{
	socket_drop(socket);
	pthread_mutex_destroy(&socket->mutex);
}

/* The connection works without these as well: errors do not matter. */
static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
	}
}

static void drop_offer(struct socket *socket)
{
	if (socket->offered >= 0) {
		close(socket->offered);
		socket->offered = -1;
	}
}

void socket_offer(struct socket *socket, int fd)
{
	drop_offer(socket);
	socket->offered = fd;
}

int socket_adopt(struct socket *socket, int fd)
{
	if (fd >= FD_SETSIZE) {
		return -EMFILE;
	}
	if (socket->offered < 0) {
		return -EADDRNOTAVAIL;
	}
	int put = dup2(socket->offered, fd) < 0 ? -errno : 0;
	drop_offer(socket);
	if (put < 0) {
		return put;
	}
	/* libfuse runs fusermount3. */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		return -errno;
	}
	set_options(copy);

	pthread_mutex_lock(&socket->mutex);
	bool refused = socket->refused;
	if (!refused) {
		socket->fd = copy;
	}
	pthread_mutex_unlock(&socket->mutex);
	if (refused) {
		close(copy);
		return -ECANCELED;
	}
	return 0;
}

int socket_watch(struct socket *socket, int epoll)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
		.data.ptr = socket,
	};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, socket->fd, &event) < 0 ? -errno : 0;
}

short socket_poll(const struct socket *socket)
{
	struct pollfd poll_fd = {.fd = socket->fd, .events = POLLIN | POLLOUT};

	return poll(&poll_fd, 1, 0) > 0 ? poll_fd.revents : 0;
}

size_t socket_waiting(const struct socket *socket)
{
	int length = 0;

	return socket->fd >= 0 && ioctl(socket->fd, FIONREAD, &length) == 0 ? (size_t)length : 0;
}

void socket_acknowledge(const struct socket *socket)
{
	if (socket->fd >= 0) {
		setsockopt(socket->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
	}
}

void socket_set_low_water(const struct socket *socket, size_t bytes)
{
	if (socket->fd >= 0) {
		int value = (int)bytes;
		setsockopt(socket->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
	}
}

void socket_drop(struct socket *socket)
{
	drop_offer(socket);
	pthread_mutex_lock(&socket->mutex);
	int fd = socket->fd;
	socket->fd = -1;
	pthread_mutex_unlock(&socket->mutex);
	if (fd >= 0) {
		/* libstrophe has closed its own: this also takes it out of the epoll set. */
		close(fd);
	}
}

void socket_shutdown(struct socket *socket)
{
	pthread_mutex_lock(&socket->mutex);
	if (socket->fd >= 0) {
		shutdown(socket->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&socket->mutex);
}

void socket_refuse(struct socket *socket)
{
	pthread_mutex_lock(&socket->mutex);
	socket->refused = true;
	if (socket->fd >= 0) {
		shutdown(socket->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&socket->mutex);
}
