/* SPDX-License-Identifier: MIT */
#include "stanza.h"

#include "ibb/stream.h"
#include "xmpp/text.h"

#include <string.h>

#define ALL_FEATURES                                                                     \
	(FEATURE_IBB | FEATURE_IBBFS | FEATURE_FOLDERS | FEATURE_RESUME | FEATURE_SYNC | \
	 FEATURE_SI | FEATURE_JINGLE)

static xmpp_ctx_t *context;
/* One for received stanzas; one for their copies in pieces, and for sent ones. */
static struct codec codec, other;

static void set_up(void)
{
	if (!context) {
		xmpp_initialize();
		context = xmpp_ctx_new(NULL, NULL);
		FUZZ_CHECK(context && codec_init(&codec) == 0 && codec_init(&other) == 0);
		other.jid = "me@here/<&'";
	}
}

/* ---- what the core may rely on ---- */

bool stanza_is_request(enum msg_kind kind)
{
	return kind == MSG_OPEN || kind == MSG_DATA || kind == MSG_CLOSE || kind == MSG_RESUME ||
	       kind == MSG_SKIP || kind == MSG_PIECES || kind == MSG_SYNC || kind == MSG_PING ||
	       kind == MSG_INFO || kind == MSG_SI || kind == MSG_JINGLE || kind == MSG_UNKNOWN;
}

static bool has_sid(enum msg_kind kind)
{
	return kind == MSG_OPEN || kind == MSG_DATA || kind == MSG_CLOSE || kind == MSG_RESUME ||
	       kind == MSG_SKIP || kind == MSG_PIECES || kind == MSG_SYNC || kind == MSG_SI ||
	       kind == MSG_JINGLE;
}

/* Reads every byte of a string, so that the address sanitizer has seen it. */
static size_t touch(const char *string)
{
	return string ? strlen(string) : 0;
}

static bool is_short(const char *string)
{
	return !string || (touch(string) >= 1 && touch(string) <= ELEMENT_MAX_SID);
}

static bool is_phrase(const char *string)
{
	return !string || touch(string) >= 1;
}

static void check_digest(const struct digest *digest)
{
	FUZZ_CHECK(digest->algorithm >= HASH_NONE && digest->algorithm <= HASH_SHA_512);
	FUZZ_CHECK(digest->length == 0 || digest->length == hash_length(digest->algorithm));
	for (size_t i = digest->length; i < HASH_MAX_BYTES; i++) {
		FUZZ_CHECK(digest->bytes[i] == 0);
	}
}

static void check_file(const struct file_metadata *file)
{
	FUZZ_CHECK(is_phrase(file->name) && is_phrase(file->media_type) &&
		   is_phrase(file->description));
	FUZZ_CHECK(file->size >= METADATA_NO_SIZE);
	FUZZ_CHECK(file->date == METADATA_NO_DATE ||
		   (file->date >= TEXT_DATE_MIN && file->date <= TEXT_DATE_MAX));
	FUZZ_CHECK(file->offset <= INT64_MAX && file->length <= INT64_MAX);
	FUZZ_CHECK(file->has_range || (file->offset == 0 && file->length == 0));
	check_digest(&file->digest);
}

static void check_no_jingle(const struct metadata *metadata)
{
	FUZZ_CHECK(metadata->action == JINGLE_SESSION_INITIATE &&
		   metadata->reason == JINGLE_NO_REASON);
	FUZZ_CHECK(!metadata->content && !metadata->by_responder && !metadata->from_responder);
	FUZZ_CHECK(metadata->contents == 0 && !metadata->has_file && !metadata->is_encrypted);
	FUZZ_CHECK(!metadata->transport_sid && metadata->block_size == 0);
}

static bool is_bare(const struct file_metadata *file)
{
	return !file->name && file->size == METADATA_NO_SIZE && file->date == METADATA_NO_DATE &&
	       !file->media_type && !file->description;
}

static void check_si(const struct metadata *metadata)
{
	FUZZ_CHECK(metadata->file.name && metadata->file.offset == 0 && metadata->file.length == 0);
	FUZZ_CHECK(metadata->file.digest.length == (metadata->file.digest.algorithm ? 16 : 0));
	FUZZ_CHECK(metadata->file.digest.algorithm <= HASH_MD5);
	check_no_jingle(metadata);
}

static void check_jingle(const struct metadata *metadata)
{
	FUZZ_CHECK(metadata->action >= JINGLE_SESSION_INITIATE && metadata->action <= JINGLE_OTHER);
	FUZZ_CHECK(metadata->reason >= JINGLE_NO_REASON &&
		   metadata->reason <= JINGLE_UNSUPPORTED_TRANSPORTS);
	FUZZ_CHECK(!metadata->reason || metadata->action == JINGLE_SESSION_TERMINATE);
	FUZZ_CHECK(is_short(metadata->content) && is_short(metadata->transport_sid));
	FUZZ_CHECK(metadata->has_ibb == (metadata->transport_sid != NULL));
	FUZZ_CHECK(metadata->block_size <= STREAM_MAX_BLOCK &&
		   (metadata->has_ibb || !metadata->block_size));
	FUZZ_CHECK(metadata->has_file || is_bare(&metadata->file));
	FUZZ_CHECK(metadata->has_file || !metadata->file.digest.algorithm ||
		   metadata->action == JINGLE_CHECKSUM);
	FUZZ_CHECK(metadata->contents > 0 ||
		   (!metadata->has_file && !metadata->has_ibb && !metadata->is_encrypted));
}

static void check_metadata(const struct msg *msg)
{
	FUZZ_CHECK(msg->metadata ? msg->kind == MSG_SI || msg->kind == MSG_JINGLE ||
					   msg->kind == MSG_RESULT
				 : msg->kind != MSG_SI && msg->kind != MSG_JINGLE);
	if (!msg->metadata) {
		return;
	}
	check_file(&msg->metadata->file);
	if (msg->kind == MSG_SI) {
		check_si(msg->metadata);
	} else if (msg->kind == MSG_JINGLE) {
		check_jingle(msg->metadata);
	} else {
		FUZZ_CHECK(is_bare(&msg->metadata->file) && !msg->metadata->file.digest.algorithm);
		check_no_jingle(msg->metadata);
	}
}

void stanza_check(const struct msg *msg)
{
	FUZZ_CHECK(msg->kind >= MSG_OPEN && msg->kind <= MSG_BOUNCE);
	FUZZ_CHECK(msg->peer && msg->id);
	touch(msg->peer), touch(msg->id), touch(msg->node);
	FUZZ_CHECK(is_short(msg->sid));
	FUZZ_CHECK(msg->sid || !has_sid(msg->kind));
	FUZZ_CHECK(!msg->sid || has_sid(msg->kind) || msg->kind == MSG_BOUNCE);
	FUZZ_CHECK(!msg->name || (msg->kind == MSG_OPEN && touch(msg->name) >= 1));
	FUZZ_CHECK(!msg->folder || (msg->kind == MSG_OPEN && touch(msg->folder) >= 1));
	FUZZ_CHECK(msg->size >= -1 &&
		   (msg->size == -1 || msg->kind == MSG_OPEN || msg->kind == MSG_CLOSE ||
		    msg->kind == MSG_SKIP || msg->kind == MSG_SYNC ||
		    (msg->kind == MSG_RESULT && msg->pieces)));
	FUZZ_CHECK(msg->kind != MSG_SKIP || msg->size >= 1);
	FUZZ_CHECK(!msg->pieces || msg->kind == MSG_OPEN || msg->kind == MSG_RESULT);
	FUZZ_CHECK(msg->first <= INT64_MAX && (!msg->first || msg->kind == MSG_PIECES));
	if (msg->kind == MSG_OPEN) {
		FUZZ_CHECK(msg->block_size >= 1 && msg->block_size <= STREAM_MAX_BLOCK);
	}
	FUZZ_CHECK(msg->stanza == STANZA_IQ || msg->stanza == STANZA_MESSAGE);
	FUZZ_CHECK(msg->data_length <= STREAM_MAX_BLOCK);
	FUZZ_CHECK(msg->data || msg->data_length == 0);
	FUZZ_CHECK(!msg->data || msg->kind == MSG_DATA || msg->kind == MSG_CLOSE ||
		   (msg->kind == MSG_RESULT && msg->pieces));
	for (size_t i = 0; i < msg->data_length; i++) {
		FUZZ_CHECK(msg->data[i] <= 0xff);
	}
	FUZZ_CHECK(!msg->has_seq || msg->kind == MSG_RESUME || msg->kind == MSG_RESULT);
	FUZZ_CHECK(!msg->reset || msg->kind == MSG_CLOSE);
	FUZZ_CHECK(!msg->no_room || msg->reset);
	FUZZ_CHECK(!msg->resumable || msg->kind == MSG_OPEN);
	FUZZ_CHECK(!msg->features || msg->kind == MSG_RESULT);
	FUZZ_CHECK((msg->features & ~(unsigned)ALL_FEATURES) == 0);
	FUZZ_CHECK(!msg->node || msg->kind == MSG_INFO);
	FUZZ_CHECK(!msg->answers_info && !msg->prev && !msg->next);
	bool is_error =
		msg->kind == MSG_UNKNOWN || msg->kind == MSG_ERROR || msg->kind == MSG_BOUNCE;
	FUZZ_CHECK(is_error == (msg->condition != CONDITION_NONE));
	FUZZ_CHECK(condition_from_name(condition_name(msg->condition)) == msg->condition ||
		   !is_error);
	FUZZ_CHECK(error_type_name(msg->error_type) != NULL);
	FUZZ_CHECK(msg->detail == DETAIL_NONE ||
		   (msg->detail == DETAIL_BAD_PROFILE && msg->kind == MSG_UNKNOWN));
	check_metadata(msg);
}

/* ---- what is the same ---- */

static bool equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_files_equal(const struct file_metadata *a, const struct file_metadata *b)
{
	FUZZ_CHECK(equal(a->name, b->name) && equal(a->media_type, b->media_type));
	FUZZ_CHECK(equal(a->description, b->description));
	FUZZ_CHECK(a->size == b->size && a->date == b->date);
	FUZZ_CHECK(digest_equals(&a->digest, &b->digest));
	FUZZ_CHECK(a->has_range == b->has_range && a->offset == b->offset);
	FUZZ_CHECK(a->length == b->length);
}

void stanza_check_metadata_equal(const struct metadata *a, const struct metadata *b)
{
	check_files_equal(&a->file, &b->file);
	FUZZ_CHECK(a->has_ibb == b->has_ibb);
	FUZZ_CHECK(a->action == b->action && a->reason == b->reason);
	FUZZ_CHECK(equal(a->content, b->content));
	FUZZ_CHECK(a->by_responder == b->by_responder && a->from_responder == b->from_responder);
	FUZZ_CHECK(a->contents == b->contents && a->has_file == b->has_file);
	FUZZ_CHECK(a->is_encrypted == b->is_encrypted);
	FUZZ_CHECK(equal(a->transport_sid, b->transport_sid) && a->block_size == b->block_size);
}

void stanza_check_equal(const struct msg *a, const struct msg *b)
{
	FUZZ_CHECK(a->kind == b->kind);
	FUZZ_CHECK(equal(a->id, b->id) && equal(a->sid, b->sid));
	FUZZ_CHECK(equal(a->name, b->name) && equal(a->node, b->node));
	FUZZ_CHECK(equal(a->folder, b->folder));
	FUZZ_CHECK(a->block_size == b->block_size && a->stanza == b->stanza);
	FUZZ_CHECK(a->size == b->size && a->seq == b->seq && a->reset == b->reset);
	FUZZ_CHECK(a->no_room == b->no_room);
	FUZZ_CHECK(a->data_length == b->data_length && !a->data == !b->data);
	FUZZ_CHECK(!a->data || memcmp(a->data, b->data, a->data_length) == 0);
	FUZZ_CHECK(a->pieces == b->pieces && a->first == b->first);
	FUZZ_CHECK(a->features == b->features);
	FUZZ_CHECK(a->condition == b->condition && a->error_type == b->error_type);
	FUZZ_CHECK(!a->metadata == !b->metadata);
	if (a->metadata) {
		stanza_check_metadata_equal(a->metadata, b->metadata);
	}
}

/* ---- what comes in ---- */

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
		stanza_check(&again);
		stanza_check_equal(msg, &again);
		FUZZ_CHECK(equal(msg->peer, again.peer) && msg->detail == again.detail);
	}
	xmpp_stanza_release(copy);
}

xmpp_stanza_t *stanza_read(const uint8_t *bytes, size_t length, struct msg *msg)
{
	set_up();
	char *text = fuzz_string(bytes, length);
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, text);
	free(text);
	if (!stanza) {
		return NULL;
	}
	bool decoded = codec_decode(&codec, stanza, msg);
	try_pieces(stanza, msg, decoded);
	if (!decoded) {
		xmpp_stanza_release(stanza);
		return NULL;
	}
	stanza_check(msg);
	return stanza;
}

/* ---- what is sent ---- */

xmpp_stanza_t *stanza_send(const struct msg *msg, struct msg *again)
{
	size_t length = 0;
	const char *text = codec_encode(&other, msg, &length);
	FUZZ_CHECK(text && strlen(text) == length);
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(context, text);
	FUZZ_CHECK(stanza != NULL);
	const char *to = xmpp_stanza_get_to(stanza);
	FUZZ_CHECK(equal(to ? to : "", msg->peer));
	FUZZ_CHECK(codec_decode(&other, stanza, again));
	stanza_check(again);
	return stanza;
}

void stanza_check_sent(const struct msg *msg)
{
	struct msg again;
	xmpp_stanza_t *stanza = stanza_send(msg, &again);
	stanza_check_equal(msg, &again);
	xmpp_stanza_release(stanza);
}
