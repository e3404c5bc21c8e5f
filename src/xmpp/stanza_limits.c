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

/* A parser, and for whom it works. */
struct pruned {
	struct pruned *prev, *next; /* parsers */
	void *parser;

	struct login_sink sink; /* libstrophe's handlers */
	struct login *login;	/* to pass through before, or NULL */

	unsigned depth;	   /* elements that are open, with that of the XMPP stream */
	unsigned elements; /* of the stanza */
	unsigned left_out; /* of those that are open */
	bool own;	   /* the stanza is from our server or account */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pruned *parsers; /* under it */

static _Thread_local struct login *login_of_thread;

void prune_watch(struct login *login)
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

/* Whether our own server says so: it gives every stanza the true "from", but for what it says
 * itself, which has none or that of the account. */
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

static bool is_too_much(const struct pruned *pruned)
{
	if (pruned->depth <= 1) {
		return false; /* the XMPP stream, or a stanza */
	}
	return pruned->depth > PRUNE_MAX_DEPTH + 1 ||
	       (!pruned->own && pruned->elements > PRUNE_MAX_ELEMENTS);
}

static void on_start(void *context, const char *name, const char **attributes)
{
	struct pruned *pruned = context;
	if (pruned->left_out > 0 || is_too_much(pruned)) {
		pruned->left_out++;
		return;
	}
	if (pruned->depth <= 1) {
		pruned->elements = 0;
		pruned->own = is_own(attributes);
	}
	pruned->depth++;
	pruned->elements++;
	if (pruned->login) {
		login_start(pruned->login, &pruned->sink, name, attributes);
	} else {
		pruned->sink.start(pruned->sink.context, name, attributes);
	}
}

static void on_end(void *context, const char *name)
{
	struct pruned *pruned = context;
	if (pruned->left_out > 0) {
		pruned->left_out--;
		return;
	}
	pruned->depth--;
	if (pruned->login) {
		login_end(pruned->login, &pruned->sink, name);
	} else {
		pruned->sink.end(pruned->sink.context, name);
	}
}

static void on_text(void *context, const char *text, int length)
{
	struct pruned *pruned = context;
	if (pruned->left_out > 0) {
		return;
	}
	if (pruned->login) {
		login_text(pruned->login, &pruned->sink, text, length);
	} else {
		pruned->sink.text(pruned->sink.context, text, length);
	}
}

/* ---- what libstrophe calls ---- */

/* NULL: somebody else's parser, or memory is short. */
static struct pruned *pruned_of(void *parser, bool may_be_new)
{
	struct pruned *pruned;
	pthread_mutex_lock(&mutex);
	DL_FOREACH (parsers, pruned) {
		if (pruned->parser == parser) {
			break;
		}
	}
	if (!pruned && may_be_new) {
		pruned = calloc(1, sizeof(*pruned));
		if (pruned) {
			pruned->parser = parser;
			DL_APPEND(parsers, pruned);
		}
	}
	pthread_mutex_unlock(&mutex);
	return pruned;
}

/* The three are made with each parser that is new or was reset, in this order. Only with the last
 * is expat given what is ours: a handler of libstrophe's must not get our context, nor the other
 * way round, should one of the three not come here. */

INTERPOSED void XML_SetUserData(void *parser, void *context)
{
	void (*set)(void *, void *);
	interpose(INTERPOSED_XML_SetUserData, (void **)&set);
	struct pruned *pruned = pruned_of(parser, true);
	if (pruned) {
		pruned->sink = (struct login_sink){.context = context};
		pruned->login = login_of_thread;
		if (pruned->login) {
			login_open(pruned->login);
		}
		pruned->depth = 0;
		pruned->left_out = 0;
	}
	if (set) {
		set(parser, context);
	}
}

INTERPOSED void XML_SetElementHandler(void *parser, start_handler start, end_handler end)
{
	void (*set)(void *, start_handler, end_handler);
	interpose(INTERPOSED_XML_SetElementHandler, (void **)&set);
	struct pruned *pruned = pruned_of(parser, false);
	if (pruned) {
		pruned->sink.start = start;
		pruned->sink.end = end;
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
	struct pruned *pruned = pruned_of(parser, false);
	if (pruned && pruned->sink.start && pruned->sink.end && set_context && set_elements) {
		pruned->sink.text = text;
		set_context(parser, pruned);
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
	struct pruned *pruned = pruned_of(parser, false);
	if (pruned) {
		pthread_mutex_lock(&mutex);
		DL_DELETE(parsers, pruned);
		pthread_mutex_unlock(&mutex);
		free(pruned);
	}
	if (free_parser) {
		free_parser(parser);
	}
}
