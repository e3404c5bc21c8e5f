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

int wire_init(struct wire *wire)
{
	wire->fd = -1;
	wire->offered = -1;
	wire->refused = false;
	return -pthread_mutex_init(&wire->mutex, NULL);
}

void wire_finish(struct wire *wire)
{
	wire_drop(wire);
	pthread_mutex_destroy(&wire->mutex);
}

/* None of these is worth failing for. */
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
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
	}
}

static void drop_offer(struct wire *wire)
{
	if (wire->offered >= 0) {
		close(wire->offered);
		wire->offered = -1;
	}
}

void wire_offer(struct wire *wire, int fd)
{
	drop_offer(wire);
	wire->offered = fd;
}

int wire_adopt(struct wire *wire, int fd)
{
	if (fd >= FD_SETSIZE) {
		return -EMFILE;
	}
	if (wire->offered < 0) {
		return -EADDRNOTAVAIL;
	}
	int put = dup2(wire->offered, fd) < 0 ? -errno : 0;
	drop_offer(wire);
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

	pthread_mutex_lock(&wire->mutex);
	bool refused = wire->refused;
	if (!refused) {
		wire->fd = copy;
	}
	pthread_mutex_unlock(&wire->mutex);
	if (refused) {
		close(copy);
		return -ECANCELED;
	}
	return 0;
}

int wire_watch(struct wire *wire, int epoll)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
		.data.ptr = wire,
	};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, wire->fd, &event) < 0 ? -errno : 0;
}

short wire_poll(const struct wire *wire)
{
	struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN | POLLOUT};

	return poll(&poll_fd, 1, 0) > 0 ? poll_fd.revents : 0;
}

size_t wire_waiting(const struct wire *wire)
{
	int length = 0;

	return wire->fd >= 0 && ioctl(wire->fd, FIONREAD, &length) == 0 ? (size_t)length : 0;
}

void wire_acknowledge(const struct wire *wire)
{
	if (wire->fd >= 0) {
		setsockopt(wire->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
	}
}

void wire_drop(struct wire *wire)
{
	drop_offer(wire);
	pthread_mutex_lock(&wire->mutex);
	int fd = wire->fd;
	wire->fd = -1;
	pthread_mutex_unlock(&wire->mutex);
	if (fd >= 0) {
		/* libstrophe has closed its own: this also takes it out of the epoll set. */
		close(fd);
	}
}

void wire_shutdown(struct wire *wire)
{
	pthread_mutex_lock(&wire->mutex);
	if (wire->fd >= 0) {
		shutdown(wire->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&wire->mutex);
}

void wire_refuse(struct wire *wire)
{
	pthread_mutex_lock(&wire->mutex);
	wire->refused = true;
	if (wire->fd >= 0) {
		shutdown(wire->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&wire->mutex);
}
