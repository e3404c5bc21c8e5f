/* SPDX-License-Identifier: MIT */
/*
 * ibb_internal - what ibb.c, dispatch.c, answer.c and registry.c need of each other.
 *
 * Threads: none; the caller serialises.
 */
#ifndef IBB_IBB_INTERNAL_H
#define IBB_IBB_INTERNAL_H

#include "ibb/ibb.h"

/* ---- registry.c: the table of an account's streams ---- */

/* The stream with that peer (full JID) and sid, or NULL. */
struct stream *ibb_find(const struct ibb *ibb, const char *peer, const char *sid);

/* Whether that is short enough for a key. */
bool ibb_can_find(const char *peer, const char *sid);

/* Of a stream that is gone: what was answered to its <close/>. False: nothing is known. */
bool ibb_find_verdict(struct ibb *ibb, const char *peer, const char *sid,
		      enum condition *condition);

/* A new stream, which ibb_find does not find yet. NULL: *error is -ENOMEM. */
struct stream *ibb_add(struct ibb *ibb, const char *sid, int *error);

/* Its peer is known: ibb_find finds it now. -EINVAL (the key is too long), -ENOMEM. */
int ibb_add_key(struct ibb *ibb, struct stream *stream);

/* Removes and frees a stream that nobody owns. */
void ibb_remove(struct ibb *ibb, struct stream *stream);

/* After each call that may have lost its session, while we are connected: another one takes its
 * place (stream_reopen). */
void ibb_reopen(struct ibb *ibb, struct stream *stream, int64_t now_ms);

/* After each call that may have ended the stream: then ibb_find does not find it any more, and it
 * is freed unless somebody owns it. */
void ibb_settle(struct ibb *ibb, struct stream *stream);

/* ---- answer.c ---- */

/* MSG_RESULT, MSG_ERROR or MSG_BOUNCE. */
void ibb_receive_answer(struct ibb *ibb, const struct msg *answer, int64_t now_us);

#endif
