/* SPDX-License-Identifier: MIT */
/*
 * msg - one stanza as the core sees it: which request or answer, from or to whom, with what.
 *
 * A received message borrows everything it points at from the decoder, for the call. A message to
 * be sent is one allocation with everything in it.
 *
 * Units:   bytes before base64.
 * Errors:  NULL when memory is short.
 * Threads: none; a message to be sent belongs to whoever has taken it.
 * Source:  XEP-0047 (open, data, close), XEP-0030 (info), XEP-0199 (ping), XEP-0095 (si), XEP-0166
 *          (jingle), RFC 6120 section 8.2.3.
 */
#ifndef IBB_MSG_H
#define IBB_MSG_H

#include "ibb/condition.h"
#include "ibb/metadata.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum msg_kind {
	MSG_OPEN,    /* request: <open/> */
	MSG_DATA,    /* request, or with STANZA_MESSAGE a message: <data/> */
	MSG_CLOSE,   /* request: <close/> */
	MSG_RESUME,  /* request: <resume/>, whether a stream is still known (FEATURE_RESUME) */
	MSG_SKIP,    /* request: <skip/>, in place of <data/> that the receiver has (pieces.h) */
	MSG_PIECES,  /* request: <pieces/>, digests of what the receiver has */
	MSG_SYNC,    /* request: <sync/>, bytes are to be durable (FEATURE_SYNC) */
	MSG_PING,    /* request: XEP-0199 */
	MSG_INFO,    /* request: disco#info */
	MSG_SI,	     /* request: <si/>, see metadata */
	MSG_JINGLE,  /* request: <jingle/>, see metadata */
	MSG_UNKNOWN, /* request: anything else, or malformed (see condition) */
	MSG_RESULT,  /* answer: success; to MSG_INFO with features */
	MSG_ERROR,   /* answer: condition and type */
	MSG_BOUNCE,  /* a <data/> message of ours that came back with an error */
};

/* XEP-0047 section 2.1, attribute "stanza". */
enum stanza {
	STANZA_IQ,
	STANZA_MESSAGE,
};

/* What a peer's disco#info says, as bits. */
enum feature {
	FEATURE_IBB = 1 << 0,	 /* http://jabber.org/protocol/ibb */
	FEATURE_SILENT = 1 << 2, /* service-unavailable was the answer */
	FEATURE_IBBFS = 1 << 1, /* MSG_NAMESPACE: takes names in <open/> and <reset/> in <close/> */
	FEATURE_RESUME = 1 << 3,	 /* MSG_NAMESPACE_RESUME: streams outlive a connection */
	FEATURE_SI = 1 << 4,		 /* SI file transfer; not all clients name IBB there */
	FEATURE_JINGLE = 1 << 5,	 /* Jingle file transfer :5 and its transport IBB */
	FEATURE_TOLD = 1 << 6,		 /* the peer has answered */
	FEATURE_JINGLE_CRASHES = 1 << 7, /* FEATURE_JINGLE is said by a client that dies of it */
	FEATURE_FOLDERS = 1 << 8,	 /* MSG_NAMESPACE_FOLDERS: files may be in folders */
	FEATURE_ANNOUNCED = 1 << 9, /* of presence: it is an ibbfs, with other features than ours */
	FEATURE_SYNC = 1 << 10,	    /* MSG_NAMESPACE_SYNC: syncs what it has stored, when asked */
};

/* Application-specific conditions (RFC 6120 section 8.3.4) of an error that we send. */
enum detail {
	DETAIL_NONE,
	DETAIL_NO_VALID_STREAMS, /* XEP-0095 section 7 */
	DETAIL_BAD_PROFILE,	 /* likewise */
	DETAIL_OUT_OF_ORDER,	 /* XEP-0166 section 10 */
	DETAIL_TIE_BREAK,
	DETAIL_UNKNOWN_SESSION,
	DETAIL_UNSUPPORTED_INFO,
};

/* The namespace of what two ibbfs say to each other; documented in docs/wire.md. */
#define MSG_NAMESPACE	      "urn:ibbfs:0"
#define MSG_NAMESPACE_RESUME  "urn:ibbfs:resume:0"
#define MSG_NAMESPACE_FOLDERS "urn:ibbfs:folders:0"
#define MSG_NAMESPACE_PIECES  "urn:ibbfs:pieces:0"
#define MSG_NAMESPACE_SYNC    "urn:ibbfs:sync:0"

struct msg {
	struct msg *prev, *next; /* effects.messages */
	size_t memory;		 /* allocated by msg_create */

	enum msg_kind kind;
	const char *peer; /* full JID: the sender, or the recipient of what we send; "" when the
			     stanza has no "from": our own server or account */
	const char *id;	  /* never NULL; "" where the stanza has none */
	const char *sid;  /* open, data, close, resume, skip, pieces, sync, bounce; si: its id;
			     jingle: the session's; else NULL */
	const struct metadata
		*metadata; /* si, jingle, and the result that accepts an si; else NULL */

	uint32_t block_size; /* open: 1 to 65535 */
	enum stanza stanza;  /* open; data */
	const char *name;    /* open: the file's name, UTF-8, or NULL */
	const char *folder;  /* open: the path of its folder, UTF-8, as the peer gave it; or NULL */
	int64_t size;	/* open: the file's size; close, sync: bytes sent before it; skip: bytes;
			   result that answers MSG_PIECES: bytes that the receiver has; or -1 */
	bool resumable; /* open: the sender can resume the stream (FEATURE_RESUME) */
	bool pieces; /* open: the sender can skip pieces; result that answers it: there may be some;
			result that answers MSG_PIECES */
	uint64_t first; /* pieces: digests are wanted from this piece on */

	uint16_t seq;	     /* data; skip; resume, and the result that answers it: expected next */
	bool has_seq;	     /* resume, result: `seq` is said */
	const uint8_t *data; /* data: NULL when it was not canonical base64; close: SHA-256 of all,
				or NULL; result that answers MSG_PIECES: digests, or NULL */
	size_t data_length;  /* of that */

	bool reset;   /* close: the stream did not end in good order (FEATURE_IBBFS) */
	bool no_room; /* likewise: there is no room for the file */

	unsigned features; /* result of MSG_INFO: enum feature */
	const char *node;  /* request MSG_INFO, and our answer to it: the node asked for, or NULL */
	bool answers_info; /* result going out: carry our own disco#info */

	enum condition condition; /* error, bounce; request: what is wrong with it already */
	enum error_type error_type;
	enum detail detail; /* error going out; request MSG_UNKNOWN: to be answered with */
};

/*
 * A copy of `template` for sending, with its strings and `template->data_length` bytes of room at
 * msg->data, filled from template->data unless that is NULL. NULL when memory is short.
 */
struct msg *msg_create(const struct msg *template);

/*
 * The most data that fits into a stanza of `max_stanza` bytes to `peer`, on the stream `sid`; at
 * least 1. It counts the data in base64, the two strings as XML, and MSG_ENVELOPE for everything
 * else: elements, namespace, id and seq take at most 150 bytes, the rest is for what servers add,
 * above all the sender's JID.
 */
size_t msg_data_room(const char *peer, const char *sid, size_t max_stanza);
#define MSG_ENVELOPE 512

/* Frees a message that msg_create made; NULL-safe. */
void msg_destroy(struct msg *msg);

/* Where the data of a message that msg_create made may be written. */
uint8_t *msg_room(struct msg *msg);

#endif
