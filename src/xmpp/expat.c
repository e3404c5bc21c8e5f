/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "xmpp/expat.h"

#include <dlfcn.h>

/* As expat.h declares them; the types are opaque here. */
void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator);
unsigned char XML_ParserReset(void *parser, const char *encoding);

/* POSIX's way to make a function of what dlsym found. */
static void find(const char *name, void **function)
{
	*function = dlsym(RTLD_NEXT, name);
}

static void make_prompt(void *parser)
{
	unsigned char (*set)(void *, unsigned char) = 0;
	find("XML_SetReparseDeferralEnabled", (void **)&set);
	if (set && parser) {
		set(parser, 0);
	}
}

void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator)
{
	void *(*create)(const char *, const void *, const char *) = 0;
	find("XML_ParserCreate_MM", (void **)&create);
	void *parser = create ? create(encoding, memory, separator) : 0;
	make_prompt(parser);
	return parser;
}

unsigned char XML_ParserReset(void *parser, const char *encoding)
{
	unsigned char (*reset)(void *, const char *) = 0;
	find("XML_ParserReset", (void **)&reset);
	unsigned char result = reset ? reset(parser, encoding) : 0;
	make_prompt(parser); /* a reset switches it on again */
	return result;
}

bool expat_is_prompt(void)
{
	return dlsym(RTLD_DEFAULT, "XML_SetReparseDeferralEnabled") != 0;
}
