/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* res_nquery, EAI_NODATA */

#include "xmpp/lookup.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Enough for the resolver's modules (nsswitch.conf). The default is 8 MiB for each thread. */
#define STACK_BYTES ((size_t)512 * 1024)

struct lookup {
	atomic_int users; /* the starter and the thread */
	atomic_bool done;
	int fd;	    /* eventfd */
	int family; /* AF_UNSPEC: SRV records */

	/* The thread's until `done`, then the starter's. */
	int error;
	const char *reason;
	struct addrinfo *list;
	unsigned char *answer;
	size_t length;

	char name[];
};

static atomic_int living;

/* ---- the thread ---- */

static int query(struct __res_state *state, struct lookup *lookup)
{
	int length = res_nquery(state, lookup->name, ns_c_in, ns_t_srv, lookup->answer, NS_MAXMSG);

	lookup->length = length > 0 ? (size_t)length : 0;
	return length > 0 ? 0 : state->res_h_errno;
}

static bool is_truncated_to_nothing(const struct lookup *lookup)
{
	ns_msg message;

	return ns_initparse(lookup->answer, (int)lookup->length, &message) == 0 &&
	       ns_msg_getflag(message, ns_f_tc) && ns_msg_count(message, ns_s_an) == 0;
}

static void ask_srv(struct lookup *lookup)
{
	struct __res_state state = {0};

	lookup->answer = malloc(NS_MAXMSG);
	if (lookup->answer == NULL || res_ninit(&state) < 0) {
		lookup->error = -EAGAIN;
		lookup->reason = "out of memory";
		return;
	}
	/* A truncated answer has enough records to begin with. By TCP the resolver would wait for
	 * the rest without a time limit. */
	state.options |= RES_USE_EDNS0 | RES_IGNTC;
	int error = query(&state, lookup);
	if (error == 0 && is_truncated_to_nothing(lookup)) {
		state.options &= ~(unsigned long)RES_IGNTC;
		error = query(&state, lookup);
	}
	if (error != 0) {
		lookup->error = error == HOST_NOT_FOUND || error == NO_DATA ? -ENOENT : -EAGAIN;
		lookup->reason = hstrerror(error);
	}
	res_nclose(&state);
}

static void ask_addresses(struct lookup *lookup)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = lookup->family};
	int error = getaddrinfo(lookup->name, NULL, &hints, &lookup->list);

	if (error != 0) {
		bool unknown =
			error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY;
		lookup->list = NULL;
		lookup->error = unknown ? -ENOENT : -EAGAIN;
		lookup->reason = error == EAI_SYSTEM ? "no answer" : gai_strerror(error);
	}
}

static void drop(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->users, 1) > 1) {
		return;
	}
	if (lookup->list != NULL) {
		freeaddrinfo(lookup->list);
	}
	free(lookup->answer);
	close(lookup->fd);
	free(lookup);
}

static void *run(void *argument)
{
	struct lookup *lookup = argument;

	if (lookup->family == AF_UNSPEC) {
		ask_srv(lookup);
	} else {
		ask_addresses(lookup);
	}
	atomic_store(&lookup->done, true);
	ssize_t written = write(lookup->fd, &(uint64_t){1}, sizeof(uint64_t));
	(void)written; /* a counter of 1 always fits */
	drop(lookup);
	atomic_fetch_sub(&living, 1);
	return NULL;
}

/* -errno of pthread_create. Signals are for the main thread. */
static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	int error = pthread_attr_init(&attributes);
	if (error != 0) {
		return -error;
	}
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

static struct lookup *start(const char *name, int family)
{
	if (atomic_fetch_add(&living, 1) >= LOOKUP_MAX) {
		atomic_fetch_sub(&living, 1);
		return NULL;
	}
	struct lookup *lookup = calloc(1, sizeof(*lookup) + strlen(name) + 1);
	if (lookup != NULL) {
		atomic_init(&lookup->users, 2);
		lookup->family = family;
		lookup->reason = "";
		strcpy(lookup->name, name);
		lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (lookup->fd >= 0 && start_thread(lookup) == 0) {
			return lookup;
		}
		if (lookup->fd >= 0) {
			close(lookup->fd);
		}
		free(lookup);
	}
	atomic_fetch_sub(&living, 1);
	return NULL;
}

/* ---- the starter ---- */

struct lookup *lookup_srv(const char *name)
{
	return start(name, AF_UNSPEC);
}

struct lookup *lookup_addresses(const char *host, int family)
{
	return start(host, family);
}

int lookup_fd(const struct lookup *lookup)
{
	return lookup->fd;
}

bool lookup_is_done(const struct lookup *lookup)
{
	return atomic_load(&lookup->done);
}

int lookup_error(const struct lookup *lookup)
{
	return lookup->error;
}

const char *lookup_reason(const struct lookup *lookup)
{
	return lookup->reason;
}

const unsigned char *lookup_answer(const struct lookup *lookup, size_t *length)
{
	*length = lookup->length;
	return lookup->answer;
}

const struct addrinfo *lookup_list(const struct lookup *lookup)
{
	return lookup->list;
}

void lookup_release(struct lookup *lookup)
{
	if (lookup != NULL) {
		drop(lookup);
	}
}
