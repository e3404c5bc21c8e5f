/* SPDX-License-Identifier: MIT */
/*
 * Stream initiation: the offers of another client, and its answers to ours. Every one of them is
 * decoded to the same message after we encode it, and our answer to every offer is decoded to what
 * we mean.
 */
#include "stanza.h"

/* The offer as it is; and with a part of its fields, to see that no field of the earlier one
 * remains. */
static void try_offering(const struct msg *offer)
{
	struct metadata metadata = *offer->metadata;
	struct msg msg = *offer;
	metadata.has_ibb = true; /* as in all our offers */
	msg.metadata = &metadata;
	stanza_check_sent(&msg);

	metadata.file = (struct file_metadata){
		.name = metadata.file.name,
		.size = metadata.file.size,
		.date = METADATA_NO_DATE,
	};
	stanza_check_sent(&msg);
	metadata.file.size = METADATA_NO_SIZE;
	metadata.file.date = offer->metadata->file.date;
	metadata.file.digest = offer->metadata->file.digest;
	stanza_check_sent(&msg);
}

/* Accepted as a whole, and in part. */
static void try_accepting(const struct msg *offer)
{
	struct metadata metadata = {
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE},
		.has_ibb = true,
	};
	struct msg msg = {
		.kind = MSG_RESULT,
		.peer = offer->peer,
		.id = offer->id,
		.size = -1,
		.metadata = &metadata,
	};
	stanza_check_sent(&msg);
	if (offer->metadata->file.size > 0) {
		metadata.file.has_range = true;
		metadata.file.offset = (uint64_t)offer->metadata->file.size;
		metadata.file.length = (uint64_t)offer->metadata->file.size;
		stanza_check_sent(&msg);
	}
}

static void try_refusing(const struct msg *request)
{
	struct msg msg = {
		.kind = MSG_ERROR,
		.peer = request->peer,
		.id = request->id,
		.size = -1,
		.condition = CONDITION_BAD_REQUEST,
		.error_type = condition_type(CONDITION_BAD_REQUEST),
		.detail = request->kind == MSG_SI ? DETAIL_NO_VALID_STREAMS : request->detail,
	};
	stanza_check_sent(&msg);
}

/* An answer that we do not understand is not sent either. */
static void try_answer(const struct msg *answer)
{
	struct msg msg = *answer;
	msg.features = 0; /* it may contain a disco#info as well */
	if (answer->metadata->has_ibb) {
		stanza_check_sent(&msg);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct msg msg;
	xmpp_stanza_t *stanza = stanza_read(bytes, length, &msg);
	if (!stanza) {
		return 0;
	}
	if (msg.kind == MSG_SI) {
		try_offering(&msg);
		try_accepting(&msg);
	}
	if (msg.kind == MSG_SI || msg.kind == MSG_UNKNOWN) {
		try_refusing(&msg);
	} else if (msg.kind == MSG_RESULT && msg.metadata) {
		try_answer(&msg);
	}
	xmpp_stanza_release(stanza);
	return 0;
}
