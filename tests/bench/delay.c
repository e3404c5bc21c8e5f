/* SPDX-License-Identifier: MIT */
/*
 * delay - a TCP relay on loopback that delays every byte by a fixed time.
 *
 *     delay SERVER_PORT MILLISECONDS      prints the port it listens on, and serves until killed
 *
 * Each direction of each connection keeps its order and has no limit of bandwidth: each byte is
 * written that many milliseconds after it was read. It reads at once, so TCP acknowledges at once
 * and only the delay is simulated. All bytes in flight are in memory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)
#define EVENTS	   64

struct chunk {
	struct chunk *next;
	int64_t due_ns;
	size_t length; /* 0: the end */
	size_t at;
	char data[];
};

/* A socket, and the bytes in flight to it. */
struct end {
	int fd;
	struct end *other;
	struct chunk *first, **last;
	bool sees_end; /* nothing more will be read from it */
	bool ended;    /* nothing more will be written to it */
};

struct relay {
	int epoll, listener, timer;
	int server_port;
	int64_t delay_ns;
	struct end *ends[256]; /* by fd */
};

static void die(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void watch(struct relay *r, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event)) {
		die("epoll_ctl");
	}
}

static struct end *end_create(struct relay *r, int fd)
{
	if (fd < 0 || fd >= (int)(sizeof(r->ends) / sizeof(r->ends[0]))) {
		die("too many connections");
	}
	struct end *end = calloc(1, sizeof(*end));
	if (!end || fcntl(fd, F_SETFL, O_NONBLOCK) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int))) {
		die("new connection");
	}
	end->fd = fd;
	end->last = &end->first;
	r->ends[fd] = end;
	/* Edge-triggered: only a full socket that has room again is reported. */
	watch(r, fd, EPOLLIN | EPOLLOUT | EPOLLET);
	return end;
}

static void accept_connection(struct relay *r)
{
	int client = accept(r->listener, NULL, NULL);
	if (client < 0) {
		return;
	}
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)r->server_port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address))) {
		close(client);
		close(server);
		return;
	}
	struct end *near = end_create(r, client), *far = end_create(r, server);
	near->other = far;
	far->other = near;
}

static void end_add(struct end *end, const char *data, size_t length, int64_t due_ns)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + length);
	if (!chunk) {
		die("memory");
	}
	*chunk = (struct chunk){.due_ns = due_ns, .length = length};
	if (length > 0) {
		memcpy(chunk->data, data, length);
	}
	*end->last = chunk;
	end->last = &chunk->next;
}

static void read_end(struct relay *r, struct end *end)
{
	static char data[READ_BYTES];
	while (!end->sees_end) {
		setsockopt(end->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
		ssize_t got = read(end->fd, data, sizeof(data));
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		end->sees_end = got <= 0;
		end_add(end->other, data, got > 0 ? (size_t)got : 0, now_ns() + r->delay_ns);
	}
}

static void drop_first(struct end *end)
{
	struct chunk *chunk = end->first;
	end->first = chunk->next;
	if (!end->first) {
		end->last = &end->first;
	}
	free(chunk);
}

/* Writes what is due. */
static void write_end(struct end *end, int64_t now)
{
	while (end->first && end->first->due_ns <= now) {
		struct chunk *chunk = end->first;
		if (chunk->length == 0) {
			shutdown(end->fd, SHUT_WR);
			end->ended = true;
		} else if (!end->ended) {
			ssize_t put = send(end->fd, chunk->data + chunk->at,
					   chunk->length - chunk->at, MSG_NOSIGNAL);
			if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
				return; /* EPOLLOUT will tell */
			}
			if (put < 0) {
				end->ended = true;
			} else if ((chunk->at += (size_t)put) < chunk->length) {
				continue;
			}
		}
		drop_first(end);
	}
}

static void pair_destroy(struct relay *r, struct end *end)
{
	struct end *both[] = {end, end->other};
	for (int i = 0; i < 2; i++) {
		while (both[i]->first) {
			drop_first(both[i]);
		}
		r->ends[both[i]->fd] = NULL;
		close(both[i]->fd);
		free(both[i]);
	}
}

/* Writes all bytes that are due, and sets the timer to the next ones. */
static void write_due(struct relay *r)
{
	int64_t now = now_ns(), next = 0;
	for (size_t fd = 0; fd < sizeof(r->ends) / sizeof(r->ends[0]); fd++) {
		struct end *end = r->ends[fd];
		if (!end) {
			continue;
		}
		write_end(end, now);
		if (end->ended && end->other->ended) {
			pair_destroy(r, end);
		} else if (end->first && end->first->due_ns > now &&
			   (next == 0 || end->first->due_ns < next)) {
			next = end->first->due_ns;
		}
	}
	struct itimerspec when = {
		.it_value = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}};
	timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void serve(struct relay *r)
{
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(r->epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == r->listener) {
				accept_connection(r);
			} else if (fd == r->timer) {
				uint64_t times;
				if (read(fd, &times, sizeof(times)) < 0 && errno != EAGAIN) {
					die("timer");
				}
			} else if (r->ends[fd]) {
				read_end(r, r->ends[fd]);
			}
		}
		write_due(r);
	}
}

int main(int argc, char **argv)
{
	static struct relay r;
	int delay_ms;
	if (argc != 3 || (r.server_port = atoi(argv[1])) <= 0 || (delay_ms = atoi(argv[2])) < 0) {
		fputs("usage: delay SERVER_PORT MILLISECONDS\n", stderr);
		return 2;
	}
	r.delay_ns = (int64_t)delay_ms * 1000000;
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	r.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	r.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);
	if (r.epoll < 0 || r.timer < 0 || r.listener < 0 ||
	    bind(r.listener, (struct sockaddr *)&address, length) || listen(r.listener, 64) ||
	    getsockname(r.listener, (struct sockaddr *)&address, &length)) {
		die("cannot listen");
	}
	watch(&r, r.listener, EPOLLIN);
	watch(&r, r.timer, EPOLLIN);
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	serve(&r);
}
