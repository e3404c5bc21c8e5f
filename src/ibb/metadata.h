/* SPDX-License-Identifier: MIT */
/*
 * metadata - what a stanza says about an offered file, by stream initiation (SI) or Jingle.
 *
 * It accompanies MSG_SI, MSG_JINGLE, and the MSG_RESULT that accepts an <si/>. Strings are UTF-8
 * and borrowed like those of the msg; NULL: the stanza has none. Nothing in it is to be trusted:
 * names and sizes are what the peer has written.
 *
 * Units:   bytes; seconds since the epoch.
 * Threads: plain data.
 * Source:  XEP-0095, XEP-0096; XEP-0166, XEP-0234, XEP-0261, XEP-0300.
 */
#ifndef IBB_METADATA_H
#define IBB_METADATA_H

#include "ibb/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define METADATA_NO_SIZE (-1)
#define METADATA_NO_DATE INT64_MIN

/* XEP-0096 <file/>, XEP-0234 <file/>. */
struct file_metadata {
	const char *name;
	int64_t size; /* or METADATA_NO_SIZE */
	int64_t date; /* of the last change, or METADATA_NO_DATE */
	const char *media_type;
	const char *description;
	/* SI: MD5, or HASH_NONE. Jingle: the strongest <hash/> that we know; with <hash-used/> an
	 * algorithm without length: the digest comes later. */
	struct digest digest;
	/* There is a <range/>. In an offer without offset and length: a part of the file may be
	 * asked for. In an answer to <si/>, or session-accept: that part. */
	bool has_range;
	uint64_t offset;
	uint64_t length; /* 0: to the end */
};

/* XEP-0166 section 7.2; session-info by its payload. */
enum jingle_action {
	JINGLE_SESSION_INITIATE,
	JINGLE_SESSION_ACCEPT,
	JINGLE_SESSION_TERMINATE,
	JINGLE_RECEIVED, /* session-info with <received/>, XEP-0234 section 8.1 */
	JINGLE_CHECKSUM, /* session-info with <checksum/>, section 8.2: metadata->file.digest */
	JINGLE_PING,	 /* session-info that is empty */
	JINGLE_INFO,	 /* session-info with anything else */
	JINGLE_CONTENT_REMOVE,
	JINGLE_TRANSPORT_REPLACE,
	JINGLE_OTHER, /* an action that we do not have */
};

/* XEP-0166 section 7.4. */
enum jingle_reason {
	JINGLE_NO_REASON, /* none, or none of these */
	JINGLE_SUCCESS,
	JINGLE_DECLINE,
	JINGLE_BUSY,
	JINGLE_CANCEL,
	JINGLE_CONNECTIVITY_ERROR,
	JINGLE_FAILED_APPLICATION,
	JINGLE_FAILED_TRANSPORT,
	JINGLE_GENERAL_ERROR,
	JINGLE_GONE,
	JINGLE_MEDIA_ERROR,
	JINGLE_SECURITY_ERROR,
	JINGLE_TIMEOUT,
	JINGLE_UNSUPPORTED_APPLICATIONS,
	JINGLE_UNSUPPORTED_TRANSPORTS,
};

struct metadata {
	struct file_metadata file; /* si; session-initiate, session-accept, checksum */

	/* Request: IBB is among the stream methods. Answer: it was chosen. */
	bool has_ibb; /* si; Jingle: the transport is jingle:transports:ibb:1 with a sid */

	/* Jingle only. msg->sid is that of the session, transport_sid that of the bytestream. */
	enum jingle_action action;
	enum jingle_reason reason; /* session-terminate */
	const char *content;	   /* the content's name */
	bool by_responder;	   /* its creator is the responder */
	bool from_responder;	   /* senders='responder': a file is asked for */
	unsigned contents;	   /* their count; only the first is here */
	bool has_file;	   /* its description is jingle:apps:file-transfer:5 with a <file/> */
	bool is_encrypted; /* it has a <security/> (XEP-0391) */
	const char *transport_sid; /* of the bytestream */
	uint32_t block_size;	   /* 1 to 65535; 0: invalid */
};

#endif
