/* SPDX-License-Identifier: MIT */
#include "xmpp/codec_internal.h"

#include "xmpp/element.h"
#include "xmpp/features.h"
#include "xmpp/text.h"

#define NAMESPACE_STANZAS	"urn:ietf:params:xml:ns:xmpp-stanzas"
#define NAMESPACE_JINGLE_ERRORS "urn:xmpp:jingle:errors:1"

void codec_decode_error(xmpp_stanza_t *stanza, struct msg *msg)
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
		if (name && !text_equals(name, "text") &&
		    text_equals(xmpp_stanza_get_ns(child), NAMESPACE_STANZAS)) {
			msg->condition = condition_from_name(name);
			return;
		}
	}
}

/* Beside the condition of RFC 6120. */
static void add_detail(struct output *output, enum detail detail)
{
	static const struct {
		const char *name, *namespace;
	} details[] = {
		[DETAIL_NO_VALID_STREAMS] = {"no-valid-streams", NAMESPACE_SI},
		[DETAIL_BAD_PROFILE] = {"bad-profile", NAMESPACE_SI},
		[DETAIL_OUT_OF_ORDER] = {"out-of-order", NAMESPACE_JINGLE_ERRORS},
		[DETAIL_TIE_BREAK] = {"tie-break", NAMESPACE_JINGLE_ERRORS},
		[DETAIL_UNKNOWN_SESSION] = {"unknown-session", NAMESPACE_JINGLE_ERRORS},
		[DETAIL_UNSUPPORTED_INFO] = {"unsupported-info", NAMESPACE_JINGLE_ERRORS},
	};
	if (detail != DETAIL_NONE) {
		output_add(output, "<");
		output_add(output, details[detail].name);
		output_add_attribute(output, "xmlns", details[detail].namespace);
		output_add(output, "/>");
	}
}

void codec_add_error(struct output *output, const struct msg *msg)
{
	output_add(output, "<error");
	output_add_attribute(output, "type", error_type_name(msg->error_type));
	output_add(output, "><");
	output_add(output, condition_name(msg->condition));
	output_add(output, " xmlns='" NAMESPACE_STANZAS "'/>");
	add_detail(output, msg->detail);
	output_add(output, "</error>");
}
