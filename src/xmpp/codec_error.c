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
static void add_detail(struct writer *writer, enum detail detail)
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
		writer_add(writer, "<");
		writer_add(writer, details[detail].name);
		writer_add_attribute(writer, "xmlns", details[detail].namespace);
		writer_add(writer, "/>");
	}
}

void codec_add_error(struct codec *codec, const struct msg *msg)
{
	struct writer *writer = &codec->writer;
	writer_add(writer, "<error");
	writer_add_attribute(writer, "type", error_type_name(msg->error_type));
	writer_add(writer, "><");
	writer_add(writer, condition_name(msg->condition));
	writer_add(writer, " xmlns='" NAMESPACE_STANZAS "'/>");
	add_detail(writer, msg->detail);
	writer_add(writer, "</error>");
}
