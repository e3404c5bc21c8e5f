/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "ibb/base64.h"
#include "ibb/stream.h"
#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/text.h"

#include <assert.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The content of a session-info decides which of several actions it is. */
static const char *const actions[] = {
	[JINGLE_SESSION_INITIATE] = "session-initiate",
	[JINGLE_SESSION_ACCEPT] = "session-accept",
	[JINGLE_SESSION_TERMINATE] = "session-terminate",
	[JINGLE_RECEIVED] = NULL,
	[JINGLE_CHECKSUM] = NULL,
	[JINGLE_PING] = NULL,
	[JINGLE_INFO] = "session-info",
	[JINGLE_CONTENT_REMOVE] = "content-remove",
	[JINGLE_TRANSPORT_REPLACE] = "transport-replace",
};

static const char *const reasons[] = {
	[JINGLE_SUCCESS] = "success",
	[JINGLE_DECLINE] = "decline",
	[JINGLE_BUSY] = "busy",
	[JINGLE_CANCEL] = "cancel",
	[JINGLE_CONNECTIVITY_ERROR] = "connectivity-error",
	[JINGLE_FAILED_APPLICATION] = "failed-application",
	[JINGLE_FAILED_TRANSPORT] = "failed-transport",
	[JINGLE_GENERAL_ERROR] = "general-error",
	[JINGLE_GONE] = "gone",
	[JINGLE_MEDIA_ERROR] = "media-error",
	[JINGLE_SECURITY_ERROR] = "security-error",
	[JINGLE_TIMEOUT] = "timeout",
	[JINGLE_UNSUPPORTED_APPLICATIONS] = "unsupported-applications",
	[JINGLE_UNSUPPORTED_TRANSPORTS] = "unsupported-transports",
};

/* ---- decoding ---- */

static enum jingle_action decode_action(const char *name)
{
	for (size_t i = 0; i < COUNT(actions); i++) {
		if (actions[i] && strcmp(name, actions[i]) == 0) {
			return (enum jingle_action)i;
		}
	}
	return JINGLE_OTHER;
}

/* Beside the reason there may be <text/>, and conditions of applications. */
static enum jingle_reason decode_reason(xmpp_stanza_t *jingle)
{
	xmpp_stanza_t *reason = element_child(jingle, "reason", NAMESPACE_JINGLE);
	xmpp_stanza_t *child = reason ? xmpp_stanza_get_children(reason) : NULL;
	for (; child; child = xmpp_stanza_get_next(child)) {
		for (size_t i = JINGLE_NO_REASON + 1; i < COUNT(reasons); i++) {
			if (element_is(child, reasons[i], NAMESPACE_JINGLE)) {
				return (enum jingle_reason)i;
			}
		}
	}
	return JINGLE_NO_REASON;
}

/* An identifier that we may have to send back; false when it is too long. */
static bool decode_name(xmpp_stanza_t *element, const char *attribute, const char **name)
{
	*name = element_sid(element, attribute);
	return *name || !element_attribute(element, attribute);
}

/* XEP-0300 section 3. A text that is no digest of that algorithm is ignored: Libervia writes, and
 * expects, the base64 of hexadecimal digits. */
static void decode_digest(const char *text, enum hash_algorithm algorithm, struct digest *digest)
{
	uint8_t bytes[HASH_MAX_BYTES];
	size_t length = hash_length(algorithm);
	if (!text || base64_decode(bytes, sizeof(bytes), text, strlen(text)) != (ssize_t)length) {
		return;
	}
	*digest = (struct digest){.algorithm = algorithm, .length = length};
	memcpy(digest->bytes, bytes, length);
}

/*
 * XEP-0234 sections 5 and 8.2: the strongest <hash/> counts. A <hash-used/> or an empty <hash/>
 * promises one. A malformed <hash/> is no promise: the receiver might wait for a digest that never
 * comes.
 */
static void decode_hashes(struct codec *codec, xmpp_stanza_t *file, struct digest *digest)
{
	enum hash_algorithm promised = HASH_NONE;
	xmpp_stanza_t *child = xmpp_stanza_get_children(file);
	for (; child; child = xmpp_stanza_get_next(child)) {
		bool is_hash = element_is(child, "hash", NAMESPACE_HASHES);
		if (!is_hash && !element_is(child, "hash-used", NAMESPACE_HASHES)) {
			continue;
		}
		enum hash_algorithm algorithm =
			hash_from_name(xmpp_stanza_get_attribute(child, "algo"));
		const char *text = is_hash ? element_text(&codec->joined, child) : "";
		if (text && *text == '\0') {
			promised = algorithm > promised ? algorithm : promised;
		} else if (algorithm > digest->algorithm) {
			decode_digest(text, algorithm, digest);
		}
	}
	if (digest->length == 0) {
		digest->algorithm = promised;
	}
}

static bool decode_file(struct codec *codec, xmpp_stanza_t *element, struct file_metadata *file)
{
	const char *namespace = NAMESPACE_JINGLE_FILE;
	xmpp_stanza_t *size = element_child(element, "size", namespace);
	if (size && !codec_decode_size(element_text(&codec->joined, size), file)) {
		return false;
	}
	file->name = codec_decode_phrase(codec, element, "name", namespace);
	file->media_type = codec_decode_phrase(codec, element, "media-type", namespace);
	file->description = codec_decode_phrase(codec, element, "desc", namespace);
	codec_decode_date(codec_decode_phrase(codec, element, "date", namespace), file);
	decode_hashes(codec, element, &file->digest);
	return codec_decode_range(element, namespace, file);
}

static bool has_child(xmpp_stanza_t *parent, const char *name)
{
	return parent && xmpp_stanza_get_child_by_name(parent, name) != NULL;
}

static bool decode_transport(xmpp_stanza_t *content, struct metadata *metadata)
{
	xmpp_stanza_t *transport = element_child(content, "transport", NAMESPACE_JINGLE_IBB);
	uint64_t block_size = 0;
	if (!transport) {
		return true;
	}
	if (!decode_name(transport, "sid", &metadata->transport_sid)) {
		return false;
	}
	metadata->has_ibb = metadata->transport_sid != NULL;
	if (metadata->has_ibb && text_to_number(xmpp_stanza_get_attribute(transport, "block-size"),
						STREAM_MAX_BLOCK, &block_size)) {
		metadata->block_size = (uint32_t)block_size;
	}
	return true;
}

/* The name and the creator of a <content/>, or of an element that refers to one. */
static bool decode_reference(xmpp_stanza_t *element, struct metadata *metadata)
{
	metadata->by_responder = element_attribute_is(element, "creator", "responder");
	return decode_name(element, "name", &metadata->content);
}

/* Some clients leave out "senders", or say "both", for a file that they send. */
static bool decode_content(struct codec *codec, xmpp_stanza_t *content, struct metadata *metadata)
{
	xmpp_stanza_t *description = element_child(content, "description", NAMESPACE_JINGLE_FILE);
	xmpp_stanza_t *file = element_child(description, "file", NAMESPACE_JINGLE_FILE);

	metadata->from_responder = element_attribute_is(content, "senders", "responder");
	/* In any namespace these elements mean that the bytes are encrypted. Conversations had its
	 * own element before XEP-0391. */
	metadata->is_encrypted = has_child(content, "security") || has_child(file, "encrypted");
	metadata->has_file = file != NULL;
	return decode_transport(content, metadata) &&
	       (!file || decode_file(codec, file, &metadata->file));
}

static bool decode_contents(struct codec *codec, xmpp_stanza_t *jingle, struct metadata *metadata)
{
	xmpp_stanza_t *first = NULL;
	xmpp_stanza_t *child = xmpp_stanza_get_children(jingle);
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (element_is(child, "content", NAMESPACE_JINGLE)) {
			first = first ? first : child;
			metadata->contents++;
		}
	}
	if (!first || !decode_reference(first, metadata)) {
		return !first;
	}
	/* Only the name of a content to be removed matters. */
	return metadata->action == JINGLE_CONTENT_REMOVE || decode_content(codec, first, metadata);
}

static bool decode_session_info(struct codec *codec, xmpp_stanza_t *jingle,
				struct metadata *metadata)
{
	xmpp_stanza_t *info = element_first(jingle);
	if (!info) {
		metadata->action = JINGLE_PING;
		return true;
	}
	if (element_is(info, "received", NAMESPACE_JINGLE_FILE)) {
		metadata->action = JINGLE_RECEIVED;
		return decode_reference(info, metadata);
	}
	if (!element_is(info, "checksum", NAMESPACE_JINGLE_FILE)) {
		return true;
	}
	xmpp_stanza_t *file = element_child(info, "file", NAMESPACE_JINGLE_FILE);
	metadata->action = JINGLE_CHECKSUM;
	if (file) {
		decode_hashes(codec, file, &metadata->file.digest);
	}
	return decode_reference(info, metadata);
}

enum condition codec_decode_jingle(struct codec *codec, xmpp_stanza_t *jingle, struct msg *msg)
{
	struct metadata *metadata = codec_new_metadata(codec, msg);
	const char *action = element_attribute(jingle, "action");
	bool understood = true;

	msg->sid = element_sid(jingle, "sid");
	if (!msg->sid || !action) {
		return CONDITION_BAD_REQUEST;
	}
	metadata->action = decode_action(action);
	switch (metadata->action) {
	case JINGLE_SESSION_INITIATE:
	case JINGLE_SESSION_ACCEPT:
	case JINGLE_CONTENT_REMOVE:
	case JINGLE_TRANSPORT_REPLACE:
		understood = decode_contents(codec, jingle, metadata);
		break;
	case JINGLE_SESSION_TERMINATE:
		metadata->reason = decode_reason(jingle);
		break;
	case JINGLE_INFO:
		understood = decode_session_info(codec, jingle, metadata);
		break;
	default:
		break;
	}
	return understood ? CONDITION_NONE : CONDITION_BAD_REQUEST;
}

/* ---- encoding ---- */

static void add_digest(struct writer *writer, const struct digest *digest)
{
	if (digest->algorithm == HASH_NONE) {
		return;
	}
	writer_add(writer, digest->length > 0 ? "<hash" : "<hash-used");
	writer_add(writer, " xmlns='" NAMESPACE_HASHES "'");
	writer_add_attribute(writer, "algo", hash_name(digest->algorithm));
	if (digest->length == 0) {
		writer_add(writer, "/>");
		return;
	}
	writer_add(writer, ">");
	writer_add_base64(writer, digest->bytes, digest->length);
	writer_add(writer, "</hash>");
}

static void add_file(struct writer *writer, const struct file_metadata *file)
{
	writer_add(writer, "<file>");
	codec_add_element(writer, "name", file->name);
	if (file->size != METADATA_NO_SIZE) {
		writer_add(writer, "<size>");
		writer_add_number(writer, file->size);
		writer_add(writer, "</size>");
	}
	codec_add_element(writer, "media-type", file->media_type);
	codec_add_element(writer, "desc", file->description);
	char date[TEXT_DATE_SIZE];
	if (text_from_date(file->date, date)) {
		codec_add_element(writer, "date", date);
	}
	codec_add_range(writer, file);
	add_digest(writer, &file->digest);
	writer_add(writer, "</file>");
}

static void add_reference(struct writer *writer, const struct metadata *metadata)
{
	writer_add_attribute(writer, "creator", metadata->by_responder ? "responder" : "initiator");
	if (metadata->content) {
		writer_add_attribute(writer, "name", metadata->content);
	}
}

static void add_contents(struct writer *writer, const struct metadata *metadata)
{
	writer_add(writer, "<content");
	add_reference(writer, metadata);
	writer_add_attribute(writer, "senders",
			     metadata->from_responder ? "responder" : "initiator");
	writer_add(writer, "><description xmlns='" NAMESPACE_JINGLE_FILE "'>");
	add_file(writer, &metadata->file);
	writer_add(writer, "</description><transport xmlns='" NAMESPACE_JINGLE_IBB "'");
	writer_add(writer, " block-size='");
	writer_add_number(writer, metadata->block_size);
	writer_add(writer, "'");
	writer_add_attribute(writer, "sid", metadata->transport_sid);
	writer_add(writer, "/></content>");
}

static void add_reason(struct writer *writer, enum jingle_reason reason)
{
	if (reason != JINGLE_NO_REASON) {
		writer_add(writer, "<reason><");
		writer_add(writer, reasons[reason]);
		writer_add(writer, "/></reason>");
	}
}

static void add_received(struct writer *writer, const struct metadata *metadata)
{
	writer_add(writer, "<received xmlns='" NAMESPACE_JINGLE_FILE "'");
	add_reference(writer, metadata);
	writer_add(writer, "/>");
}

static void add_checksum(struct writer *writer, const struct metadata *metadata)
{
	writer_add(writer, "<checksum xmlns='" NAMESPACE_JINGLE_FILE "'");
	add_reference(writer, metadata);
	writer_add(writer, "><file>");
	add_digest(writer, &metadata->file.digest);
	writer_add(writer, "</file></checksum>");
}

/* XEP-0166 section 7.1: session-initiate has the JID of its sender as "initiator", session-accept
 * as "responder". */
static void add_own_jid(struct writer *writer, enum jingle_action action, const char *jid)
{
	if (jid && action == JINGLE_SESSION_INITIATE) {
		writer_add_attribute(writer, "initiator", jid);
	} else if (jid && action == JINGLE_SESSION_ACCEPT) {
		writer_add_attribute(writer, "responder", jid);
	}
}

void codec_add_jingle(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	const struct metadata *metadata = msg->metadata;
	writer_add(writer, "<jingle xmlns='" NAMESPACE_JINGLE "'");
	writer_add_attribute(writer, "action",
			     actions[metadata->action] ? actions[metadata->action]
						       : "session-info");
	writer_add_attribute(writer, "sid", msg->sid);
	add_own_jid(writer, metadata->action, codec->jid);
	writer_add(writer, ">");
	switch (metadata->action) {
	case JINGLE_SESSION_INITIATE:
	case JINGLE_SESSION_ACCEPT:
		add_contents(writer, metadata);
		break;
	case JINGLE_SESSION_TERMINATE:
		add_reason(writer, metadata->reason);
		break;
	case JINGLE_RECEIVED:
		add_received(writer, metadata);
		break;
	case JINGLE_CHECKSUM:
		add_checksum(writer, metadata);
		break;
	case JINGLE_PING:
		break;
	case JINGLE_INFO:
	case JINGLE_CONTENT_REMOVE:
	case JINGLE_TRANSPORT_REPLACE:
	case JINGLE_OTHER:
		assert(!"an action that only comes in");
	}
	writer_add(writer, "</jingle>");
}
