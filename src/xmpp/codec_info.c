/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/text.h"

#include <string.h>

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

void codec_decode_features(xmpp_stanza_t *iq, struct msg *msg)
{
	xmpp_stanza_t *query = element_child(iq, "query", NAMESPACE_INFO);
	xmpp_stanza_t *child = query ? xmpp_stanza_get_children(query) : NULL;
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (!element_is(child, "feature", NAMESPACE_INFO)) {
			continue;
		}
		const char *feature = xmpp_stanza_get_attribute(child, "var");
		if (text_equals(feature, NAMESPACE_IBB)) {
			msg->features |= FEATURE_IBB;
		} else if (text_equals(feature, MSG_NAMESPACE)) {
			msg->features |= FEATURE_IBBFS;
		} else if (text_equals(feature, MSG_NAMESPACE_RESUME)) {
			msg->features |= FEATURE_RESUME;
		}
	}
}

void codec_add_info(struct output *output, const char *node, const char *content)
{
	output_add(output, "<query xmlns='" NAMESPACE_INFO "'");
	if (node) {
		output_add_attribute(output, "node", node);
	}
	if (!content) {
		output_add(output, "/>");
		return;
	}
	output_add(output, ">");
	output_add(output, content);
	output_add(output, "</query>");
}
