/* SPDX-License-Identifier: MIT */
#include "xmpp/codec.h"

#include "ibb/base64.h"
#include "ibb/stream.h"
#include "xmpp/features.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE_FILE	  "urn:xmpp:file:metadata:0"
#define NAMESPACE_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MAX_SID 1023

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
	free(codec->text);
	free(codec->joined);
	free(codec->features);
	free(codec->capabilities);
	free(codec->ver);
	*codec = (struct codec){0};
}

/* ---- decoding ---- */

static bool equal(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static bool is_element(xmpp_stanza_t *stanza, const char *name, const char *namespace)
{
	return equal(xmpp_stanza_get_name(stanza), name) &&
	       equal(xmpp_stanza_get_ns(stanza), namespace);
}

static xmpp_stanza_t *first_element(xmpp_stanza_t *parent)
{
	xmpp_stanza_t *child = xmpp_stanza_get_children(parent);
	while (child && xmpp_stanza_is_text(child)) {
		child = xmpp_stanza_get_next(child);
	}
	return child;
}

/* Digits only, as a number; false if there are none or it exceeds `max`, which is at most
 * INT64_MAX. */
static bool decode_number(const char *text, uint64_t max, uint64_t *number)
{
	if (!text || *text == '\0') {
		return false;
	}
	uint64_t value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max) {
			return false;
		}
	}
	*number = value;
	return *text == '\0';
}

/* As decode_number, but modulo 65536, and so without limit. */
static bool decode_seq(const char *text, uint16_t *seq)
{
	if (!text || *text == '\0') {
		return false;
	}
	unsigned value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = (value * 10 + (unsigned)(*text - '0')) & 0xffff;
	}
	*seq = (uint16_t)value;
	return *text == '\0';
}

/* NULL if there is none, or none that we take. */
static const char *decode_sid(xmpp_stanza_t *element)
{
	const char *sid = xmpp_stanza_get_attribute(element, "sid");
	return sid && *sid != '\0' && strlen(sid) <= MAX_SID ? sid : NULL;
}

/*
 * The text in `element`. NULL if it has children other than text, or memory is short. libstrophe's
 * parser makes one child of all text between two tags, which is borrowed; more are joined.
 */
static const char *decode_text(struct codec *codec, xmpp_stanza_t *element)
{
	xmpp_stanza_t *first = xmpp_stanza_get_children(element);
	size_t size = 1;
	for (xmpp_stanza_t *child = first; child; child = xmpp_stanza_get_next(child)) {
		const char *text = xmpp_stanza_get_text_ptr(child);
		if (!text) {
			return NULL;
		}
		size += strlen(text);
	}
	if (!first) {
		return "";
	}
	if (!xmpp_stanza_get_next(first)) {
		return xmpp_stanza_get_text_ptr(first);
	}
	free(codec->joined);
	codec->joined = calloc(1, size);
	char *at = codec->joined;
	for (xmpp_stanza_t *child = first; at && child; child = xmpp_stanza_get_next(child)) {
		at = stpcpy(at, xmpp_stanza_get_text_ptr(child));
	}
	return codec->joined;
}

static void decode_file(struct codec *codec, xmpp_stanza_t *file, struct msg *msg)
{
	xmpp_stanza_t *size = xmpp_stanza_get_child_by_name_and_ns(file, "size", NAMESPACE_FILE);
	xmpp_stanza_t *name = xmpp_stanza_get_child_by_name_and_ns(file, "name", NAMESPACE_FILE);
	uint64_t number;
	if (size && decode_number(decode_text(codec, size), INT64_MAX, &number)) {
		msg->size = (int64_t)number;
	}
	const char *text = name ? decode_text(codec, name) : NULL;
	msg->name = text && *text != '\0' ? text : NULL;
}

static enum condition decode_open(struct codec *codec, xmpp_stanza_t *open, struct msg *msg)
{
	uint64_t block_size;
	msg->sid = decode_sid(open);
	if (!msg->sid ||
	    !decode_number(xmpp_stanza_get_attribute(open, "block-size"), STREAM_MAX_BLOCK,
			   &block_size) ||
	    block_size == 0) {
		return CONDITION_BAD_REQUEST;
	}
	msg->block_size = (uint32_t)block_size;

	const char *carrier = xmpp_stanza_get_attribute(open, "stanza");
	if (equal(carrier, "message")) {
		msg->carrier = CARRIER_MESSAGE;
	} else if (carrier && !equal(carrier, "iq")) {
		return CONDITION_BAD_REQUEST;
	}
	xmpp_stanza_t *file = xmpp_stanza_get_child_by_name_and_ns(open, "file", NAMESPACE_FILE);
	if (file) {
		decode_file(codec, file, msg);
	}
	msg->resumable =
		xmpp_stanza_get_child_by_name_and_ns(open, "resume", MSG_NAMESPACE_RESUME) != NULL;
	return CONDITION_NONE;
}

static void decode_block(struct codec *codec, xmpp_stanza_t *data, struct msg *msg)
{
	const char *text = decode_text(codec, data);
	size_t length = text ? strlen(text) : 0;
	if (!text || length > BASE64_ENCODED((size_t)STREAM_MAX_BLOCK)) {
		return;
	}
	ssize_t decoded = base64_decode(codec->block, text, length);
	if (decoded >= 0) {
		msg->data = codec->block;
		msg->data_length = (size_t)decoded;
	}
}

static enum condition decode_data(struct codec *codec, xmpp_stanza_t *data, struct msg *msg)
{
	msg->sid = decode_sid(data);
	if (!msg->sid || !decode_seq(xmpp_stanza_get_attribute(data, "seq"), &msg->seq)) {
		return CONDITION_BAD_REQUEST;
	}
	decode_block(codec, data, msg);
	return CONDITION_NONE;
}

static enum condition decode_close(struct codec *codec, xmpp_stanza_t *close, struct msg *msg)
{
	(void)codec;
	msg->sid = decode_sid(close);
	msg->reset = xmpp_stanza_get_child_by_name_and_ns(close, "reset", MSG_NAMESPACE) != NULL;
	return msg->sid ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

static enum condition decode_resume(struct codec *codec, xmpp_stanza_t *resume, struct msg *msg)
{
	(void)codec;
	msg->sid = decode_sid(resume);
	return msg->sid ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

static enum condition decode_ping(struct codec *codec, xmpp_stanza_t *ping, struct msg *msg)
{
	(void)codec, (void)ping, (void)msg;
	return CONDITION_NONE;
}

/* XEP-0115 section 6.2: whoever read our presence asks for the node in it. */
static enum condition decode_info(struct codec *codec, xmpp_stanza_t *query, struct msg *msg)
{
	static const char prefix[] = MSG_NAMESPACE "#";
	msg->node = xmpp_stanza_get_attribute(query, "node");
	if (msg->node && (strncmp(msg->node, prefix, strlen(prefix)) != 0 ||
			  strcmp(msg->node + strlen(prefix), codec->ver) != 0)) {
		return CONDITION_ITEM_NOT_FOUND;
	}
	return CONDITION_NONE;
}

static const struct {
	const char *name, *namespace, *type;
	enum msg_kind kind;
	/* CONDITION_NONE, or what is wrong with the request. */
	enum condition (*decode)(struct codec *codec, xmpp_stanza_t *element, struct msg *msg);
} requests[] = {
	{"data", NAMESPACE_IBB, "set", MSG_DATA, decode_data},
	{"open", NAMESPACE_IBB, "set", MSG_OPEN, decode_open},
	{"close", NAMESPACE_IBB, "set", MSG_CLOSE, decode_close},
	{"resume", MSG_NAMESPACE_RESUME, "set", MSG_RESUME, decode_resume},
	{"ping", NAMESPACE_PING, "get", MSG_PING, decode_ping},
	{"query", NAMESPACE_INFO, "get", MSG_INFO, decode_info},
};

static void decode_request(struct codec *codec, xmpp_stanza_t *iq, struct msg *msg)
{
	/* RFC 6120 section 8.4: a namespace that we do not know. */
	enum condition condition = CONDITION_SERVICE_UNAVAILABLE;
	xmpp_stanza_t *element = first_element(iq);
	for (size_t i = 0; element && i < COUNT(requests); i++) {
		if (!is_element(element, requests[i].name, requests[i].namespace)) {
			continue;
		}
		msg->kind = requests[i].kind;
		condition = equal(xmpp_stanza_get_type(iq), requests[i].type)
				    ? requests[i].decode(codec, element, msg)
				    : CONDITION_BAD_REQUEST;
		break;
	}
	if (condition != CONDITION_NONE) {
		*msg = (struct msg){
			.kind = MSG_UNKNOWN,
			.peer = msg->peer,
			.id = msg->id,
			.size = -1,
			.condition = condition,
			.error_type = condition_type(condition),
		};
	}
}

/* The <error/> of an iq or message, which some clients leave out. */
static void decode_error(xmpp_stanza_t *stanza, struct msg *msg)
{
	msg->condition = CONDITION_UNDEFINED_CONDITION;
	msg->error_type = ERROR_TYPE_CANCEL;
	xmpp_stanza_t *error = xmpp_stanza_get_child_by_name(stanza, "error");
	if (!error) {
		return;
	}
	msg->error_type = error_type_from_name(xmpp_stanza_get_type(error));
	xmpp_stanza_t *child = xmpp_stanza_get_children(error);
	for (; child; child = xmpp_stanza_get_next(child)) {
		/* Beside the condition there may be <text/>, and conditions of applications. */
		const char *name = xmpp_stanza_get_name(child);
		if (name && !equal(name, "text") &&
		    equal(xmpp_stanza_get_ns(child), NAMESPACE_STANZAS)) {
			msg->condition = condition_from_name(name);
			return;
		}
	}
}

static void decode_result(xmpp_stanza_t *iq, struct msg *msg)
{
	xmpp_stanza_t *query = xmpp_stanza_get_child_by_name_and_ns(iq, "query", NAMESPACE_INFO);
	xmpp_stanza_t *child = query ? xmpp_stanza_get_children(query) : NULL;
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (!is_element(child, "feature", NAMESPACE_INFO)) {
			continue;
		}
		const char *feature = xmpp_stanza_get_attribute(child, "var");
		if (equal(feature, NAMESPACE_IBB)) {
			msg->features |= FEATURE_IBB;
		} else if (equal(feature, MSG_NAMESPACE)) {
			msg->features |= FEATURE_IBBFS;
		} else if (equal(feature, MSG_NAMESPACE_RESUME)) {
			msg->features |= FEATURE_RESUME;
		}
	}
}

static bool decode_iq(struct codec *codec, xmpp_stanza_t *iq, struct msg *msg)
{
	const char *type = xmpp_stanza_get_type(iq);
	if (!xmpp_stanza_get_id(iq)) {
		return false; /* RFC 6120 section 8.1.3: nothing could be answered to it */
	}
	if (equal(type, "get") || equal(type, "set")) {
		decode_request(codec, iq, msg);
	} else if (equal(type, "result")) {
		msg->kind = MSG_RESULT;
		decode_result(iq, msg);
	} else if (equal(type, "error")) {
		msg->kind = MSG_ERROR;
		decode_error(iq, msg);
	} else {
		return false;
	}
	return true;
}

static bool decode_message(struct codec *codec, xmpp_stanza_t *message, struct msg *msg)
{
	xmpp_stanza_t *data = xmpp_stanza_get_child_by_name_and_ns(message, "data", NAMESPACE_IBB);
	uint16_t seq = 0;
	bool has_seq = data && decode_seq(xmpp_stanza_get_attribute(data, "seq"), &seq);
	msg->seq = has_seq ? seq : 0;
	msg->sid = data ? decode_sid(data) : NULL;
	msg->carrier = CARRIER_MESSAGE;
	if (equal(xmpp_stanza_get_type(message), "error")) {
		/* RFC 6120 section 8.3.1: what was sent may be in it, or not. */
		msg->kind = MSG_BOUNCE;
		decode_error(message, msg);
		return true;
	}
	msg->kind = MSG_DATA;
	if (has_seq) {
		decode_block(codec, data, msg);
	}
	return msg->sid != NULL;
}

bool codec_decode(struct codec *codec, xmpp_stanza_t *stanza, struct msg *msg)
{
	const char *peer = xmpp_stanza_get_from(stanza);
	const char *id = xmpp_stanza_get_id(stanza);
	*msg = (struct msg){
		.peer = peer ? peer : "",
		.id = id ? id : "",
		.size = -1,
	};
	if (equal(xmpp_stanza_get_name(stanza), "iq")) {
		return decode_iq(codec, stanza, msg);
	}
	return equal(xmpp_stanza_get_name(stanza), "message") && decode_message(codec, stanza, msg);
}

/* ---- encoding ---- */

/* What is being written to codec->text. Once memory was short, nothing more is. */
struct output {
	struct codec *codec;
	size_t length;
	bool failed;
};

/* Room for `length` more characters and NUL at the end of the text; NULL when memory is short. */
static char *reserve(struct output *output, size_t length)
{
	struct codec *codec = output->codec;
	size_t needed = output->length + length + 1;
	if (!output->failed && needed > codec->text_capacity) {
		size_t capacity = needed < 512 ? 512 : needed + needed / 2;
		char *text = realloc(codec->text, capacity);
		output->failed = text == NULL;
		if (text) {
			codec->text = text;
			codec->text_capacity = capacity;
		}
	}
	return output->failed ? NULL : codec->text + output->length;
}

static void add_bytes(struct output *output, const char *bytes, size_t length)
{
	char *at = reserve(output, length);
	if (at) {
		memcpy(at, bytes, length);
		output->length += length;
	}
}

static void add(struct output *output, const char *text)
{
	add_bytes(output, text, strlen(text));
}

static void add_number(struct output *output, int64_t number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRId64, number);
	add(output, digits);
}

/* For attributes and text alike. XML 1.0 sections 2.11 and 3.3.3: white space other than ' ' does
 * not come through unless it is written as a reference. */
static void add_escaped(struct output *output, const char *text)
{
	static const char special[] = "&<>\"'\t\n\r";
	static const char *const references[] = {
		"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;",
	};
	for (;;) {
		size_t plain = strcspn(text, special);
		add_bytes(output, text, plain);
		text += plain;
		if (*text == '\0') {
			return;
		}
		add(output, references[strchr(special, *text) - special]);
		text++;
	}
}

static void add_attribute(struct output *output, const char *name, const char *value)
{
	add(output, " ");
	add(output, name);
	add(output, "='");
	add_escaped(output, value);
	add(output, "'");
}

static void add_addresses(struct output *output, const struct msg *msg)
{
	add_attribute(output, "id", msg->id);
	if (msg->peer[0] != '\0') {
		add_attribute(output, "to", msg->peer);
	}
	add(output, ">");
}

static void add_file(struct output *output, const struct msg *msg)
{
	add(output, "<file xmlns='" NAMESPACE_FILE "'><name>");
	add_escaped(output, msg->name);
	add(output, "</name>");
	if (msg->size >= 0) {
		add(output, "<size>");
		add_number(output, msg->size);
		add(output, "</size>");
	}
	add(output, "</file>");
}

static void add_open(struct output *output, const struct msg *msg)
{
	add(output, "<open xmlns='" NAMESPACE_IBB "' block-size='");
	add_number(output, msg->block_size);
	add(output, "'");
	add_attribute(output, "sid", msg->sid);
	add_attribute(output, "stanza", msg->carrier == CARRIER_MESSAGE ? "message" : "iq");
	if (!msg->name && !msg->resumable) {
		add(output, "/>");
		return;
	}
	add(output, ">");
	if (msg->name) {
		add_file(output, msg);
	}
	if (msg->resumable) {
		add(output, "<resume xmlns='" MSG_NAMESPACE_RESUME "'/>");
	}
	add(output, "</open>");
}

static void add_data(struct output *output, const struct msg *msg)
{
	add(output, "<data xmlns='" NAMESPACE_IBB "' seq='");
	add_number(output, msg->seq);
	add(output, "'");
	add_attribute(output, "sid", msg->sid);
	add(output, ">");
	char *at = reserve(output, BASE64_ENCODED(msg->data_length));
	if (at) {
		output->length += base64_encode(at, msg->data, msg->data_length);
	}
	add(output, "</data>");
}

static void add_resume(struct output *output, const struct msg *msg)
{
	add(output, "<resume xmlns='" MSG_NAMESPACE_RESUME "'");
	add_attribute(output, "sid", msg->sid);
	add(output, "/>");
}

static void add_close(struct output *output, const struct msg *msg)
{
	add(output, "<close xmlns='" NAMESPACE_IBB "'");
	add_attribute(output, "sid", msg->sid);
	add(output, msg->reset ? "><reset xmlns='" MSG_NAMESPACE "'/></close>" : "/>");
}

/* `content` is NULL in a request. */
static void add_info(struct output *output, const char *node, const char *content)
{
	add(output, "<query xmlns='" NAMESPACE_INFO "'");
	if (node) {
		add_attribute(output, "node", node);
	}
	if (!content) {
		add(output, "/>");
		return;
	}
	add(output, ">");
	add(output, content);
	add(output, "</query>");
}

static void add_error(struct output *output, const struct msg *msg)
{
	add(output, "<error");
	add_attribute(output, "type", error_type_name(msg->error_type));
	add(output, "><");
	add(output, condition_name(msg->condition));
	add(output, " xmlns='" NAMESPACE_STANZAS "'/></error>");
}

static const char *iq_type(enum msg_kind kind)
{
	switch (kind) {
	case MSG_RESULT:
		return "result";
	case MSG_ERROR:
		return "error";
	case MSG_PING:
	case MSG_INFO:
		return "get";
	default:
		return "set";
	}
}

static void add_content(struct output *output, const struct msg *msg)
{
	switch (msg->kind) {
	case MSG_OPEN:
		add_open(output, msg);
		break;
	case MSG_DATA:
		add_data(output, msg);
		break;
	case MSG_CLOSE:
		add_close(output, msg);
		break;
	case MSG_RESUME:
		add_resume(output, msg);
		break;
	case MSG_PING:
		add(output, "<ping xmlns='" NAMESPACE_PING "'/>");
		break;
	case MSG_INFO:
		add_info(output, msg->node, NULL);
		break;
	case MSG_RESULT:
		if (msg->answers_info) {
			add_info(output, msg->node, output->codec->features);
		}
		break;
	case MSG_ERROR:
		add_error(output, msg);
		break;
	case MSG_SI:
	case MSG_JINGLE:
	case MSG_UNKNOWN:
	case MSG_BOUNCE:
		assert(!"a kind that only comes in");
	}
}

const char *codec_encode(struct codec *codec, const struct msg *msg, size_t *length)
{
	struct output output = {.codec = codec};
	bool is_message = msg->kind == MSG_DATA && msg->carrier == CARRIER_MESSAGE;
	add(&output, is_message ? "<message" : "<iq");
	if (!is_message) {
		add_attribute(&output, "type", iq_type(msg->kind));
	}
	add_addresses(&output, msg);
	add_content(&output, msg);
	add(&output, is_message ? "</message>" : "</iq>");
	if (output.failed) {
		return NULL;
	}
	codec->text[output.length] = '\0';
	*length = output.length;
	return codec->text;
}
