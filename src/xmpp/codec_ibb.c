/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "ibb/base64.h"
#include "ibb/stream.h"
#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/text.h"

#include <string.h>

#define NAMESPACE_FILE "urn:xmpp:file:metadata:0"

static void decode_file(struct codec *codec, xmpp_stanza_t *file, struct msg *msg)
{
	xmpp_stanza_t *size = element_child(file, "size", NAMESPACE_FILE);
	xmpp_stanza_t *name = element_child(file, "name", NAMESPACE_FILE);
	uint64_t number;
	if (size && text_to_number(element_text(&codec->joined, size), INT64_MAX, &number)) {
		msg->size = (int64_t)number;
	}
	const char *text = name ? element_text(&codec->joined, name) : NULL;
	msg->name = text && *text != '\0' ? text : NULL;
}

enum condition codec_decode_open(struct codec *codec, xmpp_stanza_t *open, struct msg *msg)
{
	uint64_t block_size;
	msg->sid = element_sid(open, "sid");
	if (!msg->sid ||
	    !text_to_number(xmpp_stanza_get_attribute(open, "block-size"), STREAM_MAX_BLOCK,
			    &block_size) ||
	    block_size == 0) {
		return CONDITION_BAD_REQUEST;
	}
	msg->block_size = (uint32_t)block_size;

	const char *stanza = xmpp_stanza_get_attribute(open, "stanza");
	if (text_equals(stanza, "message")) {
		msg->stanza = STANZA_MESSAGE;
	} else if (stanza && !text_equals(stanza, "iq")) {
		return CONDITION_BAD_REQUEST;
	}
	xmpp_stanza_t *file = element_child(open, "file", NAMESPACE_FILE);
	if (file) {
		decode_file(codec, file, msg);
	}
	msg->folder = codec_decode_phrase(codec, open, "folder", MSG_NAMESPACE_FOLDERS);
	msg->resumable = element_child(open, "resume", MSG_NAMESPACE_RESUME) != NULL;
	msg->pieces = element_child(open, "pieces", MSG_NAMESPACE_PIECES) != NULL;
	return CONDITION_NONE;
}

static void decode_block(struct codec *codec, xmpp_stanza_t *data, struct msg *msg)
{
	const char *text = element_text(&codec->joined, data);
	if (!text) {
		return;
	}
	ssize_t decoded = base64_decode(codec->block, STREAM_MAX_BLOCK, text, strlen(text));
	if (decoded >= 0) {
		msg->data = codec->block;
		msg->data_length = (size_t)decoded;
	}
}

enum condition codec_decode_data(struct codec *codec, xmpp_stanza_t *data, struct msg *msg)
{
	msg->sid = element_sid(data, "sid");
	if (!msg->sid || !text_to_seq(xmpp_stanza_get_attribute(data, "seq"), &msg->seq)) {
		return CONDITION_BAD_REQUEST;
	}
	decode_block(codec, data, msg);
	return CONDITION_NONE;
}

enum condition codec_decode_close(struct codec *codec, xmpp_stanza_t *close, struct msg *msg)
{
	xmpp_stanza_t *sent = element_child(close, "sent", MSG_NAMESPACE);
	uint64_t bytes;
	if (sent && !text_to_number(xmpp_stanza_get_attribute(sent, "bytes"), INT64_MAX, &bytes)) {
		return CONDITION_BAD_REQUEST;
	}
	msg->size = sent ? (int64_t)bytes : -1;
	msg->sid = element_sid(close, "sid");
	xmpp_stanza_t *reset = element_child(close, "reset", MSG_NAMESPACE);
	msg->reset = reset != NULL;
	msg->no_room = reset && element_attribute_is(reset, "reason", "no-room");
	xmpp_stanza_t *hash = element_child(close, "hash", NAMESPACE_HASHES);
	if (hash && element_attribute_is(hash, "algo", hash_name(HASH_SHA_256))) {
		decode_block(codec, hash, msg);
	}
	return msg->sid ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

enum condition codec_decode_resume(struct codec *codec, xmpp_stanza_t *resume, struct msg *msg)
{
	(void)codec;
	msg->sid = element_sid(resume, "sid");
	const char *seq = xmpp_stanza_get_attribute(resume, "seq");
	msg->has_seq = seq && text_to_seq(seq, &msg->seq);
	return msg->sid && (!seq || msg->has_seq) ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

void codec_decode_resumed(xmpp_stanza_t *resume, struct msg *msg)
{
	msg->has_seq = text_to_seq(xmpp_stanza_get_attribute(resume, "seq"), &msg->seq);
}

enum condition codec_decode_skip(struct codec *codec, xmpp_stanza_t *skip, struct msg *msg)
{
	(void)codec;
	uint64_t bytes;
	msg->sid = element_sid(skip, "sid");
	if (!msg->sid || !text_to_seq(xmpp_stanza_get_attribute(skip, "seq"), &msg->seq) ||
	    !text_to_number(xmpp_stanza_get_attribute(skip, "bytes"), INT64_MAX, &bytes) ||
	    bytes == 0) {
		return CONDITION_BAD_REQUEST;
	}
	msg->size = (int64_t)bytes;
	return CONDITION_NONE;
}

enum condition codec_decode_pieces(struct codec *codec, xmpp_stanza_t *pieces, struct msg *msg)
{
	(void)codec;
	msg->sid = element_sid(pieces, "sid");
	bool is_number =
		text_to_number(xmpp_stanza_get_attribute(pieces, "first"), INT64_MAX, &msg->first);
	return msg->sid && is_number ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

void codec_decode_page(struct codec *codec, xmpp_stanza_t *pieces, struct msg *msg)
{
	uint64_t bytes;
	msg->pieces = true;
	if (text_to_number(xmpp_stanza_get_attribute(pieces, "bytes"), INT64_MAX, &bytes)) {
		decode_block(codec, pieces, msg);
		msg->size = msg->data ? (int64_t)bytes : -1;
	}
}

enum condition codec_decode_sync(struct codec *codec, xmpp_stanza_t *sync, struct msg *msg)
{
	(void)codec;
	uint64_t bytes;
	msg->sid = element_sid(sync, "sid");
	if (!msg->sid ||
	    !text_to_number(xmpp_stanza_get_attribute(sync, "bytes"), INT64_MAX, &bytes)) {
		return CONDITION_BAD_REQUEST;
	}
	msg->size = (int64_t)bytes;
	return CONDITION_NONE;
}

/* A second block would be lost. */
static bool is_only_block(xmpp_stanza_t *first)
{
	xmpp_stanza_t *next = xmpp_stanza_get_next(first);
	while (next && !element_is(next, "data", NAMESPACE_IBB)) {
		next = xmpp_stanza_get_next(next);
	}
	return !next;
}

bool codec_decode_message(struct codec *codec, xmpp_stanza_t *message, struct msg *msg)
{
	xmpp_stanza_t *data = element_child(message, "data", NAMESPACE_IBB);
	uint16_t seq = 0;
	bool has_seq = data && text_to_seq(xmpp_stanza_get_attribute(data, "seq"), &seq);
	msg->seq = has_seq ? seq : 0;
	msg->sid = data ? element_sid(data, "sid") : NULL;
	msg->stanza = STANZA_MESSAGE;
	if (text_equals(xmpp_stanza_get_type(message), "error")) {
		/* RFC 6120 section 8.3.1: the request may be in the error. */
		msg->kind = MSG_BOUNCE;
		codec_decode_error(message, msg);
		return true;
	}
	msg->kind = MSG_DATA;
	if (has_seq && is_only_block(data)) {
		decode_block(codec, data, msg);
	}
	return msg->sid != NULL;
}

static void add_file(struct writer *writer, const struct msg *msg)
{
	writer_add(writer, "<file xmlns='" NAMESPACE_FILE "'><name>");
	writer_add_escaped(writer, msg->name);
	writer_add(writer, "</name>");
	if (msg->size >= 0) {
		writer_add(writer, "<size>");
		writer_add_number(writer, msg->size);
		writer_add(writer, "</size>");
	}
	writer_add(writer, "</file>");
}

void codec_add_open(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<open xmlns='" NAMESPACE_IBB "' block-size='");
	writer_add_number(writer, msg->block_size);
	writer_add(writer, "'");
	writer_add_attribute(writer, "sid", msg->sid);
	writer_add_attribute(writer, "stanza", msg->stanza == STANZA_MESSAGE ? "message" : "iq");
	if (!msg->name && !msg->folder && !msg->resumable && !msg->pieces) {
		writer_add(writer, "/>");
		return;
	}
	writer_add(writer, ">");
	if (msg->name) {
		add_file(writer, msg);
	}
	if (msg->folder) {
		writer_add(writer, "<folder xmlns='" MSG_NAMESPACE_FOLDERS "'>");
		writer_add_escaped(writer, msg->folder);
		writer_add(writer, "</folder>");
	}
	if (msg->resumable) {
		writer_add(writer, "<resume xmlns='" MSG_NAMESPACE_RESUME "'/>");
	}
	if (msg->pieces) {
		writer_add(writer, "<pieces xmlns='" MSG_NAMESPACE_PIECES "'/>");
	}
	writer_add(writer, "</open>");
}

void codec_add_data(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<data xmlns='" NAMESPACE_IBB "' seq='");
	writer_add_number(writer, msg->seq);
	writer_add(writer, "'");
	writer_add_attribute(writer, "sid", msg->sid);
	writer_add(writer, ">");
	writer_add_base64(writer, msg->data, msg->data_length);
	writer_add(writer, "</data>");
}

/* The end of an element whose open attribute has that number. */
static void add_number_and_sid(struct writer *writer, int64_t number, const char *sid)
{
	writer_add_number(writer, number);
	writer_add(writer, "'");
	writer_add_attribute(writer, "sid", sid);
	writer_add(writer, "/>");
}

void codec_add_skip(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<skip xmlns='" MSG_NAMESPACE_PIECES "' seq='");
	writer_add_number(writer, msg->seq);
	writer_add(writer, "' bytes='");
	add_number_and_sid(writer, msg->size, msg->sid);
}

void codec_add_pieces(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<pieces xmlns='" MSG_NAMESPACE_PIECES "' first='");
	add_number_and_sid(writer, (int64_t)msg->first, msg->sid);
}

void codec_add_sync(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<sync xmlns='" MSG_NAMESPACE_SYNC "' bytes='");
	add_number_and_sid(writer, msg->size, msg->sid);
}

void codec_add_page(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<pieces xmlns='" MSG_NAMESPACE_PIECES "'");
	if (msg->size < 0) {
		writer_add(writer, "/>");
		return;
	}
	writer_add(writer, " bytes='");
	writer_add_number(writer, msg->size);
	writer_add(writer, "'>");
	writer_add_base64(writer, msg->data, msg->data_length);
	writer_add(writer, "</pieces>");
}

void codec_add_resume(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<resume xmlns='" MSG_NAMESPACE_RESUME "'");
	if (msg->sid) {
		writer_add_attribute(writer, "sid", msg->sid);
	}
	if (msg->has_seq) {
		writer_add(writer, " seq='");
		writer_add_number(writer, msg->seq);
		writer_add(writer, "'");
	}
	writer_add(writer, "/>");
}

void codec_add_close(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<close xmlns='" NAMESPACE_IBB "'");
	writer_add_attribute(writer, "sid", msg->sid);
	if (msg->reset) {
		writer_add(writer, "><reset xmlns='" MSG_NAMESPACE "'");
		writer_add(writer, msg->no_room ? " reason='no-room'/></close>" : "/></close>");
	} else if (msg->size >= 0) {
		writer_add(writer, "><sent xmlns='" MSG_NAMESPACE "' bytes='");
		writer_add_number(writer, msg->size);
		writer_add(writer, "'/>");
		if (msg->data_length > 0) {
			writer_add(writer, "<hash xmlns='" NAMESPACE_HASHES "' algo='sha-256'>");
			writer_add_base64(writer, msg->data, msg->data_length);
			writer_add(writer, "</hash>");
		}
		writer_add(writer, "</close>");
	} else {
		writer_add(writer, "/>");
	}
}
