/* SPDX-License-Identifier: MIT */
/*
 * responder - the end of the pump that receives: acknowledges everything, checks every byte and
 * every seq, and sends a byte back for each that comes on the ping stream.
 *
 * Errors:  every deviation ends the program.
 * Threads: responder_run() is the body of a thread; its counters may be read once the thread is
 *          joined.
 */
#ifndef BENCH_RESPONDER_H
#define BENCH_RESPONDER_H

#include "connection.h"
#include "ring.h"

#include <stdint.h>

#define NS_IBB	    "http://jabber.org/protocol/ibb"
#define SID_PREFIX  "5e1f0ad9b7c34e6683d20f7c91b5" /* a sid as long as others': four digits more */
#define SID_DIGITS  4
#define PING_STREAM 0xfffeU
#define END_STREAM  0xffffU /* its <close/> ends the responder */

struct responder {
	struct connection connection;
	const struct ring *ring;
	const char *peer; /* full JID */
	size_t streams;
	uint32_t *next_block; /* of each stream */
	char *store;	      /* the text of all blocks, in the order sent; or NULL */
	size_t store_blocks;
	size_t blocks; /* received */
	size_t pings;
};

/* Serves until the end stream is closed. */
void *responder_run(void *responder);

#endif
