/* SPDX-License-Identifier: MIT */
/*
 * codec - between stanzas and the core's messages.
 *
 * Decoding reads a libstrophe stanza. Encoding writes text, ready for xmpp_send_raw: building and
 * rendering a stanza tree would cost four to fourteen times as much.
 *
 * Units:   bytes.
 * Errors:  a stanza that is not ours is not decoded; a misshapen one becomes MSG_UNKNOWN with the
 *          condition that answers it. Nothing from the wire can make these functions fail.
 * Threads: the XMPP thread.
 * Source:  XEP-0047 sections 2.1 to 2.3, XEP-0030 section 3, XEP-0115 section 5, XEP-0199,
 *          XEP-0446 (the name in <open/>).
 */
#ifndef XMPP_CODEC_H
#define XMPP_CODEC_H

#include "ibb/msg.h"
#include "xmpp/element.h"
#include "xmpp/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <strophe.h>

struct codec {
	uint8_t *block;	       /* the data of the message last decoded; STREAM_MAX_BLOCK bytes */
	struct output output;  /* what was last encoded */
	struct joined *joined; /* texts of the message last decoded */
	char *features;	       /* the children of our own disco#info result, as XML */
	char *capabilities;    /* our <c/>, as XML */
	char *ver;	       /* the verification string in it */
};

/* -ENOMEM. */
int codec_init(struct codec *codec);
void codec_finish(struct codec *codec);

/*
 * Decodes `stanza`, an <iq/> or <message/>, into `msg`. False: it is nothing for the core (an iq
 * without id or of no known type; a message that is neither an error nor has <data/> with a sid).
 * A roster or session iq, which the caller has filtered, is decoded as MSG_UNKNOWN. What `msg`
 * points at is borrowed from `stanza` and `codec` until the next call with either.
 *
 * Block sizes outside 1 to 65535, sids that are missing, empty or longer than 1023 bytes and seq
 * values that are no number give MSG_UNKNOWN with CONDITION_BAD_REQUEST; so does an iq of the
 * wrong type. A disco#info request for a node that is not ours gives it with
 * CONDITION_ITEM_NOT_FOUND. seq is taken modulo 65536, since some clients go on counting. Base64
 * that is not canonical gives MSG_DATA with data NULL; so does a block of more than 65535 bytes,
 * and a <message/> whose seq is no number, since nothing can be answered to that.
 *
 * Every message of type error gives MSG_BOUNCE; servers may leave out what was sent, then sid is
 * NULL and only the id says which block it was.
 */
bool codec_decode(struct codec *codec, xmpp_stanza_t *stanza, struct msg *msg);

/* The stanza's text, NUL-terminated, valid until the next call, and its length; NULL when memory
 * is short. Every string in `msg` is escaped; it must be UTF-8 and hold no character that XML
 * cannot. Not for MSG_UNKNOWN and MSG_BOUNCE. */
const char *codec_encode(struct codec *codec, const struct msg *msg, size_t *length);

#endif
