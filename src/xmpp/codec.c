/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "ibb/stream.h"
#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/jid.h"
#include "xmpp/text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int codec_init(struct codec *codec)
{
	*codec = (struct codec){.block = malloc(STREAM_MAX_BLOCK)};
	codec->ver = malloc(FEATURES_VER_SIZE);
	codec->features = features_info();
	if (codec->ver && features_own_ver(codec->ver) == 0) {
		codec->capabilities = features_capabilities(codec->ver);
	}
	if (!codec->block || !codec->features || !codec->capabilities) {
		codec_finish(codec);
		return -ENOMEM;
	}
	return 0;
}

void codec_finish(struct codec *codec)
{
	free(codec->block);
	writer_finish(&codec->writer);
	element_free_joined(&codec->joined);
	free(codec->features);
	free(codec->capabilities);
	free(codec->ver);
	*codec = (struct codec){0};
}

/* ---- decoding ---- */

static enum condition decode_ping(struct codec *codec, xmpp_stanza_t *ping, struct msg *msg)
{
	(void)codec, (void)ping, (void)msg;
	return CONDITION_NONE;
}

static const struct {
	const char *name, *namespace, *type;
	enum msg_kind kind;
	/* CONDITION_NONE, or what is wrong with the request. */
	enum condition (*decode)(struct codec *codec, xmpp_stanza_t *element, struct msg *msg);
} requests[] = {
	{"data", NAMESPACE_IBB, "set", MSG_DATA, codec_decode_data},
	{"open", NAMESPACE_IBB, "set", MSG_OPEN, codec_decode_open},
	{"close", NAMESPACE_IBB, "set", MSG_CLOSE, codec_decode_close},
	{"resume", MSG_NAMESPACE_RESUME, "set", MSG_RESUME, codec_decode_resume},
	{"skip", MSG_NAMESPACE_PIECES, "set", MSG_SKIP, codec_decode_skip},
	{"pieces", MSG_NAMESPACE_PIECES, "get", MSG_PIECES, codec_decode_pieces},
	{"sync", MSG_NAMESPACE_SYNC, "set", MSG_SYNC, codec_decode_sync},
	{"ping", NAMESPACE_PING, "get", MSG_PING, decode_ping},
	{"query", NAMESPACE_INFO, "get", MSG_INFO, codec_decode_info},
	{"si", NAMESPACE_SI, "set", MSG_SI, codec_decode_si},
	{"jingle", NAMESPACE_JINGLE, "set", MSG_JINGLE, codec_decode_jingle},
};

/* Its place in `requests`; their number if it is none. */
static size_t find_request(xmpp_stanza_t *element)
{
	size_t i = 0;
	while (i < COUNT(requests) &&
	       !element_is(element, requests[i].name, requests[i].namespace)) {
		i++;
	}
	return i;
}

/* RFC 6120 section 8.2.3: an <iq/> has one child. A second request would be lost. */
static bool has_request_behind(xmpp_stanza_t *element)
{
	xmpp_stanza_t *next = xmpp_stanza_get_next(element);
	while (next && find_request(next) == COUNT(requests)) {
		next = xmpp_stanza_get_next(next);
	}
	return next != NULL;
}

/* Whether it is short enough for a JID: our own server could let anything pass. */
static bool is_address(const char *peer)
{
	return strlen(peer) <= JID_MAX;
}

static void decode_request(struct codec *codec, xmpp_stanza_t *iq, struct msg *msg)
{
	bool has_peer = is_address(msg->peer);
	/* RFC 6120 section 8.4: a namespace that we do not know. */
	enum condition condition =
		has_peer ? CONDITION_SERVICE_UNAVAILABLE : CONDITION_JID_MALFORMED;
	xmpp_stanza_t *element = element_first(iq);
	size_t i = element && has_peer ? find_request(element) : COUNT(requests);
	if (i < COUNT(requests)) {
		bool is_good = text_equals(xmpp_stanza_get_type(iq), requests[i].type) &&
			       !has_request_behind(element);
		msg->kind = requests[i].kind;
		condition =
			is_good ? requests[i].decode(codec, element, msg) : CONDITION_BAD_REQUEST;
	}
	if (condition != CONDITION_NONE) {
		*msg = (struct msg){
			.kind = MSG_UNKNOWN,
			.peer = msg->peer,
			.id = msg->id,
			.size = -1,
			.condition = condition,
			.error_type = condition_type(condition),
			.detail = msg->detail,
		};
	}
}

static void decode_result(struct codec *codec, xmpp_stanza_t *iq, struct msg *msg)
{
	xmpp_stanza_t *si = element_child(iq, "si", NAMESPACE_SI);
	xmpp_stanza_t *resume = element_child(iq, "resume", MSG_NAMESPACE_RESUME);
	xmpp_stanza_t *pieces = element_child(iq, "pieces", MSG_NAMESPACE_PIECES);
	codec_decode_features(iq, msg);
	if (resume) {
		codec_decode_resumed(resume, msg);
	}
	if (pieces) {
		codec_decode_page(codec, pieces, msg);
	}
	if (si) {
		codec_decode_si_answer(codec, si, msg);
	}
}

static bool decode_iq(struct codec *codec, xmpp_stanza_t *iq, struct msg *msg)
{
	const char *type = xmpp_stanza_get_type(iq);
	bool is_request = text_equals(type, "get") || text_equals(type, "set");
	if (!xmpp_stanza_get_id(iq)) {
		return false; /* RFC 6120 section 8.1.3: nothing could be answered to it */
	}
	if (!is_request && !is_address(msg->peer)) {
		return false; /* we send nothing to such an address */
	}
	if (is_request) {
		decode_request(codec, iq, msg);
	} else if (text_equals(type, "result")) {
		msg->kind = MSG_RESULT;
		decode_result(codec, iq, msg);
	} else if (text_equals(type, "error")) {
		msg->kind = MSG_ERROR;
		codec_decode_error(iq, msg);
	} else {
		return false;
	}
	return true;
}

bool codec_decode(struct codec *codec, xmpp_stanza_t *stanza, struct msg *msg)
{
	const char *peer = xmpp_stanza_get_from(stanza);
	const char *id = xmpp_stanza_get_id(stanza);
	element_free_joined(&codec->joined);
	*msg = (struct msg){
		.peer = peer ? peer : "",
		.id = id ? id : "",
		.size = -1,
	};
	if (text_equals(xmpp_stanza_get_name(stanza), "iq")) {
		return decode_iq(codec, stanza, msg);
	}
	return text_equals(xmpp_stanza_get_name(stanza), "message") && is_address(msg->peer) &&
	       codec_decode_message(codec, stanza, msg);
}

/* ---- encoding ---- */

static void add_addresses(struct writer *writer, const struct msg *msg)
{
	writer_add_attribute(writer, "id", msg->id);
	if (msg->peer[0] != '\0') {
		writer_add_attribute(writer, "to", msg->peer);
	}
	writer_add(writer, ">");
}

static void add_ping(struct codec *codec, const struct msg *msg)
{
	(void)msg;
	writer_add(&codec->writer, "<ping xmlns='" NAMESPACE_PING "'/>");
}

/* A result is empty, or answers a request that has an answer. */
static void add_result(struct codec *codec, const struct msg *msg)
{
	if (msg->answers_info) {
		codec_add_info_answer(codec, msg);
	} else if (msg->metadata) {
		codec_add_si_answer(codec, msg);
	} else if (msg->has_seq) {
		codec_add_resume(codec, msg);
	} else if (msg->pieces) {
		codec_add_page(codec, msg);
	}
}

/* The kinds that are sent. The others are only received. */
static const struct {
	const char *type; /* of the iq */
	void (*add)(struct codec *codec, const struct msg *msg);
} kinds[] = {
	[MSG_OPEN] = {"set", codec_add_open},	  [MSG_DATA] = {"set", codec_add_data},
	[MSG_CLOSE] = {"set", codec_add_close},	  [MSG_RESUME] = {"set", codec_add_resume},
	[MSG_SI] = {"set", codec_add_si},	  [MSG_JINGLE] = {"set", codec_add_jingle},
	[MSG_SKIP] = {"set", codec_add_skip},	  [MSG_PIECES] = {"get", codec_add_pieces},
	[MSG_SYNC] = {"set", codec_add_sync},	  [MSG_PING] = {"get", add_ping},
	[MSG_INFO] = {"get", codec_add_info},	  [MSG_RESULT] = {"result", add_result},
	[MSG_ERROR] = {"error", codec_add_error},
};

const char *codec_encode(struct codec *codec, const struct msg *msg, size_t *length)
{
	struct writer *writer = &codec->writer;
	bool is_message = msg->kind == MSG_DATA && msg->stanza == STANZA_MESSAGE;
	assert((size_t)msg->kind < COUNT(kinds) && kinds[msg->kind].add);
	writer_begin(writer);
	writer_add(writer, is_message ? "<message" : "<iq");
	if (!is_message) {
		writer_add_attribute(writer, "type", kinds[msg->kind].type);
	}
	add_addresses(writer, msg);
	kinds[msg->kind].add(codec, msg);
	writer_add(writer, is_message ? "</message>" : "</iq>");
	*length = writer->length;
	return writer_end(writer);
}
