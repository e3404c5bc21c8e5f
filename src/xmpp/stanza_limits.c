/* SPDX-License-Identifier: MIT */
#include "xmpp/stanza_limits.h"

#include "xmpp/block_text.h"
#include "xmpp/interpose.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
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
int XML_Parse(void *parser, const char *text, int length, int is_final);
void XML_ParserFree(void *parser);

#define XML_STATUS_ERROR 0
#define XML_STATUS_OK	 1

/* The buffer for text that stays: enough for the usual block. */
#define KEPT_TEXT_BYTES ((size_t)16 * 1024)

/* U+FFFD */
static const char cut_mark[] = "\xEF\xBF\xBD";

/* A parser, and the handlers that get what is left of its events. */
struct filter {
	struct filter *prev, *next; /* parsers */
	void *parser;

	struct login_sink sink;	      /* libstrophe's handlers */
	struct login *login;	      /* the events pass through it first; or NULL */
	struct roster_parser *roster; /* gets the items of rosters; or NULL */

	unsigned depth;	   /* elements that are open, with that of the XMPP stream */
	unsigned elements; /* of the stanza */
	size_t bytes;	   /* likewise */
	char *text;	   /* buffered since the last tag */
	size_t text_length, text_size;
	unsigned marked;  /* bits: the open elements, by depth, whose text ends in cut_mark */
	unsigned dropped; /* dropped elements that are open */
	size_t unparsed;  /* bytes that expat got since the last event */
	int64_t parsed;	  /* bytes that expat got */
	bool in_block;	  /* the last of them ended the tag of a block */
	long (*byte_index)(void *parser); /* of expat, or NULL */
	int (*byte_count)(void *parser);
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct filter *parsers; /* under it */

static _Thread_local struct login *login_of_thread;
static _Thread_local struct roster_parser *roster_of_thread;
static _Thread_local void *parser_of_thread; /* the last that was used */
static _Thread_local bool has_failed;

void stanza_limits_set_login(struct login *login, struct roster_parser *roster)
{
	login_of_thread = login;
	roster_of_thread = roster;
}

bool stanza_limits_take_failure(void)
{
	bool failed = has_failed;
	has_failed = false;
	return failed;
}

/* ---- what expat calls ---- */

static size_t size_of(const char *name, const char **attributes)
{
	size_t size = strlen(name);
	for (; *attributes; attributes++) {
		size += strlen(*attributes);
	}
	return size;
}

/* Whether the name of an attribute has no namespace. With one, expat puts the namespace and a
 * separator before it. The names that are read here are ASCII. */
static bool is_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-._")] == '\0';
}

/* expat does not read the list again. */
static void drop_qualified(const char **attributes)
{
	const char **kept = attributes;
	for (; *attributes; attributes += 2) {
		if (is_plain(attributes[0])) {
			*kept++ = attributes[0];
			*kept++ = attributes[1];
		}
	}
	*kept = NULL;
}

/* Whether an element of so many bytes is to be dropped. */
static bool is_too_much(const struct filter *filter, size_t bytes)
{
	if (filter->depth <= 1) {
		return false; /* the XMPP stream, or a stanza */
	}
	return filter->depth > STANZA_MAX_DEPTH + 1 || filter->elements > STANZA_MAX_ELEMENTS ||
	       filter->bytes + bytes > STANZA_MAX_BYTES;
}

static void pass_text(struct filter *filter, const char *text, int length)
{
	if (filter->login) {
		login_text(filter->login, &filter->sink, text, length);
	} else {
		filter->sink.text(filter->sink.context, text, length);
	}
}

/* Hands the text over at each tag. expat reports each line on its own, and libstrophe needs longer
 * to append a line the more text there is. */
static void pass_buffered(struct filter *filter)
{
	if (filter->text_length > 0) {
		pass_text(filter, filter->text, (int)filter->text_length);
		filter->text_length = 0;
	}
	if (filter->text_size > KEPT_TEXT_BYTES) {
		free(filter->text);
		filter->text = NULL;
		filter->text_size = 0;
	}
}

static void buffer_text(struct filter *filter, const char *text, size_t length)
{
	size_t needed = filter->text_length + length;
	if (needed > filter->text_size) {
		size_t size = needed * 2 > KEPT_TEXT_BYTES ? needed * 2 : KEPT_TEXT_BYTES;
		char *larger = realloc(filter->text, size);
		if (!larger) {
			pass_buffered(filter);
			pass_text(filter, text, (int)length);
			return;
		}
		filter->text = larger;
		filter->text_size = size;
	}
	memcpy(filter->text + filter->text_length, text, length);
	filter->text_length = needed;
}

/* Whether nothing follows the tag of which expat has just told in what it has got. */
static bool is_at_end(const struct filter *filter)
{
	return filter->byte_index && filter->byte_count &&
	       filter->byte_index(filter->parser) + filter->byte_count(filter->parser) ==
		       filter->parsed;
}

static void on_start(void *context, const char *name, const char **attributes)
{
	struct filter *filter = context;
	filter->unparsed = 0;
	size_t bytes = size_of(name, attributes);
	drop_qualified(attributes);
	if (filter->dropped > 0 ||
	    (filter->roster &&
	     roster_parser_begin_element(filter->roster, filter->depth, name, attributes)) ||
	    is_too_much(filter, bytes)) {
		filter->dropped++;
		return;
	}
	if (filter->depth <= 1) {
		filter->elements = 0;
		filter->bytes = 0;
		filter->marked = 0;
	}
	pass_buffered(filter);
	filter->depth++;
	filter->elements++;
	filter->bytes += bytes;
	if (filter->login) {
		login_start(filter->login, &filter->sink, name, attributes);
	} else {
		filter->sink.start(filter->sink.context, name, attributes);
	}
	filter->in_block = block_text_is_in(name) && is_at_end(filter);
}

static void on_end(void *context, const char *name)
{
	struct filter *filter = context;
	filter->unparsed = 0;
	if (filter->dropped > 0) {
		filter->dropped--;
		return;
	}
	pass_buffered(filter);
	filter->depth--;
	if (filter->login) {
		login_end(filter->login, &filter->sink, name);
	} else {
		filter->sink.end(filter->sink.context, name);
	}
}

static void take_text(struct filter *filter, const char *text, size_t length)
{
	if (filter->bytes + length <= STANZA_MAX_BYTES) {
		filter->bytes += length;
		buffer_text(filter, text, length);
	} else {
		filter->bytes = STANZA_MAX_BYTES; /* no element follows, so no mark is lost */
		if (!(filter->marked & 1u << filter->depth)) {
			filter->marked |= 1u << filter->depth;
			buffer_text(filter, cut_mark, sizeof(cut_mark) - 1);
		}
	}
}

static void on_text(void *context, const char *text, int length)
{
	struct filter *filter = context;
	filter->unparsed = 0;
	if (filter->dropped > 0) {
		return;
	}
	if (filter->depth <= 1) {
		pass_text(filter, text, length); /* between stanzas; nobody stores it */
	} else {
		take_text(filter, text, (size_t)length);
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
		filter->roster = roster_of_thread;
		if (filter->login) {
			login_open(filter->login);
		}
		filter->depth = 0;
		filter->dropped = 0;
		filter->unparsed = 0;
		filter->parsed = 0;
		filter->in_block = false;
		interpose_find("XML_GetCurrentByteIndex", (void **)&filter->byte_index);
		interpose_find("XML_GetCurrentByteCount", (void **)&filter->byte_count);
		filter->text_length = 0;
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

/* Takes the text of a block that `text` begins with. Returns its length. */
static size_t take_block(struct filter *filter, const char *text, size_t length)
{
	length = filter && filter->in_block ? block_text_length(text, length) : 0;
	if (length > 0) {
		take_text(filter, text, length);
	}
	return length;
}

static int parse_part(struct filter *filter, void *parser, const char *text, int length,
		      int is_final)
{
	int (*parse)(void *, const char *, int, int);
	interpose(INTERPOSED_XML_Parse, (void **)&parse);
	if (length == 0 && !is_final) {
		return XML_STATUS_OK;
	}
	if (!parse || (filter && (filter->unparsed > STANZA_MAX_TAG_BYTES ||
				  filter->dropped > STANZA_MAX_DROPPED))) {
		return XML_STATUS_ERROR;
	}
	if (filter) {
		filter->unparsed += (size_t)length; /* an event sets it to 0 */
		filter->parsed += length;
		filter->in_block = false;
	}
	return parse(parser, text, length, is_final);
}

INTERPOSED int XML_Parse(void *parser, const char *text, int length, int is_final)
{
	struct filter *filter = filter_of(parser, false);
	int status;
	do {
		int taken = (int)take_block(filter, text, (size_t)length);
		text += taken;
		length -= taken;
		int part = (int)block_text_distance(text, (size_t)length);
		status = parse_part(filter, parser, text, part, is_final && part == length);
		text += part;
		length -= part;
	} while (length > 0 && status != XML_STATUS_ERROR);
	parser_of_thread = parser;
	has_failed |= status == XML_STATUS_ERROR;
	return status;
}

bool stanza_limits_has_parser(void)
{
	return parser_of_thread != NULL;
}

void stanza_limits_parse(const char *bytes, size_t length)
{
	XML_Parse(parser_of_thread, bytes, (int)length, 0);
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
		free(filter->text);
		free(filter);
	}
	if (free_parser) {
		free_parser(parser);
	}
}
