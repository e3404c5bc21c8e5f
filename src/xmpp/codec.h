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
 * Decodes `stanza`, an <iq/> or <message/>, into `msg`. False: the stanza is not for the core. That
 * is an iq without an id or of an unknown type, and a message that is neither an error nor has
 * <data/> with a sid. The caller has filtered roster and session requests; they would be decoded as
 * MSG_UNKNOWN. Pointers in `msg` are borrowed from `stanza` and `codec` until the next call with
 * either.
 *
 * MSG_UNKNOWN with CONDITION_BAD_REQUEST: an iq of the wrong type; a block size outside 1 to 65535;
 * a sid that is missing, empty or longer than 1023 bytes; a seq that is no number. MSG_UNKNOWN with
 * CONDITION_ITEM_NOT_FOUND: a disco#info request for a node that is not ours.
 *
 * seq is modulo 65536, since some clients do not wrap around. MSG_DATA has data NULL if the base64
 * is not canonical, if the block is longer than 65535 bytes, and if the seq of a <message/> is no
 * number, since a message cannot be answered with an error.
 *
 * MSG_SI has a name. Its size is METADATA_NO_SIZE only if the request has none. has_ibb: IBB is
 * among the offered methods. MSG_UNKNOWN with CONDITION_BAD_REQUEST: the file's name, the id or the
 * profile is missing; or the size is no number up to INT64_MAX; or the profile is another one, then
 * with DETAIL_BAD_PROFILE. A MSG_RESULT with an <si/> has metadata. Its has_ibb: the form is
 * submitted with IBB as its only method.
 *
 * MSG_JINGLE with an unknown action has nothing else. What the content lacks is missing in the
 * metadata. The file of a checksum has only the digest. MSG_UNKNOWN with CONDITION_BAD_REQUEST: the
 * action is missing; or the size or range of a session-initiate or session-accept is no number.
 *
 * In SI and Jingle, an id, the name of a content or the sid of a transport that is longer than 1023
 * bytes gives MSG_UNKNOWN with CONDITION_BAD_REQUEST. A malformed date, a malformed digest, a
 * digest of an unknown algorithm and an empty text are left out.
 *
 * Every message of type error gives MSG_BOUNCE. A server may leave out what was sent; then sid is
 * NULL, and the id alone identifies the block.
 */
bool codec_decode(struct codec *codec, xmpp_stanza_t *stanza, struct msg *msg);

/*
 * Serialises `msg`. Returns the text, NUL-terminated and valid until the next call, and its length;
 * NULL when memory is short. Every string in `msg` is escaped; it must be UTF-8 and hold no
 * character that XML cannot. Numbers are at most INT64_MAX. Not for MSG_UNKNOWN and MSG_BOUNCE.
 *
 * MSG_SI, and a MSG_RESULT with metadata, name IBB as the only method, whatever has_ibb is. MSG_SI
 * has a name; a digest other than MD5 is left out. MSG_JINGLE has a known action, other than
 * JINGLE_INFO, JINGLE_CONTENT_REMOVE and JINGLE_TRANSPORT_REPLACE. A session-initiate or
 * session-accept has a file and IBB, with transport_sid and block_size, whatever has_file and
 * has_ibb are.
 */
const char *codec_encode(struct codec *codec, const struct msg *msg, size_t *length);

#endif
