/* SPDX-License-Identifier: MIT */
#include "ibb/msg.h"

#include <stdlib.h>
#include <string.h>

static size_t string_size(const char *string)
{
	return string != NULL ? strlen(string) + 1 : 0;
}

/* Copies `string` to *at and advances *at. NULL stays NULL. */
static const char *copy_string(char **at, const char *string)
{
	if (string == NULL) {
		return NULL;
	}
	size_t size = strlen(string) + 1;
	char *copy = memcpy(*at, string, size);
	*at += size;
	return copy;
}

/* The addresses of the string fields of `metadata`. */
#define METADATA_STRINGS 5
static void list_strings(struct metadata *metadata, const char **strings[METADATA_STRINGS])
{
	strings[0] = &metadata->file.name;
	strings[1] = &metadata->file.media_type;
	strings[2] = &metadata->file.description;
	strings[3] = &metadata->content;
	strings[4] = &metadata->transport_sid;
}

/* Including padding for its alignment. */
static size_t metadata_size(const struct metadata *metadata)
{
	if (metadata == NULL) {
		return 0;
	}
	struct metadata copy = *metadata;
	const char **strings[METADATA_STRINGS];
	size_t size = sizeof(copy) + _Alignof(struct metadata);
	list_strings(&copy, strings);
	for (size_t i = 0; i < METADATA_STRINGS; i++) {
		size += string_size(*strings[i]);
	}
	return size;
}

/* Copies `metadata` to *at. */
static void copy_metadata(struct msg *msg, char **at, const struct metadata *metadata)
{
	size_t alignment = _Alignof(struct metadata);
	uintptr_t place = ((uintptr_t)*at + alignment - 1) / alignment * alignment;
	struct metadata *copy = (struct metadata *)place; /* NOLINT(performance-no-int-to-ptr) */
	const char **strings[METADATA_STRINGS];
	*copy = *metadata;
	*at = (char *)(copy + 1);
	list_strings(copy, strings);
	for (size_t i = 0; i < METADATA_STRINGS; i++) {
		*strings[i] = copy_string(at, *strings[i]);
	}
	msg->metadata = copy;
}

struct msg *msg_create(const struct msg *template)
{
	/* One allocation: the message, its data, its strings. */
	size_t memory = sizeof(struct msg) + template->data_length + string_size(template->peer) +
			string_size(template->id) + string_size(template->sid) +
			string_size(template->name) + string_size(template->folder) +
			string_size(template->node) + metadata_size(template->metadata);
	struct msg *msg = malloc(memory);
	if (msg == NULL) {
		return NULL;
	}
	*msg = *template;
	msg->memory = memory;
	msg->prev = msg->next = NULL;
	msg->data = msg_room(msg);
	if (template->data != NULL) {
		memcpy(msg_room(msg), template->data, template->data_length);
	}
	char *at = (char *)msg_room(msg) + template->data_length;
	msg->peer = copy_string(&at, template->peer);
	msg->id = copy_string(&at, template->id);
	msg->sid = copy_string(&at, template->sid);
	msg->name = copy_string(&at, template->name);
	msg->folder = copy_string(&at, template->folder);
	msg->node = copy_string(&at, template->node);
	if (template->metadata != NULL) {
		copy_metadata(msg, &at, template->metadata);
	}
	return msg;
}

/* Bytes of `text` in an XML attribute, with entity references. */
static size_t escaped_length(const char *text)
{
	size_t length = 0;
	for (; *text != '\0'; text++) {
		length += strchr("&<>\"'\t\n\r", *text) != NULL ? strlen("&quot;") : 1;
	}
	return length;
}

size_t msg_data_room(const char *peer, const char *sid, size_t max_stanza)
{
	size_t envelope = MSG_ENVELOPE + escaped_length(peer) + escaped_length(sid);
	size_t room = max_stanza > envelope ? (max_stanza - envelope) / 4 * 3 : 0;
	return room > 0 ? room : 1;
}

void msg_destroy(struct msg *msg)
{
	free(msg);
}

uint8_t *msg_room(struct msg *msg)
{
	return (uint8_t *)(msg + 1);
}
