/* SPDX-License-Identifier: MIT */
/*
 * codec - parses stanzas into the core's messages, and serialises messages as stanzas.
 *
 * Parsing reads the tree of a libstrophe stanza. Serialising writes text for xmpp_send_raw:
 * building and serialising a tree would cost four to fourteen times as much.
 *
 * Units:   bytes.
 * Errors:  a stanza that is not for the core is not decoded; a malformed one becomes MSG_UNKNOWN
 *          with the condition that answers it. Nothing from the wire can make these functions fail.
 * Threads: the XMPP thread.
 * Source:  XEP-0047 sections 2.1 to 2.3, XEP-0030 section 3, XEP-0115 section 5, XEP-0199,
 *          XEP-0446 (the name in <open/>), XEP-0095 and XEP-0096 (<si/>), XEP-0166, XEP-0234,
 *          XEP-0261 and XEP-0300 (<jingle/>).
 */
#ifndef XMPP_CODEC_H
#define XMPP_CODEC_H

#include "ibb/msg.h"
#include "xmpp/element.h"
#include "xmpp/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <strophe.h>

struct codec {
	uint8_t *block;		  /* the data of the message last decoded; STREAM_MAX_BLOCK bytes */
	struct writer writer;	  /* what was last encoded */
	struct joined *joined;	  /* texts of the message last decoded */
	struct metadata metadata; /* of the message last decoded */
	char *features;		  /* the children of our own disco#info result, as XML */
	char *capabilities;	  /* our <c/>, as XML */
	char *ver;		  /* the verification string in it */
	const char *jid;	  /* the caller's: our full JID, or NULL while there is none */
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
 * MSG_SI has a name, and METADATA_NO_SIZE only if it says no size; has_ibb says whether IBB is
 * among what is offered. MSG_UNKNOWN with CONDITION_BAD_REQUEST is one without a file's name, id or
 * profile; with another profile, and then with DETAIL_BAD_PROFILE; with a size that is no number up
 * to INT64_MAX. A MSG_RESULT has metadata if there is an <si/> in it; has_ibb says whether it is a
 * form that is submitted with IBB, and nothing else, as the stream method.
 *
 * MSG_JINGLE with an action that we do not have has nothing but that; what is missing in a content
 * is missing in the metadata. MSG_UNKNOWN with CONDITION_BAD_REQUEST is one without action, and a
 * session-initiate or session-accept with a size or a range that is no number. The file of a
 * checksum has the digest alone.
 *
 * Of both, an id, the name of a content and the sid of a transport are at most 1023 bytes long, or
 * it is MSG_UNKNOWN with CONDITION_BAD_REQUEST. Dates and digests that make no sense, or are of an
 * algorithm that we do not have, are left out, and so is text with nothing in it.
 *
 * Every message of type error gives MSG_BOUNCE; servers may leave out what was sent, then sid is
 * NULL and only the id says which block it was.
 */
bool codec_decode(struct codec *codec, xmpp_stanza_t *stanza, struct msg *msg);

/* The stanza's text, NUL-terminated, valid until the next call, and its length; NULL when memory
 * is short. Every string in `msg` is escaped; it must be UTF-8 and hold no character that XML
 * cannot. Not for MSG_UNKNOWN and MSG_BOUNCE.
 *
 * MSG_SI, and a MSG_RESULT with metadata, say IBB and nothing else, whatever has_ibb is. MSG_SI has
 * a name; its digest is left out unless it is an MD5. MSG_JINGLE has an action that we have, and is
 * neither JINGLE_INFO nor JINGLE_CONTENT_REMOVE nor JINGLE_TRANSPORT_REPLACE; session-initiate and
 * session-accept say a file and IBB, with transport_sid and block_size, whatever has_file and
 * has_ibb are. Numbers are at most INT64_MAX. */
const char *codec_encode(struct codec *codec, const struct msg *msg, size_t *length);

#endif
