/* SPDX-License-Identifier: MIT */
/*
 * jingle_reason - the errno for each reason with which a Jingle session ends, and the reason for
 * each errno.
 *
 * Threads: pure functions.
 * Source:  XEP-0166 section 7.4.
 */
#ifndef OFFER_JINGLE_REASON_H
#define OFFER_JINGLE_REASON_H

#include "ibb/metadata.h"

#include <stdbool.h>

/* The error (negative) of an offer whose session the peer has ended. `accepted`: after the offer
 * was accepted. */
int jingle_reason_error(enum jingle_reason reason, bool accepted);

/* The reason with which we end the session of an accepted offer that has failed with `error`. */
enum jingle_reason jingle_reason_of(int error);

#endif
