/* SPDX-License-Identifier: MIT */
/*
 * Stanzas: whatever XML comes in, what the core gets keeps within the limits that codec.h states;
 * and what can be sent as well comes back the same when it is.
 */
#include "fuzz.h"
#include "ibb/stream.h"
#include "xmpp/codec.h"

#include <string.h>

static xmpp_ctx_t *context;
static struct codec codec, other;

static void set_up(void)
{
	if (!context) {
		xmpp_initialize();
		context = xmpp_ctx_new(NULL, NULL);
		FUZZ_CHECK(context && codec_init(&codec) == 0 && codec_init(&other) == 0);
	}
}

/* ---- what the core may rely on ---- */

static bool is_request(enum msg_kind kind)
{
	return kind == MSG_OPEN || kind == MSG_DATA || kind == MSG_CLOSE || kind == MSG_RESUME ||
	       kind == MSG_PING || kind == MSG_INFO || kind == MSG_SI || kind == MSG_JINGLE ||
	       kind == MSG_UNKNOWN;
}

static bool has_sid(enum msg_kind kind)
{
	return kind == MSG_OPEN || kind == MSG_DATA || kind == MSG_CLOSE || kind == MSG_RESUME ||
	       kind == MSG_SI || kind == MSG_JINGLE;
}

/* Reads every byte of a string, so that the address sanitizer has seen it. */
static size_t touch(const char *string)
{
	return string ? strlen(string) : 0;
}

static void check_msg(const struct msg *msg)
{
	FUZZ_CHECK(msg->kind >= MSG_OPEN && msg->kind <= MSG_BOUNCE);
	FUZZ_CHECK(msg->peer && msg->id);
	touch(msg->peer), touch(msg->id), touch(msg->node);
	FUZZ_CHECK(!msg->sid || (touch(msg->sid) >= 1 && touch(msg->sid) <= 1023));
	FUZZ_CHECK(msg->sid || !has_sid(msg->kind));
	FUZZ_CHECK(!msg->sid || has_sid(msg->kind) || msg->kind == MSG_BOUNCE);
	FUZZ_CHECK(!msg->name || (msg->kind == MSG_OPEN && touch(msg->name) >= 1));
	FUZZ_CHECK(msg->size >= -1 && (msg->size == -1 || msg->kind == MSG_OPEN));
	if (msg->kind == MSG_OPEN) {
		FUZZ_CHECK(msg->block_size >= 1 && msg->block_size <= STREAM_MAX_BLOCK);
	}
	FUZZ_CHECK(msg->carrier == CARRIER_IQ || msg->carrier == CARRIER_MESSAGE);
	FUZZ_CHECK(msg->data_length <= STREAM_MAX_BLOCK);
	FUZZ_CHECK(msg->data || msg->data_length == 0);
	FUZZ_CHECK(!msg->data || msg->kind == MSG_DATA);
	for (size_t i = 0; i < msg->data_length; i++) {
		FUZZ_CHECK(msg->data[i] <= 0xff);
	}
	FUZZ_CHECK(!msg->reset || msg->kind == MSG_CLOSE);
	FUZZ_CHECK(!msg->resumable || msg->kind == MSG_OPEN);
	FUZZ_CHECK(!msg->features || msg->kind == MSG_RESULT);
	FUZZ_CHECK((msg->features & ~(unsigned)(FEATURE_IBB | FEATURE_IBBFS | FEATURE_RESUME |
						FEATURE_SI | FEATURE_JINGLE)) == 0);
	FUZZ_CHECK(!msg->node || msg->kind == MSG_INFO);
	FUZZ_CHECK(!msg->answers_info && !msg->prev && !msg->next);
	bool is_error =
		msg->kind == MSG_UNKNOWN || msg->kind == MSG_ERROR || msg->kind == MSG_BOUNCE;
	FUZZ_CHECK(is_error == (msg->condition != CONDITION_NONE));
	FUZZ_CHECK(condition_from_name(condition_name(msg->condition)) == msg->condition ||
		   !is_error);
	FUZZ_CHECK(error_type_name(msg->error_type) != NULL);
}

static bool equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_equal(const struct msg *a, const struct msg *b)
{
	FUZZ_CHECK(a->kind == b->kind);
	FUZZ_CHECK(equal(a->id, b->id) && equal(a->sid, b->sid));
	FUZZ_CHECK(equal(a->name, b->name) && equal(a->node, b->node));
	FUZZ_CHECK(a->block_size == b->block_size && a->carrier == b->carrier);
	FUZZ_CHECK(a->size == b->size && a->seq == b->seq && a->reset == b->reset);
	FUZZ_CHECK(a->data_length == b->data_length && !a->data == !b->data);
	FUZZ_CHECK(!a->data || memcmp(a->data, b->data, a->data_length) == 0);
	FUZZ_CHECK(a->features == b->features);
	FUZZ_CHECK(a->condition == b->condition && a->error_type == b->error_type);
}

/* ---- text in pieces ---- */

static void add_text(xmpp_stanza_t *parent, const char *text, size_t length)
{
	xmpp_stanza_t *child = xmpp_stanza_new(context);
	FUZZ_CHECK(child && xmpp_stanza_set_text_with_size(child, text, length) == XMPP_EOK);
	FUZZ_CHECK(xmpp_stanza_add_child_ex(parent, child, 0) == XMPP_EOK);
}

/* A copy with every text cut in up to three. libstrophe's parser never does it, but nothing
 * promises that. */
static xmpp_stanza_t *copy_in_pieces(xmpp_stanza_t *stanza)
{
	xmpp_stanza_t *copy = xmpp_stanza_new(context);
	FUZZ_CHECK(copy && xmpp_stanza_set_name(copy, xmpp_stanza_get_name(stanza)) == XMPP_EOK);
	int count = xmpp_stanza_get_attribute_count(stanza);
	const char **attributes = calloc(2 * (size_t)count + 1, sizeof(*attributes));
	FUZZ_CHECK(attributes != NULL);
	xmpp_stanza_get_attributes(stanza, attributes, 2 * count);
	for (int i = 0; i < count; i++) {
		xmpp_stanza_set_attribute(copy, attributes[2 * (size_t)i],
					  attributes[2 * (size_t)i + 1]);
	}
	free(attributes);
	xmpp_stanza_t *child = xmpp_stanza_get_children(stanza);
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (!xmpp_stanza_is_text(child)) {
			xmpp_stanza_t *inner = copy_in_pieces(child);
			FUZZ_CHECK(xmpp_stanza_add_child_ex(copy, inner, 0) == XMPP_EOK);
			continue;
		}
		const char *text = xmpp_stanza_get_text_ptr(child);
		size_t length = strlen(text), third = length / 3;
		if (third > 0) {
			add_text(copy, text, third);
			add_text(copy, text + third, third);
		}
		add_text(copy, text + 2 * third, length - 2 * third);
	}
	return copy;
}

static void try_pieces(xmpp_stanza_t *stanza, const struct msg *msg, bool decoded)
{
	struct msg again;
	xmpp_stanza_t *copy = copy_in_pieces(stanza);
	FUZZ_CHECK(codec_decode(&other, copy, &again) == decoded);
	if (decoded) {
		check_msg(&again);
		check_equal(msg, &again);
		FUZZ_CHECK(equal(msg->peer, again.peer));
	}
	xmpp_stanza_release(copy);
}

/* ---- what is sent ---- */

/* Sends `msg`; as its recipient has it, in `again`. The stanza that it borrows from is the
 * caller's. */
static xmpp_stanza_t *send_msg(const struct msg *msg, struct msg *again)
{
	size_t length = 0;
	const char *text = codec_encode(&other, msg, &length);
	FUZZ_CHECK(text && strlen(text) == length);
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, text);
	FUZZ_CHECK(stanza != NULL);
	const char *to = xmpp_stanza_get_to(stanza);
	FUZZ_CHECK(equal(to ? to : "", msg->peer));
	FUZZ_CHECK(codec_decode(&other, stanza, again));
	check_msg(again);
	return stanza;
}

static void try_sending(const struct msg *msg)
{
	if (msg->kind == MSG_UNKNOWN || msg->kind == MSG_BOUNCE || msg->kind == MSG_SI ||
	    msg->kind == MSG_JINGLE || msg->terms || (msg->kind == MSG_DATA && !msg->data)) {
		return;
	}
	struct msg sent = *msg, again;
	if (!sent.name) {
		sent.size = -1; /* only a file with a name has a size */
	}
	sent.features = 0; /* of the peer's; ours are another matter */
	xmpp_stanza_t *stanza = send_msg(&sent, &again);
	check_equal(&sent, &again);
	xmpp_stanza_release(stanza);
}

/* The answers that a request can get. */
static void try_answering(const struct msg *msg)
{
	if (!is_request(msg->kind)) {
		return;
	}
	struct msg again, result = {.kind = MSG_RESULT, .peer = msg->peer, .id = msg->id};
	result.size = -1;
	result.answers_info = msg->kind == MSG_INFO;
	result.node = msg->node;
	xmpp_stanza_t *stanza = send_msg(&result, &again);
	FUZZ_CHECK(again.kind == MSG_RESULT && equal(again.id, msg->id));
	FUZZ_CHECK(again.features ==
		   (result.answers_info ? FEATURE_IBB | FEATURE_IBBFS | FEATURE_RESUME : 0));
	xmpp_stanza_release(stanza);

	struct msg error = {.kind = MSG_ERROR, .peer = msg->peer, .id = msg->id, .size = -1};
	error.condition = msg->kind == MSG_UNKNOWN ? msg->condition : CONDITION_ITEM_NOT_FOUND;
	error.error_type = condition_type(error.condition);
	stanza = send_msg(&error, &again);
	check_equal(&error, &again);
	xmpp_stanza_release(stanza);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	set_up();
	char *text = fuzz_string(bytes, length);
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, text);
	free(text);
	if (!stanza) {
		return 0;
	}
	struct msg msg;
	bool decoded = codec_decode(&codec, stanza, &msg);
	try_pieces(stanza, &msg, decoded);
	if (decoded) {
		check_msg(&msg);
		try_sending(&msg);
		try_answering(&msg);
	}
	xmpp_stanza_release(stanza);
	return 0;
}
