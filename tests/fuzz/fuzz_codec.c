/* SPDX-License-Identifier: MIT */
/*
 * Stanzas: for every XML, the decoded message keeps the limits that codec.h states. A message that
 * can be sent is decoded to the same message after it was encoded.
 */
#include "stanza.h"

#include "xmpp/features.h"

#include <string.h>

static void try_sending(const struct msg *msg)
{
	/* Stanzas with metadata are for fuzz_si.c and fuzz_jingle.c. */
	if (msg->kind == MSG_UNKNOWN || msg->kind == MSG_BOUNCE || msg->metadata ||
	    (msg->kind == MSG_DATA && !msg->data)) {
		return;
	}
	struct msg sent = *msg;
	if (sent.kind == MSG_CLOSE || (sent.kind == MSG_OPEN && !sent.name)) {
		sent.size = -1; /* only a file with a name has a size */
	}
	if (sent.kind == MSG_CLOSE) {
		sent.data = NULL; /* only an end in good order has a digest */
		sent.data_length = 0;
	}
	if (sent.has_seq && sent.pieces) {
		return; /* answers two questions */
	}
	sent.features = 0; /* only for the peer's */
	stanza_check_sent(&sent);
}

/* The answers that a request can get. */
static void try_answering(const struct msg *msg)
{
	if (!stanza_is_request(msg->kind)) {
		return;
	}
	struct msg again, result = {.kind = MSG_RESULT, .peer = msg->peer, .id = msg->id};
	result.size = -1;
	result.answers_info = msg->kind == MSG_INFO;
	result.node = msg->node;
	xmpp_stanza_t *stanza = stanza_send(&result, &again);
	FUZZ_CHECK(again.kind == MSG_RESULT && strcmp(again.id, msg->id) == 0);
	FUZZ_CHECK(again.features == (result.answers_info ? FEATURES_OWN : 0));
	xmpp_stanza_release(stanza);

	struct msg error = {.kind = MSG_ERROR, .peer = msg->peer, .id = msg->id, .size = -1};
	error.condition = msg->kind == MSG_UNKNOWN ? msg->condition : CONDITION_ITEM_NOT_FOUND;
	error.error_type = condition_type(error.condition);
	error.detail = msg->detail;
	stanza_check_sent(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct msg msg;
	xmpp_stanza_t *stanza = stanza_read(bytes, length, &msg);
	if (stanza) {
		try_sending(&msg);
		try_answering(&msg);
		xmpp_stanza_release(stanza);
	}
	return 0;
}
