/* SPDX-License-Identifier: MIT */
#include "xmpp/trace.h"

#include <stddef.h>
#include <string.h>

/* Where in XML the next character is. */
enum state {
	TEXT,
	OPEN, /* after '<' */
	DECLARATION,
	NAME,
	TAG, /* between attributes */
	ATTRIBUTE,
	EQUALS, /* between an attribute's name and its value */
	VALUE,
};

static const struct {
	const char *uri;
	enum trace_namespace namespace;
} namespaces[] = {
	{"urn:ietf:params:xml:ns:xmpp-sasl", TRACE_SASL},
	{"jabber:iq:auth", TRACE_AUTH},
	{"http://jabber.org/protocol/ibb", TRACE_IBB},
};

static const struct {
	enum trace_namespace namespace;
	const char *name;
} secrets[] = {
	{TRACE_SASL, "auth"},	 {TRACE_SASL, "response"}, {TRACE_SASL, "challenge"},
	{TRACE_SASL, "success"}, {TRACE_SASL, "abort"},	   {TRACE_AUTH, "password"},
	{TRACE_AUTH, "digest"},	 {TRACE_IBB, "data"},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- namespaces ---- */

static enum trace_namespace namespace_of(const char *uri)
{
	for (size_t i = 0; i < LENGTH(namespaces); i++) {
		if (strcmp(uri, namespaces[i].uri) == 0) {
			return namespaces[i].namespace;
		}
	}
	return TRACE_OTHER;
}

/* The attribute that has just ended, of the element that is about to open. */
static void take_attribute(struct trace_place *place)
{
	static const char declares[] = "xmlns:";
	const size_t length = sizeof(declares) - 1;

	if (place->is_end || place->depth >= TRACE_DEPTH) {
		return;
	}
	enum trace_namespace namespace = namespace_of(place->value);
	if (strcmp(place->attribute, "xmlns") == 0) {
		place->defaults[place->depth + 1] = namespace;
	} else if (strncmp(place->attribute, declares, length) == 0) {
		const char *prefix = place->attribute + length;
		if (place->prefix_count == TRACE_PREFIXES ||
		    strlen(prefix) >= sizeof(place->prefixes[0].prefix)) {
			place->lost = true;
			return;
		}
		strcpy(place->prefixes[place->prefix_count].prefix, prefix);
		place->prefixes[place->prefix_count].namespace = namespace;
		place->prefixes[place->prefix_count].depth = place->depth + 1;
		place->prefix_count++;
	}
}

static bool is_secret(const struct trace_place *place)
{
	const char *colon = strchr(place->name, ':');
	const char *local = colon != NULL ? colon + 1 : place->name;
	enum trace_namespace namespace = place->defaults[place->depth];

	if (colon != NULL) {
		size_t length = (size_t)(colon - place->name);
		namespace = TRACE_OTHER;
		/* The innermost declaration comes last. */
		for (unsigned i = place->prefix_count; i-- > 0;) {
			const char *prefix = place->prefixes[i].prefix;
			if (strncmp(prefix, place->name, length) == 0 && prefix[length] == '\0') {
				namespace = place->prefixes[i].namespace;
				break;
			}
		}
	}
	for (size_t i = 0; i < LENGTH(secrets); i++) {
		if (secrets[i].namespace == namespace && strcmp(secrets[i].name, local) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- tags ---- */

static void begin(struct trace_place *place)
{
	memset(place, 0, sizeof(*place));
	place->state = TEXT;
}

static void append(char *text, size_t size, char c)
{
	size_t length = strlen(text);

	if (length + 1 < size) {
		text[length] = c;
		text[length + 1] = '\0';
	}
}

static void close_element(struct trace_place *place)
{
	while (place->prefix_count > 0 &&
	       place->prefixes[place->prefix_count - 1].depth >= place->depth) {
		place->prefix_count--;
	}
	if (place->depth > 0) {
		place->depth--;
	}
}

/* A tag has ended. */
static void take_tag(struct trace_place *place)
{
	place->state = TEXT;
	if (place->is_end) {
		close_element(place);
		return;
	}
	if (place->depth >= TRACE_DEPTH) {
		place->lost = true;
		return;
	}
	place->depth++;
	if (place->has_slash) {
		close_element(place);
	} else if (place->hidden == 0 && is_secret(place)) {
		place->hidden = place->depth;
	}
}

static void begin_tag(struct trace_place *place, char c)
{
	place->is_end = c == '/';
	place->has_slash = false;
	place->name[0] = '\0';
	if (place->depth < TRACE_DEPTH) {
		place->defaults[place->depth + 1] = place->defaults[place->depth];
	}
	if (c == '?' || c == '!') {
		place->state = DECLARATION;
	} else {
		place->state = NAME;
		if (c != '/') {
			append(place->name, sizeof(place->name), c);
		}
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One character of a tag, outside of its attributes. */
static void step_in_tag(struct trace_place *place, char c)
{
	if (c == '>') {
		take_tag(place);
	} else if (c == '/') {
		place->has_slash = true;
	} else if (is_space(c)) {
		place->state = TAG;
	} else if (place->state == NAME) {
		append(place->name, sizeof(place->name), c);
	} else {
		place->state = ATTRIBUTE;
		place->attribute[0] = c;
		place->attribute[1] = '\0';
	}
}

/* Goes over one character. */
static void step(struct trace_place *place, char c)
{
	switch ((enum state)place->state) {
	case TEXT:
		place->state = c == '<' ? OPEN : TEXT;
		break;
	case OPEN:
		begin_tag(place, c);
		break;
	case DECLARATION:
		if (c == '>') {
			begin(place); /* only an XML declaration can be here, before a stream */
		}
		break;
	case NAME:
	case TAG:
		step_in_tag(place, c);
		break;
	case ATTRIBUTE:
		if (c == '=' || is_space(c)) {
			place->state = EQUALS;
		} else {
			append(place->attribute, sizeof(place->attribute), c);
		}
		break;
	case EQUALS:
		if (c == '\'' || c == '"') {
			place->state = VALUE;
			place->quote = c;
			place->value[0] = '\0';
		}
		break;
	case VALUE:
		if (c == place->quote) {
			take_attribute(place);
			place->state = TAG;
		} else {
			append(place->value, sizeof(place->value), c);
		}
		break;
	}
}

/* ---- lines ---- */

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A line that is being made. */
struct line {
	char *text;
	size_t length;
	bool is_marked; /* it says that something is hidden here */
	bool is_cut;	/* it is full, and has its mark at the end */
};

static const char mark[] = "...";

/* For text, if the line is too long and the mark must be behind it. */
#define ROOM (TRACE_BYTES - sizeof(mark))

static void append_mark(struct line *line)
{
	memcpy(line->text + line->length, mark, sizeof(mark) - 1);
	line->length += sizeof(mark) - 1;
}

/* The line is full. `next` is the character that did not fit. */
static void cut(struct line *line, char next)
{
	/* `next`, or what is before it, may be in the middle of a character. */
	while (is_inside_character(next) && line->length > 0 &&
	       is_inside_character(line->text[line->length - 1])) {
		line->length--;
	}
	if (is_inside_character(next) && line->length > 0) {
		line->length--; /* its first byte */
	}
	append_mark(line);
	line->is_cut = true;
}

/* Appends `text`, or cuts the line before `next`. */
static void add(struct line *line, const char *text, size_t length, char next)
{
	if (line->length + length > ROOM) {
		cut(line, next);
		return;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* Shows that something is hidden here. */
static void add_mark(struct line *line, char next)
{
	line->is_marked = true;
	if (line->length + sizeof(mark) > ROOM) {
		cut(line, next);
	} else {
		append_mark(line);
	}
}

/* Appends `text` to the first `length` bytes of the line, without what must be hidden. */
static void show(struct trace *trace, struct trace_place *place, const char *text, size_t length)
{
	struct line line = {.text = trace->line, .length = length};

	for (; *text != '\0'; text++) {
		/* The second character shows whether a tag ends the hidden element. */
		bool ends = place->hidden > 0 && place->state == OPEN && *text == '/' &&
			    place->depth == place->hidden;
		bool was_hidden = place->hidden > 0 || place->lost;
		if (ends) {
			place->hidden = 0;
		}
		step(place, *text);
		if (line.is_cut) {
			continue;
		}
		if (ends && !place->lost) {
			line.is_marked = false;
			add(&line, "</", 2, *text);
		} else if (!was_hidden) {
			add(&line, text, 1, *text);
		} else if (!line.is_marked && (place->lost || *text != '<')) {
			add_mark(&line, *text);
		}
	}
	line.text[line.length] = '\0';
}

void trace_init(struct trace *trace)
{
	begin(&trace->sent);
	trace->line[0] = '\0';
}

const char *trace_line(struct trace *trace, const char *text)
{
	static const char sent[] = "SENT: ";
	static const char received[] = "RECV: ";
	const size_t length = sizeof(sent) - 1;
	struct trace_place whole;

	bool is_sent = strncmp(text, sent, length) == 0;
	if (!is_sent && strncmp(text, received, length) != 0) {
		return NULL;
	}
	memcpy(trace->line, text, length);
	begin(&whole);
	show(trace, is_sent ? &trace->sent : &whole, text + length, length);
	return trace->line;
}
