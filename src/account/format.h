/* SPDX-License-Identifier: MIT */
/*
 * format - how a file reaches a peer: as a bytestream at once, or as a file that is offered first.
 *
 * Threads: pure functions.
 * Source:  DESIGN section 4; XEP-0047, XEP-0096, XEP-0234.
 */
#ifndef ACCOUNT_FORMAT_H
#define ACCOUNT_FORMAT_H

#include "offer/offer.h"

enum format {
	FORMAT_AUTO, /* as the peer can */
	FORMAT_RAW,
	FORMAT_SI,
	FORMAT_JINGLE,
};

/* The value of user.ibb.format; static. */
const char *format_name(enum format format);

/* -EINVAL for what is none. */
int format_from_name(const char *name, enum format *format);

/* Features of which a peer needs one for `format`. */
unsigned format_features(enum format format);

/*
 * That in which a file goes to a peer with these features, never FORMAT_AUTO: `wanted`, or, for
 * FORMAT_AUTO, a bytestream to another ibbfs, else what is offered by Jingle if that does not crash
 * the peer, else by SI, else a bytestream; to one that does not say what it can as well.
 * -EPROTONOSUPPORT: it says that it can nothing of that.
 */
int format_choose(enum format wanted, unsigned features, enum format *format);

/* FORMAT_SI, FORMAT_JINGLE: how it is offered. */
enum offer_format format_offer(enum format format);

#endif
