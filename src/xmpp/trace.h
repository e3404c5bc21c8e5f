/* SPDX-License-Identifier: MIT */
/*
 * trace - libstrophe's log of stanzas, fit for a debugger's eyes: without secrets and contents.
 *
 * Hidden is what is inside of these elements, whatever the order of their attributes and their
 * prefix, and nothing else: <auth/>, <response/>, <challenge/>, <success/> and <abort/> of SASL;
 * <password/> and <digest/> of jabber:iq:auth; <data/> of In-Band Bytestreams.
 *
 * What we send is logged in the pieces in which it was written, which begin and end anywhere, also
 * in a tag; so what is known of one line holds for the next. What comes in is logged by stanzas.
 * What cannot be followed (too deep, or too many prefixes) is hidden.
 *
 * Threads: none; the caller serialises.
 * Source:  RFC 6120 section 6.4, XEP-0078, XEP-0047; libstrophe 0.12.2 and 0.14.0 (neither has
 *          SASL2).
 */
#ifndef XMPP_TRACE_H
#define XMPP_TRACE_H

#include <stdbool.h>

/* Elements in each other that are followed, and prefixes at once. */
#define TRACE_DEPTH    32
#define TRACE_PREFIXES 8

/* Of a line, with its end. A longer one ends in "...". */
#define TRACE_BYTES 2000

enum trace_namespace {
	TRACE_OTHER,
	TRACE_SASL,
	TRACE_AUTH, /* jabber:iq:auth */
	TRACE_IBB,
};

/* Where in a stream of XML we are. */
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
	bool lost; /* more than we can follow: all is hidden until the stream begins anew */
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
