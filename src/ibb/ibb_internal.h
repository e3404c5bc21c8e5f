/* SPDX-License-Identifier: MIT */
/*
 * ibb_internal - registry.c: which streams of an account there are, for ibb.c (the user's side, and
 * what happens to many) and dispatch.c (what comes in).
 *
 * Threads: none; the caller serialises.
 */
#ifndef IBB_IBB_INTERNAL_H
#define IBB_IBB_INTERNAL_H

#include "ibb/ibb.h"

/* The stream that the wire knows by that, or NULL. */
struct stream *ibb_find(const struct ibb *ibb, const char *peer, const char *sid);

/* Whether ibb_find can find a stream by that: the key is not too long. */
bool ibb_can_find(const char *peer, const char *sid);

/* A new stream, which the wire does not know yet. NULL: *error is -ENOMEM. */
struct stream *ibb_add(struct ibb *ibb, const char *sid, int *error);

/* Its peer is known now: lets ibb_find find it. -EINVAL for a key that is too long, -ENOMEM. */
int ibb_add_key(struct ibb *ibb, struct stream *stream);

/* Nobody holds it. */
void ibb_remove(struct ibb *ibb, struct stream *stream);

/* After every call that may have ended the stream: the wire cannot find it any more, and it goes
 * if nobody holds it. */
void ibb_settle(struct ibb *ibb, struct stream *stream);

#endif
