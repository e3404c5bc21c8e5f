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

xmpp_stanza_t *element_child(xmpp_stanza_t *parent, const char *name, const char *namespace)
{
	return parent ? xmpp_stanza_get_child_by_name_and_ns(parent, name, namespace) : NULL;
}

const char *element_attribute(xmpp_stanza_t *element, const char *name)
{
	const char *value = xmpp_stanza_get_attribute(element, name);
	return value && *value != '\0' ? value : NULL;
}

bool element_attribute_is(xmpp_stanza_t *element, const char *name, const char *value)
{
	return text_equals(xmpp_stanza_get_attribute(element, name), value);
}

const char *element_sid(xmpp_stanza_t *element, const char *name)
{
	const char *sid = element_attribute(element, name);
	return sid && strlen(sid) <= ELEMENT_MAX_SID ? sid : NULL;
}

/* NULL when memory is short. */
static const char *join(struct joined **list, xmpp_stanza_t *first, size_t size)
{
	struct joined *joined = malloc(sizeof(*joined) + size);
	if (!joined) {
		return NULL;
	}
	joined->next = *list;
	*list = joined;
	char *at = joined->text;
	*at = '\0';
	for (xmpp_stanza_t *child = first; child; child = xmpp_stanza_get_next(child)) {
		at = stpcpy(at, xmpp_stanza_get_text_ptr(child));
	}
	return joined->text;
}

const char *element_text(struct joined **joined, xmpp_stanza_t *element)
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
	return xmpp_stanza_get_next(first) ? join(joined, first, size)
					   : xmpp_stanza_get_text_ptr(first);
}

void element_free_joined(struct joined **joined)
{
	while (*joined) {
		struct joined *next = (*joined)->next;
		free(*joined);
		*joined = next;
	}
}
