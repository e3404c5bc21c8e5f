/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/text.h"

#define NAMESPACE_NEGOTIATION "http://jabber.org/protocol/feature-neg"
#define NAMESPACE_FORM	      "jabber:x:data"

/* ---- decoding ---- */

/* The stream methods of a form. */
struct methods {
	unsigned count;
	bool has_ibb;
};

/* gloox adds a <value/> with nothing in it. */
static void count_value(struct codec *codec, xmpp_stanza_t *value, struct methods *methods)
{
	const char *text = element_text(&codec->joined, value);
	if (text && *text != '\0') {
		methods->count++;
		methods->has_ibb = methods->has_ibb || text_equals(text, NAMESPACE_IBB);
	}
}

/* XEP-0004 section 3.2: a choice is a <value/> in an <option/>. The value that was chosen, or the
 * default, is a <value/> in the field. */
static void count_field(struct codec *codec, xmpp_stanza_t *field, struct methods *methods)
{
	xmpp_stanza_t *child = xmpp_stanza_get_children(field);
	for (; child; child = xmpp_stanza_get_next(child)) {
		xmpp_stanza_t *value = element_is(child, "option", NAMESPACE_FORM)
					       ? element_child(child, "value", NAMESPACE_FORM)
					       : child;
		if (value && element_is(value, "value", NAMESPACE_FORM)) {
			count_value(codec, value, methods);
		}
	}
}

static struct methods decode_methods(struct codec *codec, xmpp_stanza_t *form)
{
	struct methods methods = {0};
	xmpp_stanza_t *child = form ? xmpp_stanza_get_children(form) : NULL;
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (element_is(child, "field", NAMESPACE_FORM) &&
		    element_attribute_is(child, "var", "stream-method")) {
			count_field(codec, child, &methods);
		}
	}
	return methods;
}

static xmpp_stanza_t *find_form(xmpp_stanza_t *si)
{
	xmpp_stanza_t *feature = element_child(si, "feature", NAMESPACE_NEGOTIATION);
	return element_child(feature, "x", NAMESPACE_FORM);
}

static bool decode_file(struct codec *codec, xmpp_stanza_t *element, struct file_metadata *file)
{
	const char *size = xmpp_stanza_get_attribute(element, "size");
	const char *md5 = xmpp_stanza_get_attribute(element, "hash");
	size_t length = hash_length(HASH_MD5);

	/* "MUST be present", but QXmpp leaves the size out for an empty file. */
	file->name = element_attribute(element, "name");
	if (!file->name || (size && !codec_decode_size(size, file))) {
		return false;
	}
	/* In an offer it only allows one in the answer. */
	file->has_range = element_child(element, "range", NAMESPACE_SI_FILE) != NULL;
	codec_decode_date(xmpp_stanza_get_attribute(element, "date"), file);
	file->description = codec_decode_phrase(codec, element, "desc", NAMESPACE_SI_FILE);
	if (text_to_bytes(md5, file->digest.bytes, length)) {
		file->digest.algorithm = HASH_MD5;
		file->digest.length = length;
	} else {
		file->digest = (struct digest){0};
	}
	return true;
}

enum condition codec_decode_si(struct codec *codec, xmpp_stanza_t *si, struct msg *msg)
{
	struct metadata *metadata = codec_new_metadata(codec, msg);
	const char *profile = element_attribute(si, "profile");
	xmpp_stanza_t *file = element_child(si, "file", NAMESPACE_SI_FILE);

	msg->sid = element_sid(si, "id");
	if (!msg->sid || !profile) {
		return CONDITION_BAD_REQUEST;
	}
	if (!text_equals(profile, NAMESPACE_SI_FILE)) {
		msg->detail = DETAIL_BAD_PROFILE;
		return CONDITION_BAD_REQUEST;
	}
	if (!file || !decode_file(codec, file, &metadata->file)) {
		return CONDITION_BAD_REQUEST;
	}
	metadata->file.media_type = element_attribute(si, "mime-type");
	metadata->has_ibb = decode_methods(codec, find_form(si)).has_ibb;
	return CONDITION_NONE;
}

void codec_decode_si_answer(struct codec *codec, xmpp_stanza_t *si, struct msg *msg)
{
	struct metadata *metadata = codec_new_metadata(codec, msg);
	xmpp_stanza_t *form = find_form(si);
	xmpp_stanza_t *file = element_child(si, "file", NAMESPACE_SI_FILE);
	bool understood = codec_decode_range(file, NAMESPACE_SI_FILE, &metadata->file);
	struct methods methods = decode_methods(codec, form);

	/* An answer cannot be refused. An answer that we do not understand is no consent. */
	metadata->has_ibb = understood && form && element_attribute_is(form, "type", "submit") &&
			    methods.count == 1 && methods.has_ibb;
}

/* ---- encoding ---- */

static void add_file(struct writer *writer, const struct file_metadata *file)
{
	writer_add(writer, "<file xmlns='" NAMESPACE_SI_FILE "'");
	writer_add_attribute(writer, "name", file->name);
	if (file->size != METADATA_NO_SIZE) {
		writer_add(writer, " size='");
		writer_add_number(writer, file->size);
		writer_add(writer, "'");
	}
	char date[TEXT_DATE_SIZE];
	if (text_from_date(file->date, date)) {
		writer_add_attribute(writer, "date", date);
	}
	if (file->digest.algorithm == HASH_MD5 && file->digest.length > 0) {
		writer_add(writer, " hash='");
		writer_add_hex(writer, file->digest.bytes, file->digest.length);
		writer_add(writer, "'");
	}
	writer_add(writer, ">");
	codec_add_element(writer, "desc", file->description);
	codec_add_range(writer, file);
	writer_add(writer, "</file>");
}

void codec_add_si(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<si xmlns='" NAMESPACE_SI "' profile='" NAMESPACE_SI_FILE "'");
	writer_add_attribute(writer, "id", msg->sid);
	if (msg->metadata->file.media_type) {
		writer_add_attribute(writer, "mime-type", msg->metadata->file.media_type);
	}
	writer_add(writer, ">");
	add_file(writer, &msg->metadata->file);
	writer_add(writer, "<feature xmlns='" NAMESPACE_NEGOTIATION "'>"
			   "<x xmlns='" NAMESPACE_FORM "' type='form'>"
			   "<field var='stream-method' type='list-single'>"
			   "<option><value>" NAMESPACE_IBB "</value></option>"
			   "</field></x></feature></si>");
}

void codec_add_si_answer(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	const struct file_metadata *file = &msg->metadata->file;
	writer_add(writer, "<si xmlns='" NAMESPACE_SI "'>");
	if (file->has_range) {
		writer_add(writer, "<file xmlns='" NAMESPACE_SI_FILE "'>");
		codec_add_range(writer, file);
		writer_add(writer, "</file>");
	}
	writer_add(writer, "<feature xmlns='" NAMESPACE_NEGOTIATION "'>"
			   "<x xmlns='" NAMESPACE_FORM "' type='submit'>"
			   "<field var='stream-method'><value>" NAMESPACE_IBB "</value></field>"
			   "</x></feature></si>");
}
