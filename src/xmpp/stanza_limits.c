/* SPDX-License-Identifier: MIT */
#include "xmpp/stanza_limits.h"

#include "xmpp/interpose.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

typedef void (*start_handler)(void *context, const char *name, const char **attributes);
typedef void (*end_handler)(void *context, const char *name);
typedef void (*text_handler)(void *context, const char *text, int length);

/* As expat.h declares them; the parser is opaque here. */
void XML_SetUserData(void *parser, void *context);
void XML_SetElementHandler(void *parser, start_handler start, end_handler end);
void XML_SetCharacterDataHandler(void *parser, text_handler text);
void XML_ParserFree(void *parser);

/* A parser, and the handlers that get what is left of its events. */
struct filter {
	struct filter *prev, *next; /* parsers */
	void *parser;

	struct login_sink sink; /* libstrophe's handlers */
	struct login *login;	/* the events pass through it first; or NULL */

	unsigned depth;	   /* elements that are open, with that of the XMPP stream */
	unsigned elements; /* of the stanza */
	unsigned dropped;  /* dropped elements that are open */
	bool own;	   /* the stanza is from our server or account */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct filter *parsers; /* under it */

static _Thread_local struct login *login_of_thread;

void stanza_limits_set_login(struct login *login)
{
	login_of_thread = login;
}

/* ---- what expat calls ---- */

static const char *attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2) {
		if (strcmp(attributes[0], name) == 0) {
			return attributes[1];
		}
	}
	return NULL;
}

/* Whether the stanza comes from our own server or account: it has no "from", or that of the
 * account. The server sets the true "from" in every other stanza. */
static bool is_own(const char **attributes)
{
	const char *from = attribute(attributes, "from");
	const char *to = attribute(attributes, "to");
	if (!from) {
		return true;
	}
	size_t length = strlen(from);
	return to && strncmp(to, from, length) == 0 && (to[length] == '/' || to[length] == '\0');
}

static bool is_too_much(const struct filter *filter)
{
	if (filter->depth <= 1) {
		return false; /* the XMPP stream, or a stanza */
	}
	return filter->depth > STANZA_MAX_DEPTH + 1 ||
	       (!filter->own && filter->elements > STANZA_MAX_ELEMENTS);
}

static void on_start(void *context, const char *name, const char **attributes)
{
	struct filter *filter = context;
	if (filter->dropped > 0 || is_too_much(filter)) {
		filter->dropped++;
		return;
	}
	if (filter->depth <= 1) {
		filter->elements = 0;
		filter->own = is_own(attributes);
	}
	filter->depth++;
	filter->elements++;
	if (filter->login) {
		login_start(filter->login, &filter->sink, name, attributes);
	} else {
		filter->sink.start(filter->sink.context, name, attributes);
	}
}

static void on_end(void *context, const char *name)
{
	struct filter *filter = context;
	if (filter->dropped > 0) {
		filter->dropped--;
		return;
	}
	filter->depth--;
	if (filter->login) {
		login_end(filter->login, &filter->sink, name);
	} else {
		filter->sink.end(filter->sink.context, name);
	}
}

static void on_text(void *context, const char *text, int length)
{
	struct filter *filter = context;
	if (filter->dropped > 0) {
		return;
	}
	if (filter->login) {
		login_text(filter->login, &filter->sink, text, length);
	} else {
		filter->sink.text(filter->sink.context, text, length);
	}
}

/* ---- what libstrophe calls ---- */

/* NULL: a parser that is not libstrophe's, or memory is short. */
static struct filter *filter_of(void *parser, bool may_be_new)
{
	struct filter *filter;
	pthread_mutex_lock(&mutex);
	DL_FOREACH (parsers, filter) {
		if (filter->parser == parser) {
			break;
		}
	}
	if (!filter && may_be_new) {
		filter = calloc(1, sizeof(*filter));
		if (filter) {
			filter->parser = parser;
			DL_APPEND(parsers, filter);
		}
	}
	pthread_mutex_unlock(&mutex);
	return filter;
}

/* libstrophe calls the next three functions for each parser that is new or was reset, in this
 * order. Only the last one gives our handlers to expat. Should one of the three not be interposed,
 * no handler gets the context of another. */

INTERPOSED void XML_SetUserData(void *parser, void *context)
{
	void (*set)(void *, void *);
	interpose(INTERPOSED_XML_SetUserData, (void **)&set);
	struct filter *filter = filter_of(parser, true);
	if (filter) {
		filter->sink = (struct login_sink){.context = context};
		filter->login = login_of_thread;
		if (filter->login) {
			login_open(filter->login);
		}
		filter->depth = 0;
		filter->dropped = 0;
	}
	if (set) {
		set(parser, context);
	}
}

INTERPOSED void XML_SetElementHandler(void *parser, start_handler start, end_handler end)
{
	void (*set)(void *, start_handler, end_handler);
	interpose(INTERPOSED_XML_SetElementHandler, (void **)&set);
	struct filter *filter = filter_of(parser, false);
	if (filter) {
		filter->sink.start = start;
		filter->sink.end = end;
	}
	if (set) {
		set(parser, start, end);
	}
}

INTERPOSED void XML_SetCharacterDataHandler(void *parser, text_handler text)
{
	void (*set)(void *, text_handler);
	void (*set_context)(void *, void *);
	void (*set_elements)(void *, start_handler, end_handler);
	interpose(INTERPOSED_XML_SetCharacterDataHandler, (void **)&set);
	interpose_find("XML_SetUserData", (void **)&set_context);
	interpose_find("XML_SetElementHandler", (void **)&set_elements);
	struct filter *filter = filter_of(parser, false);
	if (filter && filter->sink.start && filter->sink.end && set_context && set_elements) {
		filter->sink.text = text;
		set_context(parser, filter);
		set_elements(parser, on_start, on_end);
		text = on_text;
	}
	if (set) {
		set(parser, text);
	}
}

INTERPOSED void XML_ParserFree(void *parser)
{
	void (*free_parser)(void *);
	interpose(INTERPOSED_XML_ParserFree, (void **)&free_parser);
	struct filter *filter = filter_of(parser, false);
	if (filter) {
		pthread_mutex_lock(&mutex);
		DL_DELETE(parsers, filter);
		pthread_mutex_unlock(&mutex);
		free(filter);
	}
	if (free_parser) {
		free_parser(parser);
	}
}
