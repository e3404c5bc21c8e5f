/* SPDX-License-Identifier: MIT */
#include "stanzas.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int stanzas_set_up(void **state)
{
	static struct stanzas stanzas;
	xmpp_initialize();
	stanzas.context = xmpp_ctx_new(NULL, NULL);
	*state = &stanzas;
	return stanzas.context ? codec_init(&stanzas.codec) : -1;
}

int stanzas_tear_down(void **state)
{
	struct stanzas *stanzas = *state;
	codec_finish(&stanzas->codec);
	xmpp_ctx_free(stanzas->context);
	xmpp_shutdown();
	return 0;
}

xmpp_stanza_t *stanzas_parse(struct stanzas *stanzas, const char *xml)
{
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(stanzas->context, xml);
	if (!stanza) {
		fail_msg("not XML: %s", xml);
	}
	return stanza;
}

xmpp_stanza_t *stanzas_read(struct stanzas *stanzas, const char *folder, const char *name)
{
	char path[1024], xml[4096];
	snprintf(path, sizeof(path), "%s/%s/%s.xml", CORPORA, folder, name);
	FILE *file = fopen(path, "r");
	if (!file) {
		fail_msg("cannot read %s", path);
	}
	size_t length = fread(xml, 1, sizeof(xml) - 1, file);
	xml[length] = '\0';
	fclose(file);
	return stanzas_parse(stanzas, xml);
}

size_t stanzas_count(const char *folder)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", CORPORA, folder);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	size_t count = 0;
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		const char *end = strrchr(entry->d_name, '.');
		count += end && strcmp(end, ".xml") == 0;
	}
	closedir(directory);
	return count;
}

xmpp_stanza_t *stanzas_send(struct stanzas *stanzas, const struct msg *out, struct msg *in)
{
	size_t length;
	const char *text = codec_encode(&stanzas->codec, out, &length);
	assert_non_null(text);
	assert_int_equal(strlen(text), length);
	xmpp_stanza_t *stanza = stanzas_parse(stanzas, text);
	assert_true(codec_decode(&stanzas->codec, stanza, in));
	return stanza;
}

void assert_string_same(const char *string, const char *expected)
{
	assert_string_equal(string ? string : "(null)", expected ? expected : "(null)");
}

static void assert_file_same(const struct file_metadata *file, const struct file_metadata *expected)
{
	assert_string_same(file->name, expected->name);
	assert_int_equal(file->size, expected->size);
	assert_int_equal(file->date, expected->date);
	assert_string_same(file->media_type, expected->media_type);
	assert_string_same(file->description, expected->description);
	assert_int_equal(file->digest.algorithm, expected->digest.algorithm);
	assert_int_equal(file->digest.length, expected->digest.length);
	assert_memory_equal(file->digest.bytes, expected->digest.bytes, HASH_MAX_BYTES);
	assert_int_equal(file->has_range, expected->has_range);
	assert_int_equal(file->offset, expected->offset);
	assert_int_equal(file->length, expected->length);
}

void assert_metadata_same(const struct metadata *metadata, const struct metadata *expected)
{
	assert_int_equal(metadata != NULL, expected != NULL);
	if (!metadata) {
		return;
	}
	assert_file_same(&metadata->file, &expected->file);
	assert_int_equal(metadata->has_ibb, expected->has_ibb);
	assert_int_equal(metadata->action, expected->action);
	assert_int_equal(metadata->reason, expected->reason);
	assert_string_same(metadata->content, expected->content);
	assert_int_equal(metadata->by_responder, expected->by_responder);
	assert_int_equal(metadata->from_responder, expected->from_responder);
	assert_int_equal(metadata->contents, expected->contents);
	assert_int_equal(metadata->has_file, expected->has_file);
	assert_int_equal(metadata->is_encrypted, expected->is_encrypted);
	assert_string_same(metadata->transport_sid, expected->transport_sid);
	assert_int_equal(metadata->block_size, expected->block_size);
}
