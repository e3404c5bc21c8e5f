/* SPDX-License-Identifier: MIT */
#include "xmpp/roster_parser.h"

#include <stddef.h>
#include <string.h>

#define NAMESPACE_CLIENT "jabber:client"
#define NAMESPACE_ROSTER "jabber:iq:roster"

static const char *attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2) {
		if (strcmp(attributes[0], name) == 0) {
			return attributes[1];
		}
	}
	return NULL;
}

/* Whether the name is `space`, a separator, and `local`. */
static bool is_named(const char *name, const char *space, const char *local)
{
	size_t length = strlen(space);
	return strncmp(name, space, length) == 0 && name[length] != '\0' &&
	       strcmp(name + length + 1, local) == 0;
}

static bool is_wanted(const struct roster_parser *parser, const char *name, const char **attributes)
{
	return is_named(name, NAMESPACE_CLIENT, "iq") &&
	       parser->is_wanted(parser->context, attribute(attributes, "from"),
				 attribute(attributes, "type"), attribute(attributes, "id"));
}

bool roster_parser_begin_element(struct roster_parser *parser, unsigned depth, const char *name,
				 const char **attributes)
{
	switch (depth) {
	case 1:
		parser->in_iq = is_wanted(parser, name, attributes);
		parser->in_query = false;
		break;
	case 2:
		parser->in_query = parser->in_iq && is_named(name, NAMESPACE_ROSTER, "query");
		break;
	case 3:
		if (parser->in_query && is_named(name, NAMESPACE_ROSTER, "item")) {
			const char *jid = attribute(attributes, "jid");
			if (jid) {
				parser->item(parser->context, jid,
					     attribute(attributes, "subscription"));
			}
			return true;
		}
		break;
	default:
		break;
	}
	return false;
}
