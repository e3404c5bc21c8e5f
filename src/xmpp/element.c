/* SPDX-License-Identifier: MIT */
#include "xmpp/element.h"

#include "xmpp/text.h"

#include <stdlib.h>
#include <string.h>

bool element_is(xmpp_stanza_t *element, const char *name, const char *namespace)
{
	return text_equals(xmpp_stanza_get_name(element), name) &&
	       text_equals(xmpp_stanza_get_ns(element), namespace);
}

xmpp_stanza_t *element_first(xmpp_stanza_t *parent)
{
	xmpp_stanza_t *child = xmpp_stanza_get_children(parent);
	while (child && xmpp_stanza_is_text(child)) {
		child = xmpp_stanza_get_next(child);
	}
	return child;
}

const char *element_sid(xmpp_stanza_t *element)
{
	const char *sid = xmpp_stanza_get_attribute(element, "sid");
	return sid && *sid != '\0' && strlen(sid) <= ELEMENT_MAX_SID ? sid : NULL;
}

const char *element_text(char **joined, xmpp_stanza_t *element)
{
	xmpp_stanza_t *first = xmpp_stanza_get_children(element);
	size_t size = 1;
	for (xmpp_stanza_t *child = first; child; child = xmpp_stanza_get_next(child)) {
		const char *text = xmpp_stanza_get_text_ptr(child);
		if (!text) {
			return NULL;
		}
		size += strlen(text);
	}
	if (!first) {
		return "";
	}
	if (!xmpp_stanza_get_next(first)) {
		return xmpp_stanza_get_text_ptr(first);
	}
	free(*joined);
	*joined = calloc(1, size);
	char *at = *joined;
	for (xmpp_stanza_t *child = first; at && child; child = xmpp_stanza_get_next(child)) {
		at = stpcpy(at, xmpp_stanza_get_text_ptr(child));
	}
	return *joined;
}
