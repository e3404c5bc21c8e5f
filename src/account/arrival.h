/* SPDX-License-Identifier: MIT */
/*
 * arrival - a name in in/ for each stream or offer of a peer, which goes to the inbox or to
 * readers.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_ARRIVAL_H
#define ACCOUNT_ARRIVAL_H

#include "account/account.h"

/*
 * Whether a file that is about to be opened has a NAME.part in the inbox (open->pieces: its sender
 * can skip what is there). ARRIVAL_LATER: another stream receives it, whose sender seems to be
 * gone; that is being found out, or the stream is being ended.
 */
enum arrival_part {
	ARRIVAL_NEW,
	ARRIVAL_PART,
	ARRIVAL_LATER,
};
enum arrival_part arrival_find_part(struct account *account, const struct msg *open,
				    int64_t now_ms);

/* A stream that a peer has opened. It is released when memory is short. */
void arrival_add_stream(struct account *account, struct stream *stream, int64_t now_ms);

/* Likewise, a file that a peer offers. */
void arrival_add_offer(struct account *account, struct offer *offer, int64_t now_ms);

#endif
