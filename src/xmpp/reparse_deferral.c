/* SPDX-License-Identifier: MIT */
/*
 * reparse_deferral - switches expat's reparse deferral off, in every parser of this program.
 *
 * Since CVE-2023-52425 was fixed, expat does not parse a tag that arrived in pieces until about
 * twice as much input has arrived. If the sender of a stanza waits for its answer, the stanza may
 * stay in the parser for ever. The deferral bounds the time that a huge tag costs; here the server
 * bounds the size of a stanza.
 *
 * No other file calls this one: two functions of expat are interposed. libstrophe up to 0.14.0 does
 * not change the deferral. Newer versions of expat than 2.6.0 defer less: there it takes a tag in
 * three pieces.
 *
 * Threads: any.
 * Source:  expat 2.6.0, XML_SetReparseDeferralEnabled; Debian has it in 2.5.0-1+deb12u1, too.
 */
#include "xmpp/interpose.h"

#include <stddef.h>

/* As expat.h declares them; the types are opaque here. */
void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator);
unsigned char XML_ParserReset(void *parser, const char *encoding);

static void disable_deferral(void *parser)
{
	unsigned char (*set)(void *, unsigned char);

	interpose_find("XML_SetReparseDeferralEnabled", (void **)&set);
	if (set != NULL && parser != NULL) {
		set(parser, 0);
	}
}

INTERPOSED void *XML_ParserCreate_MM(const char *encoding, const void *memory,
				     const char *separator)
{
	void *(*create)(const char *, const void *, const char *);

	interpose(INTERPOSED_XML_ParserCreate_MM, (void **)&create);
	void *parser = create != NULL ? create(encoding, memory, separator) : NULL;
	disable_deferral(parser);
	return parser;
}

INTERPOSED unsigned char XML_ParserReset(void *parser, const char *encoding)
{
	unsigned char (*reset)(void *, const char *);

	interpose(INTERPOSED_XML_ParserReset, (void **)&reset);
	unsigned char result = reset != NULL ? reset(parser, encoding) : 0;
	disable_deferral(parser); /* a reset switches it on again */
	return result;
}
