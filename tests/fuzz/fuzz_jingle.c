/* SPDX-License-Identifier: MIT */
/*
 * Jingle: the stanzas of another client before, during and after a transfer. Every stanza that we
 * send too is decoded to the same message after we encode it. The same holds for every step of the
 * session that follows an offer.
 */
#include "stanza.h"

static void check_sent(const struct msg *msg, const struct metadata *metadata)
{
	struct msg sent = *msg;
	sent.metadata = metadata;
	stanza_check_sent(&sent);
}

/* The core knows a session from its offer. */
static struct metadata metadata_of(const struct metadata *offer, enum jingle_action action)
{
	return (struct metadata){
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE},
		.action = action,
		.content = offer->content,
		.by_responder = offer->by_responder,
	};
}

static void try_content(const struct msg *msg)
{
	struct metadata metadata = *msg->metadata;
	if (!metadata.has_ibb) {
		return;
	}
	/* As in all our offers. */
	metadata.contents = 1;
	metadata.has_file = true;
	metadata.is_encrypted = false;
	metadata.action = JINGLE_SESSION_INITIATE;
	check_sent(msg, &metadata);
	metadata.action = JINGLE_SESSION_ACCEPT;
	metadata.block_size = metadata.block_size / 2 + 1;
	check_sent(msg, &metadata);
	metadata.file = (struct file_metadata){.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE};
	check_sent(msg, &metadata);
}

static void try_infos(const struct msg *msg)
{
	struct metadata metadata = metadata_of(msg->metadata, JINGLE_RECEIVED);
	check_sent(msg, &metadata);
	metadata = metadata_of(msg->metadata, JINGLE_CHECKSUM);
	metadata.file.digest = msg->metadata->file.digest;
	check_sent(msg, &metadata);
	metadata = (struct metadata){.file = metadata.file, .action = JINGLE_PING};
	metadata.file.digest = (struct digest){0};
	check_sent(msg, &metadata);
}

static void try_ends(const struct msg *msg)
{
	struct metadata metadata = {
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE},
		.action = JINGLE_SESSION_TERMINATE,
		.reason = msg->metadata->reason,
	};
	check_sent(msg, &metadata);
	metadata.reason = JINGLE_UNSUPPORTED_TRANSPORTS;
	check_sent(msg, &metadata);
}

static void try_refusing(const struct msg *request)
{
	static const enum detail details[] = {
		DETAIL_OUT_OF_ORDER,
		DETAIL_TIE_BREAK,
		DETAIL_UNKNOWN_SESSION,
		DETAIL_UNSUPPORTED_INFO,
	};
	struct msg msg = {
		.kind = MSG_ERROR,
		.peer = request->peer,
		.id = request->id,
		.size = -1,
		.condition = CONDITION_UNEXPECTED_REQUEST,
		.error_type = condition_type(CONDITION_UNEXPECTED_REQUEST),
		.detail = details[(unsigned)request->metadata->action % 4],
	};
	stanza_check_sent(&msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct msg msg;
	xmpp_stanza_t *stanza = stanza_read(bytes, length, &msg);
	if (!stanza) {
		return 0;
	}
	if (msg.kind == MSG_JINGLE) {
		try_content(&msg);
		try_infos(&msg);
		try_ends(&msg);
		try_refusing(&msg);
	}
	xmpp_stanza_release(stanza);
	return 0;
}
