/* SPDX-License-Identifier: MIT */
/*
 * interpose - functions of libraries in whose place libstrophe is given ours.
 *
 * libstrophe gives no access to its parser, its log lines or its TLS. The dynamic linker looks for
 * a function in the executable first, so one of the same name there is called instead, and calls
 * the library's. Who defines one writes INTERPOSED before it, and adds it to the list below.
 *
 * Three things can take that away without a word: hidden visibility (INTERPOSED undoes it),
 * -Wl,--exclude-libs (so the objects are given to the linker themselves, not in a library of
 * ours: `interposed` in meson.build), and libraries that bind their own symbols, such as static
 * ones. So calls are counted: one that libstrophe must have made by now and that has not come here
 * was not interposed.
 *
 * Threads: any.
 * Source:  dlsym(3), RTLD_NEXT; ld(1).
 */
#ifndef XMPP_INTERPOSE_H
#define XMPP_INTERPOSE_H

#define INTERPOSED __attribute__((visibility("default")))

/* Tests read these names here. */
#define INTERPOSED_FUNCTIONS(X)        \
	X(XML_ParserCreate_MM)         \
	X(XML_ParserReset)             \
	X(XML_ParserFree)              \
	X(XML_SetUserData)             \
	X(XML_SetElementHandler)       \
	X(XML_SetCharacterDataHandler) \
	X(xmpp_stanza_to_text)         \
	X(xmpp_base64_encode)          \
	X(SSL_connect)

enum interposed {
#define INTERPOSED_NAME(name) INTERPOSED_##name,
	INTERPOSED_FUNCTIONS(INTERPOSED_NAME)
#undef INTERPOSED_NAME
	INTERPOSED_COUNT,
};

/* What libstrophe has called once it has logged in, without TLS. */
#define INTERPOSED_AT_LOGIN               \
	(((1u << INTERPOSED_COUNT) - 1) & \
	 ~(1u << INTERPOSED_XML_ParserFree | 1u << INTERPOSED_SSL_connect))

/* Counts a call of ours, and puts the library's function into *function (of any type of function;
 * POSIX's way to make one of what dlsym finds); NULL if there is none. */
void interpose(enum interposed which, void **function);

/* The library's function of that name, which is not ours; NULL if there is none. */
void interpose_find(const char *name, void **function);

/* The name of one of `which`, a set of bits, that has not been called yet; NULL: all have. */
const char *interpose_missing(unsigned which);

#endif
