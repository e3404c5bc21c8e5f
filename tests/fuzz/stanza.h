/* SPDX-License-Identifier: MIT */
/*
 * stanza - helpers of the fuzz targets of the codec: decoding any stanza, and the assertions about
 * the message.
 *
 * Threads: none.
 */
#ifndef STANZA_H
#define STANZA_H

#include "fuzz.h"
#include "xmpp/codec.h"

#include <stdbool.h>
#include <strophe.h>

/* Decodes the XML in `bytes`; `msg` borrows from the stanza, which is the caller's. NULL: it is no
 * XML, or nothing for the core. Checks that text in pieces makes no difference. */
xmpp_stanza_t *stanza_read(const uint8_t *bytes, size_t length, struct msg *msg);

/* The limits in codec.h, on which the core relies. stanza_read and stanza_send check them. */
void stanza_check(const struct msg *msg);

/* All but the peer. */
void stanza_check_equal(const struct msg *a, const struct msg *b);
void stanza_check_metadata_equal(const struct metadata *a, const struct metadata *b);

/* Sends `msg`; `again` is the message of its recipient. The stanza that it borrows from is the
 * caller's. */
xmpp_stanza_t *stanza_send(const struct msg *msg, struct msg *again);

/* Sends `msg`, which its recipient must decode to the same. */
void stanza_check_sent(const struct msg *msg);

bool stanza_is_request(enum msg_kind kind);

#endif
