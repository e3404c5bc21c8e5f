/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "xmpp/element.h"
#include "xmpp/text.h"

/*
 * A file's metadata is of two kinds. The size and the range say which bytes are sent. If they are
 * malformed, the offer is refused: otherwise a truncated file would pass for a whole one, or the
 * wrong part would be sent. The rest, such as the date and the digest, is ignored if it is
 * malformed. A digest guards against accidents only, since the sender of a file chooses its digest,
 * too. And some clients write it wrongly but send good files.
 */

struct metadata *codec_new_metadata(struct codec *codec, struct msg *msg)
{
	codec->metadata = (struct metadata){
		.file = {.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE},
	};
	msg->metadata = &codec->metadata;
	return &codec->metadata;
}

bool codec_decode_size(const char *text, struct file_metadata *file)
{
	uint64_t size;
	if (!text_to_number(text, INT64_MAX, &size)) {
		return false;
	}
	file->size = (int64_t)size;
	return true;
}

void codec_decode_date(const char *text, struct file_metadata *file)
{
	if (!text_to_date(text, &file->date)) {
		file->date = METADATA_NO_DATE;
	}
}

/* XEP-0096 section 3, XEP-0234 section 5: without a length, the range is the rest of the file. A
 * length of 0 makes no sense. */
bool codec_decode_range(xmpp_stanza_t *parent, const char *namespace, struct file_metadata *file)
{
	xmpp_stanza_t *range = element_child(parent, "range", namespace);
	file->has_range = range != NULL;
	if (!range) {
		return true;
	}
	const char *offset = xmpp_stanza_get_attribute(range, "offset");
	const char *length = xmpp_stanza_get_attribute(range, "length");
	return (!offset || text_to_number(offset, INT64_MAX, &file->offset)) &&
	       (!length || (text_to_number(length, INT64_MAX, &file->length) && file->length > 0));
}

const char *codec_decode_phrase(struct codec *codec, xmpp_stanza_t *parent, const char *name,
				const char *namespace)
{
	xmpp_stanza_t *element = element_child(parent, name, namespace);
	const char *text = element ? element_text(&codec->joined, element) : NULL;
	return text && *text != '\0' ? text : NULL;
}

void codec_add_element(struct writer *writer, const char *name, const char *text)
{
	if (text) {
		writer_add(writer, "<");
		writer_add(writer, name);
		writer_add(writer, ">");
		writer_add_escaped(writer, text);
		writer_add(writer, "</");
		writer_add(writer, name);
		writer_add(writer, ">");
	}
}

void codec_add_range(struct writer *writer, const struct file_metadata *file)
{
	if (!file->has_range) {
		return;
	}
	writer_add(writer, "<range");
	if (file->offset > 0) {
		writer_add(writer, " offset='");
		writer_add_number(writer, (int64_t)file->offset);
		writer_add(writer, "'");
	}
	if (file->length > 0) {
		writer_add(writer, " length='");
		writer_add_number(writer, (int64_t)file->length);
		writer_add(writer, "'");
	}
	writer_add(writer, "/>");
}
