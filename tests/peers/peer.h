/* SPDX-License-Identifier: MIT */
/*
 * peer - the common part of the drivers of other clients: arguments, commands, events.
 *
 *     DRIVER HOST PORT CAFILE JID PASSWORD
 *
 * logs in as the full JID, over TLS that CAFILE vouches for, and obeys lines of standard input
 * until that ends:
 *
 *     send JID PATH    offer the file to a full JID
 *     accept FOLDER    accept what is offered, now and from now on, into FOLDER
 *     refuse           refuse it
 *     cancel           end the transfer that runs
 *
 * An offer waits until one of these is read. Each event is a line of standard output, at once:
 *
 *     ready JID              online
 *     offer JID SIZE NAME    a file is offered to us; SIZE is 0 or -1 if that is not said
 *     started                bytes may flow, either way
 *     received PATH          the whole file is there
 *     sent                   the other has everything
 *     refused                the other has refused ours
 *     cancelled              ended by our `cancel`
 *     failed WHY             ended otherwise
 *
 * There is one transfer at a time: of several, the latest.
 *
 * Errors:  the program ends with status 1 and a line on standard error.
 * Threads: one, the library's loop: it calls peer_read() when standard input can be read.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer_arguments {
	const char *host;
	int port;
	const char *cafile, *jid, *password;
};

/* The functions of the library. Strings are borrowed for the call. */
struct peer_library {
	void (*send)(const char *jid, const char *path);
	void (*accept)(const char *path); /* the offer that peer_offered() told of */
	void (*refuse)(void);
	void (*cancel)(void);
};

/* `library` must outlive the program. */
struct peer_arguments peer_start(int argc, char **argv, const struct peer_library *library);

/* Reads standard input once, and obeys. False at its end. */
bool peer_read(void);

/* Reports an offer, and decides on it if a command said how. */
void peer_offered(const char *jid, long long size, const char *name);

/* Reports an event: prints the line. */
void peer_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

void peer_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#ifdef __cplusplus
}
#endif

#endif
