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
	FORMAT_AUTO, /* by the features of the peer */
	FORMAT_RAW,
	FORMAT_SI,
	FORMAT_JINGLE,
};

/* The value of user.ibb.format; static. */
const char *format_name(enum format format);

/* -EINVAL: there is no such format. */
int format_from_name(const char *name, enum format *format);

/* The features for `format`: a peer needs one of them. */
unsigned format_features(enum format format);

/* The format for a peer with these features, never FORMAT_AUTO. FORMAT_AUTO becomes a bytestream
 * for another ibbfs; else Jingle, if that does not crash the peer, else SI, else a bytestream, also
 * for a peer that does not answer service discovery. -EPROTONOSUPPORT: the peer has told its
 * features, and none fits. */
int format_choose(enum format wanted, unsigned features, enum format *format);

/* For FORMAT_SI and FORMAT_JINGLE. */
enum offer_format format_offer(enum format format);

#endif
