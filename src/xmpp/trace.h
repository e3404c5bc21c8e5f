/* SPDX-License-Identifier: MIT */
/*
 * trace - makes a line for the debug log of a line of libstrophe's, without secrets and contents.
 *
 * The content of these elements is hidden, whatever their prefix and the order of their attributes:
 * <auth/>, <response/>, <challenge/>, <success/> and <abort/> of SASL; <password/> and <digest/> of
 * jabber:iq:auth; <data/> of In-Band Bytestreams. Nothing else is hidden.
 *
 * A line has a whole stanza that came in, or a piece of what was sent. A piece may begin and end
 * anywhere, even in a tag; so the state at its end is kept for the next piece. If there are too
 * many levels or prefixes to follow, everything is hidden.
 *
 * Threads: none; the caller serialises.
 * Source:  RFC 6120 section 6.4, XEP-0078, XEP-0047. libstrophe up to 0.14.0 has no SASL2.
 */
#ifndef XMPP_TRACE_H
#define XMPP_TRACE_H

#include <stdbool.h>

/* The most nested elements, and the most prefixes at once, that are followed. */
#define TRACE_DEPTH    32
#define TRACE_PREFIXES 8

/* The size of a line, with its NUL. A longer one is cut, and ends in "...". */
#define TRACE_BYTES 2000

enum trace_namespace {
	TRACE_OTHER,
	TRACE_SASL,
	TRACE_AUTH, /* jabber:iq:auth */
	TRACE_IBB,
};

/* A position in a stream of XML. */
struct trace_place {
	int state;
	char quote;
	bool is_end;	/* the tag is </...> */
	bool has_slash; /* the tag may end in "/>" */

	char name[64], attribute[64], value[64]; /* cut: none of those that matter is as long */
	unsigned depth;
	unsigned hidden; /* the depth of the element that is hidden, or 0 */

	/* The default namespace inside of each open element; [0] is before any. */
	enum trace_namespace defaults[TRACE_DEPTH + 1];
	struct {
		char prefix[32];
		enum trace_namespace namespace;
		unsigned depth;
	} prefixes[TRACE_PREFIXES];
	unsigned prefix_count;
	bool lost; /* too many levels or prefixes: all is hidden until the stream begins anew */
};

struct trace {
	struct trace_place sent;
	char line[TRACE_BYTES];
};

/* Nothing has been sent. */
void trace_init(struct trace *trace);

/* `text` (a line of libstrophe's log) as it may be shown; borrowed until the next call. NULL: it is
 * no stanza. */
const char *trace_line(struct trace *trace, const char *text);

#endif
