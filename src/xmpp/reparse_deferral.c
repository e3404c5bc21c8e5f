/* SPDX-License-Identifier: MIT */
/*
 * reparse_deferral - lets libstrophe's parser deliver a stanza as soon as it is complete.
 *
 * Since CVE-2023-52425 expat puts off looking at a tag that came in pieces until about twice as
 * much has arrived, and a stanza whose sender waits for the answer may wait for ever. Every parser
 * that this program makes has that switched off; the server bounds what a stanza can cost.
 *
 * Nobody calls this file: two of expat's functions are interposed. libstrophe up to 0.14.0 at least
 * leaves the deferral as it is. Newer versions of expat than 2.6.0 put off less, so that it takes a
 * tag in three pieces.
 *
 * Threads: any.
 * Source:  expat 2.6.0, XML_SetReparseDeferralEnabled; Debian has it in 2.5.0-1+deb12u1, too.
 */
#include "xmpp/interpose.h"

#include <stddef.h>

/* As expat.h declares them; the types are opaque here. */
void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator);
unsigned char XML_ParserReset(void *parser, const char *encoding);

static void make_prompt(void *parser)
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
	make_prompt(parser);
	return parser;
}

INTERPOSED unsigned char XML_ParserReset(void *parser, const char *encoding)
{
	unsigned char (*reset)(void *, const char *);

	interpose(INTERPOSED_XML_ParserReset, (void **)&reset);
	unsigned char result = reset != NULL ? reset(parser, encoding) : 0;
	make_prompt(parser); /* a reset switches it on again */
	return result;
}
