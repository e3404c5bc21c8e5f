/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "xmpp/element.h"
#include "xmpp/features.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum condition codec_decode_info(struct codec *codec, xmpp_stanza_t *query, struct msg *msg)
{
	static const char prefix[] = MSG_NAMESPACE "#";
	msg->node = xmpp_stanza_get_attribute(query, "node");
	if (msg->node && (strncmp(msg->node, prefix, strlen(prefix)) != 0 ||
			  strcmp(msg->node + strlen(prefix), codec->ver) != 0)) {
		return CONDITION_ITEM_NOT_FOUND;
	}
	return CONDITION_NONE;
}

/* FEATURE_JINGLE needs three namespaces. FEATURE_SI needs one: gloox does not name IBB among its
 * features, but its answer to an <si/> does. */
#define SEEN_JINGLE	 (1U << 16)
#define SEEN_JINGLE_FILE (1U << 17)
#define SEEN_JINGLE_IBB	 (1U << 18)
#define SEEN_ALL_JINGLE	 (SEEN_JINGLE | SEEN_JINGLE_FILE | SEEN_JINGLE_IBB)

static const struct {
	const char *namespace;
	unsigned seen;
} known[] = {
	{NAMESPACE_IBB, FEATURE_IBB},
	{MSG_NAMESPACE, FEATURE_IBBFS},
	{MSG_NAMESPACE_FOLDERS, FEATURE_FOLDERS},
	{MSG_NAMESPACE_RESUME, FEATURE_RESUME},
	{MSG_NAMESPACE_SYNC, FEATURE_SYNC},
	{NAMESPACE_SI_FILE, FEATURE_SI},
	{NAMESPACE_JINGLE, SEEN_JINGLE},
	{NAMESPACE_JINGLE_FILE, SEEN_JINGLE_FILE},
	{NAMESPACE_JINGLE_IBB, SEEN_JINGLE_IBB},
};

/* Psi+ 1.4.1456 crashes at the <open/> of whatever file it has accepted by Jingle: its library,
 * iris, never hands the bytestream over, and the receiver of the file follows a null pointer. The
 * identity has no version. Other versions accept files by SI as well. */
static bool crashes_by_jingle(xmpp_stanza_t *identity)
{
	return element_attribute_is(identity, "name", "Psi+");
}

static unsigned decode_feature(xmpp_stanza_t *element)
{
	for (size_t i = 0; i < COUNT(known); i++) {
		if (element_attribute_is(element, "var", known[i].namespace)) {
			return known[i].seen;
		}
	}
	return 0;
}

void codec_decode_features(xmpp_stanza_t *iq, struct msg *msg)
{
	xmpp_stanza_t *query = element_child(iq, "query", NAMESPACE_INFO);
	xmpp_stanza_t *child = query ? xmpp_stanza_get_children(query) : NULL;
	unsigned seen = 0;
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (element_is(child, "feature", NAMESPACE_INFO)) {
			seen |= decode_feature(child);
		} else if (element_is(child, "identity", NAMESPACE_INFO) &&
			   crashes_by_jingle(child)) {
			seen |= FEATURE_JINGLE_CRASHES;
		}
	}
	msg->features = seen & ~SEEN_ALL_JINGLE;
	if ((seen & SEEN_ALL_JINGLE) == SEEN_ALL_JINGLE) {
		msg->features |= FEATURE_JINGLE;
	}
}

static void begin_query(struct writer *writer, const char *node)
{
	writer_add(writer, "<query xmlns='" NAMESPACE_INFO "'");
	if (node) {
		writer_add_attribute(writer, "node", node);
	}
}

void codec_add_info(struct codec *codec, const struct msg *msg)
{
	begin_query(&codec->writer, msg->node);
	writer_add(&codec->writer, "/>");
}

void codec_add_info_answer(struct codec *codec, const struct msg *msg)
{
	begin_query(&codec->writer, msg->node);
	writer_add(&codec->writer, ">");
	writer_add(&codec->writer, codec->features);
	writer_add(&codec->writer, "</query>");
}
