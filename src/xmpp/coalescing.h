/* SPDX-License-Identifier: MIT */
/*
 * coalescing - how many bytes must have come before the thread wakes up to read them.
 *
 * A server writes each stanza as soon as it can. While many come, to wake up for each costs more
 * than the stanza itself, and each answer that is written alone costs the server as much. So the
 * thread lets some come first, for COALESCING_MS at most, like a network card that coalesces
 * interrupts. What was read together is answered together.
 *
 * But a peer may wait for the answers: it sends only as much as fits its window. So no more is
 * waited for than half of what is known to come without an answer, and that is found by probes:
 *
 *     bytes per read    22K ... 22K | 44K, in time | 88K, in time | 88K ... | 176K, too late | 88K
 *                      nothing known|    probe     |    probe     |         |     probe      |
 *
 * The next probe comes later after each that was too late, so that all of them together cost a peer
 * with a small window little. Between probes, a read that is too late may be the pause of a busy
 * server. Only several of them say that the peer sends less.
 *
 * Nothing is waited for after a stanza that is no long block and no answer, as somebody may wait
 * for what follows: the next file, or the other side of a dialogue.
 *
 * Units:   bytes of what the stream carries, us.
 * Threads: none; the caller serialises.
 * Source:  socket(7), SO_RCVLOWAT.
 */
#ifndef XMPP_COALESCING_H
#define XMPP_COALESCING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that bytes wait for others. */
#define COALESCING_MS 4
#define COALESCING_US (COALESCING_MS * INT64_C(1000))

struct coalescing {
	size_t depth;	     /* bytes that are known to come without an answer; 0: nothing is */
	size_t probe;	     /* what the thread waits for, to know more; 0: no probe */
	unsigned hold;	     /* reads until the next probe */
	unsigned hold_limit; /* `hold` after a probe that is too late is twice that */
	int reads_in_time;   /* with this `depth`; each that is too late counts as two fewer */
	bool is_idle;	     /* nothing came in time: the next bytes are read at once */
};

/* A connection begins. */
void coalescing_begin(struct coalescing *coalescing);

/* A stanza that is no long block and no answer came, or was sent. */
void coalescing_interrupt(struct coalescing *coalescing);

/* The thread has waited for bytes for `waited_us`, and read them. */
void coalescing_read(struct coalescing *coalescing, size_t bytes, int64_t waited_us);

/* The thread has waited for COALESCING_MS: fewer bytes came than coalescing_low_water(). */
void coalescing_late(struct coalescing *coalescing, size_t bytes);

/* The thread sleeps until so many bytes have come. 1: as long as it likes. */
size_t coalescing_low_water(const struct coalescing *coalescing);

#endif
