/* SPDX-License-Identifier: MIT */
/*
 * interpose - symbol interposition: libstrophe calls our functions instead of a library's.
 *
 * libstrophe gives no access to its parser, its log lines or its TLS. But the dynamic linker looks
 * for a symbol in the executable first. A function of the same name there is called instead, and
 * calls the library's function. Such a function is marked with INTERPOSED, and is in the list
 * below.
 *
 * Three things can undo interposition without a warning: hidden visibility, against which
 * INTERPOSED is; -Wl,--exclude-libs, against which meson.build links the objects themselves
 * (`interposed`) instead of a static library; and libraries that bind their own symbols, such as
 * static ones. Therefore calls are noted: a function that libstrophe must have called by now, but
 * that was not called here, is not interposed.
 *
 * Threads: any.
 * Source:  dlsym(3), RTLD_NEXT; ld(1).
 */
#ifndef XMPP_INTERPOSE_H
#define XMPP_INTERPOSE_H

#define INTERPOSED __attribute__((visibility("default")))

/* tests/unit/xmpp/interposed.sh reads these names. */
#define INTERPOSED_FUNCTIONS(X)        \
	X(XML_ParserCreate_MM)         \
	X(XML_ParserReset)             \
	X(XML_ParserFree)              \
	X(XML_Parse)                   \
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

/* The functions that libstrophe has called once it has logged in without TLS. */
#define INTERPOSED_AT_LOGIN               \
	(((1u << INTERPOSED_COUNT) - 1) & \
	 ~(1u << INTERPOSED_XML_ParserFree | 1u << INTERPOSED_SSL_connect))

/* Notes a call of our function, and sets *function to the library's; NULL if there is none. It is a
 * pointer to a function of any type, in the form that POSIX wants for dlsym. */
void interpose(enum interposed which, void **function);

/* Sets *function to the library's function of that name, never to ours; NULL if there is none. */
void interpose_find(const char *name, void **function);

/* The name of a function that was not called yet, of those in the bits `which`; NULL: all were. */
const char *interpose_missing(unsigned which);

#endif
